//! accountd-agent: see `--help` and the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    accountd_agent::run()
}
