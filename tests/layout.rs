//! What docs/architecture.md says of the tree: which crate may see which, and where the calls are
//! that decide everything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that face the network or serve it.
const NETWORK: [&str; 8] = ["tokio", "mio", "hyper", "rocket", "russh", "ureq", "rustls", "aws-lc-rs"];
/// Crates of root's programs and of what only they need.
const ROOTS: [&str; 4] = ["accountd-agent", "accountd-login", "rusqlite", "sha-crypt"];

/// The names of all crates that a member is built of, as `cargo tree` has them; `-e normal` leaves
/// out what only tests and builds need.
fn parts(member: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none", "--format", "{p}", "-p", member])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The members among them, but itself.
fn members(member: &str) -> Vec<String> {
    parts(member).into_iter().filter(|name| name.starts_with("accountd") && name != member).collect()
}

#[track_caller]
fn has_none(member: &str, unwanted: &[&str]) {
    let parts = parts(member);
    assert!(parts.contains(member), "{member} is no member");
    let found: Vec<_> = unwanted.iter().filter(|name| parts.contains(**name)).collect();
    assert!(found.is_empty(), "{member} is built of {found:?}");
}

#[test]
fn dependencies_of_the_members_point_one_way() {
    let allowed: [(&str, &[&str]); 11] = [
        ("accountd-protocol", &[]),
        ("accountd-config", &["accountd-protocol"]),
        ("accountd-agent", &["accountd-config", "accountd-protocol"]),
        ("accountd-login", &["accountd-protocol"]),
        ("accountd-pam", &["accountd-protocol"]),
        ("accountd-session", &["accountd-protocol"]),
        ("accountd-core", &["accountd-protocol"]),
        ("accountd-api", &["accountd-core", "accountd-protocol"]),
        ("accountd-ssh", &["accountd-protocol"]),
        ("accountd-cli", &["accountd-protocol"]),
        ("accountd", &["accountd-api", "accountd-cli", "accountd-core", "accountd-protocol", "accountd-ssh"]),
    ];
    for (member, expected) in allowed {
        assert_eq!(members(member), expected, "{member}");
    }
}

#[test]
fn programs_of_root_and_of_users_have_nothing_of_the_network() {
    for member in ["accountd-protocol", "accountd-config", "accountd-agent", "accountd-login", "accountd-session"] {
        has_none(member, &NETWORK);
    }
}

#[test]
fn fronts_have_nothing_of_root_and_nothing_of_each_other() {
    for member in ["accountd-api", "accountd-ssh", "accountd-cli", "accountd-core", "accountd"] {
        has_none(member, &ROOTS);
    }
    has_none("accountd-api", &["russh", "accountd-ssh"]);
    has_none("accountd-ssh", &["rocket", "hyper", "accountd-api", "accountd-core"]);
    has_none("accountd-session", &["rusqlite"]);
    has_none("accountd-login", &["rusqlite"]);
}

/// It is loaded into programs of everybody: what they say to the agent, and calls of the system.
#[test]
fn the_module_of_pam_is_built_of_little() {
    let libraries = parts("accountd-pam");
    let of_protocol = parts("accountd-protocol");
    let own: Vec<&str> = libraries.iter().map(String::as_str).filter(|name| !of_protocol.contains(*name)).collect();
    assert_eq!(own, ["accountd-pam", "pam-bindings"]);
    assert!(libraries.len() < 40, "{libraries:?}");
    has_none("accountd-pam", &NETWORK);
    has_none("accountd-pam", &ROOTS);
}

/// The source of the programs; tests, benchmarks and what cargo builds are not among it.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut directories = vec![root.join("src"), root.join("agent"), root.join("pam")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path == root.join("pam/tests") {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    assert!(found.len() > 300, "{}", found.len());
    found
}

/// The sources in which a line of code has one of these words; comments do not count, nor do the
/// unit tests at the end of a file.
fn sources_with(words: &[&str]) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let uses = |path: &PathBuf| {
        let text = fs::read_to_string(root.join(path)).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        code.lines().any(|line| !line.trim_start().starts_with("//") && words.iter().any(|word| line.contains(word)))
    };
    sources().iter().filter(|path| uses(path)).map(|path| path.to_str().unwrap().to_owned()).collect()
}

#[test]
fn one_function_changes_identity() {
    let changes = ["setresuid(", "setresgid(", "setuid(", "setgid(", "setreuid(", "setregid(", "initgroups("];
    assert_eq!(sources_with(&changes), BTreeSet::from(["agent/protocol/identity.rs".to_owned()]));
    // That of one thread, for opening files alone, is the system call itself.
    let of_threads = ["SYS_setfsuid", "SYS_setfsgid", "SYS_setgroups", "setfsuid("];
    assert_eq!(sources_with(&of_threads), BTreeSet::from(["agent/src/sys/filesystem_identity.rs".to_owned()]));
}

#[test]
fn unsafe_code_is_in_sys_modules_alone_with_a_reason_each() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = sources_with(&["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]);
    assert!(found.len() >= 5, "{found:?}");
    for path in found {
        assert!(path.contains("/sys/") || path.ends_with("/sys.rs"), "{path}");
        let text = fs::read_to_string(root.join(&path)).unwrap();
        let blocks = text.lines().filter(|line| line.contains("unsafe {") || line.contains("unsafe impl")).count();
        assert!(text.matches("// SAFETY: ").count() >= blocks, "{path}: {blocks} blocks");
    }
}

/// Names that say nothing of what is in a module.
const NON_NAMES: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "misc", "manager", "data", "info", "types"];

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let named: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|path| {
            path.components()
                .any(|part| NON_NAMES.contains(&part.as_os_str().to_str().unwrap().trim_end_matches(".rs")))
        })
        .collect();
    assert!(named.is_empty(), "{named:?}");
}
