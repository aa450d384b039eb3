//! Sessions of other programs: in the list, counted, closed, and ended with their account.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use super::Stage;
use crate::running::Running;
use crate::world::wait_for;

/// su(1) of root's as the user. What it runs does not end when it is asked to, but with this test.
fn session(stage: &Stage, name: &str) -> Running {
    let before = stage.sessions(name).len();
    let mut su = stage.nas.world.inside(&["su", "-", name, "-c", "trap '' HUP TERM; cat; true"]);
    let running = Running::start(su.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_for("a session", || stage.sessions(name).len() == before + 1);
    running
}

/// Processes that run as a user.
fn processes(uid: u32) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let status = all.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
    let field = format!("\nUid:\t{uid}\t");
    status.filter(|text| text.contains(&field) && !text.contains("\nState:\tZ")).count()
}

#[test]
fn a_session_is_in_the_list_as_long_as_it_lasts() {
    let stage = Stage::start();
    stage.add("anna", 36_001);
    let running = session(&stage, "anna");
    let list = stage.sessions("anna");
    let one = &list[0];
    assert_eq!((&one["source"], &one["user"]["username"]), (&json!("127.0.0.1"), &json!("anna")), "{one}");
    assert_eq!((&one["client"], &one["sessions"][0]["service"]), (&json!("PAM su-l"), &json!("su-l")), "{one}");
    let socket = stage.path("/run/accountd/agent.sock");
    let ctl = crate::world::accountd().with_file_name("accountctl");
    let shown = std::process::Command::new(ctl)
        .args(["session", "list"])
        .env("ACCOUNTCTL_URL", stage.nas.world.api())
        .env("ACCOUNTCTL_SOCKET", socket)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("su-l"), "{shown:?}");
    drop(running);
    let left = format!("{}", one["sessions"][0]["number"]);
    stage.nas.rest.delete(&format!("/sessions/{left}"));
    wait_for("the end of the session", || stage.sessions("anna").is_empty());
    // With terminal and host, as pamtester says them.
    let items = ["pamtester", "-I", "rhost=192.0.2.7", "-I", "tty=pts/7", "test", "anna"];
    let words: Vec<&str> = items.into_iter().chain(["acct_mgmt", "open_session", "close_session"]).collect();
    stage.says(&words, "").yes();
    assert!(stage.sessions("anna").is_empty());
}

#[test]
fn a_session_that_is_closed_ends_with_all_that_it_has_started() {
    let stage = Stage::start();
    stage.add("anna", 36_002);
    stage.add("berta", 36_003);
    let (_first, _second, _other) = (session(&stage, "anna"), session(&stage, "anna"), session(&stage, "berta"));
    let list = stage.sessions("anna");
    let number = &list[0]["sessions"][0]["number"];
    stage.nas.rest.delete(&format!("/sessions/{number}")).status_is(204);
    assert_eq!(stage.sessions("anna").len(), 1);
    let id = stage.sessions("anna")[0]["id"].as_str().unwrap().to_owned();
    stage.nas.rest.as_user("berta", "Pass-word1").delete(&format!("/connections/{id}")).status_is(403);
    stage.nas.rest.as_user("anna", "Pass-word1").delete(&format!("/connections/{id}")).status_is(204);
    wait_for("the end of all", || processes(36_002) == 0);
    assert_eq!((stage.sessions("anna").len(), stage.sessions("berta").len()), (0, 1));
    assert!(processes(36_003) > 0);
}

#[test]
fn a_lock_ends_them_and_a_new_password_does_not() {
    let stage = Stage::start();
    stage.add("anna", 36_004);
    let _running = session(&stage, "anna");
    stage.set("anna", json!({"password": "Other-word2"}));
    assert_eq!(stage.sessions("anna").len(), 1, "whoever has changed it with passwd(1) sits in there");
    stage.set("anna", json!({"locked": true}));
    // The answer came when they had ended.
    assert_eq!((stage.sessions("anna").len(), processes(36_004)), (0, 0));
    stage.set("anna", json!({"locked": false}));
    let _running = session(&stage, "anna");
    stage.nas.world.run(&["usermod", "--lock", "anna"]);
    wait_for("the end of the session", || stage.sessions("anna").is_empty() && processes(36_004) == 0);
}

