//! What a change writes: bounds on syncs and bytes, which time alone would not show. Accounts of
//! one commit share its syncs.

use std::fs;

use serde_json::json;

use crate::populated::{HASH, Populated};
use crate::traced::Written;

const USERS: usize = 1_000;
/// Beside the files themselves: the state store's log, a home, drop-ins.
const BESIDE_THE_FILES: u64 = 160 * 1024;

/// The size of these files below `etc` together.
fn size(populated: &Populated, files: &[&str]) -> u64 {
    let etc = populated.world.root().join("etc");
    files.iter().map(|file| fs::metadata(etc.join(file)).map_or(0, |status| status.len())).sum()
}

#[track_caller]
fn is_bounded(populated: &Populated, written: &Written, syncs: usize, files: &[&str]) {
    let bytes = size(populated, files) + BESIDE_THE_FILES;
    assert!(written.syncs <= syncs && written.bytes <= bytes, "{written:?}, at most {syncs} syncs and {bytes} bytes");
    assert!(written.syncs > 0 && written.bytes > 0, "nothing was counted");
}

#[test]
fn a_change_writes_each_of_its_files_once_and_syncs_it_once() {
    let populated = Populated::with_users(USERS);
    let plain = json!({"bsdusr_password_disabled": true});
    let all = ["passwd", "shadow", "group", "gshadow", "samba/smbpasswd"];
    // Four files, their directory, the commit point and the end of the journal.
    let written = populated.written(|| _ = populated.create("plain", plain.clone()));
    is_bounded(&populated, &written, 7, &all[..4]);
    let full = json!({"bsdusr_password": "pw", "bsdusr_home": "/mnt/tank/home", "bsdusr_sudo": true});
    let written = populated.written(|| _ = populated.create("full", full));
    is_bounded(&populated, &written, 20, &all);
    let (_, id) = populated.create("changed", plain);
    let path = format!("/account/users/{id}/");
    let change = json!({"bsdusr_full_name": "Other"});
    let written = populated.written(|| drop(populated.request("PUT", &path, Some(&change), 200)));
    is_bounded(&populated, &written, 4, &all[..1]);
    let groups = format!("{path}groups/");
    let written = populated.written(|| drop(populated.request("POST", &groups, Some(&json!(["games"])), 202)));
    is_bounded(&populated, &written, 5, &["group", "gshadow"]);
    let written = populated.written(|| drop(populated.request("DELETE", &path, None, 204)));
    is_bounded(&populated, &written, 8, &all);
}

#[test]
fn accounts_that_are_made_at_once_share_a_commit() {
    const CLIENTS: usize = 16;
    const EACH: usize = 4;
    let populated = Populated::with_users(USERS);
    let create_all = || {
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let populated = &populated;
                scope.spawn(move || {
                    for number in 0..EACH {
                        populated.create(&format!("c{client}n{number}"), json!({"bsdusr_password_disabled": true}));
                    }
                });
            }
        });
    };
    let written = populated.written(create_all);
    assert!(written.syncs > 0 && written.syncs * 2 < CLIENTS * EACH * 7, "{written:?}: hardly any commit was shared");
}

#[test]
fn a_thousand_accounts_in_one_request_are_one_commit() {
    let populated = Populated::with_users(USERS);
    let user = |number| populated.new_user(&format!("b{number}"), json!({"bsdusr_password_hash": HASH}));
    let request = json!({"objects": (0..1000).map(user).collect::<Vec<_>>()});
    let written = populated.written(|| drop(populated.request("PATCH", "/account/users/", Some(&request), 202)));
    assert!((1..=8).contains(&written.syncs), "{written:?}");
    let passwd = fs::read_to_string(populated.world.root().join("etc/passwd")).unwrap();
    assert_eq!(passwd.lines().filter(|line| line.starts_with('b') && line.contains(":/nonexistent:")).count(), 1000);
}
