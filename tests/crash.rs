//! kill -9 of the shipped agent between any two steps of a commit.
//!
//! The steps are the system calls that change something. strace(1) is attached to the running
//! agent and kills it at the n-th call of a kind, for every n that a request gets to.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::unistd::Pid;
use serde_json::json;

use crate::freenas::{Nas, new_user};
use crate::world::wait_for;

const STEPS: [&str; 12] = [
    "rename",
    "renameat2",
    "link",
    "unlink",
    "unlinkat",
    "fsync",
    "fdatasync",
    "pwrite64",
    "write",
    "mkdirat",
    "fchown",
    "fchmod",
];
/// More calls of one kind than a request makes.
const MOST_CALLS: usize = 60;
const FILES: [&str; 5] = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/samba/smbpasswd"];

/// A sandbox whose agent is killed again and again.
struct Killed {
    nas: Nas,
    team: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    Finished,
}

impl Killed {
    fn new() -> Self {
        let nas = Nas::start();
        nas.rest.create_user(&new_user("zoe", 2999, "old"));
        let group = nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
        Self { nas, team: group["id"].to_string() }
    }

    /// Creates a user, with the agent killed at the `number`-th call of `step`.
    fn create(&self, name: &str, uid: u32, step: &str, number: usize) -> (End, u16) {
        let world = &self.nas.world;
        world.hold("agent");
        let agent = world.process("agent");
        let mut strace = attach(agent, step, number);
        let mut request: serde_json::Value = serde_json::from_str(&new_user(name, uid, "pw")).unwrap();
        request["bsdusr_to_group"] = json!([self.team.parse::<u32>().unwrap()]);
        request["bsdusr_sshpubkey"] = json!(crate::freenas::keys::KEY);
        let status = self.nas.rest.post("/account/users/", &request.to_string()).status;
        let gone = || is_gone(agent);
        if status == 201 && !gone() {
            detach(&mut strace);
            // It may have been killed between the answer and this.
            if !gone() {
                fs::remove_file(world.root().join("run/accountd/agent.hold")).unwrap();
                return (End::Finished, status);
            }
        }
        wait_for("the death of the agent", gone);
        // It ends with what it traces. Told to end meanwhile, it would wait for ever.
        strace.wait().unwrap();
        // Until it has been waited for, tools take the locks that it has left for those of a living process.
        wait_for("the sandbox to notice", || !Path::new(&format!("/proc/{agent}")).exists());
        (End::Killed, status)
    }

    /// Whether the account is there; half of it is a failure.
    fn is_whole(&self, name: &str, at: &str) -> bool {
        let (disk, home) = (&self.nas.disk, format!("/mnt/tank/home/{name}"));
        let is_whole = self.is_whole_but_for_the_home(name, at);
        assert_eq!(disk.path(&home).is_dir(), is_whole, "{at}");
        let keys = disk.text(&format!("{home}/.ssh/authorized_keys"));
        assert_eq!(keys.contains(crate::freenas::keys::KEY), is_whole, "{at}");
        is_whole
    }

    fn is_whole_but_for_the_home(&self, name: &str, at: &str) -> bool {
        let disk = &self.nas.disk;
        let mut signs: Vec<bool> = FILES.iter().map(|file| disk.line(file, name).is_some()).collect();
        signs.push(disk.field("/etc/group", "team", 3).split(',').any(|member| member == name));
        let users = self.nas.rest.get("/account/users/?limit=0").object(200);
        signs.push(users.as_array().unwrap().iter().any(|user| user["bsdusr_username"] == name));
        let groups = self.nas.rest.get("/account/groups/?limit=0").object(200);
        signs.push(groups.as_array().unwrap().iter().any(|group| group["bsdgrp_group"] == name));
        assert!(signs.iter().all(|sign| *sign == signs[0]), "{at}: {signs:?}");
        signs[0]
    }

