//! `accountctl group`, `member` and `system`.

use std::process::Stdio;

use serde_json::json;

use crate::v2::Nas;

#[test]
fn groups_are_made_changed_and_deleted() {
    let nas = Nas::start();
    let group = nas.json(&["group", "add", "team", "--gid", "4200", "--sudo"]);
    assert_eq!(nas.disk.line("/etc/group", "team").as_deref(), Some("team:x:4200:"));
    assert!(nas.disk.path(&format!("/etc/sudoers.d/accountd-group-{}", group["id"])).exists());
    nas.ctl(&["group", "add", "other", "--gid", "4200"]).fails(1, &["--gid is already in use"]);
    nas.done(&["group", "add", "other", "--gid", "4200", "--shared-gid"]);
    nas.done(&["group", "set", "team", "--name", "crew", "--sudo=false", "--gid", "4300"]);
    assert_eq!((nas.disk.line("/etc/group", "team"), nas.disk.field("/etc/group", "crew", 2)), (None, "4300".into()));
    assert_eq!(nas.json(&["group", "show", "crew"]), nas.rest.get("/groups/crew").value());
    let tag = nas.done(&["group", "show", "crew", "--etag"]);
    assert_eq!(Some(tag.trim()), nas.rest.get("/groups/crew").header("etag"));
    nas.ctl(&["group", "delete", "crew"]).fails(2, &["Delete group crew, gid 4300", "--yes"]);
    nas.done(&["group", "delete", "crew", "--yes"]);
    assert_eq!(nas.disk.line("/etc/group", "crew"), None);
    nas.ctl(&["group", "delete", "wheel", "--yes"]).fails(1, &["built-in"]);
}

#[test]
fn members_come_and_go_by_name_and_by_id() {
    let nas = Nas::start();
    nas.done(&["group", "add", "team"]);
    for name in ["anna", "berta", "carl"] {
        nas.done(&["user", "add", name]);
    }
    let id = nas.done(&["-q", "user", "show", "berta"]);
    assert_eq!(nas.done(&["member", "add", "team", "anna", id.trim()]), "anna\nberta\n");
    assert_eq!(nas.done(&["member", "add", "team", "berta"]), "anna\nberta\n", "nobody is there twice");
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna,berta");
    assert_eq!(nas.json(&["member", "list", "team"]), json!({"members": ["anna", "berta"]}));
    assert_eq!(nas.done(&["member", "remove", "team", id.trim()]), "anna\n");
    nas.ctl(&["member", "remove", "team", "carl"]).fails(1, &["carl is not among the members of group team"]);
    nas.ctl(&["member", "add", "team", "nobody-such"]).fails(1, &["USER", "nobody-such"]);
    assert_eq!(nas.done(&["member", "set", "team", "carl", "berta"]), "carl\nberta\n");
    nas.ctl(&["member", "set", "team"]).fails(2, &["USER"]);
    nas.ctl(&["member", "set", "team", "--none"]).fails(2, &["--yes"]);
    nas.done(&["member", "set", "team", "--none", "--yes"]);
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "");
}

#[test]
fn members_that_are_added_at_the_same_time_are_all_there() {
    let nas = Nas::start();
    nas.done(&["group", "add", "team"]);
    let names = ["anna", "berta", "carl", "dora", "emil"];
    for name in names {
        nas.done(&["user", "add", name]);
    }
    let mut adding: Vec<_> = names
        .iter()
        .map(|name| nas.command(&["member", "add", "team", name]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for child in &mut adding {
        assert!(child.wait().unwrap().success());
    }
    let members = nas.disk.field("/etc/group", "team", 3);
    let mut members: Vec<&str> = members.split(',').collect();
    members.sort_unstable();
    assert_eq!(members, names);
}

#[test]
fn roles_and_the_system_are_shown() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    assert_eq!(
        nas.done(&["role", "grant", "anna", "auditor", "account_administrator"]),
        "account_administrator\nauditor\n"
    );
    assert_eq!(nas.disk.field("/etc/group", "accountd-auditors", 3), "anna");
    assert_eq!(nas.done(&["role", "revoke", "anna", "account_administrator"]), "auditor\n");
    assert_eq!(nas.disk.field("/etc/group", "accountd-account-administrators", 3), "");
    nas.ctl(&["role", "grant", "anna", "chief"]).fails(2, &["chief", "account_administrator"]);
    nas.ctl(&["role", "revoke", "anna", "administrator"]).fails(1, &["administrator", "Nothing has been changed"]);
    nas.ctl(&["role", "revoke", "root", "administrator"]).fails(1, &["built-in", "Nothing has been changed"]);
    let id = |name| nas.rest.get(&format!("/users/{name}")).value()["id"].to_string();
    // The last is there for clients of AList.
    let (anna, root, admin) = (id("anna"), id("root"), id("admin"));
    let expected = format!("{anna}\tanna\tauditor\n{root}\troot\tadministrator\n{admin}\tadmin\tadministrator\n");
    assert_eq!(nas.done(&["role", "list"]), expected);
    assert_eq!(nas.done(&["role", "list", "-q"]), format!("{anna}\n{root}\n{admin}\n"));
    assert_eq!(nas.done(&["role", "list", "anna", "-q"]), "auditor\n");
    assert_eq!(nas.json(&["role", "list", "anna"]), nas.rest.get("/users/anna").value());
    assert_eq!(nas.json(&["system", "show"]), nas.rest.get("/system").value());
    assert!(nas.done(&["system", "show"]).contains("home_mode\t0700\n"));
}
