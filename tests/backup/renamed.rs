//! Accounts of a backup that come in under other names: everything that is theirs follows.

use serde_json::{Value, json};

use super::{document, group, said, sealed, so, user};
use crate::freenas::keys::KEY;
use crate::v2::{Nas, problem};

const HEADER: &str = "# Written by accountd. A change by hand stays until the grant is taken away.\n";
/// Field and code of each.
type Errors = Vec<(&'static str, &'static str)>;

const NT_HASH: &str = "0CB6948805F797BF2A82807973B89537";

/// Somebody else is called anna here, with a group of her own.
fn with_another_anna() -> Nas {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3105, "home": "/mnt/tank/anna", "password": "here"}));
    nas
}

/// anna with everything that an account can have, in a group of her own and in two others.
fn backup_of_anna() -> Value {
    let mut anna = user("anna", 3101);
    anna["email"] = json!("anna@example.org");
    anna["microsoft_account"] = json!(true);
    anna["samba"] =
        json!({"lm_hash": "X".repeat(32), "nt_hash": NT_HASH, "flags": "[U          ]", "changed": "LCT-654321AB"});
    anna["sudo"] = json!(format!("{HEADER}\"anna\" ALL=(ALL) PASSWD: /usr/bin/id\n"));
    anna["keys"] = json!(format!("{KEY}\n"));
    let mut own = group("anna", 3101, &[]);
    own["sudo"] = json!(format!("{HEADER}\"%anna\" ALL=(ALL) ALL\n"));
    let mut team = group("team", 4100, &["anna", "zoe"]);
    team["administrators"] = json!(["anna"]);
    let mut backup = document(&[anna, user("zoe", 3102)], &[own, team, group("zoe", 3102, &["anna"])]);
    backup["builtin_groups"] = json!([{"name": "games", "members": ["anna"]}]);
    sealed(&backup)
}

fn id(nas: &Nas, path: &str) -> String {
    nas.rest.get(path).object(200)["id"].to_string()
}

/// Lines of an account in all files.
fn lines(nas: &Nas, name: &str) -> Vec<String> {
    let files = ["passwd", "shadow", "group", "gshadow", "samba/smbpasswd", "aliases"];
    files.iter().filter_map(|file| nas.disk.line(&format!("/etc/{file}"), name)).collect()
}

#[test]
fn everything_of_a_renamed_account_has_the_new_name() {
    let nas = with_another_anna();
    let before = lines(&nas, "anna");
    let choices = json!({"accounts": {"anna": {"rename": "anna2"}}});
    let (etc, homes) = (nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank"));
    let tried = nas.imported("?dry_run=true", &backup_of_anna(), &choices);
    assert!(nas.disk.everything("/etc") == etc && nas.disk.everything("/mnt/tank") == homes);
    let report = nas.imported("", &backup_of_anna(), &choices);
    assert_eq!(tried, report);
    for kind in ["user", "group"] {
        assert_eq!(said(&report, kind, "anna"), so("created", &[("duplicate", "renamed")]), "{report}");
        let items = report["items"].as_array().unwrap().iter().filter(|item| item["kind"] == kind);
        let new_names: Vec<&Value> =
            items.filter(|item| item["name"] == "anna").map(|item| &item["new_name"]).collect();
        assert_eq!(new_names, [&json!("anna2")]);
    }

    let hash = super::HASH;
    let line = |file: &str, name: &str| nas.disk.line(file, name).unwrap_or_else(|| panic!("no {name} in {file}"));
    assert_eq!(line("/etc/passwd", "anna2"), "anna2:x:3101:3101::/mnt/tank/home/anna:/bin/sh");
    assert_eq!(line("/etc/shadow", "anna2"), format!("anna2:{hash}:20000:0:99999:7:::"));
    assert_eq!(line("/etc/group", "anna2"), "anna2:x:3101:");
    assert_eq!(line("/etc/gshadow", "anna2"), "anna2:!::");
    let samba = format!("anna2:3101:{}:{NT_HASH}:[U          ]:LCT-654321AB:", "X".repeat(32));
    assert_eq!(line("/etc/samba/smbpasswd", "anna2"), samba);
    assert_eq!(line("/etc/aliases", "anna2"), "anna2: anna@example.org");
    assert_eq!(line("/etc/group", "team"), "team:x:4100:anna2,zoe");
    assert_eq!(line("/etc/gshadow", "team"), "team:!:anna2:anna2,zoe");
    assert_eq!(line("/etc/group", "zoe"), "zoe:x:3102:anna2");
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "anna2");
    let drop_in = |kind: &str, path: &str| nas.disk.text(&format!("/etc/sudoers.d/accountd-{kind}-{}", id(&nas, path)));
    assert_eq!(drop_in("user", "/users/anna2"), format!("{HEADER}\"anna2\" ALL=(ALL) PASSWD: /usr/bin/id\n"));
    assert_eq!(drop_in("group", "/groups/anna2"), format!("{HEADER}\"%anna2\" ALL=(ALL) ALL\n"));
    assert_eq!(nas.disk.text("/mnt/tank/home/anna/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/anna").0, 3101);
    assert_eq!(nas.disk.text("/etc/samba/smbusername.map"), "anna2 = anna@example.org\n");

    assert_eq!(lines(&nas, "anna"), before, "who was here stays");
    assert!(nas.world.with_password("anna2", "pw").logs_in() && nas.world.with_password("anna", "here").logs_in());
    assert!(!nas.world.with_password("anna", "pw").logs_in());
    assert!(nas.world.run(&["sudo", "-l", "-U", "anna2"]).contains("/usr/bin/id"));
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
    let made = nas.rest.get("/audit?action=create_user").object(200)["items"].clone();
    let anna = made.as_array().unwrap().iter().find(|record| record["target"]["name"] == "anna2").unwrap();
    let change = json!({"field": "name_in_backup", "old": null, "new": "anna"});
    assert!(anna["changes"].as_array().unwrap().contains(&change), "{anna}");
}

