//! Version, commit and build time for `accountd --version`.

use std::path::Path;

use shadow_rs::{
    BuildPattern, CARGO_MANIFEST_DIR, CARGO_TREE, COMMIT_AUTHOR, COMMIT_EMAIL, GIT_STATUS_FILE, ShadowBuilder,
};

/// What the commit and the program depend on. Without this a release would be linked anew by
/// every `cargo` command, which takes minutes.
const INPUTS: [&str; 6] = [".git/HEAD", ".git/refs", ".git/packed-refs", "src", "Cargo.toml", "Cargo.lock"];

fn main() -> Result<(), shadow_rs::ShadowError> {
    // Nothing of the machine or the people that build it.
    let denied = [CARGO_MANIFEST_DIR, CARGO_TREE, COMMIT_AUTHOR, COMMIT_EMAIL, GIT_STATUS_FILE];
    // A path that is not there would count as changed each time.
    let there = INPUTS.into_iter().filter(|input| Path::new(input).exists()).map(str::to_owned);
    let pattern =
        BuildPattern::Custom { if_path_changed: there.collect(), if_env_changed: vec!["SOURCE_DATE_EPOCH".to_owned()] };
    ShadowBuilder::builder().build_pattern(pattern).deny_const(denied.into()).build()?;
    age_the_result().map_err(|error| shadow_rs::ShadowError::String(error.to_string()))
}

/// shadow-rs also has cargo look at what it has just written, which is always newer than this
/// script's start.
fn age_the_result() -> std::io::Result<()> {
    let Some(directory) = std::env::var_os("OUT_DIR") else { return Ok(()) };
    let result = std::fs::File::options().write(true).open(Path::new(&directory).join("shadow.rs"))?;
    result.set_modified(std::time::UNIX_EPOCH)
}
