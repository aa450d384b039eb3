//! For tests: an agent on a plain directory, accounts that are asked of it, and chance.

use std::fs;
use std::path::Path;

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{NewGroup, NewPassword, NewUser, PrimaryGroup, SharedGid};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::name::{NewGroupName, NewUserName};
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::{Email, FieldPath, FullName};

use crate::agent::Agent;
use crate::arguments::Arguments;

/// Makes `etc` with these files.
pub fn write_etc(root: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(root.join("etc")).unwrap();
    for (name, text) in files {
        fs::write(root.join("etc").join(name), text).unwrap();
    }
}

/// The agent of the accounts below a directory, which has its state there too.
pub fn agent(root: &Path) -> Agent {
    let arguments = Arguments {
        root: root.to_owned(),
        socket: root.join("agent.sock"),
        state: root.join("state.sqlite"),
        api_user: "accountd-api".into(),
        ssh_user: "accountd-ssh".into(),
        config: root.join("etc/accountd.toml"),
        audit_verify: false,
    };
    Agent::open(&arguments).unwrap()
}

/// A user with a group of its own who logs in by nothing.
pub fn new_user(name: &str, home: &str) -> NewUser {
    NewUser {
        name: NewUserName::new(name).unwrap(),
        uid: None,
        full_name: FullName::new("").unwrap(),
        email: Email::new("").unwrap(),
        home: FieldPath::new(home).unwrap(),
        home_mode: Some(0o755),
        shell: FieldPath::new("/usr/sbin/nologin").unwrap(),
        password: NewPassword::Disabled,
        primary_group: PrimaryGroup::Private,
        groups: Vec::new(),
        ssh_keys: String::new(),
        locked: false,
        microsoft_account: false,
        sudo: SudoCommands::default(),
        ageing: AgeingChange::default(),
        limits: LimitsChange::default(),
        echoes: Default::default(),
    }
}

pub fn new_group(name: &str) -> NewGroup {
    NewGroup {
        name: NewGroupName::new(name).unwrap(),
        gid: None,
        shared_gid: SharedGid::Refused,
        sudo: SudoCommands::default(),
        limits: LimitsChange::default(),
    }
}

/// Numbers that follow from a seed (xorshift), so that a failure can be had again.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: u64) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % bound).unwrap()
    }
}
