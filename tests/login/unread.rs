//! Clients that do not read what they have asked for.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::chown;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::{INIT, nas_with_anna};
use crate::freenas::Nas;
use crate::running::Running;
use crate::world::wait_for;

#[test]
fn a_client_that_takes_nothing_is_gone_too_when_its_account_is_locked() {
    let nas = nas_with_anna();
    let mut raw = Raw::open(&nas);
    // Far more than the client's window and buffers.
    raw.ask_for(128);
    let connections = || Command::new("ss").args(["-Htn", "state", "established"]).output().unwrap().stdout;
    let server = format!("{} ", nas.world.ssh());
    std::thread::sleep(Duration::from_secs(1));
    assert!(String::from_utf8_lossy(&connections()).contains(&server));
    nas.world.run(&["usermod", "-L", "anna"]);
    wait_for("the end of the connection", || !String::from_utf8_lossy(&connections()).contains(&server));
}

#[test]
fn a_client_may_write_much_before_it_reads_what_it_has_asked_for() {
    let nas = nas_with_anna();
    let mut raw = Raw::open(&nas);
    raw.ask_for(48);
    let (mut input, handle) = (raw.input.take().unwrap(), raw.handle.clone());
    let writer = std::thread::spawn(move || {
        for number in 0..96u64 {
            // SSH_FXP_WRITE of 128 KiB.
            let (length, offset) = (PIECE.to_be_bytes(), (number * u64::from(PIECE)).to_be_bytes());
            let write = [&[6, 0, 0, 2, number as u8][..], &handle, &offset, &length, &[b'w'; PIECE as usize]].concat();
            input.write_all(&framed(&write)).unwrap();
        }
        input
    });
    wait_for("twelve MiB of writes to be taken", || writer.is_finished());
    let kinds: Vec<u8> = (0..48 + 96).map(|_| packet(&mut raw.output)[0]).collect();
    // SSH_FXP_DATA, SSH_FXP_STATUS.
    assert!(kinds.starts_with(&[103; 48]) && kinds.ends_with(&[101; 96]), "{kinds:?}");
    drop(writer.join().unwrap());
    assert!(fs::read(nas.disk.path(LARGE)).unwrap()[..96 * PIECE as usize].iter().all(|byte| *byte == b'w'));
}

const LARGE: &str = "/mnt/tank/home/anna/large";

/// Bytes of one read or write.
const PIECE: u32 = 128 << 10;

/// SFTP by hand through OpenSSH's client, with a file of 64 MiB open.
struct Raw {
    _ssh: Running,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// As it stands in a packet.
    handle: Vec<u8>,
}

impl Raw {
    fn open(nas: &Nas) -> Self {
        fs::File::create(nas.disk.path(LARGE)).unwrap().set_len(64 << 20).unwrap();
        chown(nas.disk.path(LARGE), Some(3001), Some(3001)).unwrap();
        let mut command = nas.world.with_password("anna", "pw").prepare("ssh");
        command.args(["-s", "127.0.0.1", "sftp"]);
        let mut ssh = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
        let (mut input, mut output) = (ssh.stdin.take().unwrap(), ssh.stdout.take().unwrap());
        // SSH_FXP_OPEN for reading and writing, without attributes.
        let name = LARGE.as_bytes();
        let open = [&[3, 0, 0, 0, 1, 0, 0, 0, name.len() as u8][..], name, &[0, 0, 0, 3, 0, 0, 0, 0]].concat();
        input.write_all(&INIT).unwrap();
        packet(&mut output);
        input.write_all(&framed(&open)).unwrap();
        let handle = packet(&mut output)[5..].to_vec();
        Self { _ssh: ssh, input: Some(input), output, handle }
    }

    /// Sends that many requests to read, and reads nothing.
    fn ask_for(&mut self, pieces: u64) {
        for number in 0..pieces {
            // SSH_FXP_READ.
            let offset = (number * u64::from(PIECE)).to_be_bytes();
            let read = [&[5, 0, 0, 1, number as u8][..], &self.handle, &offset, &PIECE.to_be_bytes()].concat();
            self.input.as_mut().unwrap().write_all(&framed(&read)).unwrap();
        }
    }
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&u32::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
}

/// One packet of SFTP, without its length.
fn packet(from: &mut impl Read) -> Vec<u8> {
    let mut length = [0; 4];
    from.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut body).unwrap();
    body
}
