//! Version, commit and build time for `accountd --version`.

use shadow_rs::{CARGO_MANIFEST_DIR, CARGO_TREE, COMMIT_AUTHOR, COMMIT_EMAIL, GIT_STATUS_FILE, ShadowBuilder};

fn main() -> Result<(), shadow_rs::ShadowError> {
    // Nothing of the machine or the people that build it.
    let denied = [CARGO_MANIFEST_DIR, CARGO_TREE, COMMIT_AUTHOR, COMMIT_EMAIL, GIT_STATUS_FILE];
    ShadowBuilder::builder().deny_const(denied.into()).build()?;
    Ok(())
}
