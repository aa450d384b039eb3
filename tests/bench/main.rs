//! `make bench`: the shipped programs beside what everybody has, in the same run.
//!
//! Accounts beside shadow-utils, and SSH beside OpenSSH's `sshd`. Prints medians and ratios and
//! judges nothing. `cargo bench --workspace --bench accountd -- create 1000` runs one part: `create`,
//! `many` and `checks` beside that many accounts; `scan` of that many files; `transfer`, `parallel`, `small`, `listing`, `logins`
//! and `idle`, or `ssh` for all of these.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on has failed")]

mod checks;
mod create;
mod ledger;
mod many;
#[path = "../openssh.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod openssh;
mod populated;
#[path = "../rest.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod rest;
mod scan;
mod ssh;
mod table;
mod traced;
#[path = "../world.rs"]
#[allow(dead_code, reason = "shared with the tests, which need more of it")]
mod world;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let sizes: Vec<usize> = wanted.iter().filter_map(|word| word.parse().ok()).collect();
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == part);
    if wants("create") {
        create::run(if sizes.is_empty() { &create::SIZES } else { &sizes });
    }
    if wants("many") {
        many::run(if sizes.is_empty() { &create::SIZES } else { &sizes });
    }
    if wants("checks") {
        checks::run(if sizes.is_empty() { &checks::SIZES } else { &sizes });
    }
    if wants("scan") {
        scan::run(if sizes.is_empty() { &scan::SIZES } else { &sizes });
    }
    if wants("ledger") {
        ledger::run();
    }
    ssh::run(&|part| wants(part) || wants("ssh"));
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