    fn nothing_is_left_over(&self, at: &str) {
        for directory in ["/etc", "/etc/samba", "/mnt/tank/home"] {
            for entry in fs::read_dir(self.nas.disk.path(directory)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let strange = name.contains(".accountd") || (name.starts_with('.') && !matches!(&*name, ".pwd.lock"));
                assert!(
                    !strange && !name.ends_with("passwd.lock") && !name.ends_with("shadow.lock"),
                    "{at}: {directory}/{name}"
                );
            }
        }
    }
}

/// strace(1) that kills `agent` at its `number`-th call of `step`.
pub fn attach(agent: Pid, step: &str, number: usize) -> Child {
    tamper(agent, step, &format!("signal=KILL:when={number}"))
}

/// strace(1) that does something to the calls of `step` of `agent`.
pub fn tamper(agent: Pid, step: &str, how: &str) -> Child {
    let strace = Command::new("strace")
        .args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={step}")])
        .args(["-e", &format!("inject={step}:{how}"), "-p", &agent.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let traced = |task: &fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.contains(&format!("TracerPid:\t{}\n", strace.id()))
    };
    wait_for("strace to be attached to every thread", || {
        fs::read_dir(format!("/proc/{agent}/task")).unwrap().all(|task| traced(&task.unwrap()))
    });
    strace
}

/// The kernel lets go of what a dead tracer has traced (ptrace(2)).
pub fn detach(strace: &mut Child) {
    strace.kill().unwrap();
    strace.wait().unwrap();
}

/// Whether a process has ended, waited for or not.
pub fn is_gone(process: Pid) -> bool {
    !fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Kills the agent at every call of every step, each kind in a sandbox of its own; `check` gets
/// the sandbox with a dead agent and has to start it again.
fn at_every_step(check: impl Fn(&Killed, &str, u16, &str) + Sync) {
    let kills = AtomicUsize::new(0);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(step) = STEPS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let killed = Killed::new();
                    let mut ended = false;
                    for number in 1..MOST_CALLS {
                        let name = format!("u{number}");
                        let uid = 3000 + u32::try_from(number).unwrap();
                        let (end, status) = killed.create(&name, uid, step, number);
                        if end == End::Finished {
                            assert!(killed.is_whole(&name, step));
                            ended = true;
                            break;
                        }
                        kills.fetch_add(1, Ordering::Relaxed);
                        check(&killed, &name, status, &format!("killed at {step} {number}"));
                    }
                    assert!(ended, "{step} never ends");
                }
            });
        }
    });
    assert!(kills.into_inner() > 40, "the agent was hardly ever killed");
}

#[test]
fn killed_anywhere_the_account_is_there_whole_or_not_at_all() {
    let (whole, nothing) = (AtomicUsize::new(0), AtomicUsize::new(0));
    at_every_step(|killed, name, status, at| {
        killed.nas.world.release("agent");
        let is_whole = killed.is_whole(name, at);
        assert!(is_whole || status != 201, "{at}: it was acknowledged");
        if is_whole { &whole } else { &nothing }.fetch_add(1, Ordering::Relaxed);
        killed.nothing_is_left_over(at);
    });
    assert!(whole.into_inner() > 5 && nothing.into_inner() > 5, "both must happen");
}

/// What other tools do while the agent is dead: a new user, and a password by its own user.
fn use_tools(nas: &Nas, useradd: &[&str], at: &str) -> String {
    nas.world.run(&[&["useradd", "-M"], useradd].concat());
    let before = nas.disk.field("/etc/shadow", "zoe", 1);
    let passwd = crate::openssh::run(nas.world.inside(&["passwd", "zoe"]), b"pw-of-zoe\npw-of-zoe\n");
    assert!(passwd.status.success(), "{at}: {}", String::from_utf8_lossy(&passwd.stderr));
    let hash = nas.disk.field("/etc/shadow", "zoe", 1);
    assert_ne!(hash, before);
    hash
}

