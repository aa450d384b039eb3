//! Whoever is disabled or deleted has nothing left that runs: sessions, processes, crontab, at
//! jobs, lingering services; and the answer says what there was.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::running::Running;
use crate::v2::{Nas, problem};
use crate::world::wait_for;

/// Numbers that nothing else on this machine runs as: processes are not the sandbox's own.
const ANNA: u32 = 47_201;
const BERTA: u32 = 47_202;
const CARLA: u32 = 47_203;
const DORA: u32 = 47_204;

/// Runs in the sandbox until it is ended, by SIGTERM or not.
fn process(nas: &Nas, uid: u32, script: &str) -> Running {
    let id = uid.to_string();
    let line = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "sh", "-c", script];
    let before = processes_of(uid);
    let running = Running::start(nas.world.inside(&line).stdin(Stdio::null()).stdout(Stdio::null()));
    wait_for("a process", || processes_of(uid) > before);
    running
}

fn session(nas: &Nas, uid: u32, name: &str) -> Running {
    let mut command = nas.world.with_password(name, "pw").prepare("ssh");
    command.args(["-s", "127.0.0.1", "sftp"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running::start(&mut command);
    wait_for("a session", || processes_of(uid) > 0);
    running
}

/// How many processes have this real uid.
fn processes_of(uid: u32) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let status = processes.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
    status.filter(|status| status.contains(&format!("\nUid:\t{uid}\t")) && !status.contains("\nState:\tZ")).count()
}

/// A crontab, a job and a mark for lingering.
fn fill(nas: &Nas, name: &str, uid: u32) -> [PathBuf; 3] {
    let files = [
        format!("/var/spool/cron/crontabs/{name}"),
        format!("/var/spool/cron/atjobs/a{uid:05x}0190f0d0"),
        format!("/var/lib/systemd/linger/{name}"),
    ];
    files.map(|file| {
        let path = nas.disk.path(&file);
        fs::write(&path, name).unwrap();
        let owner = if file.contains("linger") { 0 } else { uid };
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    })
}

fn there(paths: &[PathBuf]) -> Vec<bool> {
    paths.iter().map(|path| path.exists()).collect()
}

fn disable(nas: &Nas, name: &str, body: &Value) -> Value {
    nas.rest.post(&format!("/users/{name}/disable"), &body.to_string()).object(200)
}

#[test]
fn whoever_is_disabled_has_nothing_left_that_runs_and_gets_it_back() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": ANNA, "password": "pw", "home": "/mnt/tank/home/anna"}));
    let files = fill(&nas, "anna", ANNA);
    let mut session = session(&nas, ANNA, "anna");
    let mut obedient = process(&nas, ANNA, "exec sleep 600");
    let before = processes_of(ANNA);
    let mut stubborn = process(&nas, ANNA, "trap '' TERM; while :; do sleep 600; done");
    wait_for("the shell and its child", || processes_of(ANNA) >= before + 2);
    let mut other = process(&nas, BERTA, "exec sleep 600");
    let report = disable(&nas, "anna", &json!({"end_processes": true}));
    let ended = &report["ended"];
    assert_eq!((&ended["sessions"], &ended["crontab"], &ended["at_jobs"]), (&json!(1), &json!(true), &json!(1)));
    assert_eq!((&ended["linger"], &report["left"]), (&json!(true), &json!([])));
    assert!(ended["processes"].as_u64().unwrap() >= 3, "{report}");
    assert_eq!(processes_of(ANNA), 0);
    for ended in [&mut session, &mut obedient, &mut stubborn] {
        wait_for("the end of a process", || !ended.is_there());
    }
    assert!(other.is_there());
    assert_eq!(nas.rest.get("/users/anna").object(200)["locked"], true);
    assert_eq!(there(&files), [false; 3]);
    let aside = files.clone().map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.with_file_name(format!(".accountd-suspended-{name}"))
    });
    assert_eq!(there(&aside), [true; 3]);
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
    // Once more is no error, and there is nothing left to end.
    let mut again = disable(&nas, "anna", &json!({}));
    // Whether a smbd runs on this machine is as another test wants it at the moment.
    let samba = again["ended"]["samba"].take();
    assert!(samba == Value::Null || samba == 0, "{samba}");
    let nothing =
        json!({"sessions": 0, "samba": null, "processes": null, "crontab": false, "at_jobs": 0, "linger": false});
    assert_eq!(again, json!({"ended": nothing, "left": []}));
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    assert_eq!((there(&files), there(&aside)), (vec![true; 3], vec![false; 3]));
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), "anna");
    let trail = nas.rest.get("/audit?target=anna&action=update_user").object(200).to_string();
    assert!(trail.contains(r#"{"field":"processes","new":"ended","old":null}"#), "{trail}");
}

#[test]
fn sessions_of_all_who_are_locked_at_once_are_told_before_any_of_them_has_ended() {
    let nas = Nas::start();
    let names: Vec<String> = (0..8).map(|number| format!("many{number}")).collect();
    let file = |of: &str, name: &str| nas.disk.path(&format!("/mnt/tank/home/{of}/{name}"));
    // Says when it is told to end, and goes on until it is killed.
    let stubborn = "trap '[ -e told ] || echo $EPOCHREALTIME > told' HUP; trap '' TERM; touch ready; \
                    while :; do sleep 0.02; done";
    let mut clients: Vec<Running> = Vec::new();
    for name in &names {
        let home = format!("/mnt/tank/home/{name}");
        nas.post("/users", &json!({"username": name, "password": "pw", "home": home, "shell": "/bin/bash"}));
        let mut ssh = nas.world.with_password(name, "pw").prepare("ssh");
        clients.push(Running::start(ssh.args(["127.0.0.1", stubborn]).stdin(Stdio::null()).stderr(Stdio::null())));
    }
    wait_for("the sessions", || names.iter().all(|name| file(name, "ready").exists()));
    let items: Vec<Value> = names.iter().map(|name| json!({"op": "update", "user": name, "locked": true})).collect();
    let answer = nas.batch("", &json!(items));
    assert!([200, 202].contains(&answer.status), "{}", answer.body);
    wait_for("the ends of the sessions", || clients.iter_mut().all(|client| !client.is_there()));
    let told = names.iter().map(|name| fs::read_to_string(file(name, "told")).unwrap());
    let mut told: Vec<f64> = told.map(|text| text.trim().parse().unwrap()).collect();
    told.sort_by(f64::total_cmp);
    // One after the other, each would have been killed 300 ms after it was told, and before the next.
    assert!(told[7] - told[0] < 1.0, "{told:?}");
}

#[test]
fn a_lock_in_any_dialect_stops_cron_and_leaves_processes() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "carla", "uid": CARLA}));
    let files = fill(&nas, "carla", CARLA);
    let mut running = process(&nas, CARLA, "exec sleep 600");
    nas.patch("/users/carla", &json!({"locked": true})).status_is(200);
    assert_eq!(there(&files), [false; 3]);
    assert!(running.is_there());
    // What is aside goes along, and nothing is left of it.
    nas.patch("/users/carla", &json!({"username": "clara"})).status_is(200);
    assert_eq!(there(&files), [false; 3]);
    let old = crate::rest::Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    let id = nas.rest.get("/users/clara").object(200)["id"].clone();
    let put = |locked: bool| old.put(&format!("/account/users/{id}/"), &json!({"bsdusr_locked": locked}).to_string());
    put(false).status_is(200);
    let now = files.clone().map(|path| {
        let is_job = path.to_str().unwrap().contains("atjobs");
        if is_job { path } else { path.with_file_name("clara") }
    });
    assert_eq!(there(&now), [true; 3]);
    // Others have locked it: what runs is moved aside when that is asked for again.
    nas.world.run(&["usermod", "-L", "clara"]);
    assert_eq!(there(&now), [true; 3]);
    put(true).status_is(200);
    assert_eq!(there(&now), [false; 3]);
    // Others have unlocked it: a check says what is aside still, and who asks for it gets it back.
    nas.world.run(&["usermod", "-U", "clara"]);
    assert_eq!(there(&now), [false; 3]);
    let codes = || {
        let found = nas.rest.get("/checks").object(200)["items"].as_array().unwrap().clone();
        found.iter().map(|found| found["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(), ["linger.suspended", "crontab.suspended"]);
    nas.patch("/users/clara", &json!({"locked": false})).status_is(200);
    assert_eq!((there(&now), codes()), (vec![true; 3], Vec::<String>::new()));
    nas.patch("/users/clara", &json!({"locked": true})).status_is(200);
    nas.rest.delete("/users/clara").status_is(204);
    for directory in ["/var/spool/cron/crontabs", "/var/spool/cron/atjobs", "/var/lib/systemd/linger"] {
        assert_eq!(fs::read_dir(nas.disk.path(directory)).unwrap().count(), 0, "{directory}");
    }
    assert!(running.is_there());
}

#[test]
fn a_deletion_says_what_was_ended_where_that_is_asked_for() {
    let nas = Nas::start();
    nas.post(
        "/users",
        &json!({"username": "berta", "uid": BERTA + 100, "password": "pw", "home": "/mnt/tank/home/berta"}),
    );
    fill(&nas, "berta", BERTA + 100);
    let mut session = session(&nas, BERTA + 100, "berta");
    let mut running = process(&nas, BERTA + 100, "exec sleep 600");
    for (query, field) in [("report=yes", "report"), ("end_processes=1", "end_processes")] {
        problem(&nas.rest.delete(&format!("/users/berta?{query}")), 400, "invalid-query", &[(field, "wrong_type")]);
    }
    let report = nas.rest.delete("/users/berta?report=true&end_processes=true&delete_home=true").object(200);
    let ended = &report["ended"];
    assert_eq!(
        (&ended["sessions"], &ended["processes"], &ended["at_jobs"]),
        (&json!(1), &json!(1), &json!(1)),
        "{report}"
    );
    assert_eq!((&ended["crontab"], &ended["linger"], &report["left"]), (&json!(true), &json!(true), &json!([])));
    wait_for("the end of a process", || !running.is_there() && !session.is_there());
    problem(&nas.rest.get("/users/berta"), 404, "not-found", &[]);
    assert!(!nas.disk.path("/mnt/tank/home/berta").exists());
}

#[test]
fn processes_that_may_be_somebody_elses_are_not_ended() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "dora", "uid": DORA}));
    nas.post("/users", &json!({"username": "twin", "uid": DORA}));
    let mut running = process(&nas, DORA, "exec sleep 600");
    let before = nas.disk.everything("/etc");
    for (user, code) in
        [("dora", "shared_uid"), ("root", "builtin"), ("daemon", "builtin"), ("accountd-api", "builtin")]
    {
        let answer = nas.rest.post(&format!("/users/{user}/disable"), r#"{"end_processes": true}"#);
        problem(&answer, 409, "conflict", &[("end_processes", code)]);
    }
    let answer = nas.rest.delete("/users/dora?end_processes=true");
    problem(&answer, 409, "conflict", &[("end_processes", "shared_uid")]);
    for (body, field, code) in [
        (json!({"end_processes": "yes"}), "end_processes", "wrong_type"),
        (json!({"end_processes": null}), "end_processes", "required"),
        (json!({"locked": true}), "locked", "unknown_field"),
    ] {
        let answer = nas.rest.post("/users/dora/disable", &body.to_string());
        problem(&answer, 422, "invalid-values", &[(field, code)]);
    }
    problem(&nas.rest.post("/users/nobody-here/disable", "{}"), 404, "not-found", &[]);
    problem(&nas.rest.post("/users/root/disable", "{}"), 409, "conflict", &[("locked", "builtin")]);
    problem(&nas.send("POST", "/users/dora/disable", "If-Match: \"old\"", &json!({})), 412, "precondition-failed", &[]);
    assert!(running.is_there() && nas.disk.everything("/etc") == before);
    // Without its processes it is locked like any other.
    assert_eq!(disable(&nas, "dora", &json!({}))["ended"]["processes"], Value::Null);
    assert!(running.is_there());
}

