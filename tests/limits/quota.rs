//! Quotas in the ledger, from REST to what is on disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use super::{HOME, anna, limit, nas_with};
use crate::commands::ended::process;
use crate::v2::{Nas, problem};
use crate::world::wait_for;

const MIB: u64 = 1 << 20;

fn quota(nas: &Nas) -> Value {
    nas.rest.get("/users/anna/quota").object(200)
}

fn used(nas: &Nas) -> (u64, u64) {
    let quota = quota(nas);
    (quota["used_bytes"].as_u64().unwrap(), quota["used_files"].as_u64().unwrap())
}

/// Sizes and number of the regular files that are hers.
fn stored(nas: &Nas) -> (u64, u64) {
    let mut sum = (0, 0);
    let mut left = vec![nas.disk.path(HOME)];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let status = entry.as_ref().unwrap().metadata().unwrap();
            if status.is_dir() {
                left.push(entry.unwrap().path());
            } else if status.is_file() {
                sum = (sum.0 + status.size(), sum.1 + 1);
            }
        }
    }
    sum
}

fn file(nas: &Nas, name: &str, bytes: u64) {
    fs::write(nas.world.client_file(name), vec![b'x'; usize::try_from(bytes).unwrap()]).unwrap();
}

/// Scans and waits for the end of it.
fn scan(nas: &Nas) {
    let before = quota(nas)["scanned"].clone();
    nas.rest.post("/users/anna/quota/scan", "").status_is(202);
    wait_for("the scan", || quota(nas)["scanned"] != before);
}

#[test]
fn what_is_stored_is_counted_and_more_is_refused_by_its_name() {
    let nas = nas_with(&json!({"quota_bytes": 3 * MIB}));
    let begun = stored(&nas);
    assert_eq!((quota(&nas)["backend"].clone(), used(&nas)), (json!("ledger"), begun), "the skeleton counts");
    file(&nas, "two", 2 * MIB);
    anna(&nas).sftp("put two");
    assert_eq!(used(&nas), (begun.0 + 2 * MIB, begun.1 + 1));
    // OpenSSH's sftp shows what kind of failure it is, and no message.
    anna(&nas).sftp_fails("put two again");
    assert_eq!((used(&nas), stored(&nas)), ((begun.0 + 2 * MIB, begun.1 + 1), (begun.0 + 2 * MIB, begun.1 + 1)));
    // A file that would not fit stays as it was.
    file(&nas, "two", 3 * MIB + 1);
    anna(&nas).sftp_fails("put two");
    assert_eq!(fs::metadata(nas.disk.path(HOME).join("two")).unwrap().len(), 2 * MIB);
    let mut scp = anna(&nas).prepare("scp");
    let output = scp.arg("-O").arg(nas.world.client_file("two")).arg("127.0.0.1:three").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&format!("quota of this account is {} bytes", 3 * MIB)), "{said}");
    anna(&nas).sftp("rm two");
    assert_eq!((used(&nas), stored(&nas)), (begun, begun));
    limit(&nas, &json!({"quota_bytes": null}));
    anna(&nas).sftp("put two");
}

#[test]
fn the_number_of_files_is_limited_by_itself_and_a_limit_that_is_raised_counts_at_once() {
    let nas = nas_with(&json!({}));
    let (_, files) = stored(&nas);
    limit(&nas, &json!({"quota_files": files + 2}));
    file(&nas, "one", 10);
    anna(&nas).sftp("put one a\nput one b\nput one a");
    anna(&nas).sftp_fails("put one c");
    let mut scp = anna(&nas).prepare("scp");
    let output = scp.arg("-O").arg(nas.world.client_file("one")).arg("127.0.0.1:c").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("quota of this account is {} files", files + 2)), "{said}");
    limit(&nas, &json!({"quota_files": files + 3}));
    anna(&nas).sftp("put one c");
    nas.post("/groups", &json!({"groupname": "small", "limits": {"quota_files": 1}}));
    nas.patch("/users/anna", &json!({"groups": ["small"]})).status_is(200);
    anna(&nas).sftp_fails("put one d");
}

