//! A directory of a hundred thousand entries.

use std::process::Stdio;

use super::peers::{Cost, Peers, files, print_head, print_row};

const ENTRIES: usize = 100_000;
const ROUNDS: usize = 5;

pub fn run(peers: &Peers) {
    files(&peers.remote("many"), ENTRIES, 0);
    peers.give(&peers.remote("many"));
    print_head("A directory of 100,000 entries");
    let list = |command: &'static str| {
        peers.compare(ROUNDS, |side| {
            Cost::of(side, || {
                use std::io::Write;
                let mut client = peers.client("sftp", side);
                client.args(["-q", "-b", "-", "127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::null());
                let mut child = client.spawn().unwrap();
                child.stdin.take().unwrap().write_all(command.as_bytes()).unwrap();
                assert!(child.wait().unwrap().success());
            })
        })
    };
    print_row("ls -1f", list("ls -1f many\n"));
    print_row("ls -lf", list("ls -lf many\n"));
}