/// smbd(8) in the sandbox, on a port of its own, with accountd's passwords.
struct Samba {
    smbd: Child,
    port: u16,
}

impl Samba {
    fn start(nas: &Nas) -> Self {
        for directory in ["run/samba", "var/cache/samba", "var/log/samba", "var/lib/samba/private", "mnt/tank/share"] {
            fs::create_dir_all(nas.disk.path(directory)).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "[global]\nsmb ports = {port}\ninterfaces = 127.0.0.1/8\nbind interfaces only = yes\nload printers = no\n\
             disable spoolss = yes\npassdb backend = smbpasswd:/etc/samba/smbpasswd\n[s]\npath = /mnt/tank/share\n"
        );
        fs::write(nas.disk.path("/etc/samba/smb.conf"), config).unwrap();
        let mut smbd = nas.world.inside(&["smbd", "--foreground"]);
        let smbd = smbd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("smbd", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { smbd, port }
    }

    /// A client that stays until its connection ends.
    fn client(&self, nas: &Nas, name: &str) -> Running {
        let port = self.port.to_string();
        let line = ["smbclient", "-p", &port, "-U", &format!("{name}%pw"), "//127.0.0.1/s"];
        let running = Running::start(nas.world.inside(&line).stdin(Stdio::piped()).stdout(Stdio::null()));
        let id = nas.rest.get(&format!("/users/{name}")).object(200)["uid"].to_string();
        wait_for("a session of Samba", || served(nas).contains(&id));
        running
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(self.smbd.id()).unwrap()),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.smbd.wait();
    }
}

