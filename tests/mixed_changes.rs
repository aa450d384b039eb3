//! A thousand changes of sixteen REST clients beside the tools that change the same files: none of
//! them is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::freenas::Nas;
use crate::openssh::run;

const CLIENTS: u32 = 16;
/// Accounts of each client; seven changes each.
const ACCOUNTS: u32 = 9;
/// Accounts that tools make and change.
const TOOLED: u32 = 12;
/// Accounts that somebody writes into the files by hand.
const EDITED: u32 = 4;

#[test]
fn a_thousand_changes_beside_every_tool_lose_nothing() {
    let nas = Nas::start();
    let changes = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (nas, changes) = (&nas, &changes);
            scope.spawn(move || {
                for number in 0..ACCOUNTS {
                    changes.fetch_add(live(nas, client, number), Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| (0..TOOLED).for_each(|number| use_tools(&nas, number)));
        scope.spawn(|| (0..EDITED).for_each(|number| edit(&nas, number)));
    });
    assert!(changes.into_inner() >= 1000);
    let listed = nas.rest.get("/account/all_users/").object(200);
    let listed: Vec<&str> =
        listed.as_array().unwrap().iter().map(|user| user["bsdusr_username"].as_str().unwrap()).collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "nobody twice");
    for client in 0..CLIENTS {
        for number in 0..ACCOUNTS {
            check(&nas, &listed, client, number);
        }
    }
    for number in 0..TOOLED {
        let tool = format!("tool{number}");
        assert!(listed.contains(&&*tool), "{tool}");
        assert_eq!(nas.disk.field("/etc/passwd", &tool, 4), format!("Changed {number}"));
        assert!(nas.disk.field("/etc/shadow", &tool, 1).starts_with('$'));
        assert!(nas.disk.field("/etc/group", "staff", 3).split(',').any(|member| member == tool));
    }
    for number in 0..EDITED {
        let edited = format!("edited{number}");
        assert!(listed.contains(&&*edited), "{edited}");
        for file in ["/etc/passwd", "/etc/group"] {
            assert_eq!(nas.disk.field(file, &edited, 2), (9000 + number).to_string());
        }
    }
    nas.world.run(&["sh", "-c", "grpck -r && pwck -r -q || [ $? = 2 ]"]);
}

/// An account's life over REST; every third is deleted in the end. Gives the number of changes.
fn live(nas: &Nas, client: u32, number: u32) -> usize {
    let uid = 5000 + client * 100 + number;
    let new = json!({
        "bsdusr_username": format!("c{client}n{number}"), "bsdusr_uid": uid, "bsdusr_full_name": "New",
        "bsdusr_creategroup": true, "bsdusr_home": "/nonexistent", "bsdusr_password_disabled": true,
    });
    let id = nas.rest.create_user(&new.to_string());
    let path = format!("/account/users/{id}/");
    let put = |change: Value| nas.rest.put(&path, &change.to_string()).status_is(200);
    put(json!({"bsdusr_full_name": format!("Changed {uid}")}));
    put(json!({"bsdusr_shell": "/bin/bash", "bsdusr_email": format!("u{uid}@example.org")}));
    nas.rest.post(&format!("{path}groups/"), r#"["wheel", "games"]"#).status_is(202);
    put(json!({"bsdusr_locked": true}));
    nas.rest.post(&format!("{path}groups/"), r#"["games"]"#).status_is(202);
    if is_deleted(number) {
        nas.rest.delete(&path).status_is(204);
    } else {
        put(json!({"bsdusr_username": format!("k{client}n{number}")}));
    }
    7
}

fn is_deleted(number: u32) -> bool {
    number.is_multiple_of(3)
}

fn check(nas: &Nas, listed: &[&str], client: u32, number: u32) {
    let (first, last) = (format!("c{client}n{number}"), format!("k{client}n{number}"));
    let uid = 5000 + client * 100 + number;
    let kept = !is_deleted(number);
    assert!(!listed.contains(&&*first) && listed.contains(&&*last) == kept, "{last}");
    for file in ["/etc/passwd", "/etc/shadow"] {
        assert_eq!(nas.disk.line(file, &first), None);
        assert_eq!(nas.disk.line(file, &last).is_some(), kept, "{last} in {file}");
    }
    assert_eq!(nas.disk.line("/etc/aliases", &last).is_some(), kept);
    let member = |group: &str| nas.disk.field("/etc/group", group, 3).split(',').any(|member| member == last);
    assert_eq!((member("games"), member("wheel")), (kept, false), "{last}: {:?}", nas.disk.line("/etc/group", "games"));
    if kept {
        let line = nas.disk.line("/etc/passwd", &last).unwrap();
        assert_eq!(line, format!("{last}:x:{uid}:{uid}:Changed {uid}:/nonexistent:/bin/bash"));
        assert!(nas.disk.field("/etc/shadow", &last, 1).starts_with('!'));
    }
}

/// useradd, usermod, passwd, gpasswd. The last has a group of its own: it reads the group's line
/// before it takes the lock, and writes that back with its change (gpasswd.c of shadow 4.13), so that
/// it undoes what anybody, `usermod -a -G` too, has done to the same line in between.
fn use_tools(nas: &Nas, number: u32) {
    let name = format!("tool{number}");
    nas.world.run(&["useradd", "-u", &(8000 + number).to_string(), "-U", "-M", &name]);
    nas.world.run(&["usermod", "-c", &format!("Changed {number}"), &name]);
    let passwd = run(nas.world.inside(&["passwd", &name]), b"pw-of-tool\npw-of-tool\n");
    assert!(passwd.status.success(), "{}", String::from_utf8_lossy(&passwd.stderr));
    nas.world.run(&["gpasswd", "-a", &name, "staff"]);
}

/// vipw(8) and vigr(8) with an editor that adds a line at the top. It takes over a second for it: an
/// edit within the second of the last change counts as none there.
fn edit(nas: &Nas, number: u32) {
    let (name, id) = (format!("edited{number}"), 9000 + number);
    for (program, line) in [("vigr", format!("{name}:x:{id}:")), ("vipw", format!("{name}:x:{id}:{id}::/:/bin/sh"))] {
        let mut command = nas.world.inside(&[program, "-q"]);
        command.env("VISUAL", format!("sh -c 'sleep 1.1; sed -i \"1i {line}\" \"$0\"'"));
        let output = run(command, b"");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
