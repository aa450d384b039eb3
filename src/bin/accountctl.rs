//! accountctl: see `--help` and the crate accountd-cli.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    accountd_cli::run(accountd::VERSION)
}
