//! A thousand accounts, taken with accountctl, encrypted, and taken over by another machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::v2::Nas;
use crate::world::wait_for;

const USERS: usize = 1_000;
const GROUPS: usize = 20;
const FILES: [&str; 5] = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/samba/smbpasswd"];

fn item(number: usize, key: &str) -> Value {
    let mut item = json!({
        "op": "create", "username": format!("u{number}"), "full_name": format!("Üser {number}, Room 3"),
        "home": format!("/mnt/tank/home/u{number}"), "password": format!("password {number}"),
        "groups": [format!("team{}", number % GROUPS), "games"],
    });
    if number.is_multiple_of(3) {
        item["keys"] = json!([key, format!("from=\"10.0.0.*\" {key}")]);
    }
    if number.is_multiple_of(5) {
        item["email"] = json!(format!("u{number}@example.org"));
        item["max_days"] = json!(90);
        item["inactive_days"] = json!(14);
        item["expires"] = json!("2099-12-31");
    }
    if number.is_multiple_of(100) {
        item["sudo"] = json!({"commands": ["/bin/ls"], "commands_without_password": ["/usr/bin/id"]});
    }
    if number.is_multiple_of(7) {
        item["locked"] = json!(true);
    }
    item
}

fn filled(key: &str) -> Nas {
    let nas = Nas::start();
    for number in 0..GROUPS {
        nas.post("/groups", &json!({"groupname": format!("team{number}")}));
    }
    let items: Vec<Value> = (0..USERS).map(|number| item(number, key)).collect();
    let answer = nas.rest.post("/users:batch", &json!(items).to_string());
    answer.status_is(202);
    let location = answer.header("location").unwrap().trim_start_matches("/api/v2").to_owned();
    wait_for("a thousand users", || nas.rest.get(&location).object(200)["state"] == "done");
    nas.world.run(&["gpasswd", "-A", "u1,u2", "team1"]);
    nas.patch("/groups/team2", &json!({"sudo": true})).object(200);
    nas.patch("/users/u3", &json!({"password_disabled": true})).object(200);
    nas.patch("/users/u4", &json!({"must_change": true})).object(200);
    nas.patch("/policy", &json!({"password": {"history": 3, "min_length": 4}})).object(200);
    nas.put("/users/u5/password", &json!({"password": "another one"})).status_is(204);
    nas
}

