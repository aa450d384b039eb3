//! 1 GiB over SFTP on tmpfs: `accountd ssh` beside OpenSSH's `sshd`, with the same client, cipher
//! and user.
//!
//! The time is that of the transfer alone: the client is logged in and waits. The CPU time is
//! that of all processes of the server (user and system, proc_pid_stat(5)), taken while the
//! session still lives.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::median;
use crate::rest::Rest;
use crate::sshd::Sshd;
use crate::world::World;

const BYTES: usize = 1 << 30;
const ROUNDS: usize = 5;
const CIPHERS: [&str; 2] = ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"];
const UID: u32 = 3001;

pub fn run() {
    let bench = Bench::start();
    println!("\n1 GiB over SFTP on tmpfs: MiB/s and the server's CPU seconds per GiB (medians)");
    println!("| transfer | cipher                        | accountd |   sshd | speed | accountd |  sshd |  CPU |");
    println!("|----------|-------------------------------|---------:|-------:|------:|---------:|------:|-----:|");
    for cipher in CIPHERS {
        for transfer in [Transfer::Get, Transfer::Put] {
            let (ours, theirs) = bench.compare(transfer, cipher);
            println!(
                "| {transfer:?}{:<5} | {cipher:<29} | {:>8.0} | {:>6.0} | {:>4.2}× | {:>8.2} | {:>5.2} | {:>3.2}× |",
                "",
                ours.speed(),
                theirs.speed(),
                ours.speed() / theirs.speed(),
                ours.cpu,
                theirs.cpu,
                ours.cpu / theirs.cpu
            );
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Transfer {
    Get,
    Put,
}

/// Seconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl Cost {
    /// MiB a second.
    fn speed(&self) -> f64 {
        BYTES as f64 / f64::from(1 << 20) / self.wall
    }

    fn median(costs: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| median(costs.iter().map(value).collect());
        Self { wall: of(|cost| cost.wall), cpu: of(|cost| cost.cpu) }
    }
}

struct Bench {
    world: World,
    sshd: Sshd,
}

impl Bench {
    fn start() -> Self {
        let world = World::start_below(Path::new("/dev/shm"));
        let (_, public) = world.make_key("key", "ed25519");
        let request = serde_json::json!({
            "bsdusr_username": "anna", "bsdusr_uid": UID, "bsdusr_full_name": "Anna", "bsdusr_creategroup": true,
            "bsdusr_password_disabled": true, "bsdusr_home": "/mnt/tank", "bsdusr_sshpubkey": public,
        });
        Rest::new(&world.api(), "root", &world.admin_password()).create_user(&request.to_string());
        let content: Vec<u8> =
            (0..1u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let mut file = fs::File::create(world.client_file("local")).unwrap();
        (0..BYTES / content.len()).for_each(|_| file.write_all(&content).unwrap());
        let remote = world.root().join("mnt/tank/anna/remote");
        fs::copy(world.client_file("local"), &remote).unwrap();
        std::os::unix::fs::chown(remote, Some(UID), Some(UID)).unwrap();
        let sshd = Sshd::start(&world);
        Self { world, sshd }
    }

    /// The two in turn, the first one changing.
    fn compare(&self, transfer: Transfer, cipher: &str) -> (Cost, Cost) {
        let ours =
            || self.cost(self.world.ssh(), &[self.world.process("ssh"), self.world.process("login")], transfer, cipher);
        let theirs = || self.cost(self.sshd.address, &[self.sshd.process()], transfer, cipher);
        ours();
        theirs();
        let (mut all_ours, mut all_theirs) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            if round % 2 == 0 {
                all_ours.push(ours());
                all_theirs.push(theirs());
            } else {
                all_theirs.push(theirs());
                all_ours.push(ours());
            }
        }
        (Cost::median(&all_ours), Cost::median(&all_theirs))
    }

    fn cost(&self, server: SocketAddr, processes: &[Pid], transfer: Transfer, cipher: &str) -> Cost {
        let mut client = self.log_in(server, cipher);
        let (before, begun) = (cpu_seconds(processes), Instant::now());
        client.tell(match transfer {
            Transfer::Get => "get remote received",
            Transfer::Put => "put local sent",
        });
        client.wait();
        let cost = Cost { wall: begun.elapsed().as_secs_f64(), cpu: cpu_seconds(processes) - before };
        let result = match transfer {
            Transfer::Get => self.world.client_file("received"),
            Transfer::Put => self.world.root().join("mnt/tank/anna/sent"),
        };
        assert_eq!(fs::metadata(&result).unwrap().len() as usize, BYTES);
        client.end();
        fs::remove_file(result).unwrap();
        cost
    }

    fn log_in(&self, server: SocketAddr, cipher: &str) -> LoggedIn {
        let mut command = self.world.with_key("anna", &self.world.client_file("key")).at(server).prepare("sftp");
        command.args(["-q", "-c", cipher, "-b", "-", "127.0.0.1"]);
        command.current_dir(self.world.client_file("")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut client = LoggedIn { child, input, output };
        client.wait();
        client
    }
}

/// An sftp(1) that waits for commands.
struct LoggedIn {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl LoggedIn {
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

/// User and system time of these processes and all their descendants.
fn cpu_seconds(roots: &[Pid]) -> f64 {
    let mut processes: HashMap<i32, (i32, u64)> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // Behind the name in parentheses: state, parent, …, utime (12th), stime (13th).
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let number = |field: usize| fields[field].parse::<u64>().unwrap_or_default();
        processes.insert(pid, (i32::try_from(number(1)).unwrap(), number(11) + number(12)));
    }
    let belongs = |mut pid: i32| loop {
        if roots.contains(&Pid::from_raw(pid)) {
            return true;
        }
        match processes.get(&pid) {
            Some((parent, _)) if *parent > 0 => pid = *parent,
            Some(_) | None => return false,
        }
    };
    let ticks: u64 = processes.iter().filter(|(pid, _)| belongs(**pid)).map(|(_, (_, ticks))| ticks).sum();
    ticks as f64 / sysconf(SysconfVar::CLK_TCK).unwrap().unwrap() as f64
}
