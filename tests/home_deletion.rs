//! Homes that go with their accounts when that is asked for, and those that do not.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Stdio;

use serde_json::json;

use crate::crash::{attach, detach, is_gone};
use crate::freenas::{Nas, new_user};
use crate::rest::Answer;
use crate::running::Running;
use crate::world::wait_for;

const REMOVE: &str = r#"{"delete_home": true}"#;
const TRASH: &str = "/mnt/tank/.accountd-trash";
const FILES: [&str; 5] = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/samba/smbpasswd"];
const HOME: &str = "/mnt/tank/home/anna";

/// A sandbox with `anna` (uid 3001) and her id.
fn nas_with_anna() -> (Nas, u64) {
    let nas = Nas::start();
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw"));
    (nas, id)
}

fn delete(nas: &Nas, id: u64, body: &str) -> Answer {
    nas.rest.json("DELETE", &format!("/account/users/{id}/"), body)
}

fn trash_is_empty(nas: &Nas) -> bool {
    fs::read_dir(nas.disk.path(TRASH)).map_or(true, |mut entries| entries.next().is_none())
}

#[track_caller]
fn wait_for_an_empty_trash(nas: &Nas) {
    wait_for("an empty trash", || trash_is_empty(nas));
}

/// As an editor does it; usermod(8) refuses while any process of the machine has the uid.
pub fn set_home(nas: &Nas, name: &str, home: &str) {
    let edit = format!("s|^({name}:([^:]*:){{4}})[^:]*|\\1{home}|");
    nas.world.run(&["sed", "-i", "-E", &edit, "/etc/passwd"]);
    assert_eq!(nas.disk.field("/etc/passwd", name, 5), home);
}

/// Refused with this message, and nothing has changed.
#[track_caller]
fn is_refused(nas: &Nas, id: u64, reason: &str) {
    let state = || (FILES.map(|file| nas.disk.text(file)), nas.disk.everything("/mnt"));
    let before = state();
    let message = format!("The home directory cannot be deleted: {reason}.");
    delete(nas, id, REMOVE).is(409, &format!("{{\"bsdusr_home\": [{}]}}", json!(message)));
    assert!(state() == before);
}