#[test]
fn with_the_same_choices_a_backup_can_be_taken_over_again_and_its_own_backup_has_the_new_names() {
    let nas = with_another_anna();
    let choices = json!({"accounts": {"anna": {"rename": "anna2"}}});
    nas.imported("", &backup_of_anna(), &choices);
    let before = nas.disk.everything("/etc");
    let again = nas.imported("", &backup_of_anna(), &choices);
    assert_eq!((&again["same"], &again["created"], &again["changed"]), (&json!(6), &json!(0), &json!(0)), "{again}");
    assert!(nas.disk.everything("/etc") == before);

    let other = Nas::start();
    let backup = nas.backup();
    let names: Vec<&Value> = backup["users"].as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["anna", "anna2", "zoe"]);
    // And back to what it was called, where nobody else is called so.
    let back = json!({"accounts": {"anna2": {"rename": "anna"}}, "skip": ["anna"]});
    problem(
        &other.import("", &backup, &back),
        409,
        "conflict",
        &[("groups[1].groupname", "duplicate"), ("users[1].username", "duplicate")],
    );
    let back = json!({"accounts": {"anna2": {"rename": "anna"}, "anna": {"rename": "old-anna"}}});
    other.imported("", &backup, &back);
    let found = other.backup();
    let original = backup_of_anna();
    let of = |backup: &Value, list: &str, name: &str| {
        let item = backup[list].as_array().unwrap().iter().find(|item| item["name"] == name).cloned();
        let mut item = item.unwrap_or_else(|| panic!("no {name} in {backup}"));
        (item["id"], item["home_mode"]) = (Value::Null, Value::Null);
        item
    };
    for (list, name) in [("users", "anna"), ("groups", "anna"), ("groups", "team"), ("groups", "zoe")] {
        assert_eq!(of(&found, list, name), of(&original, list, name), "{list} {name}");
    }
    assert_eq!(of(&found, "users", "old-anna")["group"], "old-anna");
    assert_eq!(found["builtin_groups"], json!([{"name": "games", "members": ["anna"]}]));
}

