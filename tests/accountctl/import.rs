//! `accountctl user import` and `accountctl job`.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::pty::Pty;
use crate::v2::Nas;
use crate::v2::batch_passwords::long_job;

fn file(nas: &Nas, name: &str, text: &str) -> PathBuf {
    let path = nas.world.client_file(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_table_is_imported_whole_or_not_at_all() {
    let nas = Nas::start();
    let good = file(&nas, "good.csv", "username,full_name,groups\nanna,\"A, B\",games\nberta,,\n");
    let good = good.to_str().unwrap();
    let before = nas.disk.everything("/etc");
    let tried = nas.ctl(&["user", "import", good, "--dry-run"]);
    assert_eq!((tried.status, tried.out.as_str()), (0, "1\tanna\tdone\t\t\n2\tberta\tdone\t\t\n"), "{tried:?}");
    assert!(tried.err.contains("Nothing has been changed"), "{}", tried.err);
    assert!(nas.disk.everything("/etc") == before);
    let done = nas.done(&["user", "import", good]);
    let id = |name: &str| nas.rest.get(&format!("/users/{name}")).object(200)["id"].to_string();
    assert_eq!(done, format!("1\tanna\tdone\t{}\t\n2\tberta\tdone\t{}\t\n", id("anna"), id("berta")));
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "A, B");
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "anna");

    let bad = file(&nas, "bad.csv", "username,uid\ncarla,\nanna,\ndora,0\n");
    let before = nas.disk.everything("/etc");
    nas.ctl(&["user", "import", bad.to_str().unwrap()])
        .fails(1, &["item 2: username is already in use: anna", "item 3: uid"]);
    assert!(nas.disk.everything("/etc") == before);
    let some = nas.ctl(&["user", "import", bad.to_str().unwrap(), "--best-effort"]);
    let lines: Vec<&str> = some.out.lines().collect();
    assert_eq!((some.status, lines.len()), (1, 3), "{some:?}");
    assert!(lines[0].starts_with("1\tcarla\tdone\t") && lines[2].starts_with("3\tdora\trefused\t\tuid "), "{some:?}");
    assert_eq!(lines[1], "2\tanna\trefused\t\tusername is already in use: anna");
    assert!(some.err.contains("not every item was done"), "{}", some.err);
    assert!(nas.disk.line("/etc/passwd", "carla").is_some() && nas.disk.line("/etc/passwd", "dora").is_none());
}

#[test]
fn a_list_comes_from_a_file_or_from_standard_input() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let list =
        json!([{"op": "create", "username": "berta"}, {"op": "update", "user": "anna", "locked": true}]).to_string();
    nas.ctl_with(&list, &["user", "import", "-"]).fails(2, &["a table or a list", "--format csv"]);
    let said = nas.ctl_with(&list, &["user", "import", "-", "--format", "json"]);
    assert!(said.status == 0 && said.out.contains("2\tanna\tdone\t"), "{said:?}");
    assert!(nas.disk.field("/etc/shadow", "anna", 1).starts_with('!'));
    let path = file(&nas, "users.JSON", r#"[{"op": "delete", "user": "berta"}]"#);
    let result: Value = nas.json(&["user", "import", path.to_str().unwrap()]);
    assert_eq!((&result["done"], &result["items"][0]["outcome"]), (&json!(1), &json!("done")));
    assert_eq!(nas.disk.line("/etc/passwd", "berta"), None);
    let ids = nas.ctl_with("username\ncarla\nanna\n", &["-q", "user", "import", "-", "--format=csv", "--best-effort"]);
    let carla = nas.rest.get("/users/carla").object(200)["id"].to_string();
    assert_eq!((ids.status, ids.out), (1, format!("{carla}\n")));
    let path = file(&nas, "no.json", "rubbish");
    nas.ctl(&["user", "import", path.to_str().unwrap()]).fails(1, &["cannot import users"]);
    nas.ctl(&["user", "import", "/nonexistent.csv"]).fails(2, &["/nonexistent.csv"]);
    let key = ["user", "import", "-", "--format=csv", "--idempotency-key", "k1"];
    let again = || nas.ctl_with("username\ndora\n", &key).out;
    assert_eq!(again(), again());
}

