//! Sessions and connections: how they are counted, and how they end.

mod unread;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use russh::client::{self, AuthResult, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg, SshId};

use crate::freenas::{Nas, new_user};
use crate::openssh::run;
use crate::running::Running;
use crate::unauthenticated::Front;
use crate::world::wait_for;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// SSH_FXP_INIT of version 3, and how the answer begins.
const INIT: [u8; 9] = [0, 0, 0, 5, 1, 0, 0, 0, 3];
const VERSION: u8 = 2;
/// SSH_FXP_REALPATH of `.`.
const REALPATH: [u8; 14] = [0, 0, 0, 10, 16, 0, 0, 0, 1, 0, 0, 0, 1, b'.'];

/// A sandbox with `anna` (uid 3001, password `pw`).
fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas
}

/// A client that trusts every host key.
pub struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn connect(nas: &Nas) -> Handle<Trusting> {
    connect_as(nas, client::Config::default()).await
}

async fn connect_as(nas: &Nas, config: client::Config) -> Handle<Trusting> {
    client::connect(Arc::new(config), nas.world.ssh(), Trusting).await.unwrap()
}

pub async fn log_in(nas: &Nas) -> Handle<Trusting> {
    authenticate(connect(nas).await).await
}

async fn authenticate(mut connection: Handle<Trusting>) -> Handle<Trusting> {
    assert!(matches!(connection.authenticate_password("anna", "pw").await.unwrap(), AuthResult::Success));
    connection
}

/// A channel on which SFTP has answered.
async fn sftp(connection: &Handle<Trusting>) -> Channel<client::Msg> {
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert_eq!(greet(&mut channel).await, Some(VERSION));
    channel
}

/// The kind of the first packet that SFTP sends, if it sends one.
async fn greet(channel: &mut Channel<client::Msg>) -> Option<u8> {
    channel.data(&INIT[..]).await.unwrap();
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Data { data } = message {
            return data.get(4).copied();
        }
    }
    None
}

pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it took too long") })
}

#[test]
fn closing_one_channel_leaves_the_others_of_its_connection() {
    let nas = nas_with_anna();
    block_on(async {
        let connection = log_in(&nas).await;
        let closed = sftp(&connection).await;
        let mut left = sftp(&connection).await;
        closed.close().await.unwrap();
        // A round trip of the one, and another channel; then time for what must not happen.
        left.data(&REALPATH[..]).await.unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(5), left.wait()).await.unwrap();
        assert!(matches!(answered, Some(ChannelMsg::Data { .. })), "{answered:?}");
        tokio::time::sleep(Duration::from_millis(700)).await;
        drop(sftp(&connection).await);
        assert!(!connection.is_closed());
    });
}

/// SSH_FXP_SYMLINK with two names of one letter.
fn symlink(first: u8, second: u8) -> [u8; 19] {
    [0, 0, 0, 15, 20, 0, 0, 0, 9, 0, 0, 0, 1, first, 0, 0, 0, 1, second]
}

#[test]
fn a_symbolic_link_is_made_as_the_client_means_it() {
    let nas = nas_with_anna();
    block_on(async {
        for (client, first, second) in [("WinSCP_release_6.3.5", b'a', b't'), ("OpenSSH_9.2p1", b't', b'b')] {
            let client_id = SshId::Standard(format!("SSH-2.0-{client}").into());
            let connection =
                authenticate(connect_as(&nas, client::Config { client_id, ..Default::default() }).await).await;
            let mut channel = sftp(&connection).await;
            channel.data(&symlink(first, second)[..]).await.unwrap();
            let answered = channel.wait().await;
            assert!(matches!(answered, Some(ChannelMsg::Data { .. })), "{answered:?}");
        }
    });
    for link in ["a", "b"] {
        let path = nas.disk.path("/mnt/tank/home/anna").join(link);
        assert_eq!(fs::read_link(path).unwrap(), PathBuf::from("t"), "{link}");
    }
}

/// OpenSSH's client as a master whose connection others share.
struct Master {
    _ssh: Running,
    path: PathBuf,
}

impl Master {
    fn start(nas: &Nas) -> Self {
        let path = nas.world.client_file("master");
        let mut command = nas.world.with_password("anna", "pw").prepare("ssh");
        command.args(["-M", "-N", "-S"]).arg(&path).arg("127.0.0.1");
        let ssh = Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
        wait_for("the master", || path.exists());
        Self { _ssh: ssh, path }
    }

    /// A run of `sftp` or `ssh` over its connection; there is no other way to the server.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        let control = format!("ControlPath={}", self.path.display());
        command.args(["-F", "/dev/null", "-o", &control, "-o", "ProxyCommand=false"]).args(arguments);
        run(command, b"pwd\n")
    }
}