/// The uids that Samba says to serve.
fn served(nas: &Nas) -> Vec<String> {
    let table = nas.world.run(&["smbstatus", "-p", "-n"]);
    let rows = table.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    rows.map(|row| row.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn sessions_of_samba_end_and_nobody_elses() {
    let nas = Nas::start();
    let samba = Samba::start(&nas);
    for (name, uid) in [("anna", ANNA + 200), ("berta", BERTA + 200)] {
        nas.post("/users", &json!({"username": name, "uid": uid, "password": "pw"}));
    }
    let (_first, _second) = (samba.client(&nas, "anna"), samba.client(&nas, "anna"));
    let _other = samba.client(&nas, "berta");
    assert_eq!(served(&nas).len(), 3);
    let report = disable(&nas, "anna", &json!({}));
    assert_eq!((&report["ended"]["samba"], &report["left"]), (&json!(2), &json!([])));
    assert_eq!(served(&nas), [(BERTA + 200).to_string()]);
    nas.patch("/users/berta", &json!({"locked": true})).status_is(200);
    assert_eq!(served(&nas), [""; 0]);
}

/// Tools that lock an account know nothing of Samba.
#[test]
fn an_account_that_was_locked_by_hand_is_shut_out_of_samba_by_a_lock_here_and_a_check_finds_it_before() {
    let nas = Nas::start();
    let samba = Samba::start(&nas);
    nas.post("/users", &json!({"username": "anna", "uid": ANNA + 300, "password": "pw"}));
    nas.world.run(&["usermod", "-L", "anna"]);
    let _client = samba.client(&nas, "anna");
    let flags = || nas.disk.field("/etc/samba/smbpasswd", "anna", 4);
    let found = || {
        let report = nas.rest.get("/checks").object(200);
        let findings = report["items"].as_array().unwrap().clone();
        findings.iter().any(|finding| finding["code"] == "smbpasswd.lets_in")
    };
    assert!(found() && flags().starts_with("[U"), "{}", flags());
    // With another uid at the same time, the sessions of the one before end.
    nas.patch("/users/anna", &json!({"locked": true, "uid": ANNA + 301})).status_is(200);
    assert!(!found() && flags().starts_with("[DU"), "{}", flags());
    assert_eq!(served(&nas), [""; 0]);
    nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    assert!(flags().starts_with("[U"), "{}", flags());
}
