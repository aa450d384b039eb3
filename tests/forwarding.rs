//! TCP connections that a session makes for its client (`ssh -L`, `-W`, `-D`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::freenas::{Nas, new_user};
use crate::openssh::run;
use crate::running::Running;
use crate::world::{World, wait_for};

fn nas_that_forwards() -> Nas {
    let nas = Nas::of(World::start_with("[sessions]\ntcp_forwarding = \"allowed\"\n"));
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas
}

/// What `ssh -W` says, and its exit status.
fn through(nas: &Nas, place: &str, input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    through_server(nas, nas.world.ssh(), place, input)
}

fn through_server(nas: &Nas, server: SocketAddr, place: &str, input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut command = nas.world.with_password("anna", "pw").at(server).prepare_with("ssh", &["LogLevel=INFO"]);
    command.args(["-W", place, "127.0.0.1"]);
    let output = run(command, input);
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A server that says back in capitals what one client has said.
fn shouting() -> (u16, std::thread::JoinHandle<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut client, address) = listener.accept().unwrap();
        let uid = owner(address.port());
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        client.write_all(&said.to_ascii_uppercase()).unwrap();
        uid
    });
    (port, serving)
}

/// Whose the socket with this local port is (proc_net(5)).
fn owner(port: u16) -> u32 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let wanted = format!("0100007F:{port:04X}");
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&wanted)).unwrap();
    line.split_whitespace().nth(7).unwrap().parse().unwrap()
}

#[test]
fn a_connection_is_made_as_the_user_and_both_sides_end_by_themselves() {
    let nas = nas_that_forwards();
    let (port, serving) = shouting();
    let text = b"hello there ".repeat(100_000);
    let (status, said, _) = through(&nas, &format!("127.0.0.1:{port}"), &text);
    assert_eq!(serving.join().unwrap(), 3001);
    assert_eq!(status, Some(0));
    assert!(said == text.to_ascii_uppercase(), "{} bytes", said.len());
}

#[test]
fn nobody_gets_to_the_listeners_of_accountd_and_what_is_not_there_is_said() {
    let nas = nas_that_forwards();
    let api = nas.world.api().rsplit(':').next().unwrap().to_owned();
    let ssh = nas.world.ssh().port().to_string();
    for place in
        [format!("127.0.0.1:{api}"), format!("localhost:{ssh}"), format!("0.0.0.0:{api}"), format!("127.0.0.9:{ssh}")]
    {
        let (status, said, why) = through(&nas, &place, b"GET / HTTP/1.0\r\n\r\n");
        assert!(status == Some(255) && said.is_empty() && why.contains("connect failed"), "{place}: {why}");
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (status, _, why) = through(&nas, &format!("127.0.0.1:{free}"), b"");
    assert!(status == Some(255) && why.contains("connect failed"), "{why}");
    let (status, _, why) = through(&nas, "no-such-host.invalid:80", b"");
    assert!(status == Some(255) && why.contains("connect failed"), "{why}");
}

/// The command line of one of the sandbox's programs, and what it would not have said by itself.
fn command_line(nas: &Nas, program: &str, more: &[&str]) -> Vec<String> {
    let line = std::fs::read_to_string(format!("/proc/{}/cmdline", nas.world.process(program))).unwrap();
    line.trim_end_matches('\0').split('\0').chain(more.iter().copied()).map(str::to_owned).collect()
}

fn start(nas: &Nas, words: &[String]) -> Running {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Running::start(nas.world.inside(&words).stdin(Stdio::null()).stdout(Stdio::piped()))
}

/// The same program with more options in the place of one that the sandbox has started.
fn stand_in(nas: &Nas, program: &str, options: &[&str]) -> Running {
    let words = command_line(nas, program, options);
    nas.world.hold(program);
    nas.world.kill(program);
    let socket = nas.world.root().join(format!("run/accountd/{program}.sock"));
    let instead = start(nas, &words);
    wait_for("a program in the place of another", || UnixStream::connect(&socket).is_ok());
    instead
}

/// A front that runs as another user, and where it listens.
fn front(nas: &Nas, words: &[&str]) -> (Running, SocketAddr) {
    let mut command = command_line(nas, "api", &[]);
    command.truncate(1);
    command.extend(words.iter().chain(&["--listen", "127.0.0.1:0"]).map(|word| (*word).to_owned()));
    let mut front = start(nas, &command);
    let mut line = String::new();
    BufReader::new(front.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("ready ").trim_start_matches("http://");
    (front, address.parse().unwrap_or_else(|_| panic!("{line}")))
}

#[test]
fn a_front_of_whatever_user_is_known_by_who_let_it_in() {
    let nas = nas_that_forwards();
    nas.world.run(&["useradd", "-r", "rest-front"]);
    nas.world.run(&["useradd", "-r", "ssh-front"]);
    nas.world.run(&["install", "-d", "-o", "ssh-front", "/var/lib/ssh-front"]);
    // The agent is told of one of them, accountd-login of the other.
    let _agent = stand_in(&nas, "agent", &["--api-user", "rest-front"]);
    let _login = stand_in(&nas, "login", &["--front-user", "ssh-front"]);
    let (_rest, api) = front(&nas, &["api", "--user", "rest-front"]);
    let (_ssh, ssh) = front(&nas, &["ssh", "--user", "ssh-front", "--host-key", "/var/lib/ssh-front/key"]);
    wait_for("logins", || nas.world.with_password("anna", "pw").at(ssh).try_sftp("pwd\n").status.success());
    for place in [api, ssh] {
        let (status, said, why) = through_server(&nas, ssh, &place.to_string(), b"GET / HTTP/1.0\r\n\r\n");
        assert!(status == Some(255) && said.is_empty() && why.contains("connect failed"), "{place}: {why}");
    }
}

#[test]
fn many_connections_share_a_login_and_end_with_the_account() {
    let nas = nas_that_forwards();
    let id = nas.rest.create_user(&new_user("berta", 3002, "pw"));
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command: Command = nas.world.with_password("berta", "pw").prepare("ssh");
    command.args(["-N", "-L", &format!("{free}:127.0.0.1:{}", target.local_addr().unwrap().port()), "127.0.0.1"]);
    let _client = Running::start(command.stdin(Stdio::null()));
    wait_for("the client to listen", || TcpStream::connect(("127.0.0.1", free)).is_ok());
    let (mut first, _) = target.accept().unwrap();
    let mut ends: Vec<(TcpStream, TcpStream)> = Vec::new();
    for _ in 0..20 {
        let near = TcpStream::connect(("127.0.0.1", free)).unwrap();
        ends.push((near, target.accept().unwrap().0));
    }
    for (number, (near, far)) in ends.iter_mut().enumerate() {
        let (mut byte, number) = ([0], u8::try_from(number).unwrap());
        near.write_all(&[number]).unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], number);
    }
    nas.rest.put(&format!("/account/users/{id}/"), r#"{"bsdusr_locked": true}"#).object(200);
    for (_, far) in &mut ends {
        assert!(matches!(far.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    assert!(matches!(first.read(&mut [0; 8]), Ok(0) | Err(_)));
}
