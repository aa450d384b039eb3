//! Lists: to their end, in parts, filtered, and in every form of output.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Said, accountctl};
use crate::v2::Nas;

/// With more groups than a page has.
fn many() -> Nas {
    let nas = Nas::start();
    let lines: String = (0..2345).map(|number| format!("g{number:04}:x:{}:\n", 10_000 + number)).collect();
    let path = nas.disk.path("/etc/group");
    let new = path.with_extension("edited");
    fs::copy(&path, &new).unwrap();
    fs::write(&new, fs::read_to_string(&path).unwrap() + &lines).unwrap();
    fs::rename(new, path).unwrap();
    nas
}

#[test]
fn a_list_goes_on_to_its_end_or_to_its_limit() {
    let nas = many();
    let all = nas.json(&["group", "list", "--name-prefix", "g0", "--builtin=false"]);
    let total = all["total"].as_u64().unwrap();
    assert_eq!((total, all["items"].as_array().unwrap().len(), &all["next"]), (1000, 1000, &Value::Null));
    let names: Vec<String> = nas
        .done(&["group", "list", "--name-prefix", "g", "--fields", "groupname", "--sort", "-groupname"])
        .lines()
        .map(str::to_owned)
        .collect();
    let others = ["guest".to_owned(), "games".to_owned()];
    let expected: Vec<String> =
        others.into_iter().chain((0..2345).rev().map(|number| format!("g{number:04}"))).collect();
    assert_eq!(names, expected);
    let whole = nas.json(&["group", "list", "--sort", "gid"]);
    assert_eq!(
        (whole["items"].as_array().unwrap().len() as u64, &whole["next"]),
        (whole["total"].as_u64().unwrap(), &Value::Null)
    );
    let limited = nas.json(&["group", "list", "--sort", "gid", "--limit", "1200"]);
    assert_eq!(limited["items"].as_array().unwrap()[..], whole["items"].as_array().unwrap()[..1200]);
    let cursor = limited["next"].as_str().unwrap();
    let rest = nas.json(&["group", "list", "--sort", "gid", "--cursor", cursor]);
    assert_eq!(rest["items"].as_array().unwrap()[..], whole["items"].as_array().unwrap()[1200..]);
    assert_eq!(nas.done(&["group", "list", "--limit", "7"]).lines().count(), 7);
    assert_eq!(nas.done(&["-q", "group", "list"]).lines().count() as u64, whole["total"].as_u64().unwrap());
}

#[test]
fn json_is_what_the_api_answers() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--full-name", "Ännä"]);
    let said = |arguments: &[&str]| nas.done(&[&["--json"], arguments].concat());
    let body = |path: &str| nas.rest.get(path).body + "\n";
    assert_eq!(said(&["user", "show", "anna"]), body("/users/anna"));
    assert_eq!(said(&["user", "list"]), body("/users"));
    assert_eq!(
        said(&["user", "list", "--fields", "id,username", "--sort", "-uid"]),
        body("/users?fields=id,username&sort=-uid")
    );
    assert_eq!(said(&["group", "list", "--sudo"]), body("/groups?sudo=true"));
    assert_eq!(said(&["group", "show", "wheel"]), body("/groups/wheel"));
}

#[test]
fn every_filter_is_passed_on() {
    let nas = Nas::start();
    nas.done(&[
        "user",
        "add",
        "anna",
        "--uid",
        "3001",
        "--email",
        "a@example.org",
        "--shell",
        "/bin/sh",
        "--locked",
        "--sudo",
    ]);
    nas.done(&["user", "group", "add", "anna", "games"]);
    let id = nas.done(&["-q", "user", "show", "anna"]).trim().to_owned();
    let rows: [&[&str]; 12] = [
        &["--id", &id],
        &["--uid", "3001"],
        &["--gid", "3001"],
        &["--name", "anna"],
        &["--name-prefix", "ann"],
        &["--email", "a@example.org"],
        &["--shell", "/bin/sh"],
        &["--locked", "--builtin=false"],
        &["--password-disabled", "--builtin=false"],
        &["--builtin=false"],
        &["--sudo=true"],
        &["--group", "games"],
    ];
    for row in rows {
        assert_eq!(nas.done(&[&["-q", "user", "list"], row].concat()), format!("{id}\n"), "{row:?}");
    }
    assert!(!nas.done(&["user", "list", "--locked=false"]).contains("anna"));
    nas.ctl(&["user", "list", "--fields", "id,nonsense"]).fails(1, &["--fields", "nonsense"]);
    nas.ctl(&["user", "list", "--sort", "nonsense"]).fails(1, &["--sort", "nonsense"]);
    nas.ctl(&["user", "list", "--uid", "x"]).fails(1, &["--uid"]);
    nas.ctl(&["user", "list", "--limit", "0"]).fails(2, &["--limit"]);
    let games = nas.json(&["group", "list", "--member", "anna", "--gid", "60", "--name", "games"]);
    assert_eq!((&games["total"], &games["items"][0]["members"]), (&json!(1), &json!(["anna"])));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let nas = many();
    let mut child = nas.command(&["group", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    let full = Command::new("sh")
        .args(["-c", "\"$0\" \"$@\" > /dev/full"])
        .arg(accountctl())
        .args(["group", "list"])
        .env("ACCOUNTCTL_URL", nas.world.api())
        .env("ACCOUNTCTL_SOCKET", nas.socket())
        .output()
        .unwrap();
    Said::of(full).fails(1, &["cannot write the output"]);
}
