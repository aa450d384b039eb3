//! `accountctl check`.

use std::fs;

use crate::v2::Nas;

/// As an editor would: a whole new file in the place of the old one.
fn edit(nas: &Nas, file: &str, change: impl Fn(String) -> String) {
    let path = nas.disk.path(file);
    let new = path.with_extension("edited");
    fs::copy(&path, &new).unwrap();
    fs::write(&new, change(fs::read_to_string(&path).unwrap())).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn nothing_is_repaired_that_nobody_has_agreed_to() {
    let nas = Nas::start();
    edit(&nas, "/etc/shadow", |text| text + "stray:*:1::::::\n");
    edit(&nas, "/etc/group", |text| text.replace("games:x:60:", "games:x:60:gone"));
    let report = nas.json(&["check", "run"]);
    assert_eq!(report, nas.rest.get("/checks").value());
    assert!(report["items"].as_array().unwrap().len() >= 2, "{report}");
    let found = nas.done(&["check", "run"]);
    assert!(found.contains("\tshadow.no_account\t") && found.contains("/etc/shadow"), "{found}");
    let homes = nas.json(&["check", "run", "--homes"]);
    assert_eq!(homes["homes"], true);
    let before = nas.disk.everything("/etc");
    nas.ctl(&["check", "repair"]).fails(2, &["Repair these", "--yes"]);
    nas.ctl(&["check", "repair", "--code", "no.such", "--yes"]).fails(1, &["--code", "no.such"]);
    nas.ctl(&["check", "repair", "--finding", "999", "--yes"]).fails(1, &["--finding", "999"]);
    assert!(nas.disk.everything("/etc") == before);
    let repaired = nas.done(&["check", "repair", "--code", "shadow.no_account", "--yes"]);
    assert!(repaired.contains("\tshadow.no_account\t") && repaired.contains("\tyes\t"), "{repaired}");
    assert_eq!(nas.disk.line("/etc/shadow", "stray"), None);
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "gone");
    nas.done(&["check", "repair", "--yes"]);
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "");
    let said = nas.ctl(&["check", "repair"]);
    assert_eq!((said.status, said.err.as_str()), (0, "Nothing can be repaired.\n"));
}