#[test]
fn what_takes_long_is_followed_with_a_bar_and_is_a_job() {
    let nas = Nas::start();
    let lines: String = (0..2_000).map(|number| format!("u{number},password {number}\n")).collect();
    let path = file(&nas, "many.csv", &format!("username,password\n{lines}u7,again\n"));
    let arguments = ["user", "import", path.to_str().unwrap(), "--best-effort"];
    let mut terminal = Pty::start(&nas, (24, 80), &arguments);
    terminal.expect("/2001");
    terminal.expect("ITEM");
    let (status, seen) = terminal.end();
    assert!(status == 1 && seen.contains("#") && seen.contains("refused"), "{seen}");
    assert!(nas.disk.line("/etc/passwd", "u1999").is_some());

    let list = nas.json(&["job", "list"]);
    let id = list["items"][0]["id"].as_str().unwrap();
    assert_eq!(nas.done(&["-q", "job", "list"]), format!("{id}\n"));
    let shown = nas.done(&["job", "show", id]);
    assert!(shown.contains("state\tdone\n") && shown.contains("progress\t2001/2001 items\n"), "{shown}");
    let watched = nas.ctl(&["job", "watch", id]);
    assert_eq!((watched.status, watched.out.lines().count()), (1, 2_001));
    assert_eq!(nas.json(&["job", "cancel", id])["state"], "done", "it is over");
    nas.ctl(&["job", "show", "0000000000000000"]).fails(1, &["No such job"]);
}

#[test]
fn passwords_that_are_made_are_printed_once_and_whole() {
    let nas = Nas::start();
    let table = "username,home,random_password\nanna,/mnt/tank/anna,true\nberta,,\n";
    let path = file(&nas, "users.csv", table);
    let arguments = ["user", "import", path.to_str().unwrap()];
    nas.ctl(&[&["-q"], &arguments[..]].concat()).fails(2, &["--quiet", "said only once"]);
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), None);
    let tried = nas.ctl(&[&["-q"], &arguments[..], &["--dry-run"]].concat());
    assert_eq!((tried.status, tried.out.as_str()), (0, ""));
    let said = nas.ctl(&arguments);
    assert!(said.status == 0 && said.err.contains("shown this once"), "{said:?}");
    let lines: Vec<Vec<&str>> = said.out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((lines[0].len(), lines[0][1], lines[1][4]), (6, "anna", ""), "{said:?}");
    assert!(nas.world.with_password("anna", lines[0][4]).logs_in());

    let list = r#"[{"op": "update", "user": "anna", "random_password": true}]"#;
    let path = file(&nas, "users.json", list);
    let body = nas.json(&["user", "import", path.to_str().unwrap()]);
    assert!(nas.world.with_password("anna", body["items"][0]["password"].as_str().unwrap()).logs_in());

    let key = ["user", "import", path.to_str().unwrap(), "--idempotency-key", "k1"];
    let mut terminal = Pty::start(&nas, (24, 30), &key);
    terminal.expect("PASSWORD");
    let (status, seen) = terminal.end();
    let password = seen.lines().find(|line| line.contains("anna")).unwrap().split_whitespace().nth(4).unwrap();
    assert!(status == 0 && nas.world.with_password("anna", password).logs_in(), "{seen}");
    let again = nas.ctl(&key);
    assert!(again.err.contains("are not shown again") && !again.out.contains(password), "{again:?}");
}

#[test]
fn the_passwords_of_a_job_are_printed_by_whoever_follows_it_and_left_by_whoever_looks() {
    let nas = Nas::start();
    let (answer, names) = long_job(&nas);
    let id = answer.object(202)["id"].as_str().unwrap().to_owned();
    // Who prints ids alone has no use for passwords.
    for looking in [&["-q", "job", "watch", &id][..], &["job", "show", &id], &["--json", "job", "show", &id]] {
        let said = nas.ctl(looking);
        assert!(said.status == 0 && !said.out.contains("\"password\":\""), "{said:?}");
    }
    let watched = nas.ctl(&["job", "watch", &id]);
    let last = watched.out.lines().last().unwrap();
    let password = last.split('\t').nth(4).unwrap();
    assert!(
        watched.err.contains("shown this once") && nas.world.with_password(names.last().unwrap(), password).logs_in(),
        "{last}"
    );
    let again = nas.ctl(&["job", "watch", &id]);
    assert!(again.err.contains("are not shown again") && !again.out.contains(password), "{}", again.err);
}
