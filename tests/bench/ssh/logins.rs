//! Logins with a key, one after the other and four at a time. The key exchange is pinned, so that
//! both do the same.

use std::process::Stdio;

use super::peers::{Cost, Peers, Side, print_head, print_row};

const LOGINS: usize = 40;
const ROUNDS: usize = 3;

pub fn run(peers: &Peers) {
    print_head("40 logins with a key and a session of sftp");
    let one = peers.compare(ROUNDS, |side| Cost::of(side, || (0..LOGINS).for_each(|_| login(peers, side))));
    print_row("one after the other", one);
    let four = peers.compare(ROUNDS, |side| {
        Cost::of(side, || {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..LOGINS / 4).for_each(|_| login(peers, side)));
                }
            });
        })
    });
    print_row("four at a time", four);
    println!(
        "per login: {:.1} ms of CPU, {:.1} with sshd",
        one.0.cpu * 1000.0 / LOGINS as f64,
        one.1.cpu * 1000.0 / LOGINS as f64
    );
}

fn login(peers: &Peers, side: &Side) {
    let mut client = peers.client("sftp", side);
    client.args(["-q", "-o", "KexAlgorithms=curve25519-sha256", "-b", "/dev/null", "127.0.0.1"]);
    assert!(client.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success());
}
