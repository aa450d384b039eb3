//! What a session is allowed: seen from inside it, and from the kernel's side.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::freenas::{Nas, new_user};
use crate::running::Running;
use crate::world::{World, wait_for};

/// A sandbox with `anna` (uid 3001), who is in `team` (gid 4200) too.
fn nas_with_anna() -> (Nas, String) {
    let nas = Nas::start();
    let path = format!("/account/users/{}/", nas.rest.create_user(&new_user("anna", 3001, "pw")));
    nas.rest.post("/account/groups/", r#"{"bsdgrp_gid": 4200, "bsdgrp_group": "team"}"#).object(201);
    nas.rest.post(&format!("{path}groups/"), r#"["team"]"#);
    assert_eq!(nas.disk.line("/etc/group", "team").as_deref(), Some("team:x:4200:anna"));
    (nas, path)
}

#[test]
fn inside_a_session_nothing_of_root_is_left() {
    let (nas, _) = nas_with_anna();
    nas.world.with_password("anna", "pw").sftp("get /proc/self/status\nget /proc/self/limits\n");
    let status = fs::read_to_string(nas.world.client_file("status")).unwrap();
    let values: HashMap<&str, Vec<&str>> = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, rest)| (name, rest.split_whitespace().collect()))
        .collect();
    assert_eq!(values["Name"], ["accountd-sessio"]);
    assert_eq!(values["Uid"], ["3001"; 4]);
    assert_eq!(values["Gid"], ["3001"; 4]);
    assert_eq!(values["Groups"], ["4200"]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(values[set], ["0000000000000000"], "{set}");
    }
    assert_eq!(values["NoNewPrivs"], ["1"]);
    assert_eq!(values["SigBlk"], ["0000000000000000"]);
    assert_eq!(values["Umask"], ["0022"]);
    let limits = fs::read_to_string(nas.world.client_file("limits")).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")), "{limits}");
}

#[test]
fn a_session_has_the_descriptors_of_its_stream_and_no_other() {
    let (nas, _) = nas_with_anna();
    let listed = nas.world.with_password("anna", "pw").sftp("ls -1 /proc/self/fd\n");
    let mut open: Vec<u32> = listed.lines().filter_map(|line| line.rsplit('/').next()?.trim().parse().ok()).collect();
    open.sort_unstable();
    // 3 is where its records go, 4 the directory that is being listed, 5 its stream where libc makes one.
    assert_eq!(open[..3], [0, 1, 2], "{listed}");
    assert!(open.len() <= 6, "{listed}");
    let log = fs::canonicalize(nas.world.root().parent().unwrap().join("log")).unwrap();
    let session = Held::open(&nas);
    let directory = format!("/proc/{}/fd", session.process(&nas));
    let is_harmless = |target: &Path| {
        let text = target.to_string_lossy();
        text.starts_with("socket:") || text.starts_with("pipe:") || text == "/dev/null" || target == log
    };
    // What the program opens and closes while it starts is gone soon; what it has inherited stays.
    wait_for("a session with nothing else open", || {
        let entries = fs::read_dir(&directory).unwrap().map(|entry| fs::read_link(entry.unwrap().path()));
        entries.flatten().all(|target| is_harmless(&target))
    });
}

#[test]
fn the_kernel_has_said_no_to_root_before_the_program_starts() {
    let (nas, _) = nas_with_anna();
    let trace = nas.world.client_file("trace");
    // The spawner is the child of accountd-login; whatever it forks is followed.
    let login = nas.world.process("login");
    let children = fs::read_to_string(format!("/proc/{login}/task/{login}/children")).unwrap();
    let mut strace = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=setresuid,setuid,setgroups,setresgid,execveat", "-o"])
        .arg(&trace)
        .args(["-p", children.trim()])
        .spawn()
        .unwrap();
    wait_for("strace to be attached", || {
        let status = fs::read_to_string(format!("/proc/{}/status", children.trim())).unwrap();
        status.lines().any(|line| line == format!("TracerPid:\t{}", strace.id()))
    });
    nas.world.with_password("anna", "pw").sftp("pwd\n");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(strace.id().try_into().unwrap()), nix::sys::signal::SIGTERM)
        .unwrap();
    strace.wait().unwrap();
    let text = fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> = text.lines().filter_map(|line| line.split_once(' ').map(|(_, call)| call.trim())).collect();
    let at = |what: &str| {
        calls.iter().position(|call| call.starts_with(what)).unwrap_or_else(|| panic!("no {what} in {text}"))
    };
    let order = [
        "setgroups(1, [4200])",
        "setresgid(3001, 3001, 3001)",
        "setresuid(3001, 3001, 3001)",
        "setresuid(0, 0, 0)",
        "execveat(",
    ];
    let places: Vec<usize> = order.iter().map(|call| at(call)).collect();
    assert!(places.is_sorted(), "{text}");
    for attempt in ["setresuid(0, 0, 0)", "setuid(0)", "setgroups(1, [0])"] {
        let place = at(attempt);
        assert!(place < places[4] && calls[place].contains("= -1 EPERM"), "{text}");
    }
}

/// A client that holds a session open.
struct Held(Running);

impl Held {
    fn open(nas: &Nas) -> Self {
        let mut command = nas.world.with_password("anna", "pw").prepare("ssh");
        command.args(["-s", "127.0.0.1", "sftp"]);
        let held = Self(Running::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null())));
        wait_for("a session", || !sessions(nas).is_empty());
        held
    }

    fn process(&self, nas: &Nas) -> u32 {
        sessions(nas)[0]
    }

    fn has_ended(&mut self) -> bool {
        !self.0.is_there()
    }
}