#[test]
fn one_connection_serves_any_number_of_sessions_one_after_the_other() {
    let nas = nas_with_anna();
    let master = Master::start(&nas);
    for number in 0..15 {
        let output = master.run("sftp", &["-b", "-", "127.0.0.1"]);
        assert!(output.status.success(), "session {number}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for number in 0..15 {
        let output = master.run("ssh", &["127.0.0.1", "true"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "command {number}: {said}");
        let refused = master.run("ssh", &["-s", "127.0.0.1", "no-such-subsystem"]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!said.contains("open failed"), "subsystem {number}: {said}");
    }
    assert!(master.run("sftp", &["-b", "-", "127.0.0.1"]).status.success());
}

/// The client, with an askpass that says each of `passwords` once, in their order.
fn with_passwords(nas: &Nas, passwords: &[&str]) -> Command {
    let (script, left) = (nas.world.client_file("askpass-list"), nas.world.client_file("passwords"));
    fs::write(&left, passwords.iter().map(|password| format!("{password}\n")).collect::<String>()).unwrap();
    let text = format!("#!/bin/sh\nhead -n 1 {0}\nsed -i 1d {0}\n", left.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let plain = nas.world.with_password("anna", "").prepare("sftp");
    let mut command = Command::new(plain.get_program());
    // The first value of an option counts.
    command.args(["-o", &format!("NumberOfPasswordPrompts={}", passwords.len())]).args(plain.get_args());
    command.args(["-b", "-", "127.0.0.1"]);
    command.env("SSH_ASKPASS", script).env("SSH_ASKPASS_REQUIRE", "force");
    command
}

#[test]
fn after_a_wrong_password_the_right_one_still_lets_in() {
    let nas = nas_with_anna();
    let output = run(with_passwords(&nas, &["wrong", "also wrong", "pw"]), b"pwd\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_connection_has_so_many_attempts_and_no_more() {
    let nas = nas_with_anna();
    let output = run(with_passwords(&nas, &["1", "2", "3", "4", "5", "6", "7", "8", "pw"]), b"pwd\n");
    assert_eq!(output.status.code(), Some(255));
    let left = fs::read_to_string(nas.world.client_file("passwords")).unwrap();
    // The seventh was typed, and not looked at.
    assert_eq!(left, "8\npw\n");
}

/// A second accountd-login of a sandbox, whose log nobody takes.
struct Unheard(Child);

impl Unheard {
    const SOCKET: &str = "/run/accountd/unheard.sock";

    fn start(nas: &Nas) -> Self {
        let login = nas.world.process("login");
        let line = fs::read_to_string(format!("/proc/{login}/cmdline")).unwrap();
        let program = format!("/proc/{login}/exe");
        let arguments = line.trim_end_matches('\0').split('\0').skip(1);
        let command: Vec<&str> = [&program, "--socket", Self::SOCKET].into_iter().chain(arguments).collect();
        let mut child = nas.world.inside(&command).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        wait_for("a second accountd-login", || nas.disk.path(Self::SOCKET).exists());
        Self(child)
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
fn sessions_end_when_nobody_takes_the_log() {
    let nas = nas_with_anna();
    let mut unheard = Unheard::start(&nas);
    let front = Front::start(&nas, &["--login-socket", Unheard::SOCKET]);
    let mut command = nas.world.with_password("anna", "pw").at(front.address).prepare("ssh");
    command.args(["-s", "127.0.0.1", "sftp"]);
    let mut ssh = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    ssh.stdin.as_mut().unwrap().write_all(&INIT).unwrap();
    ssh.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    nas.world.run(&["usermod", "-L", "anna"]);
    wait_for("the end of the session", || ssh.try_wait().unwrap().is_some());
    nas.world.run(&["usermod", "-U", "anna"]);
    wait_for("logins again", || {
        nas.world.with_password("anna", "pw").at(front.address).try_sftp("pwd\n").status.success()
    });
    assert_eq!(unheard.0.try_wait().unwrap(), None, "it has ended");
}

#[test]
fn an_account_has_so_many_connections_and_so_many_sessions() {
    let nas = nas_with_anna();
    block_on(async {
        let mut connections = Vec::new();
        for _ in 0..32 {
            connections.push(log_in(&nas).await);
        }
        let refused = connect(&nas).await.authenticate_password("anna", "pw").await.unwrap();
        assert!(matches!(refused, AuthResult::Failure { .. }), "a thirty-third connection");
        let mut channels = Vec::new();
        for number in 0..128 {
            channels.push(sftp(&connections[number % 8]).await);
        }
        let said = refusal(&connections[9]).await;
        assert!(said.contains("too many sessions of this account"), "{said}");
        connections.truncate(16);
        wait_for_login(&nas).await;
    });
}

/// What a channel says on which no session can be opened.
async fn refusal(connection: &Handle<Trusting>) -> String {
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut said = String::new();
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::ExtendedData { data, .. } = message {
            said.push_str(&String::from_utf8_lossy(&data));
        }
    }
    said
}

/// The server hears of ends a little later than the client.
async fn wait_for_login(nas: &Nas) {
    while !matches!(connect(nas).await.authenticate_password("anna", "pw").await.unwrap(), AuthResult::Success) {}
}

#[test]
fn another_spawner_comes_when_one_has_ended() {
    let nas = nas_with_anna();
    let login = nas.world.process("login");
    let children = fs::read_to_string(format!("/proc/{login}/task/{login}/children")).unwrap();
    block_on(async {
        let connection = log_in(&nas).await;
        // Its keeper is a copy of the spawner.
        let mut session = sftp(&connection).await;
        kill(Pid::from_raw(children.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
        while session.wait().await.is_some() {}
    });
    nas.world.wait_for_another("login", login);
    wait_for("logins again", || nas.world.with_password("anna", "pw").try_sftp("pwd\n").status.success());
}

#[test]
fn only_root_and_the_front_reach_the_socket() {
    let nas = nas_with_anna();
    let socket = "/run/accountd/login.sock";
    // 991 is accountd-ssh in every sandbox.
    assert_eq!(nas.disk.owner_and_mode(socket), (0, 991, 0o660));
    let connects = |user: &str| {
        let script = format!("import socket\nsocket.socket(socket.AF_UNIX).connect('{socket}')\n");
        let drop_to = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "python3", "-c", &script];
        nas.world.exec(&drop_to).status.success()
    };
    assert!(connects("accountd-ssh") && !connects("anna") && !connects("accountd-api"));
}