#[test]
fn what_useradd_and_passwd_did_before_the_next_start_is_there_too() {
    at_every_step(|killed, name, status, at| {
        let nas = &killed.nas;
        let (tool, uid) = (format!("t{name}"), nas.disk.text("/etc/passwd").lines().count() + 5000);
        let hash = use_tools(nas, &["-u", &uid.to_string(), &tool], at);
        nas.world.release("agent");
        let is_whole = killed.is_whole(name, at);
        assert!(is_whole || status != 201, "{at}: it was acknowledged");
        // The files are renamed behind the commit point only.
        assert!(is_whole || !at.contains(" rename "), "{at}: it was decided");
        assert_eq!(nas.disk.field("/etc/shadow", "zoe", 1), hash, "{at}");
        for file in &FILES[..4] {
            assert!(nas.disk.line(file, &tool).is_some(), "{at}: {tool} in {file}");
        }
    });
}

#[test]
fn an_account_whose_number_was_taken_before_the_next_start_gives_way_whole() {
    let killed = Killed::new();
    let nas = &killed.nas;
    for number in 1..=5 {
        let (name, tool, uid) = (format!("u{number}"), format!("t{number}"), 4000 + number);
        let (end, status) = killed.create(&name, uid, "rename", usize::try_from(number).unwrap());
        assert_eq!((end, status), (End::Killed, 503));
        let hash = use_tools(nas, &["-u", &uid.to_string(), &tool], &name);
        nas.world.release("agent");
        assert!(!killed.is_whole(&name, &name), "two accounts have one uid");
        killed.nothing_is_left_over(&name);
        assert_eq!(nas.disk.field("/etc/passwd", &tool, 2), uid.to_string());
        assert_eq!(nas.disk.field("/etc/shadow", "zoe", 1), hash);
        let users = nas.rest.get("/account/users/?limit=0").object(200);
        let seen: Vec<_> = users.as_array().unwrap().iter().filter(|user| user["bsdusr_uid"] == uid).collect();
        assert_eq!(seen.len(), 1);
        assert_eq!((&seen[0]["bsdusr_username"], &seen[0]["bsdusr_email"]), (&json!(tool), &json!("")));
        nas.rest.create_user(&new_user(&name, uid + 100, "pw"));
    }
}

#[test]
fn a_directory_that_was_becoming_a_home_is_one_or_is_given_back() {
    let (whole, nothing) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for step in ["mkdirat", "fchown", "write", "rename"] {
        let killed = Killed::new();
        let (nas, mut ended) = (&killed.nas, false);
        for number in 1..MOST_CALLS {
            let (name, at) = (format!("u{number}"), format!("killed at {step} {number}"));
            let home = format!("/mnt/tank/home/{name}");
            fs::create_dir(nas.disk.path(&home)).unwrap();
            let uid = 3000 + u32::try_from(number).unwrap();
            let (end, status) = killed.create(&name, uid, step, number);
            if end == End::Finished {
                ended = true;
                break;
            }
            nas.world.release("agent");
            if killed.is_whole_but_for_the_home(&name, &at) {
                whole.fetch_add(1, Ordering::Relaxed);
                assert_eq!(nas.disk.owner_and_mode(&home).0, uid, "{at}");
                assert!(nas.disk.text(&format!("{home}/.ssh/authorized_keys")).contains(crate::freenas::keys::KEY));
            } else {
                nothing.fetch_add(1, Ordering::Relaxed);
                assert_ne!(status, 201, "{at}: it was acknowledged");
                assert_eq!(nas.disk.owner_and_mode(&home), (0, 0, 0o755), "{at}");
                assert_eq!(fs::read_dir(nas.disk.path(&home)).unwrap().count(), 0, "{at}");
                nas.rest.create_user(&new_user(&name, uid, "pw"));
            }
        }
        assert!(ended, "{step} never ends");
    }
    assert!(whole.into_inner() > 2 && nothing.into_inner() > 5, "both must happen");
}
