//! The sandbox of many runs, and what is looked at between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use serde_json::{Value, json};

use super::calls::{Actor, Fault};
use super::kinds::Kind;
use super::runs::Run;
use crate::freenas::{Nas, new_user};
use crate::world::{World, wait_for};

pub const FILES: [&str; 5] = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/samba/smbpasswd"];
/// A key file that has still to be renamed.
pub const NEW_KEYS: &str = ".authorized_keys.accountd";
/// Stays once it is there; empty, it is nobody's.
const TRASH: &str = "/mnt/tank/.accountd-trash";
/// How long the agent may hold the locks for a look of its own.
const REFRESH: Duration = Duration::from_secs(1);
/// How long the death of an agent may take that did not answer well.
const DEATH: Duration = Duration::from_secs(2);

pub struct Stage {
    pub nas: Nas,
    /// The id of a group that is always there.
    pub team: u64,
    /// The lines of a user that no request is about.
    bystander: Vec<Option<String>>,
    runs: u32,
}

/// What a request is about. Names and numbers are of this run alone.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: String,
    /// The name that it gets.
    pub new: String,
    pub number: u32,
    /// The id of the user or group, where there is one already.
    pub id: u64,
    /// What a sign compares with.
    pub before: Vec<String>,
}

/// What has become of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Died,
    Lives,
}

type Files = BTreeMap<PathBuf, (Vec<u8>, u32, u32, u32)>;

