//! A command inside a running sandbox (setns(2)).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, setns};

use super::error::SandboxError;
use super::lock;

/// Becomes the command; what it ends with, this process ends with.
pub fn exec(root: &Path, command: &OsStr, arguments: &[OsString]) -> Result<ExitCode, SandboxError> {
    let holder = lock::holder(root)?;
    let path = format!("/proc/{holder}/ns/mnt");
    let namespace = File::open(&path).map_err(SandboxError::file("open", path))?;
    setns(&namespace, CloneFlags::CLONE_NEWNS).map_err(SandboxError::kernel("enter the sandbox"))?;
    nix::unistd::chdir("/").map_err(SandboxError::kernel("change to the sandbox's root"))?;
    let source = Command::new(command).args(arguments).exec();
    Err(SandboxError::Run { program: command.to_string_lossy().into_owned(), source })
}
