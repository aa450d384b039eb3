//! Somebody edits a file by hand, without any lock, while the shipped agent is in the middle of a
//! commit. strace(1) makes one call of the agent take long enough for that.

use std::fs;
use std::time::Duration;

use crate::crash::{detach, tamper};
use crate::freenas::{Nas, new_user};
use crate::world::wait_for;

/// Longer than the edit takes.
const DELAY: Duration = Duration::from_secs(1);

/// As an editor does it that replaces the file.
fn edit(nas: &Nas, file: &str, change: impl FnOnce(String) -> String) {
    let path = nas.disk.path(file);
    let new = path.with_extension("edited");
    fs::write(&new, change(nas.disk.text(file))).unwrap();
    fs::set_permissions(&new, fs::metadata(&path).unwrap().permissions()).unwrap();
    fs::rename(new, path).unwrap();
}

/// Creates `anna` while the first `calls` of each thread take long, and calls `meanwhile` once this
/// new file stands beside the old one. Gives the status of the answer.
fn create_meanwhile(nas: &Nas, (call, calls): (&str, &str), new_file: &str, meanwhile: impl FnOnce()) -> u16 {
    let slow = format!("delay_enter={}:when={calls}", DELAY.as_micros());
    let mut strace = tamper(nas.world.process("agent"), call, &slow);
    let status = std::thread::scope(|scope| {
        let request = scope.spawn(|| nas.rest.post("/account/users/", &new_user("anna", 3001, "pw")).status);
        wait_for("the new file", || nas.disk.path(new_file).exists());
        std::thread::sleep(Duration::from_millis(300));
        meanwhile();
        assert!(!request.is_finished(), "the edit came too late");
        request.join().unwrap()
    });
    detach(&mut strace);
    status
}

fn lines_of_anna(nas: &Nas) -> Vec<bool> {
    let files = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/samba/smbpasswd"];
    files.iter().map(|file| nas.disk.line(file, "anna").is_some()).collect()
}

#[test]
fn an_edit_between_reading_and_writing_is_kept_and_the_request_can_be_sent_again() {
    let nas = Nas::start();
    let by_hand = "byhand:x:4711:100:By Hand:/:/bin/sh\n";
    let status = create_meanwhile(&nas, ("fsync", "1..4"), "/etc/samba/smbpasswd.accountd-new", || {
        edit(&nas, "/etc/passwd", |text| text + by_hand);
    });
    assert_eq!(status, 503);
    assert_eq!(lines_of_anna(&nas), [false; 5]);
    assert!(nas.disk.text("/etc/passwd").ends_with(by_hand));
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    assert_eq!((lines_of_anna(&nas), nas.disk.field("/etc/passwd", "byhand", 2)), (vec![true; 5], "4711".into()));
}

#[test]
fn an_edit_between_the_commit_and_the_renames_is_kept_and_so_is_the_account() {
    let nas = Nas::start();
    let status = create_meanwhile(&nas, ("rename", "1"), "/etc/passwd.accountd-new", || {
        edit(&nas, "/etc/passwd", |text| text.replace("daemon:x:1:1:daemon:", "daemon:x:1:1:Edited:"));
        edit(&nas, "/etc/group", |text| text.replace("games:x:60:", "games:x:60:daemon"));
    });
    assert_eq!(status, 201);
    assert_eq!(lines_of_anna(&nas), [true; 5]);
    assert_eq!(nas.disk.field("/etc/passwd", "daemon", 4), "Edited");
    assert_eq!(nas.disk.field("/etc/group", "games", 3), "daemon");
    assert!(nas.world.with_password("anna", "pw").logs_in());
}
