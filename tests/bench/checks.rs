//! A check of all accounts beside pwck(8) and grpck(8).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use accountd_protocol::agent::{AgentRequest, Answer, Handle, Operation};
use accountd_protocol::checks::CheckedHomes;
use accountd_protocol::client::AgentClient;
use accountd_protocol::secret::Secret;

use crate::median;
use crate::populated::Populated;
use crate::table::{self, Row};

pub const SIZES: [usize; 2] = [1_000, 10_000];
const ROUNDS: usize = 11;

pub fn run(sizes: &[usize]) {
    table::begin("a check of all accounts");
    for size in sizes {
        let populated = Populated::with_users(*size);
        make_homes(&populated, *size);
        // Both say with their status whether there is something to say.
        let peer = populated.shell("{ pwck -r; grpck -r; true; } >/dev/null 2>&1");
        println!("{}", Row::peer(*size, "pwck -r and grpck -r", peer));
        let mut client = Client::of(&populated);
        for (what, homes) in [("check", CheckedHomes::Skipped), ("check, with homes", CheckedHomes::Looked)] {
            let times = (0..ROUNDS).map(|_| client.check(homes)).collect();
            println!("{}", Row::ours(*size, what, median(times), Some(peer)));
        }
    }
}

/// As they are when everything is right: pwck looks at them too.
fn make_homes(populated: &Populated, size: usize) {
    for number in 0..size {
        let home = populated.world.root().join(format!("mnt/tank/home/n{number}"));
        std::fs::create_dir_all(&home).unwrap();
        let uid = Some(u32::try_from(crate::populated::FIRST + number).unwrap());
        std::os::unix::fs::chown(home, uid, uid).unwrap();
    }
}

struct Client {
    agent: AgentClient,
    handle: Handle,
}

impl Client {
    fn of(populated: &Populated) -> Self {
        let mut agent = AgentClient::connect(&populated.world.root().join("run/accountd/agent.sock")).unwrap();
        let password = Secret::new(populated.world.admin_password());
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let request = AgentRequest::OpenHandle { user: "root".into(), password, code: None, source };
        let Answer::Handle(handle) = agent.call(&request).unwrap().unwrap() else { panic!("no handle") };
        Self { agent, handle }
    }

    /// Milliseconds from the request to the whole answer.
    fn check(&mut self, homes: CheckedHomes) -> f64 {
        let operation = Box::new(Operation::Check { homes });
        let started = Instant::now();
        let answer = self.agent.call(&AgentRequest::Operate { caller: self.handle.clone(), operation });
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        let Answer::Checked(report) = answer.unwrap().unwrap() else { panic!("no report") };
        assert!(report.findings.is_empty(), "{:?}", report.findings.first());
        milliseconds
    }
}