#[test]
fn uploads_that_take_the_last_byte_and_the_last_file_make_no_scan() {
    let nas = nas_with(&json!({"quota_bytes": 50 * MIB}));
    nas.post("/users", &json!({"username": "berta", "home": "/mnt/tank/home/berta", "limits": {"quota_bytes": MIB}}));
    let (bytes, files) = stored(&nas);
    limit(&nas, &json!({"quota_bytes": bytes + 30, "quota_files": files + 3}));
    scan(&nas);
    let before = quota(&nas)["scanned"].clone();
    file(&nas, "ten", 10);
    for name in ["a", "b", "c"] {
        anna(&nas).sftp(&format!("put ten {name}"));
    }
    assert_eq!(used(&nas), (bytes + 30, files + 3));
    // One of hers would have begun before this one.
    nas.rest.post("/users/berta/quota/scan", "").status_is(202);
    wait_for("the end of all scans", || nas.rest.get("/quotas/scans").object(200)["total"] == 0);
    assert_eq!(quota(&nas)["scanned"], before);
}

#[test]
fn sixty_four_uploads_at_once_store_no_more_than_the_quota() {
    let nas = nas_with(&json!({"quota_bytes": 100 * MIB}));
    file(&nas, "piece", 4 * MIB);
    std::thread::scope(|scope| {
        for number in 0..64 {
            let nas = &nas;
            scope.spawn(move || anna(nas).try_sftp(&format!("put piece piece{number}")));
        }
    });
    let (bytes, _) = stored(&nas);
    assert!(bytes <= 100 * MIB, "{bytes}");
    // What one session had leased and not used, others could not use: at most a step each.
    assert!(bytes >= 60 * MIB, "{bytes}");
    wait_for("every lease to come back", || used(&nas) == stored(&nas));
    anna(&nas).sftp("put piece last");
}

