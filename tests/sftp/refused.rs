//! What is not served is refused at once, so that no client waits.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Files;
use crate::openssh::run;
use crate::running::Running;

/// Far above what a refusal takes, far below what a client waits by itself.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn without_a_login_shell_all_but_files_is_refused_at_once() {
    let files = Files::new();
    files.nas.world.run(&["usermod", "-s", "/usr/sbin/nologin", "anna"]);
    let rows: [&[&str]; 6] =
        [&[], &["id"], &["-t", "-t"], &["-s", "no-such-subsystem"], &["-X", "id"], &["-T", "exec", "sh"]];
    for arguments in rows {
        let begun = Instant::now();
        let output = files.anna().ssh(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?} {}", String::from_utf8_lossy(&output.stdout));
        assert!(begun.elapsed() < AT_ONCE, "{arguments:?} took {:?}", begun.elapsed());
    }
    let said = files.anna().ssh(&["id"]);
    assert_eq!(String::from_utf8_lossy(&said.stderr).trim_end(), "this account may use sftp and scp only");
    let said = files.anna().ssh(&["-T"]);
    assert_eq!(String::from_utf8_lossy(&said.stderr).trim_end(), "This account has no shell here.");
}

#[test]
fn forwarding_of_ports_and_agents_is_refused() {
    let files = Files::new();
    for option in ["-R 127.0.0.1:0:127.0.0.1:9", "-R /tmp/accountd-socket:127.0.0.1:9"] {
        let mut command = files.anna().prepare("ssh");
        command.args(["-o", "ExitOnForwardFailure=yes", "-N"]).args(option.split(' ')).arg("127.0.0.1");
        let begun = Instant::now();
        let output = run(command, b"");
        assert!(!output.status.success(), "{option}");
        assert!(begun.elapsed() < AT_ONCE, "{option} took {:?}", begun.elapsed());
    }
    // direct-tcpip: the client ends as soon as the channel is refused.
    let mut command = files.anna().prepare("ssh");
    command.args(["-W", "127.0.0.1:9", "127.0.0.1"]);
    let begun = Instant::now();
    assert!(!run(command, b"").status.success());
    assert!(begun.elapsed() < AT_ONCE);
}

#[test]
fn without_a_login_shell_old_scp_is_served_and_rsync_hears_a_no() {
    let files = Files::new();
    files.nas.world.run(&["usermod", "-s", "/usr/sbin/nologin", "anna"]);
    std::fs::write(files.local("x"), "x").unwrap();
    let mut scp = files.anna().prepare("scp");
    scp.args(["-O", "x", "127.0.0.1:there"]).current_dir(files.local(""));
    let begun = Instant::now();
    assert!(run(scp, b"").status.success());
    assert_eq!(std::fs::read_to_string(files.remote("there")).unwrap(), "x");
    let ssh = files.anna().prepare("ssh");
    let shell: Vec<String> = std::iter::once(ssh.get_program())
        .chain(ssh.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut rsync = Command::new("rsync");
    rsync.args(["-e", &shell.join(" "), "x", "127.0.0.1:x"]).current_dir(files.local(""));
    for (name, value) in ssh.get_envs() {
        rsync.env(name, value.unwrap_or_default());
    }
    assert!(!run(rsync, b"").status.success());
    assert!(begun.elapsed() < AT_ONCE);
    assert!(!files.remote("x").exists());
}

#[test]
fn many_sessions_on_one_connection_work_and_too_many_are_refused() {
    let files = Files::new();
    let socket = files.local("control");
    let control = format!("ControlPath={}", socket.display());
    let mut master = files.anna().prepare("ssh");
    master.args(["-o", &control, "-M", "-N", "127.0.0.1"]);
    let master = Running::start(master.stdin(Stdio::null()));
    crate::world::wait_for("the master connection", || socket.exists());
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut one = files.anna().prepare("ssh");
        one.args(["-o", &control, "-s", "127.0.0.1", "sftp"]);
        held.push(one.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }
    crate::world::wait_for("all sessions", || files.nas.world.log().matches("a session has begun").count() >= 64);
    assert!(held.iter_mut().all(|client| client.try_wait().unwrap().is_none()));
    let mut one_more = files.anna().prepare("ssh");
    one_more.args(["-o", &control, "-o", "ControlMaster=no", "-s", "127.0.0.1", "sftp"]);
    one_more.args(["-o", "BatchMode=yes"]);
    let output = run(one_more, b"");
    assert!(!output.status.success());
    for mut client in held {
        drop(client.stdin.take());
        client.wait().unwrap();
    }
    files.anna().sftp("pwd\n");
    master.end();
}
