//! TCP connections that a session makes for its client (`ssh -L`, `-W`, `-D`).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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
    let mut command = nas.world.with_password("anna", "pw").prepare_with("ssh", &["LogLevel=INFO"]);
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
