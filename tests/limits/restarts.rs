//! What goes on while the agent is started again, and what does not.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use super::{HOME, anna, nas_with};
use crate::commands::ended::process;
use crate::running::Running;
use crate::v2::Nas;
use crate::world::wait_for;

const MIB: usize = 1 << 20;

fn connections(nas: &Nas) -> Vec<Value> {
    nas.rest.get("/connections").object(200)["items"].as_array().unwrap().clone()
}

/// How far the one transfer is; 0 when there is none.
fn transferred(nas: &Nas) -> usize {
    let all = connections(nas);
    let size = all.first().and_then(|one| one["sessions"][0]["transfers"][0]["bytes"].as_u64());
    size.unwrap_or_default() as usize
}

#[test]
fn a_transfer_goes_on_while_the_agent_is_started_again_and_is_held_to_its_quota() {
    let nas = nas_with(&json!({"quota_bytes": 20 * MIB}));
    let content: Vec<u8> = (0..8 * MIB).map(|index| (index / 251 + index) as u8).collect();
    fs::write(nas.world.client_file("content"), &content).unwrap();
    let batch = nas.world.client_file("batch");
    fs::write(&batch, format!("put {} one\n", nas.world.client_file("content").display())).unwrap();
    let remote = nas.disk.path(HOME).join("one");
    let mut sftp = anna(&nas).prepare("sftp");
    let mut client = Running::start(sftp.args(["-l", "10000", "-b"]).arg(&batch).arg("127.0.0.1"));
    for (signal, part) in [(Signal::SIGTERM, MIB), (Signal::SIGKILL, 4 * MIB)] {
        wait_for("some of it", || transferred(&nas) > part);
        let before = nas.world.process("agent");
        kill(before, signal).unwrap();
        nas.world.wait_for_another("agent", before);
    }
    wait_for("the list", || connections(&nas).len() == 1 && transferred(&nas) > 4 * MIB);
    assert!(client.wait().unwrap().success());
    assert!(fs::read(&remote).unwrap() == content);
    let log = nas.world.log();
    assert!(log.contains("sessions of before go on") && !log.contains("all sessions have been ended"), "{log}");
    // The ledger has lost nothing: two of them have no room.
    let content = nas.world.client_file("content");
    anna(&nas).sftp_bytes(format!("put {0} two\nput {0} three\n", content.display()).as_bytes());
    let log = nas.world.log();
    assert!(log.contains("/three\" bytes=0 error=\"Disk quota exceeded"), "{log}");
}

#[test]
fn whoever_was_locked_while_the_agent_was_away_loses_what_others_keep() {
    let nas = nas_with(&json!({}));
    let home = "/mnt/tank/home/berta";
    nas.post("/users", &json!({"username": "berta", "password": "pw", "home": home, "shell": "/bin/bash"}));
    let control = nas.world.client_file("master");
    let option = format!("ControlPath={}", control.display());
    let mut ssh = nas.world.with_password("berta", "pw").prepare("ssh");
    let mut berta =
        Running::start(ssh.args(["-o", &option, "-M", "127.0.0.1", "exec sleep 987684"]).stdin(Stdio::null()));
    let mut ssh = anna(&nas).prepare("ssh");
    let mut of_anna = Running::start(ssh.args(["127.0.0.1", "exec sleep 987685"]).stdin(Stdio::null()));
    wait_for("both", || process("sleep\x00987684").is_some() && process("sleep\x00987685").is_some());
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.run(&["usermod", "-L", "anna"]);
    assert!(berta.is_there() && of_anna.is_there());
    assert!(!anna(&nas).logs_in(), "nobody logs in meanwhile");
    nas.world.release("agent");
    wait_for("the end of her session", || !of_anna.is_there() && process("sleep\x00987685").is_none());
    // What runs goes on, and what begins on the same connection has an agent to ask.
    let mut ssh = nas.world.with_password("berta", "pw").prepare("ssh");
    let output = ssh.args(["-o", &option, "127.0.0.1", "echo here"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "here\n");
    assert!(berta.is_there() && process("sleep\x00987684").is_some());
    wait_for("the list", || connections(&nas).len() == 1);
    nas.rest.post("/users/berta/disable", "{}").status_is(200);
    wait_for("the end of the other", || !berta.is_there());
}