#[test]
fn a_user_and_a_group_of_one_name_can_be_renamed_each_by_itself() {
    let nas = Nas::start();
    nas.post("/groups", &json!({"groupname": "anna", "gid": 4200}));
    let backup = document(&[user("anna", 3101)], &[group("anna", 3101, &[]), group("team", 4100, &["anna"])]);
    let report = nas.imported("", &backup, &json!({"accounts": {"anna": {"rename_group": "annas"}}}));
    assert_eq!(said(&report, "user", "anna"), so("created", &[]));
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 3), "3101");
    assert_eq!(nas.disk.field("/etc/group", "annas", 2), "3101");
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna");
    assert_eq!(nas.disk.field("/etc/group", "anna", 2), "4200", "who was here stays");

    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3105, "gid": 60}));
    let choices = json!({"accounts": {"anna": {"rename_user": "anna2", "rename": "annas"}}});
    let tried = nas.imported("?dry_run=true", &backup, &choices);
    let new_names: Vec<&Value> = tried["items"].as_array().unwrap().iter().map(|item| &item["new_name"]).collect();
    assert_eq!(new_names, [&json!("annas"), &Value::Null, &json!("anna2")], "what is said of one counts over both");
    let report = nas.imported("", &backup, &json!({"accounts": {"anna": {"rename_user": "anna2"}}}));
    assert_eq!(said(&report, "user", "anna"), so("created", &[("duplicate", "renamed")]));
    assert_eq!(nas.disk.field("/etc/passwd", "anna2", 3), "3101");
    assert_eq!(nas.disk.field("/etc/group", "anna", 2), "3101");
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna2");
}

#[test]
fn two_accounts_can_change_names_with_each_other() {
    let nas = Nas::start();
    let groups = [group("anna", 3101, &["bert"]), group("bert", 3102, &[]), group("team", 4100, &["anna"])];
    let mut anna = user("anna", 3101);
    anna["sudo"] = json!("\"anna\" ALL=(root) NOPASSWD: /bin/ls\n");
    let backup = document(&[anna, user("bert", 3102)], &groups);
    let choices = json!({"accounts": {"anna": {"rename": "bert", "uid": 3201}, "bert": {"rename": "anna"}}});
    nas.imported("", &backup, &choices);
    assert_eq!(nas.disk.line("/etc/passwd", "bert").unwrap(), "bert:x:3201:3101::/mnt/tank/home/anna:/bin/sh");
    assert_eq!(nas.disk.line("/etc/passwd", "anna").unwrap(), "anna:x:3102:3102::/mnt/tank/home/bert:/bin/sh");
    assert_eq!(nas.disk.line("/etc/group", "bert").unwrap(), "bert:x:3101:anna");
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "bert");
    let drop_in = nas.disk.text(&format!("/etc/sudoers.d/accountd-user-{}", id(&nas, "/users/bert")));
    assert_eq!(drop_in, "\"bert\" ALL=(root) NOPASSWD: /bin/ls\n");
    assert_eq!(nas.rest.get("/checks").object(200)["items"], json!([]));
}

#[test]
fn names_that_a_new_account_could_not_have_come_in_under_others() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "Carl", "gid": 60}));
    let mut odd = user("ünï", 3101);
    (odd["home"], odd["group"]) = (json!("/mnt/tank/home/uni"), json!("games"));
    let [mut daemon, mut carl] = [user("daemon", 3102), user("carl", 3103)];
    (daemon["group"], carl["group"]) = (json!("games"), json!("games"));
    let backup = document(&[odd, daemon, carl], &[group("team", 4100, &["carl", "daemon", "ünï"])]);
    let accounts = json!({"ünï": {"rename": "uni"}, "daemon": {"rename": "demon"}, "carl": {"rename": "carla"}});
    let report = nas.imported("", &backup, &json!({"accounts": accounts}));
    for (name, code) in [("ünï", "bad_characters"), ("daemon", "builtin"), ("carl", "case_duplicate")] {
        assert_eq!(said(&report, "user", name), so("created", &[(code, "renamed")]), "{report}");
    }
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "carla,demon,uni");
    assert_eq!(nas.disk.field("/etc/passwd", "demon", 2), "3102");
}

/// A backup of anna, bert, and of a group of which somebody is a member who is not in it.
fn backup_of_two() -> Value {
    let groups = [group("anna", 3101, &[]), group("bert", 3102, &[]), group("team", 4100, &["anna"])];
    document(&[user("anna", 3101), user("bert", 3102)], &groups)
}

