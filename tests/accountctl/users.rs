//! `accountctl user`, and what it leaves on disk.

use serde_json::json;

use crate::freenas::keys::KEY;
use crate::v2::Nas;

#[test]
fn a_user_with_everything_is_made_as_it_was_said() {
    let nas = Nas::start();
    nas.done(&["group", "add", "team", "--gid", "4200"]);
    let file = nas.world.client_file("pw");
    std::fs::write(&file, "s3cret words\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let flags = ["user", "add", "berta", "--uid", "4201", "--gid", "4200", "--full-name", "Bérta B", "--email"];
    let more = ["b@example.org", "--home", "/mnt/tank/home/berta", "--home-mode", "0750", "--shell", "/bin/sh"];
    let rest = ["--group", "wheel", "--group", "ftp", "--sudo", "--min-days", "1", "--max-days", "90", "--warn-days"];
    let last = ["14", "--inactive-days", "30", "--expires", "2040-02-29", "--key", KEY, "--new-password-file"];
    let arguments = [&flags[..], &more, &rest, &last, &[file.to_str().unwrap()]].concat();
    let user = nas.json(&arguments);
    assert_eq!(
        (&user["groups"], &user["sudo"]["commands"], &user["smb"]),
        (&json!(["wheel", "ftp"]), &json!(["ALL"]), &json!(true))
    );
    let line = "berta:x:4201:4200:Bérta B:/mnt/tank/home/berta:/bin/sh";
    assert_eq!(nas.disk.line("/etc/passwd", "berta").as_deref(), Some(line));
    let shadow = nas.disk.line("/etc/shadow", "berta").unwrap();
    assert!(shadow.ends_with(":1:90:14:30:25626:"), "{shadow}");
    assert_eq!(nas.disk.field("/etc/group", "ftp", 3), "berta");
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/berta"), (4201, 4200, 0o750));
    assert_eq!(nas.disk.text("/mnt/tank/home/berta/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert!(nas.disk.path(&format!("/etc/sudoers.d/accountd-user-{}", user["id"])).exists());
    nas.rest.as_user("berta", "s3cret words").get("/users/~").status_is(200);
}

#[test]
fn what_is_set_changes_and_the_rest_stays() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--uid", "3001", "--full-name", "A", "--email", "a@example.org", "--locked"]);
    let id = nas.json(&["user", "show", "anna"])["id"].to_string();
    let before = nas.disk.line("/etc/shadow", "anna");
    nas.done(&["user", "set", &id, "--shell", "/bin/sh", "--email", "", "--group", "wheel"]);
    assert_eq!(nas.disk.line("/etc/passwd", "anna").as_deref(), Some("anna:x:3001:3001:A:/nonexistent:/bin/sh"));
    assert_eq!(nas.disk.line("/etc/shadow", "anna"), before);
    assert!(!nas.disk.text("/etc/aliases").contains("anna"));
    nas.done(&["user", "set", "anna", "--name", "berta", "--no-groups", "--locked=false", "--max-days", "none"]);
    assert_eq!((nas.disk.line("/etc/passwd", "anna"), nas.disk.field("/etc/group", "wheel", 3)), (None, String::new()));
    assert_eq!(
        (nas.disk.field("/etc/shadow", "berta", 1).as_str(), nas.disk.field("/etc/shadow", "berta", 4)),
        ("*", String::new())
    );
    nas.done(&["user", "lock", "berta"]);
    assert!(nas.disk.field("/etc/shadow", "berta", 1).starts_with('!'));
    let shown = nas.done(&["user", "unlock", "berta"]);
    assert!(!nas.disk.field("/etc/shadow", "berta", 1).starts_with('!'));
    assert!(shown.contains("username\tberta\n") && shown.contains("locked\tno\n"), "{shown}");
    nas.done(&[
        "user",
        "set",
        "berta",
        "--home",
        "/mnt/tank/home/berta",
        "--home-mode",
        "0710",
        "--home-transfer",
        "none",
    ]);
    assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/berta"), (3001, 3001, 0o710));
}

#[test]
fn a_deletion_needs_somebody_who_agrees_and_takes_the_home_where_that_is_said() {
    let nas = Nas::start();
    for name in ["anna", "berta"] {
        nas.done(&["user", "add", name, "--home", &format!("/mnt/tank/home/{name}")]);
    }
    let before = nas.disk.everything("/etc");
    nas.ctl(&["user", "delete", "anna"]).fails(2, &["Delete user anna, uid", "--yes", "Nothing has been changed"]);
    assert!(nas.disk.everything("/etc") == before);
    assert_eq!(nas.done(&["user", "delete", "anna", "--yes"]), "");
    assert_eq!(nas.disk.line("/etc/passwd", "anna"), None);
    assert!(nas.disk.path("/mnt/tank/home/anna").exists());
    nas.done(&["-y", "user", "delete", "berta", "--delete-home"]);
    assert!(!nas.disk.path("/mnt/tank/home/berta").exists());
    nas.ctl(&["user", "delete", "berta", "--yes"]).fails(1, &["delete user berta", "No such user"]);
}

#[test]
fn passwords_come_from_standard_input_or_a_file_and_hashes_too() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let said = nas.ctl_with("first\nsecond\n", &["user", "passwd", "anna", "--new-password-file", "-"]);
    assert_eq!((said.status, said.out + &said.err), (0, String::new()));
    nas.rest.as_user("anna", "first").get("/users/~").status_is(200);
    let hash = nas.disk.field("/etc/shadow", "anna", 1);
    let said = nas.ctl_with(&format!("{hash}\n"), &["user", "add", "berta", "--password-hash-file", "-"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(nas.disk.field("/etc/shadow", "berta", 1), hash);
    nas.ctl(&["user", "passwd", "anna"]).fails(2, &["no terminal", "--new-password-file"]);
    nas.ctl(&["user", "passwd", "anna", "new"]).fails(2, &["unexpected argument"]);
    let said = nas.ctl_with("\n", &["user", "passwd", "anna", "--new-password-file", "-"]);
    said.fails(2, &["first line is empty"]);
    nas.rest.as_user("anna", "first").get("/users/~").status_is(200);
}

#[test]
fn users_set_their_own_password_also_when_it_is_too_old() {
    let nas = Nas::start();
    nas.ctl_with("old", &["user", "add", "anna", "--must-change", "--new-password-file", "-"]);
    let file = nas.world.client_file("new");
    std::fs::write(&file, "new").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let as_anna = ["--user", "anna", "--password-file", "-"];
    nas.ctl_with("old", &[&as_anna[..], &["user", "show"]].concat())
        .fails(4, &["password has to be changed", "user passwd"]);
    let passwd = ["user", "passwd", "--new-password-file", file.to_str().unwrap()];
    let said = nas.ctl_with("old", &[&as_anna[..], &passwd].concat());
    assert_eq!(said.status, 0, "{said:?}");
    let said = nas.ctl_with("new", &[&as_anna[..], &["-q", "user", "show", "~"]].concat());
    assert_eq!(said.out, format!("{}\n", nas.rest.get("/users/anna").value()["id"]));
}

#[test]
fn an_edit_can_be_meant_for_one_state_and_a_request_be_sent_again() {
    let nas = Nas::start();
    let add = ["user", "add", "anna", "--idempotency-key", "k1"];
    assert_eq!(nas.json(&add), nas.json(&add));
    let tag = nas.done(&["user", "show", "anna", "--etag"]).trim().to_owned();
    assert_eq!(Some(tag.as_str()), nas.rest.get("/users/anna").header("etag"));
    nas.done(&["user", "set", "anna", "--full-name", "First", "--if-match", &tag]);
    let late = ["user", "set", "anna", "--full-name", "Second", "--if-match", &tag];
    nas.ctl(&late).fails(1, &["It is not as If-Match has it", "decide anew"]);
    nas.ctl(&["-y", "user", "delete", "anna", "--if-match", &tag]).fails(1, &["If-Match"]);
    assert_eq!(nas.disk.field("/etc/passwd", "anna", 4), "First");
}

#[test]
fn the_supplementary_groups_of_a_user_are_a_set() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let games = nas.json(&["group", "show", "games"])["id"].to_string();
    assert_eq!(nas.done(&["user", "group", "add", "anna", "wheel", &games]), "wheel\ngames\n");
    assert_eq!(nas.done(&["user", "group", "add", "anna", "games"]), "wheel\ngames\n");
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "anna");
    assert_eq!(nas.json(&["user", "group", "list", "anna"]), nas.rest.get("/users/anna/groups").value());
    assert_eq!(nas.done(&["user", "group", "remove", "anna", &games]), "wheel\n");
    nas.ctl(&["user", "group", "remove", "anna", "games"]).fails(1, &["games is not among the groups of user anna"]);
    nas.ctl(&["user", "group", "add", "anna", "no-such"]).fails(1, &["GROUP does not exist: no-such"]);
    assert_eq!(nas.done(&["user", "group", "set", "anna", "ftp"]), "ftp\n");
    nas.ctl(&["user", "group", "set", "anna", "--none"]).fails(2, &["--yes"]);
    assert_eq!(nas.done(&["user", "group", "set", "anna", "--none", "--yes"]), "");
    assert_eq!(nas.disk.field("/etc/group", "ftp", 3), "");
}

#[test]
fn sudo_for_some_commands_is_given_and_said_in_words() {
    let nas = Nas::start();
    let lists = ["--sudo-command", "/bin/ls /root", "--sudo-command-without-password", "/bin/true"];
    nas.done(&[&["user", "add", "anna"][..], &lists].concat());
    let shown = nas.done(&["user", "show", "anna"]);
    assert!(shown.contains("sudo\t/bin/ls /root,/bin/true (no password)\n"), "{shown}");
    let drop_in = format!("/etc/sudoers.d/accountd-user-{}", nas.json(&["user", "show", "anna"])["id"]);
    assert!(nas.disk.text(&drop_in).contains("NOPASSWD: /bin/true"), "{}", nas.disk.text(&drop_in));
    nas.ctl(&["user", "set", "anna", "--sudo", "--sudo-command", "ALL"]).fails(2, &["--sudo-command"]);
    nas.ctl(&["user", "set", "anna", "--sudo-command", "/no/such"]).fails(1, &["/no/such"]);
    nas.done(&["user", "set", "anna", "--sudo=false"]);
    assert!(!nas.disk.path(&drop_in).exists());
    nas.done(&["group", "add", "team", "--sudo-command", "ALL"]);
    assert!(nas.done(&["group", "show", "team"]).contains("sudo\tALL\n"));
}

#[test]
fn a_home_that_can_not_go_is_called_by_the_flag_that_was_given() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna", "--home", "/mnt/tank/home/anna"]);
    nas.done(&["user", "add", "berta"]);
    nas.world.run(&["usermod", "-d", "/mnt/tank/home/anna", "berta"]);
    let said = nas.ctl(&["user", "delete", "anna", "--delete-home", "--yes"]);
    said.fails(1, &["  --delete-home: the home can not be removed: it is the home of berta too\n"]);
}

#[test]
fn who_is_disabled_or_deleted_is_reported_on() {
    let nas = Nas::start();
    nas.done(&["user", "add", "anna"]);
    let crontab = nas.disk.path("/var/spool/cron/crontabs/anna");
    std::fs::write(&crontab, "* * * * * true\n").unwrap();
    nas.ctl(&["user", "disable", "anna"]).fails(2, &["--yes"]);
    let said = nas.done(&["user", "disable", "anna", "--yes"]);
    assert!(
        said.contains("user\tanna\n") && said.contains("crontab\tyes\n") && said.contains("sessions\t0\n"),
        "{said}"
    );
    assert!(!crontab.exists() && nas.disk.field("/etc/shadow", "anna", 1).starts_with('!'));
    nas.done(&["user", "unlock", "anna"]);
    assert!(crontab.exists());
    let report = nas.json(&["user", "delete", "anna", "--report", "--end-processes", "--yes"]);
    assert_eq!((&report["ended"]["crontab"], &report["left"]), (&json!(true), &json!([])));
    nas.done(&["user", "add", "berta"]);
    assert_eq!(nas.done(&["user", "delete", "berta", "--yes"]), "");
}
