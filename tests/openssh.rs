//! OpenSSH's clients, as somebody who logs in would use them.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::world::World;

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    Password(String),
    /// A private key's file.
    Key(PathBuf),
}

/// Somebody who logs in.
#[derive(Debug)]
pub struct Client<'a> {
    world: &'a World,
    server: SocketAddr,
    user: String,
    proof: Proof,
}

impl World {
    pub fn client(&self, user: &str, proof: Proof) -> Client<'_> {
        Client { world: self, server: self.ssh(), user: user.to_owned(), proof }
    }

    pub fn with_password(&self, user: &str, password: &str) -> Client<'_> {
        self.client(user, Proof::Password(password.to_owned()))
    }

    pub fn with_key(&self, user: &str, key: &Path) -> Client<'_> {
        self.client(user, Proof::Key(key.to_owned()))
    }

    /// Makes a key pair with ssh-keygen; gives the private key's file and the public key's line.
    pub fn make_key(&self, name: &str, kind: &str) -> (PathBuf, String) {
        let path = self.client_file(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-C", name, "-t", kind, "-f"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        (path, public.trim().to_owned())
    }
}

impl Client<'_> {
    /// The same at another server.
    pub fn at(self, server: SocketAddr) -> Self {
        Self { server, ..self }
    }

    /// `ssh`, `sftp` or `scp` with everything that it needs to log in, but for host and command.
    pub fn prepare(&self, program: &str) -> Command {
        self.prepare_with(program, &[])
    }

    /// With options before the usual ones: the first value of an option counts (ssh_config(5)).
    pub fn prepare_with(&self, program: &str, first: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(first.iter().flat_map(|option| ["-o", *option]));
        let options = [
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=no",
            "LogLevel=ERROR",
            "BatchMode=no",
            "NumberOfPasswordPrompts=1",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "ConnectTimeout=20",
        ];
        command.args(["-F", "/dev/null"]).args(options.iter().flat_map(|option| ["-o", *option]));
        command.arg("-o").arg(format!("User=\"{}\"", self.user));
        command.arg("-o").arg(format!("Port={}", self.server.port()));
        match &self.proof {
            Proof::Password(password) => command
                .args(["-o", "PreferredAuthentications=password"])
                .env("SSH_ASKPASS", self.askpass())
                .env("SSH_ASKPASS_REQUIRE", "force")
                .env("ACCOUNTD_TEST_PASSWORD", password),
            Proof::Key(key) => command.args(["-o", "PreferredAuthentications=publickey", "-i"]).arg(key),
        };
        command
    }

    /// A program that says the password when `ssh` asks for it.
    fn askpass(&self) -> PathBuf {
        let path = self.world.client_file("askpass");
        if !path.exists() {
            let new = self.world.client_file(&format!("askpass.{:?}", std::thread::current().id()));
            fs::write(&new, "#!/bin/sh\nprintf '%s\\n' \"$ACCOUNTD_TEST_PASSWORD\"\n").unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(&new, &path).unwrap();
        }
        path
    }

    /// Runs commands of sftp(1); it stops at the first that fails.
    pub fn try_sftp(&self, commands: &str) -> Output {
        self.sftp_bytes(commands.as_bytes())
    }

    /// The same for names that are not UTF-8.
    pub fn sftp_bytes(&self, commands: &[u8]) -> Output {
        let mut command = self.prepare("sftp");
        command.args(["-b", "-", "127.0.0.1"]).current_dir(self.world.client_file(""));
        run(command, commands)
    }

    /// Runs commands that all have to succeed; gives what sftp printed.
    #[track_caller]
    pub fn sftp(&self, commands: &str) -> String {
        let output = self.try_sftp(commands);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "sftp of {}: {commands}\n{said}", self.user);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs commands of which one has to fail; gives the messages.
    #[track_caller]
    pub fn sftp_fails(&self, commands: &str) -> String {
        let output = self.try_sftp(commands);
        assert_eq!(output.status.code(), Some(1), "sftp of {}: {commands}", self.user);
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Whether a login with a session succeeds; a refusal has to be one of the authentication.
    #[track_caller]
    pub fn logs_in(&self) -> bool {
        let output = self.try_sftp("pwd\n");
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => true,
            Some(255) if said.contains("Permission denied") => false,
            code => panic!("sftp of {} ended with {code:?}: {said}", self.user),
        }
    }

    /// `ssh` with a command or options behind the host.
    pub fn ssh(&self, arguments: &[&str]) -> Output {
        let mut command = self.prepare("ssh");
        command.arg("127.0.0.1").args(arguments);
        run(command, b"")
    }
}

pub fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // What it says is read meanwhile, or the two would wait for each other.
    std::thread::scope(|scope| {
        // It may have ended before it read anything.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}