#[test]
fn a_crashed_session_gives_its_lease_back_when_it_has_been_counted() {
    let nas = nas_with(&json!({"quota_bytes": 50 * MIB}));
    let begun = used(&nas);
    // It leases a step when it writes, and waits for more of what it is to write.
    let mut client = anna(&nas).prepare("ssh");
    let mut client =
        client.args(["127.0.0.1", "scp -t crashed"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(client.stdin.as_mut().unwrap(), b"C0644 1000000 f\nsome of it").unwrap();
    wait_for("the lease", || used(&nas).0 >= begun.0 + MIB);
    let session = process("accountd-session\0command").expect("the session");
    kill(session, Signal::SIGKILL).unwrap();
    client.wait().unwrap();
    wait_for("the count to be true again", || used(&nas) == stored(&nas));
}

#[test]
fn leases_come_back_when_whoever_opens_sessions_is_killed() {
    let nas = nas_with(&json!({"quota_bytes": 50 * MIB}));
    let begun = used(&nas);
    let mut client = anna(&nas).prepare("ssh");
    let mut client =
        client.args(["127.0.0.1", "scp -t lost"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(client.stdin.as_mut().unwrap(), b"C0644 1000000 f\nsome of it").unwrap();
    wait_for("the lease", || used(&nas).0 >= begun.0 + MIB);
    nas.world.kill("login");
    client.wait().unwrap();
    wait_for("the count to be true again", || used(&nas) == stored(&nas));
    wait_for("a login", || anna(&nas).logs_in());
}

#[test]
fn the_count_survives_restarts_and_what_others_write_is_found_by_a_scan() {
    let mut nas = nas_with(&json!({"quota_bytes": 10 * MIB, "quota_files": 1000}));
    file(&nas, "one", MIB);
    anna(&nas).sftp("put one\nmkdir d\nput one d/two");
    let before = used(&nas);
    assert_eq!(before, stored(&nas));
    nas.world.kill("agent");
    wait_for("the agent again", || nas.rest.get("/users/anna").status == 200);
    wait_for("the same count", || used(&nas) == before);
    nas.world.restart();
    let nas = Nas::of(nas.world);
    wait_for("the same count", || used(&nas) == before);
    // A shell is no session of files: nobody leases for it.
    anna(&nas).ssh(&["head -c 3000000 /dev/zero > foreign; ln one hard; ln -s /etc/passwd link; echo >> d/two"]);
    assert_eq!(used(&nas), before);
    scan(&nas);
    assert_eq!(used(&nas), (before.0 + 3_000_001, before.1 + 1), "each file once, and no link");
    // Whose a file is, decides; not where it lies.
    fs::write(nas.disk.path(HOME).join("roots"), "x").unwrap();
    scan(&nas);
    assert_eq!(used(&nas), (before.0 + 3_000_001, before.1 + 1));
}

#[test]
fn what_was_freed_elsewhere_is_found_when_there_is_no_room_left() {
    let nas = nas_with(&json!({"quota_bytes": 3 * MIB}));
    file(&nas, "two", 2 * MIB);
    anna(&nas).sftp("put two");
    // The session that frees it has not written it.
    anna(&nas).sftp("rm two\nput two three");
    assert_eq!(stored(&nas).0, used(&nas).0);
}

#[test]
fn the_client_sees_its_own_room() {
    let nas = nas_with(&json!({"quota_bytes": 64 * MIB}));
    file(&nas, "one", 16 * MIB);
    anna(&nas).sftp("put one");
    let said = anna(&nas).sftp("df");
    let row: Vec<&str> = said.lines().last().unwrap().split_whitespace().collect();
    let (size, free): (u64, u64) = (row[0].parse().unwrap(), row[2].parse().unwrap());
    assert_eq!(size, 64 * 1024, "{said}");
    assert!((47 * 1024..=48 * 1024).contains(&free), "{said}");
}

#[test]
fn quotas_scans_and_file_systems_are_listed_and_unknown_ones_are_not_there() {
    let nas = nas_with(&json!({"quota_bytes": 5 * MIB}));
    nas.post("/users", &json!({"username": "berta"}));
    let listed = nas.rest.get("/quotas").object(200);
    assert_eq!((&listed["total"], &listed["items"][0]["user"]["username"]), (&json!(1), &json!("anna")));
    assert_eq!(listed["items"][0]["limits"]["bytes"], json!(5 * MIB));
    assert!(nas.rest.get("/users/berta/quota").object(200)["limits"]["bytes"].is_null());
    let places = nas.rest.get("/quotas/file-systems").object(200);
    assert_eq!(
        (&places["items"][0]["backend"], !places["items"].as_array().unwrap().is_empty()),
        (&json!("ledger"), true)
    );
    assert!(!places["items"][0]["reason"].as_str().unwrap().is_empty(), "{places}");
    problem(&nas.rest.get("/users/nobody-here/quota"), 404, "not-found", &[]);
    problem(&nas.rest.post("/users/nobody-here/quota/scan", ""), 404, "not-found", &[]);
    problem(&nas.rest.delete("/users/anna/quota/scan"), 404, "not-found", &[]);
    let anna = nas.rest.as_user("anna", "pw");
    anna.get("/users/~/quota").status_is(200);
    problem(&anna.get("/quotas"), 403, "not-permitted", &[]);
    problem(&anna.post("/users/~/quota/scan", ""), 403, "not-permitted", &[]);
    assert!(nas.done(&["quota", "show", "anna"]).contains("quota_bytes\t5242880\n"));
    assert!(nas.done(&["quota", "file-systems"]).contains("\tledger\t"));
}

#[test]
fn a_scan_of_many_files_shows_how_far_it_is_and_can_be_cancelled() {
    let nas = nas_with(&json!({"quota_bytes": 5 * MIB}));
    let many = nas.disk.path(HOME).join("many");
    for directory in 0..300 {
        let directory = many.join(directory.to_string());
        fs::create_dir_all(&directory).unwrap();
        (0..300).for_each(|name| fs::write(directory.join(name.to_string()), "").unwrap());
    }
    assert!(Path::new(&many).exists());
    nas.rest.post("/users/anna/quota/scan", "").status_is(202);
    let scans = nas.rest.get("/quotas/scans").object(200);
    if let Some(one) = scans["items"].as_array().unwrap().first() {
        assert_eq!(one["user"]["username"], json!("anna"));
        let again = nas.rest.post("/users/anna/quota/scan", "");
        assert!([202, 409].contains(&again.status), "{}", again.body);
        let cancelled = nas.rest.delete("/users/anna/quota/scan");
        assert!([204, 404].contains(&cancelled.status), "{}", cancelled.body);
    }
    wait_for("the end of it", || nas.rest.get("/quotas/scans").object(200)["total"] == 0);
}
