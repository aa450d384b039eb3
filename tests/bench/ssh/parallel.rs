//! Four clients at a time.

use std::fs;
use std::process::{Child, Stdio};

use super::peers::{Cost, Peers, Side, print_head, print_row};

const CLIENTS: usize = 4;
const BYTES: usize = 256 << 20;
const ROUNDS: usize = 5;
const CIPHER: &str = "aes128-gcm@openssh.com";

pub fn run(peers: &Peers) {
    fs::write(peers.world.client_file("quarter"), vec![b'q'; BYTES]).unwrap();
    fs::write(peers.remote("quarter"), vec![b'q'; BYTES]).unwrap();
    peers.give(&peers.remote("quarter"));
    print_head("Four clients at a time, 256 MiB each, aes128-gcm");
    let get = |number: usize| format!("get quarter received-{number}\n");
    print_row("get", peers.compare(ROUNDS, |side| cost(peers, side, &get)));
    let put = |number: usize| format!("put quarter sent-{number}\n");
    print_row("put", peers.compare(ROUNDS, |side| cost(peers, side, &put)));
    for number in 0..CLIENTS {
        fs::remove_file(peers.world.client_file(&format!("received-{number}"))).unwrap();
        fs::remove_file(peers.remote(&format!("sent-{number}"))).unwrap();
    }
}

fn cost(peers: &Peers, side: &Side, command: &dyn Fn(usize) -> String) -> Cost {
    Cost::of(side, || {
        let clients: Vec<Child> = (0..CLIENTS).map(|number| start(peers, side, &command(number))).collect();
        for mut client in clients {
            assert!(client.wait().unwrap().success());
        }
    })
}

fn start(peers: &Peers, side: &Side, command: &str) -> Child {
    use std::io::Write;
    let mut client = peers.client("sftp", side);
    client.args(["-q", "-c", CIPHER, "-b", "-", "127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = client.spawn().unwrap();
    child.stdin.take().unwrap().write_all(command.as_bytes()).unwrap();
    child
}