#[test]
fn they_are_known_to_an_agent_that_is_started_again() {
    let stage = Stage::start();
    stage.add("anna", 36_005);
    stage.add("berta", 36_006);
    let (_first, _second) = (session(&stage, "anna"), session(&stage, "berta"));
    let before = (stage.sessions("anna"), stage.sessions("berta"));
    let agent = stage.nas.world.process("agent");
    stage.nas.world.hold("agent");
    stage.nas.world.kill("agent");
    stage.nas.world.run(&["usermod", "--lock", "berta"]);
    stage.nas.world.release("agent");
    stage.nas.world.wait_for_another("agent", agent);
    wait_for("REST", || stage.nas.rest.get("/users/root").status == 200);
    assert_eq!(stage.sessions("anna"), before.0);
    wait_for("the end of the session of whoever was locked meanwhile", || processes(36_006) == 0);
    assert!(stage.sessions("berta").is_empty());
}

#[test]
fn no_account_has_more_than_it_may_over_all_ways_together() {
    let stage = Stage::start();
    stage.add("anna", 36_007);
    stage.set("anna", json!({"limits": {"max_sessions": 2}}));
    let first = session(&stage, "anna");
    assert!(stage.nas.world.with_password("anna", "Pass-word1").logs_in());
    let _second = session(&stage, "anna");
    stage.test("anna", "", &["open_session"]).no("as many sessions as it may: 2");
    stage.says(&["su", "anna", "-c", "true"], "").no("as many sessions as it may: 2");
    // Where a session begins with that, it is said before.
    let remote = ["pamtester", "-I", "rhost=192.0.2.7", "test", "anna", "acct_mgmt"];
    stage.says(&remote, "").no("as many sessions as it may: 2");
    // And where somebody only says again who they are, not at all.
    stage.test("anna", "Pass-word1\n", &["authenticate", "acct_mgmt"]).yes();
    assert!(!stage.nas.world.with_password("anna", "Pass-word1").logs_in());
    let number = stage.sessions("anna")[0]["sessions"][0]["number"].clone();
    stage.nas.rest.delete(&format!("/sessions/{number}")).status_is(204);
    drop(first);
    assert!(stage.nas.world.with_password("anna", "Pass-word1").logs_in());
}

#[test]
fn who_has_no_home_gets_one_at_the_first_login() {
    let stage = Stage::start();
    fs::write(stage.path("/etc/skel/from-skel"), "x").unwrap();
    stage.nas.world.run(&[
        "useradd",
        "--no-create-home",
        "--home-dir",
        "/mnt/tank/home/fresh",
        "--uid",
        "36008",
        "fresh",
    ]);
    assert!(!stage.path("/mnt/tank/home/fresh").exists());
    let said = stage.says(&["su", "-", "fresh", "-c", "pwd; test -O . && ls"], "");
    assert!(said.ok && said.text.contains("/mnt/tank/home/fresh") && said.text.contains("from-skel"), "{said:?}");
    let gid =
        fs::metadata(stage.path("/mnt/tank/home/fresh")).map(|status| std::os::unix::fs::MetadataExt::gid(&status));
    assert_eq!(stage.nas.disk.owner_and_mode("/mnt/tank/home/fresh"), (36_008, gid.unwrap(), 0o700));
    // A home that lies where none may is nobody's to be made.
    stage.nas.world.run(&["useradd", "--no-create-home", "--home-dir", "/opt/fresh2", "--uid", "36009", "fresh2"]);
    stage.says(&["su", "fresh2", "-c", "true"], "").yes();
    assert!(!stage.path("/opt/fresh2").exists());
}
