//! accountd: see `--help` and the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    accountd::run()
}
