//! What an account has outside of the account files goes with it: crontab, at jobs, lingering, mail.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use serde_json::json;

use crate::freenas::{Nas, new_user};
use crate::world::World;

const UID: u32 = 3001;

/// Everything that a user may have: crontab, mark for lingering, mail, at job.
fn fill(nas: &Nas, name: &str, uid: u32) -> [PathBuf; 4] {
    let files = [
        format!("/var/spool/cron/crontabs/{name}"),
        format!("/var/lib/systemd/linger/{name}"),
        format!("/var/mail/{name}"),
        format!("/var/spool/cron/atjobs/a0000{uid}"),
    ];
    files.map(|file| {
        let path = nas.disk.path(&file);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = if file.contains("linger") { 0 } else { uid };
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    })
}

fn there(paths: &[PathBuf]) -> Vec<bool> {
    paths.iter().map(|path| path.exists()).collect()
}

#[test]
fn a_deleted_account_leaves_nothing_that_would_run_or_be_read_by_the_next() {
    let nas = Nas::start();
    let anna = nas.rest.create_user(&new_user("anna", UID, "pw"));
    nas.rest.create_user(&new_user("berta", 3002, "pw"));
    let (hers, others) = (fill(&nas, "anna", UID), fill(&nas, "berta", 3002));
    nas.rest.delete(&format!("/account/users/{anna}/")).status_is(204);
    assert_eq!((there(&hers), there(&others)), (vec![false; 4], vec![true; 4]));
    let kept = nas.disk.path(&format!("/var/mail/.accountd-kept-anna-{UID}"));
    let status = fs::metadata(kept).unwrap();
    assert_eq!((status.uid(), status.permissions().mode() & 0o777), (0, 0o600));
    // A name that somebody else has left: userdel keeps the crontab.
    nas.world.run(&["userdel", "berta"]);
    assert!(others[0].exists());
    let request = new_user("berta", 3003, "pw").replace("/mnt/tank/home", "/nonexistent");
    nas.rest.create_user(&request);
    assert_eq!(there(&others[..3]), [false; 3]);
}

#[test]
fn what_the_configuration_says_is_kept() {
    let text = "[deletion]\ncrontab = \"keep\"\nat_jobs = \"keep\"\nlinger = \"keep\"\nmail = \"remove\"\n";
    let nas = Nas::of(World::start_with(text));
    let anna = nas.rest.create_user(&new_user("anna", UID, "pw"));
    let hers = fill(&nas, "anna", UID);
    nas.rest.delete(&format!("/account/users/{anna}/")).status_is(204);
    assert_eq!(there(&hers), [true, true, false, true]);
}

#[test]
fn a_rename_and_a_new_uid_take_them_along() {
    let nas = Nas::start();
    let anna = nas.rest.create_user(&new_user("anna", UID, "pw"));
    let before = fill(&nas, "anna", UID);
    let change = json!({"bsdusr_username": "zoe", "bsdusr_uid": 3009}).to_string();
    nas.rest.put(&format!("/account/users/{anna}/"), &change).status_is(200);
    assert_eq!(there(&before[..3]), [false; 3]);
    for path in &before[..3] {
        let now = path.with_file_name("zoe");
        assert_eq!(fs::read_to_string(&now).unwrap(), "anna");
        let owner = if now.to_str().unwrap().contains("linger") { 0 } else { 3009 };
        assert_eq!(fs::metadata(&now).unwrap().uid(), owner, "{}", now.display());
    }
}
