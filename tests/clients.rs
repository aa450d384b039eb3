//! Clients that nobody here wrote, each with the operations that it has, in one table.
//!
//! A client that is missing fails, because `make test` installs it; one of npm's is skipped, and that is said.

mod commands;
mod libraries;
mod mounted;
mod sftp_programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::freenas::{Nas, new_user};

/// A name that has everything that names have.
pub const ODD: &str = "größe 日本 (1)'s & co #1";

/// A sandbox with `anna` (password `pw`, a key), and a directory of the client's.
pub struct Stage {
    pub nas: Nas,
    pub key: PathBuf,
    /// Trusts the server.
    pub known_hosts: PathBuf,
}

/// What is made of the operations.
#[derive(Default)]
pub struct Matrix(Vec<(&'static str, &'static str, Result<(), String>)>);

impl Stage {
    fn start() -> Self {
        let nas = Nas::start();
        let (key, public) = nas.world.make_key("key", "ed25519");
        let mut user: serde_json::Value = serde_json::from_str(&new_user("anna", 3001, "pw")).unwrap();
        user["bsdusr_shell"] = "/bin/bash".into();
        user["bsdusr_sshpubkey"] = public.into();
        nas.rest.create_user(&user.to_string());
        let known_hosts = nas.world.client_file("known_hosts");
        let stage = Self { known_hosts, key, nas };
        let scanned = Command::new("ssh-keyscan").args(["-p", &stage.port(), "127.0.0.1"]).output().unwrap();
        fs::write(&stage.known_hosts, scanned.stdout).unwrap();
        let content: Vec<u8> =
            (0..5u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        fs::write(stage.local("large"), content).unwrap();
        fs::write(stage.local(ODD), "odd\n").unwrap();
        fs::create_dir_all(stage.local("tree/a/b")).unwrap();
        fs::write(stage.local("tree/a/b/leaf"), "leaf\n").unwrap();
        fs::write(stage.local("tree/empty"), "").unwrap();
        stage
    }

    pub fn port(&self) -> String {
        self.nas.world.ssh().port().to_string()
    }

    /// A file of the client's.
    pub fn local(&self, name: &str) -> PathBuf {
        self.nas.world.client_file(name)
    }

    /// A file of anna's, seen from outside.
    pub fn remote(&self, name: &str) -> PathBuf {
        self.nas.disk.path("/mnt/tank/home/anna").join(name)
    }

    /// Prepares a program in the directory of the client's, without anything of the machine's own
    /// configuration.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.local("")).env("HOME", self.local("")).env_remove("SSH_AUTH_SOCK");
        command
    }

    /// `ssh` with everything that it needs, as one text.
    pub fn ssh_line(&self) -> String {
        let options = self.ssh_options().join(" ");
        format!("ssh {options}")
    }

    pub fn ssh_options(&self) -> Vec<String> {
        let (key, known) = (self.key.display(), self.known_hosts.display());
        let options = ["User=anna", "IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "LogLevel=ERROR"];
        let mut words = vec!["-F".into(), "/dev/null".into(), "-i".into(), key.to_string()];
        words.extend(options.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        words.extend([
            "-o".into(),
            format!("UserKnownHostsFile={known}"),
            "-o".into(),
            format!("Port={}", self.port()),
        ]);
        words
    }

    /// Whether a file of anna's is the same as one of the client's.
    pub fn same(&self, remote: &str, local: &str) -> Result<(), String> {
        equal(&self.remote(remote), &self.local(local))
    }
}

pub fn equal(one: &Path, other: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (one_bytes, other_bytes) = (read(one)?, read(other)?);
    let message =
        || format!("{} has {} bytes, {} has {}", one.display(), one_bytes.len(), other.display(), other_bytes.len());
    if one_bytes == other_bytes { Ok(()) } else { Err(message()) }
}

/// A command that has to succeed.
pub fn succeeds(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "{:?}: {} {} {}",
            command.get_program(),
            output.status,
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// `true`, or why not.
pub fn holds(what: &str, is_so: bool) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("{what} does not hold")) }
}

impl Matrix {
    pub fn try_out(&mut self, client: &'static str, operation: &'static str, act: impl FnOnce() -> Result<(), String>) {
        self.0.push((client, operation, act()));
    }

    /// Of the one client that does not come from Debian.
    pub fn skip(&self, client: &'static str, why: &'static str) {
        println!("| {client:<16} | skipped: {why}");
    }

    fn print(&self) {
        for (client, operation, result) in &self.0 {
            let shown = result.as_ref().map_or_else(|why| format!("FAIL: {why}"), |()| "pass".to_owned());
            println!("| {client:<16} | {operation:<28} | {shown}");
        }
    }
}

#[test]
fn every_client_does_what_it_can() {
    let stage = Stage::start();
    let mut matrix = Matrix::default();
    sftp_programs::run(&stage, &mut matrix);
    commands::run(&stage, &mut matrix);
    libraries::run(&stage, &mut matrix);
    mounted::run(&stage, &mut matrix);
    matrix.print();
    let failed: Vec<_> = matrix.0.iter().filter(|(_, _, result)| result.is_err()).collect();
    assert!(failed.is_empty() && matrix.0.len() > 40, "{failed:#?}");
}
