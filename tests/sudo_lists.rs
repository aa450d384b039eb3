//! `sudo` over `/api/v2`: lists of commands, and what sudo itself makes of them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::rest::Rest;
use crate::v2::{Nas, problem};

const ANNA: u32 = 3001;

/// Runs sudo as a user, with what is typed where it asks for a password.
fn sudo(nas: &Nas, user: &str, typed: Option<&str>, command: &[&str]) -> Output {
    let asking: &[&str] = if typed.is_some() { &["-S", "-p", ""] } else { &["-n"] };
    let script = r#"exec setpriv --reuid "$0" --regid "$(id -g "$0")" --init-groups sudo -k "$@""#;
    let line = [&["sh", "-c", script, user][..], asking, command].concat();
    let mut child =
        nas.world.inside(&line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{}\n", typed.unwrap_or_default()).as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn runs(nas: &Nas, user: &str, typed: Option<&str>, command: &[&str]) -> String {
    let output = sudo(nas, user, typed, command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[track_caller]
fn is_refused(nas: &Nas, user: &str, typed: Option<&str>, command: &[&str]) {
    let output = sudo(nas, user, typed, command);
    assert!(!output.status.success() && output.stdout.is_empty(), "{command:?}: {output:?}");
}

fn shown(nas: &Nas, path: &str) -> Value {
    nas.rest.get(path).object(200)["sudo"].clone()
}

fn lists(commands: &[&str], without: &[&str]) -> Value {
    json!({"commands": commands, "commands_without_password": without, "by_hand": false})
}

fn drop_in(nas: &Nas, id: &Value) -> PathBuf {
    nas.disk.path(&format!("/etc/sudoers.d/accountd-user-{id}"))
}

/// A program of root's in the sandbox.
fn program(nas: &Nas, path: &str) -> PathBuf {
    let file = nas.disk.path(path);
    fs::write(&file, "#!/bin/sh\necho ran as $(id -u)\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

#[test]
fn a_command_that_is_listed_runs_as_root_and_no_other_does() {
    let nas = Nas::start();
    let sudo =
        json!({"commands": ["/usr/bin/id -u", "/usr/bin/env \"\""], "commands_without_password": ["/usr/bin/whoami"]});
    let anna = nas.post("/users", &json!({"username": "anna", "uid": ANNA, "password": "pw", "sudo": sudo}));
    assert_eq!(anna["sudo"], lists(&["/usr/bin/id -u", "/usr/bin/env \"\""], &["/usr/bin/whoami"]));
    assert_eq!(runs(&nas, "anna", None, &["/usr/bin/whoami"]), "root");
    assert_eq!(runs(&nas, "anna", None, &["whoami", "--"]), "root", "any arguments");
    is_refused(&nas, "anna", None, &["/usr/bin/id", "-u"]);
    is_refused(&nas, "anna", Some("wrong"), &["/usr/bin/id", "-u"]);
    assert_eq!(runs(&nas, "anna", Some("pw"), &["/usr/bin/id", "-u"]), "0");
    for command in [&["/usr/bin/id"][..], &["/usr/bin/id", "-u", "-r"], &["/usr/bin/env", "id"], &["/usr/bin/cat"]] {
        is_refused(&nas, "anna", Some("pw"), command);
    }
    assert!(runs(&nas, "anna", Some("pw"), &["/usr/bin/env"]).contains("SUDO_USER=anna"));
    let listed = nas.world.run(&["sudo", "-l", "-U", "anna"]);
    for line in ["(ALL) PASSWD: /usr/bin/id -u", "(ALL) PASSWD: /usr/bin/env \"\"", "(ALL) NOPASSWD: /usr/bin/whoami"] {
        assert!(listed.contains(line), "{listed}");
    }
    nas.patch("/users/anna", &json!({"sudo": null})).status_is(200);
    is_refused(&nas, "anna", None, &["/usr/bin/whoami"]);
    assert_eq!(shown(&nas, "/users/anna"), Value::Null);
}

#[test]
fn members_of_a_group_may_what_the_group_may() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "ops", "sudo": {"commands_without_password": ["/usr/bin/whoami"]}}));
    for name in ["anna", "berta"] {
        nas.post("/users", &json!({"username": name, "password": "pw"}));
    }
    nas.put("/groups/ops/members", &json!({"members": ["anna"]})).status_is(200);
    assert_eq!(runs(&nas, "anna", None, &["/usr/bin/whoami"]), "root");
    is_refused(&nas, "anna", Some("pw"), &["/usr/bin/id"]);
    is_refused(&nas, "berta", Some("pw"), &["/usr/bin/whoami"]);
    // With the password where it is asked for, also after another name.
    nas.patch("/groups/ops", &json!({"groupname": "crew", "sudo": {"commands": ["/usr/bin/id -u"]}})).status_is(200);
    assert_eq!(shown(&nas, "/groups/crew"), lists(&["/usr/bin/id -u"], &["/usr/bin/whoami"]));
    assert_eq!(runs(&nas, "anna", Some("pw"), &["/usr/bin/id", "-u"]), "0");
    is_refused(&nas, "anna", None, &["/usr/bin/id", "-u"]);
    assert_eq!(runs(&nas, "anna", None, &["/usr/bin/whoami"]), "root");
    nas.rest.delete("/groups/crew").status_is(204);
    is_refused(&nas, "anna", Some("pw"), &["/usr/bin/whoami"]);
}

#[test]
fn every_program_of_a_directory_runs_and_none_of_those_below() {
    let nas = Nas::start();
    fs::create_dir_all(nas.disk.path("/var/lib/tools/below")).unwrap();
    program(&nas, "/var/lib/tools/one");
    program(&nas, "/var/lib/tools/below/two");
    nas.post("/users", &json!({"username": "anna", "sudo": {"commands_without_password": ["/var/lib/tools/"]}}));
    assert_eq!(runs(&nas, "anna", None, &["/var/lib/tools/one", "x"]), "ran as 0");
    is_refused(&nas, "anna", None, &["/var/lib/tools/below/two"]);
}

#[test]
fn special_characters_of_sudoers_mean_themselves() {
    let nas = Nas::start();
    program(&nas, "/var/lib/a,b=c:d#e");
    let command = "/var/lib/a,b=c:d#e --x=1,2:3 #4";
    nas.post("/users", &json!({"username": "anna", "sudo": {"commands_without_password": [command]}}));
    assert_eq!(runs(&nas, "anna", None, &["/var/lib/a,b=c:d#e", "--x=1,2:3", "#4"]), "ran as 0");
    is_refused(&nas, "anna", None, &["/var/lib/a,b=c:d#e", "--x=1"]);
    is_refused(&nas, "anna", None, &["/var/lib/a"]);
}

#[test]
fn a_patch_merges_and_a_boolean_stands_for_all_or_nothing() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "sudo": true}));
    let rows = [
        (json!({"full_name": "Anna"}), lists(&["ALL"], &[])),
        (json!({"sudo": {"commands_without_password": ["/usr/bin/id"]}}), lists(&["ALL"], &["/usr/bin/id"])),
        (json!({"sudo": {"commands": null}}), lists(&[], &["/usr/bin/id"])),
        (json!({"sudo": {"commands": ["/usr/bin/id -u"]}}), lists(&["/usr/bin/id -u"], &["/usr/bin/id"])),
        (json!({"sudo": lists(&["/usr/bin/id -u"], &["/usr/bin/id"])}), lists(&["/usr/bin/id -u"], &["/usr/bin/id"])),
        (json!({"sudo": {}}), lists(&["/usr/bin/id -u"], &["/usr/bin/id"])),
        (json!({"sudo": {"commands": [], "commands_without_password": []}}), Value::Null),
        (json!({"sudo": {}}), Value::Null),
        (json!({"sudo": {"commands_without_password": ["ALL"]}}), lists(&[], &["ALL"])),
        (json!({"sudo": true}), lists(&["ALL"], &[])),
        (json!({"sudo": false}), Value::Null),
    ];
    for (change, expected) in rows {
        let changed = nas.patch("/users/anna", &change).object(200);
        assert_eq!(changed["sudo"], expected, "{change}");
        assert_eq!(shown(&nas, "/users/anna"), expected, "{change}");
    }
}

