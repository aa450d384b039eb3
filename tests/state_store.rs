//! A damaged state store of the shipped agent: restored from its good copy, or refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::freenas::{Nas, new_user};
use crate::world::wait_for;

const STORE: &str = "/var/lib/accountd/state.sqlite";
/// Accounts that the copy did not know have ids above this.
const SKIPPED: u64 = 1_000_000;

fn ids(nas: &Nas) -> BTreeMap<String, u64> {
    let users = nas.rest.get("/account/users/?limit=0").object(200);
    let id = |user: &Value| Some((user["bsdusr_username"].as_str()?.to_owned(), user["id"].as_u64()?));
    users.as_array().unwrap().iter().map(|user| id(user).unwrap()).collect()
}

/// Kills the agent and lets `damage` at its files before it may start again.
fn damage(nas: &Nas, damage: impl Fn(&dyn Fn(&str) -> PathBuf)) {
    nas.world.hold("agent");
    nas.world.kill("agent");
    damage(&|ending| nas.disk.path(&format!("{STORE}{ending}")));
}

/// Starts the agent anew, which makes the copy; then one account more.
fn copied(nas: &Nas) -> BTreeMap<String, u64> {
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    nas.world.hold("agent");
    nas.world.kill("agent");
    nas.world.release("agent");
    let known = ids(nas);
    nas.rest.create_user(&new_user("berta", 3002, "pw"));
    known
}

#[test]
fn a_damaged_store_is_restored_and_accounts_keep_their_ids() {
    let nas = Nas::start();
    let known = copied(&nas);
    damage(&nas, |file| {
        fs::write(file(""), "no database").unwrap();
        fs::write(file("-wal"), "no log").unwrap();
    });
    nas.world.release("agent");
    let mut now = ids(&nas);
    assert!(now.remove("berta").unwrap() > SKIPPED);
    assert_eq!(now, known);
    assert!(nas.world.with_password("anna", "pw").logs_in() && nas.world.with_password("berta", "pw").logs_in());
    let log = nas.world.log();
    let line = log.lines().find(|line| line.contains("has been restored from its good copy")).unwrap();
    for part in ["ERROR", "state.sqlite.good", "state.sqlite.damaged-", "file is not a database"] {
        assert!(line.contains(part), "{line}");
    }
    let next = nas.rest.create_user(&new_user("carla", 3003, "pw"));
    damage(&nas, |_| ());
    nas.world.release("agent");
    assert_eq!(ids(&nas)["carla"], next);
    assert_eq!(nas.rest.create_user(&new_user("dora", 3004, "pw")), next + 1);
}

#[test]
fn an_agent_that_can_not_open_its_store_names_the_file() {
    let nas = Nas::start();
    let program = format!("/proc/{}/exe", nas.world.process("agent"));
    let store = "/var/lib/nowhere/state.sqlite";
    let output = nas.world.exec(&[&program, "--socket", "/run/accountd/other.sock", "--state", store]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("/var/lib/nowhere/state."), "{said}");
}

#[test]
fn with_a_damaged_copy_too_the_agent_refuses_and_says_what_can_be_done() {
    let nas = Nas::start();
    let known = copied(&nas);
    let all = ids(&nas);
    let saved = nas.disk.path("/var/lib/accountd/saved");
    damage(&nas, |file| {
        fs::create_dir(&saved).unwrap();
        for ending in ["", "-wal", ".good"] {
            fs::copy(file(ending), saved.join(format!("file{ending}"))).unwrap();
        }
        fs::write(file(""), "no database").unwrap();
        fs::remove_file(file("-wal")).unwrap();
        fs::write(file(".good"), "no database").unwrap();
    });
    let before = nas.disk.everything("/etc");
    fs::remove_file(nas.disk.path("/run/accountd/agent.hold")).unwrap();
    wait_for("the refusal in the log", || nas.world.log().contains("can not be restored from its copy"));
    let log = nas.world.log();
    let line = log.lines().find(|line| line.contains("can not be restored")).unwrap();
    for part in [STORE, &format!("{STORE}.good"), "file is not a database", "backup", "move all files", "built in"] {
        assert!(line.contains(part), "{line}");
    }
    let answer = nas.rest.get("/account/users/");
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{}", answer.body);
    assert!(!nas.world.with_password("anna", "pw").logs_in());
    assert!(nas.disk.everything("/etc") == before);
    assert_eq!(nas.disk.text(STORE), "no database");
    // The administrator puts the files back; the supervisor goes on trying.
    for ending in ["-wal", ".good", ""] {
        fs::copy(saved.join(format!("file{ending}")), nas.disk.path(&format!("{STORE}{ending}"))).unwrap();
    }
    wait_for("REST", || nas.rest.get("/account/users/").status == 200);
    assert_eq!(ids(&nas), all);
    assert!(known.iter().all(|(name, id)| all[name] == *id));
}
