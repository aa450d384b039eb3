//! A scan of what an account stores beside du(1), over the same files.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use accountd_protocol::agent::{AgentRequest, Answer, Handle, Operation};
use accountd_protocol::client::AgentClient;
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::QuotaUse;
use accountd_protocol::secret::Secret;

use crate::median;
use crate::rest::Rest;
use crate::table::{self, Row};
use crate::world::World;

pub const SIZES: [usize; 1] = [100_000];
const ROUNDS: usize = 3;
const IN_A_DIRECTORY: usize = 1_000;
const BYTES: u64 = 7;
const UID: u32 = 3001;
const NEW_USER: &str = r#"{"bsdusr_username": "anna", "bsdusr_uid": 3001, "bsdusr_password": "pw",
    "bsdusr_full_name": "Anna", "bsdusr_creategroup": true, "bsdusr_home": "/mnt/tank/home"}"#;

pub fn run(sizes: &[usize]) {
    table::begin("a scan of the files of an account");
    for size in sizes {
        let world = World::start();
        let rest = Rest::new(&world.api(), "root", &world.admin_password());
        let id = AccountId(rest.create_user(NEW_USER));
        let home = world.root().join("mnt/tank/home/anna");
        fill(&home, *size);
        let peers = (0..ROUNDS).map(|_| du(&home)).collect();
        let peer = median(peers);
        println!("{}", Row::peer(*size, "du -sb --apparent-size", peer));
        let mut client = Client::of(&world);
        let times = (0..ROUNDS).map(|_| client.scan(id)).collect();
        println!("{}", Row::ours(*size, "scan", median(times), Some(peer)));
        let used = client.used(id);
        assert!(used.files >= *size as u64 && used.bytes >= BYTES * *size as u64, "{used:?}");
    }
}

/// Small files of the account, in directories of a thousand.
fn fill(home: &Path, size: usize) {
    for first in (0..size).step_by(IN_A_DIRECTORY) {
        let directory = home.join(format!("d{first}"));
        fs::create_dir(&directory).unwrap();
        for number in first..size.min(first + IN_A_DIRECTORY) {
            let file = directory.join(number.to_string());
            fs::write(&file, [b'a'; BYTES as usize]).unwrap();
            chown(file, Some(UID), Some(UID)).unwrap();
        }
    }
}

/// Milliseconds.
fn du(home: &Path) -> f64 {
    let started = Instant::now();
    let output = Command::new("du").args(["-sb", "--apparent-size"]).arg(home).output().unwrap();
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success());
    milliseconds
}

struct Client {
    agent: AgentClient,
    handle: Handle,
}

impl Client {
    fn of(world: &World) -> Self {
        let socket: PathBuf = world.root().join("run/accountd/agent.sock");
        let mut agent = AgentClient::connect(&socket).unwrap();
        let (password, source) = (Secret::new(world.admin_password()), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request = AgentRequest::OpenHandle { user: "root".into(), password, code: None, source };
        let Answer::Handle(handle) = agent.call(&request).unwrap().unwrap() else { panic!("no handle") };
        Self { agent, handle }
    }

    fn operate(&mut self, operation: Operation) -> Answer {
        let request = AgentRequest::Operate { caller: self.handle.clone(), operation: Box::new(operation) };
        self.agent.call(&request).unwrap().unwrap()
    }

    /// Milliseconds until it has ended.
    fn scan(&mut self, id: AccountId) -> f64 {
        let started = Instant::now();
        self.operate(Operation::StartScan(id));
        while let Answer::QuotaScans(scans) = self.operate(Operation::ListScans)
            && !scans.is_empty()
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        started.elapsed().as_secs_f64() * 1000.0
    }

    fn used(&mut self, id: AccountId) -> QuotaUse {
        let Answer::QuotaReport(report) = self.operate(Operation::GetQuota(id)) else { panic!("no report") };
        report.used
    }
}