#[test]
fn a_new_name_is_checked_like_that_of_any_new_account() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "carl", "uid": 3105, "gid": 60}));
    nas.post("/groups", &json!({"groupname": "crew"}));
    let (before, homes) = (nas.disk.everything("/etc"), nas.disk.everything("/mnt/tank"));
    let user_and_group = |code: &'static str| vec![("groups[0].groupname", code), ("users[0].username", code)];
    let rows: Vec<(Value, u16, Errors)> = vec![
        (json!({"anna": {"rename": ""}}), 422, user_and_group("required")),
        (json!({"anna": {"rename": "a:b"}}), 422, user_and_group("bad_characters")),
        (json!({"anna": {"rename": "x".repeat(33)}}), 422, user_and_group("too_long")),
        (json!({"anna": {"rename": "root"}}), 409, user_and_group("duplicate")),
        (json!({"anna": {"rename": "accountd-x"}}), 422, user_and_group("reserved")),
        (json!({"anna": {"rename": "bert"}}), 409, user_and_group("duplicate")),
        (json!({"anna": {"rename": "Bert"}}), 409, user_and_group("case_duplicate")),
        (json!({"anna": {"rename": "carl"}}), 409, vec![("users[0].username", "duplicate")]),
        (json!({"anna": {"rename": "CARL"}}), 409, vec![("users[0].username", "case_duplicate")]),
        (json!({"team": {"rename": "crew"}}), 409, vec![("groups[2].groupname", "duplicate")]),
        (json!({"team": {"rename": "games"}}), 409, vec![("groups[2].groupname", "duplicate")]),
        (json!({"team": {"rename": "anna"}}), 409, vec![("groups[2].groupname", "duplicate")]),
        (json!({"ghost": {"rename": "x"}}), 422, vec![("accounts", "no_such")]),
        (json!({"team": {"rename_user": "x"}}), 422, vec![("accounts", "no_such")]),
        (
            json!({"anna": {"rename": "x"}, "bert": {"rename": "x"}}),
            409,
            vec![
                ("groups[0].groupname", "duplicate"),
                ("groups[1].groupname", "duplicate"),
                ("users[0].username", "duplicate"),
                ("users[1].username", "duplicate"),
            ],
        ),
    ];
    for (accounts, status, errors) in rows {
        // Nothing that is chosen for names in general counts for one that was named.
        for on_name in ["fail", "skip", "overwrite"] {
            let choices = json!({"accounts": accounts, "on_name": on_name});
            let kind = if status == 409 { "conflict" } else { "invalid-values" };
            problem(&nas.import("", &backup_of_two(), &choices), status, kind, &errors);
        }
        assert!(nas.disk.everything("/etc") == before && nas.disk.everything("/mnt/tank") == homes, "{accounts}");
    }
    let answer = nas.import("", &backup_of_two(), &json!({"accounts": {"anna": {"rename": "carl"}}}));
    assert!(answer.body.contains("of anna is already in use: carl"), "{}", answer.body);
    let answer = nas.import("", &backup_of_two(), &json!({"accounts": {"anna": {"rename": 7}}}));
    problem(&answer, 422, "invalid-values", &[("choices", "wrong_type")]);
}

#[test]
fn nobody_gets_what_the_backup_says_of_somebody_else() {
    let nas = Nas::start();
    let mut anna = user("anna", 3101);
    let team = group("team", 4100, &["ghost"]);
    let own = group("anna", 3101, &[]);
    let rename = json!({"accounts": {"anna": {"rename_user": "ghost"}}, "on_missing": "drop"});
    let backup = document(&[anna.clone()], &[own.clone(), team]);
    problem(&nas.import("", &backup, &rename), 409, "conflict", &[("users[0].username", "duplicate")]);
    let rename = json!({"accounts": {"anna": {"rename_group": "crew"}}});
    let mut bert = user("bert", 3102);
    bert["group"] = json!("crew");
    let answer = nas.import("", &document(&[anna.clone(), bert], std::slice::from_ref(&own)), &rename);
    assert!(answer.body.contains("\"groups[0].groupname\""), "{}", answer.body);

    // A drop-in has to be that of the account before its name is changed in it.
    let header = format!("{HEADER}\"anna\" ALL=(ALL) PASSWD: /usr/bin/id\n");
    let rename = json!({"accounts": {"anna": {"rename": "anna2"}}});
    for (text, code) in [
        ("\"anna2\" ALL=(ALL) ALL\n".to_owned(), "not_for_sudoers"),
        (format!("{header}\"anna2\" ALL=(ALL) ALL\n"), "no_sudo"),
        ("\"anna\", \"root\" ALL=(ALL) ALL\n".to_owned(), "not_for_sudoers"),
        ("\"anna\" ALL=(ALL) ALL\n@include /tmp/x\n".to_owned(), "no_sudo"),
    ] {
        anna["sudo"] = json!(text);
        let answer = nas.import("", &document(&[anna.clone()], std::slice::from_ref(&own)), &rename);
        let errors = answer.value()["errors"].clone();
        assert_eq!(
            (&errors[0]["field"], &errors[0]["code"]),
            (&json!("users[0].sudo"), &json!(code)),
            "{text}: {errors}"
        );
    }
    assert_eq!(nas.disk.line("/etc/passwd", "anna2"), None);
}