#[test]
fn what_is_no_command_is_refused_by_its_place_and_changes_nothing() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "sudo": {"commands": ["/usr/bin/id"]}}));
    let before = nas.disk.everything("/etc");
    let rows = [
        (json!(1), "sudo", "wrong_type"),
        (json!(["/usr/bin/id"]), "sudo", "wrong_type"),
        (json!({"commands": "/usr/bin/id"}), "sudo.commands", "wrong_type"),
        (json!({"commands": [1]}), "sudo.commands[0]", "wrong_type"),
        (json!({"users": []}), "sudo.users", "unknown_field"),
        (json!({"by_hand": true}), "sudo.by_hand", "read_only"),
        (json!({"commands": ["/usr/bin/id", "id"]}), "sudo.commands[1]", "not_absolute"),
        (json!({"commands": ["!/usr/bin/id"]}), "sudo.commands[0]", "negated"),
        (json!({"commands": ["OPERATORS"]}), "sudo.commands[0]", "not_absolute"),
        (json!({"commands": ["sudoedit /etc/motd"]}), "sudo.commands[0]", "sudoedit"),
        (json!({"commands": ["/usr/bin/sudoedit"]}), "sudo.commands[0]", "sudoedit"),
        (json!({"commands": ["/usr/bin/*"]}), "sudo.commands[0]", "wildcard"),
        (json!({"commands": ["/usr/bin/cat /var/log/*"]}), "sudo.commands[0]", "wildcard"),
        (json!({"commands": ["/usr/bin/cat ^.*$"]}), "sudo.commands[0]", "wildcard"),
        (json!({"commands": ["/usr/bin/cat ^x$"]}), "sudo.commands[0]", "regular_expression"),
        (json!({"commands": ["/usr/bin/../bin/id"]}), "sudo.commands[0]", "dot_component"),
        (json!({"commands": ["sha256:00 /usr/bin/id"]}), "sudo.commands[0]", "not_absolute"),
        (json!({"commands": ["/usr/bin/id\nanna ALL=(ALL) NOPASSWD: ALL"]}), "sudo.commands[0]", "bad_characters"),
        (json!({"commands": ["/usr/bin/id", "/usr/bin/id"]}), "sudo.commands[1]", "twice"),
        (json!({"commands_without_password": ["/usr/bin/none"]}), "sudo.commands_without_password[0]", "no_such"),
        (json!({"commands": ["/usr/bin"]}), "sudo.commands[0]", "directory"),
        (json!({"commands": ["/etc/passwd"]}), "sudo.commands[0]", "not_a_program"),
        (json!({"commands": ["/proc/self/exe"]}), "sudo.commands[0]", "replaceable"),
        (json!({"commands": ["/tmp/tool"]}), "sudo.commands[0]", "replaceable"),
    ];
    for (sudo, field, code) in rows {
        let answer = nas.patch("/users/anna", &json!({"sudo": sudo, "full_name": "Other"}));
        problem(&answer, 422, "invalid-values", &[(field, code)]);
        problem(
            &nas.rest.json("POST", "/groups", &json!({"groupname": "g", "sudo": sudo}).to_string()),
            422,
            "invalid-values",
            &[(field, code)],
        );
    }
    let many: Vec<String> = (0..101).map(|number| format!("/usr/bin/id {number}")).collect();
    let answer = nas.patch("/users/anna", &json!({"sudo": {"commands": many}}));
    problem(&answer, 422, "invalid-values", &[("sudo", "too_many")]);
    let long: Vec<String> = (0..40).map(|number| format!("/usr/bin/id {number}{}", "x".repeat(1000))).collect();
    let answer = nas.patch("/users/anna", &json!({"sudo": {"commands": long}}));
    problem(&answer, 422, "invalid-values", &[("sudo", "too_long")]);
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn a_program_that_somebody_else_could_replace_is_refused_with_the_reason() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": ANNA, "home": "/mnt/tank/home/anna"}));
    let own = program(&nas, "/mnt/tank/home/anna/tool");
    chown(&own, Some(ANNA), Some(ANNA)).unwrap();
    fs::create_dir(nas.disk.path("/var/lib/tools")).unwrap();
    symlink("/mnt/tank/home/anna/tool", nas.disk.path("/var/lib/tools/link")).unwrap();
    let open = program(&nas, "/var/lib/open");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o775)).unwrap();
    let given = program(&nas, "/var/lib/given");
    chown(&given, Some(ANNA), None).unwrap();
    // Root's own program, in a directory of somebody else.
    let planted = program(&nas, "/mnt/tank/home/anna/planted");
    chown(&planted, Some(0), Some(0)).unwrap();
    let before = (nas.disk.everything("/etc"), nas.disk.everything("/mnt"));
    for (command, reason) in [
        ("/mnt/tank/home/anna/tool", "/mnt/tank/home/anna belongs to uid 3001"),
        ("/mnt/tank/home/anna/planted", "/mnt/tank/home/anna belongs to uid 3001"),
        ("/mnt/tank/home/anna/", "/mnt/tank/home/anna belongs to uid 3001"),
        ("/var/lib/tools/link", "/mnt/tank/home/anna belongs to uid 3001"),
        ("/var/lib/tools/", "/mnt/tank/home/anna belongs to uid 3001"),
        ("/var/lib/open -x", "/var/lib/open can be written by group 0"),
        ("/var/lib/given", "/var/lib/given belongs to uid 3001"),
        ("/var/tmp/x", "/var/tmp can be written by everybody"),
    ] {
        let answer = nas.patch("/users/anna", &json!({"sudo": {"commands": ["/usr/bin/id", command]}}));
        problem(&answer, 422, "invalid-values", &[("sudo.commands[1]", "replaceable")]);
        let message = answer.value()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(reason) && message.contains(command), "{message}");
    }
    assert!((nas.disk.everything("/etc"), nas.disk.everything("/mnt")) == before);
}

