//! Connections that have not authenticated: they have their time and their number.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};

use crate::freenas::{Nas, new_user};
use crate::world::{World, wait_for};

/// A second SSH front of a sandbox, with options that a test needs.
pub struct Front {
    child: Child,
    pub address: SocketAddr,
    /// All that it listens on.
    pub addresses: Vec<SocketAddr>,
}

impl Front {
    pub fn start(nas: &Nas, options: &[&str]) -> Self {
        Self::of(&nas.world, options)
    }

    pub fn of(world: &World, options: &[&str]) -> Self {
        // The REST front is the same program; the one of SSH may be held.
        let program = format!("/proc/{}/exe", world.process("api"));
        let command = [&[&program, "ssh", "--user", "accountd-ssh", "--listen", "127.0.0.1:0"], options].concat();
        let mut child = world.inside(&command).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("{line}"));
        let addresses: Vec<SocketAddr> = ready.split(' ').map(|address| address.parse().unwrap()).collect();
        Self { child, address: addresses[0], addresses }
    }

    /// The front's own process: what was started waits for it.
    pub fn signal(&self, signal: Signal) {
        kill(self.process(), signal).unwrap();
    }

    fn process(&self) -> Pid {
        let own = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
        children.split_whitespace().next().map_or(own, |child| Pid::from_raw(child.parse().unwrap()))
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) {
        assert!(self.child.wait().unwrap().success());
    }

    /// A connection from one of the loopback's addresses.
    fn connect(&self, source: [u8; 4]) -> TcpStream {
        let made = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        made.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        made.connect(&self.address.into()).unwrap();
        let stream = TcpStream::from(made);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A connection that is served: the server says its version.
    pub fn served(&self, source: [u8; 4]) -> TcpStream {
        let mut stream = self.connect(source);
        let mut begin = [0; 8];
        stream.read_exact(&mut begin).unwrap_or_else(|error| panic!("{source:?} is not served: {error}"));
        assert_eq!(&begin, b"SSH-2.0-");
        stream
    }

    pub fn is_turned_away(&self, source: [u8; 4]) -> bool {
        let mut begin = [0; 1];
        !matches!(self.connect(source).read(&mut begin), Ok(1))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

const HERE: [u8; 4] = [127, 0, 0, 1];

#[test]
fn whoever_does_not_authenticate_in_time_is_cut_off_and_whoever_has_stays() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let front = Front::start(&nas, &["--login-grace", "2"]);
    let begun = Instant::now();
    let silent = front.connect(HERE);
    let mut halting = front.connect(HERE);
    halting.write_all(b"SSH-2.0-slow\r\n\0\0\x01").unwrap();
    let mut endless = front.connect(HERE);
    for mut stream in [&silent, &halting] {
        // What the server says first, then the end.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(begun.elapsed() >= Duration::from_millis(1_800), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // One that keeps on sending lines instead of a version gains no time.
    wait_for("the end of a client that never comes to the point", || {
        std::thread::sleep(Duration::from_millis(100));
        endless.write_all(b"hello\r\n").is_err()
    });
    let stayed = nas.world.with_password("anna", "pw").at(front.address).sftp("pwd\n!sleep 4\nls -l\npwd\n");
    assert_eq!(stayed.matches("Remote working directory").count(), 2, "{stayed}");
}

#[test]
fn there_are_so_many_of_one_source_and_so_many_in_all() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    let front = Front::start(&nas, &["--unauthenticated", "6", "--unauthenticated-per-source", "3"]);
    let mut from_here: Vec<TcpStream> = (0..3).map(|_| front.served(HERE)).collect();
    assert!(front.is_turned_away(HERE), "a fourth of one source");
    let _others = [2, 3, 5].map(|last| front.served([127, 0, 0, last]));
    assert!(front.is_turned_away([127, 0, 0, 4]), "a seventh in all");
    from_here.pop();
    wait_for("the place of one that has gone", || !front.is_turned_away([127, 0, 0, 4]));
    // Nobody who has logged in counts, and the real front has counted none of these.
    assert!(nas.world.with_password("anna", "pw").logs_in());
    from_here.clear();
    wait_for("a place for anna", || {
        let client = nas.world.with_password("anna", "pw").at(front.address);
        client.try_sftp("pwd\n").status.success()
    });
}