#[test]
fn the_home_stays_where_it_is_unless_it_is_somebody_elses() {
    let nas = Nas::start();
    nas.post("/users", &json!({"username": "anna", "uid": 3105, "home": "/mnt/tank/home/anna"}));
    let backup = document(&[user("anna", 3101)], &[group("anna", 3101, &[])]);
    let rename = json!({"accounts": {"anna": {"rename": "anna2"}}});
    let before = nas.disk.everything("/mnt/tank");
    let errors = [("users[0].home", "not_owned"), ("users[0].home", "in_use")];
    problem(&nas.import("", &backup, &rename), 409, "conflict", &errors);
    assert!(nas.import("", &backup, &rename).body.contains("is used by anna"));
    assert!(nas.disk.everything("/mnt/tank") == before && nas.disk.line("/etc/passwd", "anna2").is_none());
    let moved =
        json!({"accounts": {"anna": {"rename": "anna2"}}, "homes": {"/mnt/tank/home/anna": "/mnt/tank/home/anna2"}});
    nas.imported("", &backup, &moved);
    assert_eq!(nas.disk.field("/etc/passwd", "anna2", 5), "/mnt/tank/home/anna2");
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/anna2").0, 3101);
}

#[test]
fn who_is_left_out_keeps_its_name() {
    let nas = Nas::start();
    let choices = json!({"skip": ["anna"], "accounts": {"anna": {"rename": "anna2"}}});
    let report = nas.imported("", &backup_of_two(), &choices);
    assert_eq!(said(&report, "user", "anna"), so("skipped", &[]), "{report}");
    assert_eq!(said(&report, "group", "team"), so("created", &[("no_such", "dropped")]));
    assert!(report["items"].as_array().unwrap().iter().all(|item| item["new_name"] == Value::Null), "{report}");
    assert!(nas.disk.line("/etc/passwd", "anna2").is_none() && nas.disk.line("/etc/passwd", "bert").is_some());
}

#[test]
fn accountctl_renames_and_says_so() {
    let nas = with_another_anna();
    let file = nas.world.client_file("backup.json");
    std::fs::write(&file, backup_of_two().to_string()).unwrap();
    let file = file.to_str().unwrap();
    let taken = nas.ctl(&["--yes", "backup", "import", file]);
    assert!(taken.status == 1 && taken.err.contains("--rename"), "{taken:?}");
    assert!(taken.out.contains("user\tanna\trefused\tusername is already in use: anna\n"), "{taken:?}");
    nas.ctl(&["backup", "import", file, "--rename", "anna"]).fails(2, &["="]);
    nas.ctl(&["--yes", "backup", "import", file, "--rename-user", "team=x"]).fails(1, &["--rename", "user team"]);
    let rename = [
        "backup",
        "import",
        file,
        "--rename",
        "anna=anna2",
        "--rename-user",
        "bert=bert2",
        "--rename-group",
        "bert=berts",
    ];
    let tried = nas.ctl(&[&rename[..], &["--dry-run"]].concat());
    let expected = [
        "group\tanna\tcreated\tgroupname is already in use: anna: renamed to anna2",
        "group\tbert\tcreated\trenamed to berts",
        "user\tanna\tcreated\tusername is already in use: anna: renamed to anna2",
        "user\tbert\tcreated\trenamed to bert2",
    ];
    assert_eq!((tried.status, tried.out.lines().collect::<Vec<_>>()), (0, expected.to_vec()), "{tried:?}");
    assert_eq!(nas.disk.line("/etc/passwd", "anna2"), None);
    let done = nas.ctl(&[&["--yes"], &rename[..]].concat());
    assert_eq!((done.status, done.out), (0, tried.out), "{}", done.err);
    assert_eq!(nas.disk.field("/etc/group", "team", 3), "anna2");
    assert_eq!(nas.disk.line("/etc/passwd", "bert2").unwrap(), "bert2:x:3102:3102::/mnt/tank/home/bert:/bin/sh");
    assert_eq!(nas.disk.field("/etc/group", "berts", 2), "3102");
}