/// Lines of the accounts of this test, sorted.
fn lines(nas: &Nas, file: &str) -> Vec<String> {
    let text = nas.disk.text(file);
    let is_ours = |line: &&str| {
        let name = line.split(':').next().unwrap();
        let rest = name.trim_start_matches("team").trim_start_matches('u');
        rest.len() < name.len() && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut lines: Vec<String> = text.lines().filter(is_ours).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// But for what is of a machine and of a moment.
fn content(backup: &Value) -> Value {
    let mut content = backup.clone();
    for field in ["machine", "created", "sha256"] {
        content[field] = Value::Null;
    }
    for list in ["groups", "users"] {
        content[list].as_array_mut().unwrap().iter_mut().for_each(|item| item["id"] = Value::Null);
    }
    content
}

#[test]
fn a_thousand_accounts_are_the_same_on_another_machine() {
    let other = Nas::start();
    let (key, public) = other.world.make_key("id", "ed25519");
    let nas = filled(&public);
    let (file, passphrase) = (nas.world.client_file("backup.age"), nas.world.client_file("passphrase"));
    fs::write(&passphrase, "a passphrase\n").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let [file, passphrase] = [file, passphrase].map(|path| path.to_str().unwrap().to_owned());
    let said = nas.ctl(&["backup", "export", &file, "--encrypt", "--passphrase-file", &passphrase]);
    assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
    assert!(said.err.contains("1000 users and 1020 groups"), "{said:?}");
    let kept = fs::read(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        kept.starts_with(b"age-encryption.org/v1\n") && !String::from_utf8_lossy(&kept).contains("password_history")
    );
    nas.ctl(&["backup", "export", &file, "--encrypt", "--passphrase-file", &passphrase]).fails(1, &["--force"]);

    let before = other.disk.everything("/etc");
    let import = ["backup", "import", &file, "--passphrase-file", &passphrase];
    let tried = other.ctl(&[&import[..], &["--dry-run"]].concat());
    assert_eq!((tried.status, tried.out.as_str()), (0, ""), "{tried:?}");
    assert!(tried.err.contains("2020 created, 2 changed"), "{tried:?}");
    assert!(other.disk.everything("/etc") == before && !other.disk.path("/mnt/tank/home/u1").exists());
    other.ctl(&import).fails(2, &["--yes"]);
    let made = other.ctl(&[&["--yes"], &import[..]].concat());
    assert_eq!(made.status, 0, "{made:?}");

    for file in FILES {
        let (mine, theirs) = (lines(&nas, file), lines(&other, file));
        let first = mine.iter().zip(&theirs).find(|(mine, theirs)| mine != theirs);
        assert_eq!((first, theirs.len()), (None, mine.len()), "{file}");
        assert!(mine.len() >= 1000, "{file}");
    }
    let members = |nas: &Nas| nas.disk.field("/etc/group", "games", 3);
    assert_eq!(members(&nas), members(&other));
    let (first, second) = (content(&nas.backup()), content(&other.backup()));
    for list in ["password_rules", "groups", "builtin_groups", "users"] {
        assert!(first[list] == second[list], "{list}");
    }
    assert!(first == second);
    for name in ["u0", "u3", "u4", "u5", "u7"] {
        assert_eq!(nas.world.run(&["chage", "-l", name]), other.world.run(&["chage", "-l", name]), "{name}");
    }
    for name in ["u0", "u2"] {
        let rights =
            |nas: &Nas| nas.world.run(&["sudo", "-l", "-U", name]).lines().skip(1).collect::<Vec<_>>().join("\n");
        let tail = |text: String| text.split_once("may run").map(|(_, rest)| rest.to_owned()).unwrap();
        assert_eq!(tail(rights(&nas)), tail(rights(&other)), "{name}");
    }
    assert_eq!(other.disk.owner_and_mode("/mnt/tank/home/u8"), nas.disk.owner_and_mode("/mnt/tank/home/u8"));
    assert!(other.world.with_password("u8", "password 8").logs_in());
    assert!(!other.world.with_password("u8", "password 9").logs_in());
    assert!(!other.world.with_password("u7", "password 7").logs_in(), "it is locked");
    assert!(other.world.with_key("u9", &key).logs_in() && !other.world.with_key("u8", &key).logs_in());
    let reused = other.put("/users/u5/password", &json!({"password": "another one"}));
    assert_eq!(reused.object(422)["errors"][0]["code"], "recent", "the last passwords came along");

    let again = other.ctl(&import);
    assert_eq!((again.status, again.out.as_str()), (0, ""), "{again:?}");
    assert!(again.err.contains("0 created, 0 changed"), "{again:?}");
}

#[test]
fn who_took_all_hashes_and_who_brought_them_is_recorded() {
    let (nas, other) = (Nas::start(), Nas::start());
    nas.post("/users", &json!({"username": "anna", "password": "secret"}));
    let answer = nas.rest.get("/backups/current");
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"accountd-") && disposition.ends_with(".json\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    other.imported("", &answer.object(200), &json!({}));
    let records =
        |nas: &Nas, action: &str| nas.rest.get(&format!("/audit?action={action}")).object(200)["items"].clone();
    let taken = records(&nas, "export");
    assert_eq!((&taken[0]["actor"]["name"], &taken[0]["outcome"]), (&json!("root"), &json!("done")), "{taken}");
    assert!(taken[0]["changes"].to_string().contains("\"users\""), "{taken}");
    let brought = records(&other, "import");
    assert_eq!(brought.as_array().unwrap().len(), 1, "{brought}");
    let made = records(&other, "create_user");
    assert_eq!((&made[0]["target"]["name"], &made[0]["actor"]["name"]), (&json!("anna"), &json!("root")), "{made}");
    assert!(!made.to_string().contains("$6$"));
    assert_eq!(nas.rest.get("/audit/verification").object(200)["whole"], true);
}
