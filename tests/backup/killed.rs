//! kill -9 of the agent while it takes a backup over: all of it is there, or nothing.

use serde_json::{Value, json};

use super::{document, group, user};
use crate::crash::{attach, detach};
use crate::v2::Nas;

const USERS: usize = 12;
/// Where the agent is killed: at the call of this name with this number.
const PLACES: [(&str, usize); 18] = [
    ("mkdirat", 1),
    ("mkdirat", 9),
    ("fchown", 12),
    ("fsync", 1),
    ("fsync", 5),
    ("fsync", 15),
    ("fsync", 25),
    ("fsync", 30),
    ("pwrite64", 1),
    ("pwrite64", 4),
    ("fdatasync", 1),
    ("rename", 1),
    ("rename", 2),
    ("rename", 4),
    ("renameat2", 1),
    ("renameat2", 6),
    ("unlinkat", 1),
    ("write", 3),
];

fn backup(round: usize) -> (Value, Vec<String>) {
    let names: Vec<String> = (0..USERS).map(|number| format!("r{round}u{number}")).collect();
    let first = 5000 + round * 100;
    let numbered = || (first..).zip(&names).map(|(number, name)| (u32::try_from(number).unwrap(), name));
    let users: Vec<Value> = numbered()
        .map(|(uid, name)| {
            let mut user = user(name, uid);
            user["sudo"] = if uid % 4 == 0 { json!(format!("\"{name}\" ALL=(ALL) ALL\n")) } else { Value::Null };
            user
        })
        .collect();
    let mut groups: Vec<Value> = numbered().map(|(gid, name)| group(name, gid, &[])).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    groups.push(group(&format!("r{round}team"), u32::try_from(first).unwrap() + 50, &members));
    (document(&users, &groups), names)
}

/// How many of the users are there, in each place where a user is something.
fn there(nas: &Nas, names: &[String]) -> [usize; 5] {
    let lines = |file: &str| names.iter().filter(|name| nas.disk.line(file, name).is_some()).count();
    let homes = names.iter().filter(|name| nas.disk.path(&format!("/mnt/tank/home/{name}")).exists()).count();
    [lines("/etc/passwd"), lines("/etc/shadow"), lines("/etc/group"), lines("/etc/gshadow"), homes]
}

#[test]
fn an_import_that_is_killed_is_there_whole_or_not_at_all() {
    let nas = Nas::start();
    let (mut killed, mut whole) = (0, 0);
    for (round, (step, number)) in PLACES.into_iter().enumerate() {
        let (backup, names) = backup(round);
        nas.world.hold("agent");
        let agent = nas.world.process("agent");
        let mut strace = attach(agent, step, number);
        let answer = nas.import("", &backup, &json!({}));
        let has_ended = answer.status != 200;
        detach(&mut strace);
        if has_ended {
            killed += 1;
            nas.world.release("agent");
        } else {
            nas.world.kill("agent");
            nas.world.release("agent");
        }
        let found = there(&nas, &names);
        assert!([[0; 5], [USERS; 5]].contains(&found), "{step} {number}: {} {found:?}", answer.status);
        assert!(answer.status != 200 || found == [USERS; 5], "{step} {number}: what was acknowledged is there");
        whole += usize::from(found == [USERS; 5]);
        let team = nas.disk.line("/etc/group", &format!("r{round}team"));
        assert_eq!(team.is_some(), found[0] == USERS, "{step} {number}");
        let hidden: Vec<_> =
            std::fs::read_dir(nas.disk.path("/mnt/tank/home")).into_iter().flatten().flatten().collect();
        let hidden = hidden.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count();
        assert_eq!(hidden, 0, "{step} {number}: nothing is left over");
        let report = nas.imported("", &backup, &json!({}));
        let outcome = if found[0] == USERS { "same" } else { "created" };
        assert_eq!(report[outcome], USERS * 2 + 1, "{step} {number}: {report}");
        assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]), "{step} {number}");
    }
    assert!(killed >= 8 && whole >= 2, "{killed} killed, {whole} whole");
}