#[test]
fn the_other_dialect_shows_everything_or_not_and_leaves_lists_that_it_does_not_know() {
    let nas = Nas::start();
    let old = Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    let id = nas
        .post("/users", &json!({"username": "anna", "full_name": "Anna", "sudo": {"commands": ["/usr/bin/id"]}}))["id"]
        .clone();
    let path = format!("/account/users/{id}/");
    let put = |change: Value| old.put(&path, &change.to_string()).object(200)["bsdusr_sudo"].clone();
    // Sent back as it is shown, in whole and in part.
    let whole = old.get(&path).object(200);
    assert_eq!(whole["bsdusr_sudo"], false);
    for change in [json!({"bsdusr_sudo": false}), json!({"bsdusr_full_name": "Anna", "bsdusr_sudo": false}), whole] {
        assert_eq!(put(change), false);
        assert_eq!(shown(&nas, "/users/anna"), lists(&["/usr/bin/id"], &[]));
    }
    assert_eq!(put(json!({"bsdusr_username": "berta"})), false);
    assert_eq!(shown(&nas, "/users/berta"), lists(&["/usr/bin/id"], &[]));
    assert_eq!(put(json!({"bsdusr_sudo": true})), true);
    assert_eq!(shown(&nas, "/users/berta"), lists(&["ALL"], &[]));
    // Everything without the password is everything.
    nas.patch("/users/berta", &json!({"sudo": {"commands": [], "commands_without_password": ["ALL"]}})).status_is(200);
    assert_eq!(put(json!({"bsdusr_sudo": true})), true);
    assert_eq!(shown(&nas, "/users/berta"), lists(&[], &["ALL"]));
    assert_eq!(put(json!({"bsdusr_sudo": false})), false);
    assert_eq!(shown(&nas, "/users/berta"), Value::Null);
}

