//! 1 GiB over SFTP on tmpfs: `accountd ssh` beside OpenSSH's `sshd`, with the same client, cipher
//! and user.
//!
//! The time is that of the transfer alone: the client is logged in and waits. The CPU time is
//! that of all processes of the server, taken while the session still lives.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::peers::{Cost, Peers, Side};

const BYTES: usize = 1 << 30;
const ROUNDS: usize = 5;
const CIPHERS: [&str; 3] = ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"];

pub fn run(peers: &Peers) {
    plant(peers);
    println!("\n1 GiB over SFTP on tmpfs: MiB/s and the server's CPU seconds per GiB (medians)");
    println!("| transfer | cipher                        | accountd |   sshd | speed | accountd |  sshd |  CPU |");
    println!("|----------|-------------------------------|---------:|-------:|------:|---------:|------:|-----:|");
    for cipher in CIPHERS {
        for transfer in [Transfer::Get, Transfer::Put] {
            let (ours, theirs) = peers.compare(ROUNDS, |side| cost(peers, side, transfer, cipher));
            println!(
                "| {transfer:?}{:<5} | {cipher:<29} | {:>8.0} | {:>6.0} | {:>4.2}× | {:>8.2} | {:>5.2} | {:>3.2}× |",
                "",
                speed(ours),
                speed(theirs),
                speed(ours) / speed(theirs),
                ours.cpu,
                theirs.cpu,
                ours.cpu / theirs.cpu
            );
        }
    }
    fs::remove_file(peers.remote("remote")).unwrap();
    fs::remove_file(peers.world.client_file("local")).unwrap();
}

/// MiB a second.
fn speed(cost: Cost) -> f64 {
    BYTES as f64 / f64::from(1 << 20) / cost.wall
}

#[derive(Clone, Copy, Debug)]
enum Transfer {
    Get,
    Put,
}

fn plant(peers: &Peers) {
    let content: Vec<u8> =
        (0..1u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut file = fs::File::create(peers.world.client_file("local")).unwrap();
    (0..BYTES / content.len()).for_each(|_| file.write_all(&content).unwrap());
    let remote = peers.remote("remote");
    fs::copy(peers.world.client_file("local"), &remote).unwrap();
    peers.give(&remote);
}

fn cost(peers: &Peers, side: &Side, transfer: Transfer, cipher: &str) -> Cost {
    let mut client = LoggedIn::start(peers, side, cipher);
    let cost = Cost::of(side, || {
        client.tell(match transfer {
            Transfer::Get => "get remote received",
            Transfer::Put => "put local sent",
        });
        client.wait();
    });
    let result = match transfer {
        Transfer::Get => peers.world.client_file("received"),
        Transfer::Put => peers.remote("sent"),
    };
    assert_eq!(fs::metadata(&result).unwrap().len() as usize, BYTES);
    client.end();
    fs::remove_file(result).unwrap();
    cost
}

/// An sftp(1) that waits for commands.
struct LoggedIn {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl LoggedIn {
    fn start(peers: &Peers, side: &Side, cipher: &str) -> Self {
        let mut command = peers.client("sftp", side);
        let mac = "MACs=hmac-sha2-256-etm@openssh.com";
        command.args(["-q", "-c", cipher, "-o", mac, "-b", "-", "127.0.0.1"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut client = Self { child, input, output };
        client.wait();
        client
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
    }

    /// Until everything that it was told is done.
    fn wait(&mut self) {
        self.tell("!echo reached");
        let mut line = String::new();
        while line != "reached\n" {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "sftp has ended");
        }
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}