#[test]
fn a_home_goes_only_when_that_is_asked_for() {
    let nas = Nas::start();
    let bodies = ["", "{}", r#"{"nodelgroup": true, "cascade": 1}"#, r#"{"delete_home": false}"#];
    for (number, body) in (1..).zip(bodies) {
        let name = format!("u{number}");
        let id = nas.rest.create_user(&new_user(&name, 3000 + number, "pw"));
        delete(&nas, id, body).is(204, "");
        assert!(nas.disk.path(&format!("/mnt/tank/home/{name}")).is_dir(), "{body}");
    }
    let id = nas.rest.create_user(&new_user("anna", 3101, "pw"));
    for malformed in ["{", "[true]", "null", "delete_home=true"] {
        assert_eq!(delete(&nas, id, malformed).status, 400, "{malformed}");
    }
    let form = ["-H", "Content-Type: application/x-www-form-urlencoded"];
    assert_eq!(nas.rest.curl("DELETE", &format!("/account/users/{id}/"), &form, Some(REMOVE.as_bytes())).status, 400);
    assert!(nas.disk.line("/etc/passwd", "anna").is_some() && nas.disk.path(HOME).is_dir());
    delete(&nas, id, REMOVE).is(204, "");
    assert!(!nas.disk.path(HOME).exists() && nas.disk.line("/etc/passwd", "anna").is_none());
    assert_eq!(nas.disk.owner_and_mode(TRASH), (0, 0, 0o700));
    wait_for_an_empty_trash(&nas);
}

#[test]
fn whatever_is_in_a_home_goes_and_what_it_points_to_stays() {
    let (nas, id) = nas_with_anna();
    let berta = nas.rest.create_user(&new_user("berta", 3002, "pw"));
    let home = nas.disk.path(HOME);
    let theirs = nas.disk.path("/mnt/tank/home/berta/theirs");
    fs::write(&theirs, "berta's").unwrap();
    fs::hard_link(&theirs, home.join("linked")).unwrap();
    symlink("/etc", home.join("etc")).unwrap();
    symlink("/etc/passwd", home.join("passwd")).unwrap();
    symlink("/mnt/tank/home/berta", home.join("berta")).unwrap();
    for name in [&b"\xff\xfe"[..], b"a\nb", b"-rf", b" ", b"...", b"in-place-x", b"arriving-x", &[b'x'; 255]] {
        fs::create_dir_all(home.join("names").join(std::ffi::OsStr::from_bytes(name)).join("deeper")).unwrap();
        fs::write(home.join(std::ffi::OsStr::from_bytes(name)), "text").unwrap();
    }
    for number in 0..20_000 {
        fs::File::create(home.join(format!("names/{number}"))).unwrap();
    }
    nas.world.run(&["sh", "-c", "mkfifo /mnt/tank/home/anna/pipe && mkdir -m 0 /mnt/tank/home/anna/closed"]);
    let (etc, others) = (nas.disk.everything("/etc/skel"), nas.disk.everything("/mnt/tank/home/berta"));
    delete(&nas, id, REMOVE).is(204, "");
    assert!(!home.exists());
    wait_for_an_empty_trash(&nas);
    assert!(nas.disk.everything("/etc/skel") == etc && nas.disk.everything("/mnt/tank/home/berta") == others);
    assert_eq!(fs::metadata(&theirs).unwrap().nlink(), 1);
    assert_eq!(nas.rest.get(&format!("/account/users/{berta}/")).status, 200);
}

#[test]
fn a_tree_may_be_deeper_than_any_path() {
    let (nas, id) = nas_with_anna();
    let script = "import os\nfor _ in range(21000):\n  os.mkdir('d'*40); open('f','w').close(); os.chdir('d'*40)\n";
    nas.world.run(&["sh", "-c", &format!("cd {HOME} && python3 -c \"{script}\"")]);
    delete(&nas, id, REMOVE).is(204, "");
    wait_for_an_empty_trash(&nas);
    assert!(!nas.world.log().contains("not all"), "{}", nas.world.log());
}

#[test]
fn a_home_that_is_not_there_keeps_nobody_from_being_deleted() {
    let nas = Nas::start();
    for (number, home) in (1..).zip(["/nonexistent", "/mnt/tank/gone", "/home/elsewhere"]) {
        let name = format!("u{number}");
        nas.world.run(&["useradd", "-M", "-u", &format!("{}", 3000 + number), "-d", home, &name]);
        let users = nas.rest.get("/account/users/?limit=0").object(200);
        let shown = users.as_array().unwrap().iter().find(|user| user["bsdusr_username"] == name.as_str()).unwrap();
        delete(&nas, shown["id"].as_u64().unwrap(), REMOVE).is(204, "");
        assert_eq!(nas.disk.line("/etc/passwd", &name), None);
    }
}

#[test]
fn a_home_in_which_others_have_a_part_stays_with_its_account() {
    let (nas, id) = nas_with_anna();
    nas.world.run(&["useradd", "-m", "-u", "3002", "-d", "/mnt/tank/home/anna/in/it", "nested"]);
    is_refused(&nas, id, "the home directory of \"nested\" is in it");
    set_home(&nas, "nested", "/mnt/tank/home/anna");
    is_refused(&nas, id, "it is the home directory of \"nested\" too");
    // Over a symbolic link of the administrator's.
    symlink("home/anna/in", nas.disk.path("/mnt/tank/short")).unwrap();
    set_home(&nas, "nested", "/mnt/tank/short/it");
    is_refused(&nas, id, "the home directory of \"nested\" is in it");
    set_home(&nas, "nested", "/mnt/tank/home/anna2");
    delete(&nas, id, REMOVE).is(204, "");
    wait_for_an_empty_trash(&nas);
}

#[test]
fn a_home_that_is_not_the_users_own_directory_below_a_pool_stays() {
    let (nas, id) = nas_with_anna();
    let home = nas.disk.path(HOME);
    fs::rename(&home, nas.disk.path("/mnt/tank/aside")).unwrap();
    symlink("/etc", &home).unwrap();
    is_refused(&nas, id, "it is a symbolic link or is reached over one");
    fs::remove_file(&home).unwrap();
    fs::write(&home, "a file").unwrap();
    is_refused(&nas, id, "it is not a directory");
    fs::remove_file(&home).unwrap();
    nas.world.run(&["install", "-d", "-o", "3002", HOME]);
    is_refused(&nas, id, "it belongs to somebody else");
    nas.world.run(&["chown", "3001", HOME]);
    nas.world.run(&["chmod", "777", "/mnt/tank/home"]);
    is_refused(&nas, id, "it lies in a directory that others than root can change");
    nas.world.run(&["chmod", "755", "/mnt/tank/home"]);
    let rows = [
        ("/mnt/tank", "it is a volume root directory"),
        ("/tmp/anna", "it does not reside within a volume mount point"),
    ];
    nas.world.run(&["install", "-d", "-o", "3001", "/tmp/anna"]);
    for (path, reason) in rows {
        set_home(&nas, "anna", path);
        is_refused(&nas, id, reason);
    }
    set_home(&nas, "anna", HOME);
    // Somebody has prepared a trash.
    nas.world.run(&["sh", "-c", &format!("rm -rf {TRASH} && install -d -m 700 -o 3001 {TRASH}")]);
    let refused = delete(&nas, id, REMOVE);
    assert!(refused.status == 409 && refused.body.contains("can be reached by others"), "{}", refused.body);
    fs::remove_dir(nas.disk.path(TRASH)).unwrap();
    delete(&nas, id, REMOVE).is(204, "");
    assert!(!home.exists());
}

#[test]
fn nobody_gets_a_home_in_the_trash() {
    let nas = Nas::start();
    let request = new_user("anna", 3001, "pw").replace("/mnt/tank/home", TRASH);
    assert_eq!(nas.rest.post("/account/users/", &request).status, 409);
}

#[test]
fn what_is_mounted_in_a_home_stays_with_its_content() {
    let (nas, id) = nas_with_anna();
    nas.world.run(&["sh", "-c", &format!("mkdir -p {HOME}/a/b/mounted && mount -t tmpfs none {HOME}/a/b/mounted")]);
    nas.world.run(&["sh", "-c", &format!("mkdir {HOME}/a/b/mounted/c && echo kept > {HOME}/a/b/mounted/c/file")]);
    delete(&nas, id, REMOVE).is(204, "");
    wait_for("the report", || nas.world.log().contains("something is mounted on it"));
    let found = nas.world.run(&["sh", "-c", &format!("find {TRASH} -name file -exec cat {{}} +")]);
    assert_eq!(found, "kept\n");
}

#[test]
fn a_home_that_is_a_mount_point_is_emptied_where_it_is() {
    let (nas, id) = nas_with_anna();
    let script = format!(
        "mount -t tmpfs none {HOME} && chown 3001:3001 {HOME} && mkdir -p {HOME}/a/b/c && echo x > {HOME}/a/b/f && \
         ln -s /etc {HOME}/etc && touch {HOME}/in-place-x"
    );
    nas.world.run(&["sh", "-c", &script]);
    delete(&nas, id, REMOVE).is(204, "");
    wait_for_an_empty_trash(&nas);
    let left = nas.world.run(&["sh", "-c", &format!("stat -c '%u %a' {HOME}; ls -A {HOME}")]);
    assert_eq!(left, "0 755\n");
    assert!(!nas.disk.everything("/etc").is_empty());
}

#[test]
fn a_home_on_a_file_system_below_the_pool_goes_to_a_trash_there() {
    let nas = Nas::start();
    nas.world.run(&["sh", "-c", "mkdir /mnt/tank/set && mount -t tmpfs -o mode=755 none /mnt/tank/set"]);
    let id = nas.rest.create_user(&new_user("anna", 3001, "pw").replace("tank/home", "tank/set"));
    delete(&nas, id, REMOVE).is(204, "");
    let listed = || nas.world.run(&["sh", "-c", "find /mnt/tank/set -mindepth 1"]);
    wait_for("the removal", || listed() == "/mnt/tank/set/.accountd-trash\n");
}

#[test]
fn what_can_not_be_removed_is_reported_and_left() {
    let (nas, id) = nas_with_anna();
    let home = nas.disk.path(HOME);
    fs::create_dir_all(home.join("kept/also")).unwrap();
    fs::write(home.join("kept/immutable"), "text").unwrap();
    if !nas.world.exec(&["chattr", "+i", &format!("{HOME}/kept/immutable")]).status.success() {
        return eprintln!("no immutable files here");
    }
    delete(&nas, id, REMOVE).is(204, "");
    wait_for("the report", || nas.world.log().contains("immutable: it is immutable"));
    let found = nas.world.run(&["sh", "-c", &format!("find {TRASH} -type f")]);
    assert!(found.ends_with("/immutable\n") && found.lines().count() == 1, "{found}");
    nas.world.run(&["chattr", "-i", found.trim()]);
    let mut nas = nas;
    nas.world.restart();
    wait_for_an_empty_trash(&nas);
}

#[test]
fn a_removal_that_was_interrupted_goes_on_at_the_next_start() {
    let (nas, id) = nas_with_anna();
    let home = nas.disk.path(HOME);
    for number in 0..400 {
        fs::create_dir_all(home.join(format!("d{number}/e"))).unwrap();
        (0..50).for_each(|file| drop(fs::File::create(home.join(format!("d{number}/e/{file}"))).unwrap()));
    }
    nas.world.hold("agent");
    delete(&nas, id, REMOVE).is(204, "");
    nas.world.kill("agent");
    assert!(!trash_is_empty(&nas), "it was too quick to be interrupted");
    nas.world.release("agent");
    wait_for_an_empty_trash(&nas);
}

/// Deletes a user, with the agent killed at the `number`-th call of `step`; `None` when it does
/// not get so far.
fn delete_killed(nas: &Nas, id: u64, step: &str, number: usize) -> Option<u16> {
    nas.world.hold("agent");
    let agent = nas.world.process("agent");
    let mut strace = attach(agent, step, number);
    let status = delete(nas, id, REMOVE).status;
    if status == 204 {
        wait_for("the removal or the death of the agent", || is_gone(agent) || trash_is_empty(nas));
        if !is_gone(agent) {
            detach(&mut strace);
            // It may have been killed before this.
            if !is_gone(agent) {
                fs::remove_file(nas.world.root().join("run/accountd/agent.hold")).unwrap();
                return None;
            }
        }
    }
    wait_for("the death of the agent", || is_gone(agent));
    strace.wait().unwrap();
    nas.world.release("agent");
    Some(status)
}

#[test]
fn killed_anywhere_account_and_home_are_both_there_or_both_gone() {
    let nas = Nas::start();
    let (mut uid, mut kept, mut gone) = (3000, 0, 0);
    for step in ["rename", "renameat2", "renameat", "unlinkat", "fsync", "fdatasync", "pwrite64", "fchown"] {
        for number in 1..60 {
            uid += 1;
            let (name, at) = (format!("u{uid}"), format!("killed at {step} {number}"));
            let id = nas.rest.create_user(&new_user(&name, uid, "pw"));
            let home = nas.disk.path(&format!("/mnt/tank/home/{name}"));
            fs::create_dir_all(home.join("a/b/c")).unwrap();
            let Some(status) = delete_killed(&nas, id, step, number) else { break };
            let account = nas.disk.line("/etc/passwd", &name).is_some();
            assert_eq!(account, home.exists(), "{at}");
            assert!(!account || status != 204, "{at}: it was acknowledged");
            wait_for_an_empty_trash(&nas);
            if account {
                assert!(home.join("a/b/c").is_dir(), "{at}");
                delete(&nas, id, REMOVE).is(204, "");
            }
            *(if account { &mut kept } else { &mut gone }) += 1;
        }
    }
    assert!(kept > 3 && gone > 5, "both must happen: {kept}, {gone}");
}

/// Swaps directories for symbolic links and back, makes files and ever deeper directories, all
/// from directories that it has open.
const RACER: &str = r#"
import os, sys
home = sys.argv[1]
os.chdir(home)
dirs = []
for n in range(40):
    os.makedirs('r%d/x/y' % n)
    dirs.append(os.open('r%d' % n, os.O_RDONLY))
deep = os.open('.', os.O_RDONLY)
print('ready', flush=True)
n = 0
while True:
    n += 1
    for d in dirs:
        # Not so many that a slow disk has to work on them for minutes.
        if n < 300:
            try:
                os.close(os.open('f%d' % n, os.O_CREAT, dir_fd=d))
                os.mkdir('m%d' % n, dir_fd=d)
            except OSError: pass
        try: os.rename('x', 'z', src_dir_fd=d, dst_dir_fd=d)
        except OSError: pass
        for target in ('/etc', '/mnt/tank/home/berta'):
            try:
                os.symlink(target, 'x', dir_fd=d)
                os.unlink('x', dir_fd=d)
            except OSError: pass
        try: os.rename('z', 'x', src_dir_fd=d, dst_dir_fd=d)
        except OSError: pass
    try:
        os.mkdir('deeper', dir_fd=deep)
        below = os.open('deeper', os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    except OSError: pass
"#;

#[test]
fn a_process_that_goes_on_working_in_a_home_neither_leads_its_removal_astray_nor_stops_it() {
    let (nas, id) = nas_with_anna();
    nas.rest.create_user(&new_user("berta", 3002, "pw"));
    fs::write(nas.disk.path("/mnt/tank/home/berta/theirs"), "text").unwrap();
    let before = (nas.disk.everything("/etc/skel"), nas.disk.everything("/mnt/tank/home/berta"));
    let mut racers = Vec::new();
    for _ in 0..2 {
        let home = format!("{HOME}/{}", racers.len());
        nas.world.run(&["install", "-d", "-o", "3001", &home]);
        let user = ["setpriv", "--reuid=3001", "--regid=3001", "--clear-groups"];
        let command = [&user[..], &["python3", "-c", RACER, &home]].concat();
        let mut racer = Running::start(nas.world.inside(&command).stdin(Stdio::null()).stdout(Stdio::piped()));
        let mut line = [0; 6];
        std::io::Read::read_exact(racer.stdout.as_mut().unwrap(), &mut line).unwrap();
        racers.push(racer);
    }
    delete(&nas, id, REMOVE).is(204, "");
    wait_for_an_empty_trash(&nas);
    for mut racer in racers {
        assert!(racer.is_there(), "it has worked to the end");
        racer.end();
    }
    assert!((nas.disk.everything("/etc/skel"), nas.disk.everything("/mnt/tank/home/berta")) == before);
    assert!(!nas.disk.path(HOME).exists());
}
