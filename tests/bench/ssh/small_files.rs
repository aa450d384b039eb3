//! Ten thousand files of 4 KiB, there and back.

use std::fs;
use std::process::{Command, Stdio};

use super::peers::{Cost, Peers, Side, files, print_head, print_row};

const FILES: usize = 10_000;
const BYTES: usize = 4096;
const ROUNDS: usize = 3;

pub fn run(peers: &Peers) {
    files(&peers.world.client_file("small"), FILES, BYTES);
    files(&peers.remote("small"), FILES, BYTES);
    peers.give(&peers.remote("small"));
    print_head("10,000 files of 4 KiB");
    print_row(
        "sftp: put -r",
        peers.compare(ROUNDS, |side| after(peers, side, || sftp(peers, side, "put -r small sent"))),
    );
    print_row(
        "sftp: get -r",
        peers.compare(ROUNDS, |side| after(peers, side, || sftp(peers, side, "get -r small received"))),
    );
    print_row(
        "rsync: there",
        peers.compare(ROUNDS, |side| after(peers, side, || rsync(peers, side, ["small/", "127.0.0.1:sent/"]))),
    );
    print_row(
        "rsync: back",
        peers.compare(ROUNDS, |side| after(peers, side, || rsync(peers, side, ["127.0.0.1:small/", "received/"]))),
    );
}

fn after(peers: &Peers, side: &Side, act: impl FnOnce()) -> Cost {
    for left in [peers.remote("sent"), peers.world.client_file("received")] {
        // The first time there is none.
        let _ = fs::remove_dir_all(left);
    }
    Cost::of(side, act)
}

fn sftp(peers: &Peers, side: &Side, command: &str) {
    use std::io::Write;
    let mut client = peers.client("sftp", side);
    client.args(["-q", "-b", "-", "127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = client.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{command}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn rsync(peers: &Peers, side: &Side, places: [&str; 2]) {
    let ssh = peers.client("ssh", side);
    let words: Vec<String> = ssh.get_args().map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut command = Command::new("rsync");
    command
        .args(["-a", "-e", &format!("ssh {}", words.join(" "))])
        .args(places)
        .current_dir(peers.world.client_file(""));
    assert!(command.status().unwrap().success());
}
