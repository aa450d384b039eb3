//! What accountctl asks for: what would be done only where somebody has to agree to it.

use serde_json::{Value, json};

use super::{document, group, user};
use crate::accountctl::pty::Pty;
use crate::v2::Nas;

const SIZE: (u16, u16) = (24, 160);

/// A file with a backup of one user and its group.
fn file_of(nas: &Nas, name: &str, number: u32) -> String {
    let path = nas.world.client_file(&format!("{name}.json"));
    std::fs::write(&path, document(&[user(name, number)], &[group(name, number, &[])]).to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// How often an import was asked for so far, to be tried or to be made.
fn imports(nas: &Nas) -> usize {
    let jobs = nas.json(&["job", "list"]);
    jobs["items"].as_array().unwrap().iter().filter(|job| job["kind"] == "import").count()
}

#[test]
fn an_import_that_was_agreed_to_beforehand_is_made_at_once() {
    let nas = Nas::start();
    let file = file_of(&nas, "anna", 3101);
    let said = nas.ctl(&["--yes", "backup", "import", &file]);
    assert_eq!((said.status, said.out.as_str(), imports(&nas)), (0, "", 1), "{said:?}");
    assert!(said.err.contains("2 created") && nas.disk.line("/etc/passwd", "anna").is_some(), "{said:?}");
    let tried = nas.ctl(&["--yes", "backup", "import", &file, "--dry-run"]);
    assert!(tried.status == 0 && tried.err.contains("2 same"), "{tried:?}");
    assert_eq!(imports(&nas), 2);
    let report: Value = nas.json(&["--yes", "backup", "import", &file_of(&nas, "bert", 3102)]);
    assert_eq!((&report["created"], imports(&nas)), (&json!(2), 3));
}

#[test]
fn what_is_in_the_way_of_it_is_shown_and_nothing_is_changed() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "bob", "uid": 3101, "gid": 60}));
    let before = nas.disk.everything("/etc");
    let said = nas.ctl(&["--yes", "backup", "import", &file_of(&nas, "anna", 3101)]);
    assert_eq!((said.status, said.out.as_str()), (1, "user\tanna\trefused\tuid is already in use: bob\n"), "{said:?}");
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn somebody_at_a_terminal_sees_first_what_would_be_done() {
    let nas = Nas::start();
    let file = file_of(&nas, "anna", 3101);
    let ask = |arguments: &[&str]| Pty::start(&nas, SIZE, &[&["backup", "import", &file], arguments].concat());
    let mut terminal = ask(&["--rename", "anna=anna2"]);
    terminal.expect("renamed to anna2");
    terminal.expect("Make 2 and change 0? [y/N] ");
    assert_eq!(imports(&nas), 1);
    terminal.type_line("n");
    let (status, seen) = terminal.end();
    assert!(status == 1 && seen.contains("Nothing has been changed"), "{seen}");
    assert_eq!((imports(&nas), nas.disk.line("/etc/passwd", "anna2")), (1, None));
    let mut terminal = ask(&["--rename", "anna=anna2"]);
    terminal.expect("[y/N] ");
    terminal.type_line("y");
    assert_eq!((terminal.end().0, imports(&nas)), (0, 3));
    assert!(nas.disk.line("/etc/passwd", "anna2").is_some());
    let (status, seen) = ask(&["--rename", "anna=anna2"]).end();
    assert!(status == 0 && seen.contains("2 same") && !seen.contains("[y/N]"), "{seen}");
    assert_eq!(imports(&nas), 4, "there is nothing to make");
    nas.ctl(&["backup", "import", &file_of(&nas, "bert", 3102)]).fails(2, &["--yes"]);
}