#[test]
fn what_is_written_by_hand_counts_at_once_and_is_not_overwritten() {
    let nas = Nas::start();
    let id = nas.post("/users", &json!({"username": "anna", "sudo": {"commands": ["/usr/bin/id"]}}))["id"].clone();
    let tag = nas.tag("/users/anna");
    // In place, as an editor may do it: the directory does not change.
    let text = fs::read_to_string(drop_in(&nas, &id)).unwrap();
    fs::write(drop_in(&nas, &id), text.replace("/usr/bin/id", "/usr/bin/env")).unwrap();
    assert_eq!(shown(&nas, "/users/anna"), lists(&["/usr/bin/env"], &[]));
    assert_ne!(nas.tag("/users/anna"), tag);
    let by_hand = text.replace("PASSWD: /usr/bin/id", "/usr/bin/id, !/usr/bin/env");
    fs::write(drop_in(&nas, &id), &by_hand).unwrap();
    assert_eq!(shown(&nas, "/users/anna"), json!({"commands": [], "commands_without_password": [], "by_hand": true}));
    for sudo in [json!(true), json!({"commands": ["/usr/bin/id"]}), json!({})] {
        let answer = nas.patch("/users/anna", &json!({"sudo": sudo}));
        problem(&answer, 409, "conflict", &[("sudo", "changed_by_hand")]);
    }
    nas.patch("/users/anna", &json!({"full_name": "Anna"})).status_is(200);
    assert_eq!(fs::read_to_string(drop_in(&nas, &id)).unwrap(), by_hand);
    let old = Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    let path = format!("/account/users/{id}/");
    assert_eq!(old.put(&path, r#"{"bsdusr_sudo": true}"#).object(200)["bsdusr_sudo"], true);
    assert_eq!(fs::read_to_string(drop_in(&nas, &id)).unwrap(), by_hand);
    nas.patch("/users/anna", &json!({"sudo": null})).status_is(200);
    assert!(!drop_in(&nas, &id).exists());
    nas.patch("/users/anna", &json!({"sudo": {"commands": ["/usr/bin/id"]}})).status_is(200);
    // Every step is in the trail.
    let records = nas.rest.get("/audit?target=anna&limit=100").object(200);
    let said: Vec<String> =
        records["items"].as_array().unwrap().iter().rev().map(sudo_of).filter(|said| !said.is_empty()).collect();
    assert_eq!(
        said,
        [
            "false -> PASSWD: /usr/bin/id",
            "PASSWD: /usr/bin/id -> PASSWD: /usr/bin/env",
            "PASSWD: /usr/bin/env -> changed by hand",
            "changed by hand -> false",
            "false -> PASSWD: /usr/bin/id",
        ]
    );
}

/// What a record says of sudo.
fn sudo_of(record: &Value) -> String {
    let changes = record["changes"].as_array().unwrap();
    let sudo = changes.iter().find(|change| change["field"] == "sudo");
    sudo.map(|change| format!("{} -> {}", change["old"].as_str().unwrap(), change["new"].as_str().unwrap()))
        .unwrap_or_default()
}

#[test]
fn a_list_follows_its_account_and_a_check_says_what_has_become_of_its_programs() {
    let nas = Nas::start();
    let tool = program(&nas, "/var/lib/tool");
    program(&nas, "/var/lib/other");
    let sudo = json!({"commands": ["/var/lib/other"], "commands_without_password": ["/var/lib/tool x"]});
    let made = nas.post("/users", &json!({"username": "anna", "uid": ANNA, "sudo": sudo}));
    nas.patch("/users/anna", &json!({"username": "berta", "uid": 3002})).status_is(200);
    assert_eq!(runs(&nas, "berta", None, &["/var/lib/tool", "x"]), "ran as 0");
    nas.world.run(&["usermod", "-l", "carla", "berta"]);
    assert_eq!(shown(&nas, "/users/carla"), lists(&["/var/lib/other"], &["/var/lib/tool x"]));
    let codes = || {
        let found = nas.rest.get("/checks").object(200)["items"].as_array().unwrap().clone();
        let of_sudo = found.into_iter().filter(|found| found["code"].as_str().unwrap().starts_with("sudo."));
        of_sudo.map(|found| (found["code"].clone(), found["repair"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(codes(), []);
    fs::remove_file(nas.disk.path("/var/lib/other")).unwrap();
    chown(&tool, Some(3002), None).unwrap();
    let expected = ["sudo.replaceable_command", "sudo.missing_command"].map(|code| (json!(code), Value::Null));
    assert_eq!(codes(), expected);
    // What stands there stays as it is until the list is set anew.
    nas.patch("/users/carla", &json!({"full_name": "Carla"})).status_is(200);
    nas.patch("/users/carla", &json!({"sudo": {"commands": []}})).status_is(200);
    let same =
        nas.patch("/users/carla", &json!({"sudo": {"commands_without_password": ["/var/lib/tool x", "/usr/bin/id"]}}));
    problem(&same, 422, "invalid-values", &[("sudo.commands_without_password[0]", "replaceable")]);
    for (query, names) in [("sudo=true&builtin=false", &["carla"][..]), ("sudo=false&builtin=false", &[])] {
        let found = nas.rest.get(&format!("/users?{query}")).object(200)["items"].as_array().unwrap().clone();
        assert_eq!(found.iter().map(|user| user["username"].as_str().unwrap()).collect::<Vec<_>>(), names);
    }
    nas.rest.delete("/users/carla").status_is(204);
    assert!(!drop_in(&nas, &made["id"]).exists());
}

#[test]
fn an_account_administrator_grants_no_command_and_touches_nobody_who_has_one() {
    let nas = Nas::start();
    nas.world.run(&["groupadd", "--force", "--system", "accountd-account-administrators"]);
    for name in ["clerk", "anna", "berta"] {
        nas.post("/users", &json!({"username": name, "password": "pw"}));
    }
    nas.world.run(&["usermod", "-a", "-G", "accountd-account-administrators", "clerk"]);
    nas.patch("/users/berta", &json!({"sudo": {"commands": ["/usr/bin/id"]}})).status_is(200);
    nas.post("/groups", &json!({"groupname": "team"}));
    nas.post("/groups", &json!({"groupname": "ops", "sudo": {"commands": ["/usr/bin/id"]}}));
    let clerk = nas.rest.as_user("clerk", "pw");
    let list = json!({"commands": ["/usr/bin/id"]});
    let before = nas.disk.everything("/etc");
    for (method, path, body) in [
        ("PATCH", "/users/anna", json!({"sudo": list})),
        ("PATCH", "/users/anna", json!({"sudo": {"commands_without_password": []}})),
        ("PATCH", "/users/anna", json!({"sudo": true})),
        ("PATCH", "/users/clerk", json!({"sudo": list})),
        ("POST", "/users", json!({"username": "new", "sudo": list})),
        ("PATCH", "/groups/team", json!({"sudo": list})),
        ("POST", "/groups", json!({"groupname": "new", "sudo": list})),
        ("PATCH", "/users/berta", json!({"full_name": "Berta"})),
        ("PATCH", "/users/berta", json!({"sudo": null})),
        ("PUT", "/users/berta/password", json!({"password": "new"})),
        ("PUT", "/groups/ops/members", json!({"members": ["anna"]})),
        ("PATCH", "/groups/ops", json!({"sudo": null})),
    ] {
        problem(&clerk.json(method, path, &body.to_string()), 403, "not-permitted", &[]);
    }
    assert!(nas.disk.everything("/etc") == before);
    clerk.json("PATCH", "/users/anna", r#"{"full_name": "Anna"}"#).status_is(200);
}