impl Stage {
    pub fn new() -> Self {
        let nas = Nas::start();
        nas.rest.create_user(&new_user("zoe", 2999, "old"));
        let group = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 2900, "bsdgrp_group": "team"}"#).object(201);
        let mut stage = Self { nas, team: group["id"].as_u64().unwrap(), bystander: Vec::new(), runs: 0 };
        stage.bystander = stage.lines_of("zoe");
        stage
    }

    pub fn world(&self) -> &World {
        &self.nas.world
    }

    pub fn agent(&self) -> Pid {
        self.world().process("agent")
    }

    /// Where strace writes.
    pub fn output(&self) -> PathBuf {
        self.world().client_file("strace")
    }

    pub fn prepare(&mut self, kind: &Kind) -> Subject {
        self.runs += 1;
        let (name, new, number) = (format!("u{}", self.runs), format!("n{}", self.runs), 3000 + 2 * self.runs);
        let mut subject = Subject { name, new, number, id: 0, before: Vec::new() };
        (kind.prepare)(self, &mut subject);
        subject
    }

    pub fn lines_of(&self, name: &str) -> Vec<Option<String>> {
        FILES.iter().map(|file| self.nas.disk.line(file, name)).collect()
    }

    /// Where REST has an object whose `field` is `value`.
    pub fn shown(&self, kind: &str, field: &str, value: &str) -> Option<Value> {
        let all = self.nas.rest.get(&format!("/account/{kind}/?limit=0")).object(200);
        all.as_array().unwrap().iter().find(|object| object[field] == value).cloned()
    }

    /// Account files and homes, byte for byte.
    pub fn files(&self) -> Files {
        let mut files = self.nas.disk.everything("/mnt");
        let root = self.nas.disk.path("/");
        for file in FILES {
            files.insert(
                root.join(file.trim_start_matches('/')),
                (fs::read(self.nas.disk.path(file)).unwrap_or_default(), 0, 0, 0),
            );
        }
        files
    }

    pub fn unchanged_since(&self, before: &Files) -> Result<(), String> {
        let now = self.files();
        let all = before.keys().chain(now.keys());
        let mut differing: Vec<&PathBuf> = all.filter(|path| before.get(*path) != now.get(*path)).collect();
        // An empty directory for keys that did not come harms nobody; what is in it is looked at
        // with all that can be left over.
        let is_of_keys = |path: &Path| path.ends_with(".ssh") || path.ends_with(NEW_KEYS);
        let trash = self.nas.disk.path(TRASH);
        differing.retain(|path| (before.contains_key(*path) || !is_of_keys(path)) && !path.starts_with(&trash));
        if differing.is_empty() { Ok(()) } else { Err(format!("it is not there, but {differing:?} changed")) }
    }

    /// Whether the agent has ended; waited for where it was to be killed and has not answered well.
    pub fn fate(&self, agent: Pid, run: &Run, status: u16) -> Fate {
        let patience = match (run.fault, run.call.actor) {
            (Fault::Error(_), _) => Duration::ZERO,
            (Fault::Kill, _) if (200..300).contains(&status) => Duration::from_millis(20),
            // It may have been the child that was killed.
            (Fault::Kill, Actor::Child) => Duration::from_millis(300),
            (Fault::Kill, Actor::Request | Actor::Job | Actor::Writer) => DEATH,
        };
        let end = Instant::now() + patience;
        while !is_gone(agent) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        if is_gone(agent) { Fate::Died } else { Fate::Lives }
    }

    /// The same once nothing is traced any more: it may have been killed after it was last looked at,
    /// while it read what others had done.
    pub fn final_fate(&self, agent: Pid, run: &Run, fate: Fate) -> Fate {
        if run.fault == Fault::Kill && fate == Fate::Lives {
            std::thread::sleep(Duration::from_millis(10));
        }
        if is_gone(agent) { Fate::Died } else { fate }
    }

    /// Has the agent run again. Nothing but a kill may have ended it.
    pub fn bring_back(&self, agent: Pid, fault: Fault, fate: Fate) -> Result<(), String> {
        match (fault, fate) {
            (Fault::Kill, Fate::Died) => self.world().release("agent"),
            (Fault::Kill, Fate::Lives) => fs::remove_file(self.world().root().join("run/accountd/agent.hold")).unwrap(),
            (Fault::Error(_), Fate::Died) => return Err("the agent ended".into()),
            (Fault::Error(_), Fate::Lives) => {}
        }
        let now = if self.agent() == agent { Fate::Lives } else { Fate::Died };
        if now != fate { Err("the agent ended later".into()) } else { Ok(()) }
    }

    /// Has another agent run in the place of one that may not be able to go on.
    pub fn restart(&self, agent: Pid, fault: Fault) {
        let world = self.world();
        if fault != Fault::Kill {
            world.hold("agent");
        }
        if self.agent() == agent && Path::new(&format!("/proc/{agent}")).exists() {
            world.kill("agent");
        }
        world.release("agent");
    }

    /// Whoever else makes accounts is not kept from it by what a dead agent has left.
    pub fn try_useradd(&self, agent: Pid) -> Result<(), String> {
        // As long as nobody has asked how it ended, its number is that of a process.
        wait_for("the agent to be gone", || !Path::new(&format!("/proc/{agent}")).exists());
        let output = self.world().exec(&["useradd", "-M", "-N", "-u", "2900", "other"]);
        let removed = self.world().exec(&["userdel", "other"]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && removed.status.success() { Ok(()) } else { Err(format!("useradd: {errors}")) }
    }

    pub fn bystander_is_well(&self) -> Result<(), String> {
        let now = self.lines_of("zoe");
        if now == self.bystander { Ok(()) } else { Err(format!("somebody else has changed: {now:?}")) }
    }

    /// Locks, new files and hidden homes. A new key file of an agent that was killed is taken away
    /// by the next change of the keys.
    pub fn nothing_is_left_over(&self, allowed: Option<&str>) -> Result<(), String> {
        let end = Instant::now() + REFRESH;
        loop {
            match self.leftovers(allowed) {
                // The agent takes the locks by itself when it reads what has changed.
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                result => return result,
            }
        }
    }

    fn leftovers(&self, allowed: Option<&str>) -> Result<(), String> {
        let homes = fs::read_dir(self.nas.disk.path("/mnt/tank/home")).unwrap();
        let keys = homes.map(|home| home.unwrap().path().join(".ssh")).filter(|path| path.is_dir());
        let others = ["/etc", "/etc/samba", "/etc/sudoers.d", "/mnt/tank", "/mnt/tank/home", "/mnt/tank/new"];
        let others = others.map(|path| self.nas.disk.path(path)).into_iter().filter(|path| path.is_dir());
        let trash = self.nas.disk.path(TRASH);
        wait_for("the trash to be emptied", || fs::read_dir(&trash).map_or(true, |mut listed| listed.next().is_none()));
        for directory in keys.chain(others) {
            for entry in fs::read_dir(&directory).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let hidden = name.starts_with('.') && name != ".pwd.lock";
                let lock = ["passwd", "shadow", "group", "gshadow"].iter().any(|file| name == format!("{file}.lock"));
                let own = name.rsplit_once('.').is_some_and(|(_, end)| end.bytes().all(|byte| byte.is_ascii_digit()));
                if allowed == Some(&*name) {
                    continue;
                }
                if (hidden && !TRASH.ends_with(&name))
                    || lock
                    || own
                    || name.contains("accountd-new")
                    || name.ends_with(".new")
                {
                    return Err(format!("{}/{name} is left over", directory.display()));
                }
            }
        }
        Ok(())
    }

    /// Takes away what a run was about.
    pub fn clear(&self, subject: &Subject) {
        for name in [&subject.name, &subject.new] {
            if let Some(user) = self.shown("users", "bsdusr_username", name) {
                self.nas.rest.delete(&format!("/account/users/{}/", user["id"])).is(204, "");
            }
            if let Some(group) = self.shown("groups", "bsdgrp_group", name) {
                self.nas.rest.delete(&format!("/account/groups/{}/", group["id"])).is(204, "");
            }
        }
        for home in ["home", "new"].map(|parent| self.nas.disk.path(&format!("/mnt/tank/{parent}/{}", subject.name))) {
            if home.exists() {
                fs::remove_dir_all(home).unwrap();
            }
        }
    }

    /// The request for the subject as a user, with or without a home.
    pub fn new_user(&self, subject: &Subject, home: &str) -> Value {
        let mut request: Value = serde_json::from_str(&new_user(&subject.name, subject.number, "pw")).unwrap();
        (request["bsdusr_home"], request["bsdusr_to_group"]) = (json!(home), json!([self.team]));
        request
    }
}

fn is_gone(agent: Pid) -> bool {
    !fs::read_to_string(format!("/proc/{agent}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