/// The sessions of this sandbox that run as anna.
fn sessions(nas: &Nas) -> Vec<u32> {
    sessions_of(&nas.world, 3001)
}

/// The descendants of its accountd-login that run as a user.
pub fn sessions_of(world: &World, uid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut next = vec![u32::try_from(world.process("login").as_raw()).unwrap()];
    while let Some(process) = next.pop() {
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        next.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        if status.lines().any(|line| line.starts_with(&format!("Uid:\t{uid}\t"))) && status.contains("accountd-sessio")
        {
            found.push(process);
        }
    }
    found
}

#[test]
fn sessions_end_when_the_account_is_locked_changed_or_deleted() {
    let (nas, path) = nas_with_anna();
    let ends = |what: &str, change: &dyn Fn()| {
        let mut held = Held::open(&nas);
        std::thread::sleep(Duration::from_millis(200));
        assert!(!held.has_ended(), "before: {what}");
        change();
        wait_for(what, || held.has_ended() && sessions(&nas).is_empty());
    };
    let put = |change: serde_json::Value| {
        nas.rest.put(&path, &change.to_string()).object(200);
    };
    ends("the end after a lock", &|| put(json!({"bsdusr_locked": true})));
    put(json!({"bsdusr_locked": false}));
    ends("the end after a lock by hand", &|| drop(nas.world.run(&["usermod", "-L", "anna"])));
    nas.world.run(&["usermod", "-U", "anna"]);
    ends("the end after an expiry by hand", &|| drop(nas.world.run(&["chage", "-E", "1", "anna"])));
    nas.world.run(&["chage", "-E", "-1", "anna"]);
    ends("the end after a deletion", &|| assert_eq!(nas.rest.delete(&path).status, 204));
    assert!(!nas.world.with_password("anna", "pw").logs_in());
}

#[test]
fn a_session_ends_with_its_client() {
    let (nas, _) = nas_with_anna();
    let held = Held::open(&nas);
    drop(held);
    wait_for("the end of the session", || sessions(&nas).is_empty());
}

#[test]
fn a_session_ends_with_its_keeper() {
    let (nas, _) = nas_with_anna();
    let mut held = Held::open(&nas);
    let session = held.process(&nas);
    let fields = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        Some((fields.next()?.to_owned(), fields.next()?.parse::<i32>().ok()?))
    };
    let (_, keeper) = fields(session).unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{keeper}/comm")).unwrap(), "login-keeper\n");
    let signal = |process, signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal).unwrap();
    // So that the end of its stream is not what ends it.
    signal(session.try_into().unwrap(), nix::sys::signal::SIGSTOP);
    signal(keeper, nix::sys::signal::SIGKILL);
    // Nobody may be there to collect it.
    wait_for("the end of the session", || fields(session).is_none_or(|(state, _)| state == "Z"));
    wait_for("the end of the client", || held.has_ended());
}

#[test]
fn what_another_user_keeps_is_out_of_reach() {
    let (nas, _) = nas_with_anna();
    nas.rest.create_user(&new_user("bert", 3002, "pw"));
    let anna = nas.world.with_password("anna", "pw");
    let bert = nas.world.with_password("bert", "pw");
    fs::write(nas.world.client_file("secret"), "s3cret").unwrap();
    anna.sftp("put secret\nchmod 600 secret\nmkdir shut\nchmod 700 shut\nput secret shut/secret\nmkdir open\nchmod 775 open\n");
    let secret = "/mnt/tank/home/anna/secret";
    assert_eq!(nas.disk.owner_and_mode(secret), (3001, 3001, 0o600));
    let before = nas.disk.everything("/mnt");
    for command in [
        "get /mnt/tank/home/anna/secret stolen",
        "ls /mnt/tank/home/anna/shut/",
        "get /mnt/tank/home/anna/shut/secret stolen",
        "put secret /mnt/tank/home/anna/planted",
        "put secret /mnt/tank/home/anna/secret",
        "rm /mnt/tank/home/anna/secret",
        "chmod 666 /mnt/tank/home/anna/secret",
        "rename /mnt/tank/home/anna/secret /mnt/tank/home/bert/secret",
        "chown 3001 /mnt/tank/home/bert/.profile",
        "chgrp 4200 /mnt/tank/home/bert/.profile",
        "get /etc/shadow",
        "get /var/lib/accountd/state.sqlite",
        "get /root/.bashrc",
        "put secret /etc/planted",
        "mkdir /mnt/tank/mine",
    ] {
        let said = bert.sftp_fails(&format!("{command}\n"));
        assert!(
            said.contains("Permission denied") || said.contains("ermission") || said.contains("not found"),
            "{command}: {said}"
        );
    }
    assert!(nas.disk.everything("/mnt") == before);
    assert!(!nas.world.client_file("stolen").exists() || fs::read(nas.world.client_file("stolen")).unwrap().is_empty());
    // A group does open the door.
    nas.world.run(&["chgrp", "team", secret]);
    nas.world.run(&["chmod", "640", secret]);
    bert.sftp_fails(&format!("get {secret} stolen\n"));
    nas.world.run(&["gpasswd", "-a", "bert", "team"]);
    bert.sftp(&format!("get {secret} given\n"));
    assert_eq!(fs::read(nas.world.client_file("given")).unwrap(), b"s3cret");
}
