//! The SSH server as its administrator runs it: addresses, keys, banner, signals, what it offers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::freenas::{Nas, new_user, with_bash};
use crate::openssh::{Client, run};
use crate::unauthenticated::Front;
use crate::world::wait_for;

fn nas_with_anna() -> Nas {
    let nas = Nas::start();
    nas.rest.create_user(&with_bash(&new_user("anna", 3001, "pw")));
    nas
}

fn anna<'a>(nas: &'a Nas, front: &Front) -> Client<'a> {
    nas.world.with_password("anna", "pw").at(front.address)
}

/// What ssh-keyscan finds: type and key.
fn host_keys(host: &str, port: u16) -> Vec<(String, String)> {
    let output = Command::new("ssh-keyscan").args(["-p", &port.to_string(), host]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut keys: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.split_once(' '))
        .map(|(kind, key)| (kind.to_owned(), key.to_owned()))
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn it_listens_on_several_addresses_of_both_kinds_with_two_host_keys() {
    let nas = nas_with_anna();
    let front = Front::start(&nas, &["--listen", "[::1]:0"]);
    assert_eq!(front.addresses.len(), 2);
    let (four, six) = (host_keys("127.0.0.1", front.addresses[0].port()), host_keys("::1", front.addresses[1].port()));
    let kinds: Vec<&str> = four.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["ecdsa-sha2-nistp256", "ssh-ed25519"]);
    assert_eq!(four, six);
    let mut by_six = anna(&nas, &front).prepare_with("ssh", &[&format!("Port={}", front.addresses[1].port())]);
    by_six.args(["::1", "echo $SSH_CONNECTION"]);
    let output = run(by_six, b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("::1 ") && said.contains(" ::1 "), "{said} {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_banner_is_shown_and_read_again_while_sessions_go_on() {
    let nas = nas_with_anna();
    let banner = nas.disk.path("/etc/banner");
    fs::write(&banner, "Private.\nGo away.\n").unwrap();
    let front = Front::start(&nas, &["--banner", "/etc/banner"]);
    let shown = || {
        let mut command = anna(&nas, &front).prepare_with("ssh", &["LogLevel=INFO"]);
        command.args(["127.0.0.1", "true"]);
        String::from_utf8_lossy(&run(command, b"").stderr).replace('\r', "")
    };
    assert!(shown().contains("Private.\nGo away.\n"), "{}", shown());
    let mut session = anna(&nas, &front).prepare("ssh");
    session.args(["127.0.0.1", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut session = session.spawn().unwrap();
    fs::write(&banner, "Welcome.\n").unwrap();
    front.signal(Signal::SIGHUP);
    wait_for("the new banner", || shown().contains("Welcome."));
    fs::remove_file(&banner).unwrap();
    front.signal(Signal::SIGHUP);
    assert!(shown().contains("Welcome."), "what can not be read stays as it was");
    drop(session.stdin.take());
    assert!(session.wait().unwrap().success());
}

#[test]
fn clients_may_finish_when_it_ends_and_nobody_comes_in_meanwhile() {
    let nas = nas_with_anna();
    let front = Front::start(&nas, &["--drain", "30"]);
    let mut session = anna(&nas, &front).prepare("ssh");
    let started = nas.disk.path("/mnt/tank/home/anna/started");
    session
        .args(["127.0.0.1", "touch started; while [ -e started ]; do sleep 0.05; done; echo finished"])
        .stdout(Stdio::piped());
    let session = session.spawn().unwrap();
    wait_for("the session", || started.exists());
    front.signal(Signal::SIGTERM);
    wait_for("nobody to be let in", || std::net::TcpStream::connect(front.address).is_err());
    fs::remove_file(started).unwrap();
    assert_eq!(session.wait_with_output().unwrap().stdout, b"finished\n");
    front.ended();
}

#[test]
fn host_keys_of_openssh_are_taken_over() {
    let nas = nas_with_anna();
    let (from, to) = (nas.disk.path("/etc/ssh"), nas.disk.path("/var/lib/accountd-ssh/imported"));
    fs::create_dir_all(&from).unwrap();
    fs::create_dir(&to).unwrap();
    fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
    nas.world.run(&["chown", "accountd-ssh:", "/var/lib/accountd-ssh/imported"]);
    for kind in ["ed25519", "ecdsa", "rsa"] {
        nas.world.run(&["ssh-keygen", "-q", "-N", "", "-t", kind, "-f", &format!("/etc/ssh/ssh_host_{kind}_key")]);
    }
    let program = format!("/proc/{}/exe", nas.world.process("ssh"));
    let output = nas.world.exec(&[&program, "import-host-keys", "--to", "/var/lib/accountd-ssh/imported"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("ssh_host_rsa_key is left"), "{output:?}");
    let key = |kind: &str| format!("/var/lib/accountd-ssh/imported/ssh_host_{kind}_key");
    let front = Front::start(&nas, &["--host-key", &key("ed25519"), "--host-key", &key("ecdsa")]);
    let served = host_keys("127.0.0.1", front.address.port());
    for (kind, name) in [("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256")] {
        let public = fs::read_to_string(from.join(format!("ssh_host_{kind}_key.pub"))).unwrap();
        let key = public.split(' ').nth(1).unwrap().to_owned();
        assert!(served.contains(&(name.to_owned(), key)), "{kind}");
    }
}

/// What ssh-audit says against it all the same, with the reason.
const KNOWN: [(&str, &str); 4] = [
    ("mlkem768x25519-sha256", "newer than the ssh-audit that Debian has"),
    ("kex-strict-s-v00@openssh.com", "newer than the ssh-audit that Debian has"),
    ("(mac) hmac-sha2-256 ", "for libssh2 before 1.11, which curl has on Debian 12"),
    ("ecdsa-sha2-nistp256", "a host key for clients that know no other; without its --host-key it is gone"),
];

#[test]
fn ssh_audit_finds_nothing_that_could_be_left_out() {
    let nas = nas_with_anna();
    let port = nas.world.ssh().port().to_string();
    let output = Command::new("ssh-audit").args(["-n", "-p", &port, "127.0.0.1"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut about, mut against, mut known) = ("", Vec::new(), Vec::new());
    for line in text.lines() {
        // What stands behind a bracket is about the line before.
        if !line.trim_start().starts_with('`') {
            about = line;
        }
        if line.contains("[fail]") || line.contains("[warn]") {
            match KNOWN.iter().find(|(name, _)| about.contains(name)) {
                Some((name, _)) => known.push(*name),
                None => against.push(line),
            }
        }
    }
    assert!(against.is_empty(), "{against:#?}");
    assert!(KNOWN.iter().all(|(name, _)| known.contains(name)), "no longer said: {known:?}");
    assert!(text.contains("(key) ssh-ed25519"), "{text}");
}
