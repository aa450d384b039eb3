//! The two servers, in one sandbox.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nix::unistd::Pid;

use super::processes::Meter;
use super::sshd::Sshd;
use crate::median;
use crate::rest::Rest;
use crate::world::World;

const UID: u32 = 3001;

pub struct Peers {
    // In the order in which they go: a group can only go when its processes have.
    _sshd: Sshd,
    pub world: World,
    ours: Side,
    theirs: Side,
    /// The public half of the key that everybody has.
    pub public_key: String,
}

/// One of them.
#[derive(Debug)]
pub struct Side {
    pub address: SocketAddr,
    pub processes: Vec<Pid>,
    meter: Meter,
}

impl Side {
    fn new(name: &str, address: SocketAddr, processes: Vec<Pid>) -> Self {
        Self { address, meter: Meter::new(name, &processes), processes }
    }
}

/// Seconds.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: f64,
    pub cpu: f64,
}

impl Peers {
    pub fn start() -> Self {
        let world = World::start_below(Path::new("/dev/shm"));
        let (_, public_key) = world.make_key("key", "ed25519");
        let sshd = Sshd::start(&world);
        let ours = Side::new("accountd", world.ssh(), vec![world.process("ssh"), world.process("login")]);
        let theirs = Side::new("sshd", sshd.address, vec![sshd.process()]);
        let peers = Self { _sshd: sshd, world, ours, theirs, public_key };
        peers.make_user("anna", UID);
        peers
    }

    pub fn make_user(&self, name: &str, uid: u32) {
        let request = serde_json::json!({
            "bsdusr_username": name, "bsdusr_uid": uid, "bsdusr_full_name": "Anna", "bsdusr_creategroup": true,
            "bsdusr_password_disabled": true, "bsdusr_home": "/mnt/tank", "bsdusr_sshpubkey": self.public_key,
            "bsdusr_shell": "/bin/bash",
        });
        Rest::new(&self.world.api(), "root", &self.world.admin_password()).create_user(&request.to_string());
    }

    pub fn ours(&self) -> &Side {
        &self.ours
    }

    pub fn theirs(&self) -> &Side {
        &self.theirs
    }

    /// A file of anna's, seen from outside.
    pub fn remote(&self, name: &str) -> PathBuf {
        self.world.root().join("mnt/tank/anna").join(name)
    }

    /// Gives what is there to anna.
    pub fn give(&self, path: &Path) {
        let given = Command::new("chown").arg("-R").arg(format!("{UID}:{UID}")).arg(path).status().unwrap();
        assert!(given.success());
    }

    /// A client with what it needs to log in, but for the host.
    pub fn client(&self, program: &str, side: &Side) -> Command {
        let mut command = self.world.with_key("anna", &self.world.client_file("key")).at(side.address).prepare(program);
        command.current_dir(self.world.client_file(""));
        command
    }

    /// The two in turn, the first one changing; the first round warms up.
    pub fn compare(&self, rounds: usize, measure: impl Fn(&Side) -> Cost) -> (Cost, Cost) {
        let (ours, theirs) = (self.ours(), self.theirs());
        measure(ours);
        measure(theirs);
        let (mut all_ours, mut all_theirs) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            if round % 2 == 0 {
                all_ours.push(measure(ours));
                all_theirs.push(measure(theirs));
            } else {
                all_theirs.push(measure(theirs));
                all_ours.push(measure(ours));
            }
        }
        (Cost::median(&all_ours), Cost::median(&all_theirs))
    }
}

impl Cost {
    /// Of what is done while the server's processes are there.
    pub fn of(side: &Side, act: impl FnOnce()) -> Self {
        let (before, begun) = (side.meter.cpu_seconds(), Instant::now());
        act();
        Self { wall: begun.elapsed().as_secs_f64(), cpu: side.meter.cpu_seconds() - before }
    }

    fn median(costs: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| median(costs.iter().map(value).collect());
        Self { wall: of(|cost| cost.wall), cpu: of(|cost| cost.cpu) }
    }
}

/// A directory of the client's with so many files of so many bytes.
pub fn files(directory: &Path, count: usize, bytes: usize) {
    fs::create_dir_all(directory).unwrap();
    let content = vec![b'x'; bytes];
    (0..count).for_each(|number| fs::write(directory.join(format!("file-{number:06}")), &content).unwrap());
}

/// `name`, seconds of both and the ratios.
pub fn print_row(name: &str, (ours, theirs): (Cost, Cost)) {
    println!(
        "| {name:<38} | {:>8.2} | {:>6.2} | {:>4.2}× | {:>8.2} | {:>5.2} | {:>3.2}× |",
        ours.wall,
        theirs.wall,
        theirs.wall / ours.wall,
        ours.cpu,
        theirs.cpu,
        ours.cpu / theirs.cpu
    );
}

pub fn print_head(title: &str) {
    println!("\n{title}: seconds, and the server's CPU seconds (medians)");
    println!("| what                                   | accountd |   sshd | speed | accountd |  sshd |  CPU |");
    println!("|----------------------------------------|---------:|-------:|------:|---------:|------:|-----:|");
}
