//! The sandbox itself: the machine's own accounts stay untouched, wherever it lies.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::freenas::{Nas, new_user};
use crate::world::{World, accountd};

/// Content, time of the last change and inode.
type Look = Option<(Vec<u8>, i64, u64)>;

/// What nobody may have changed on the machine itself.
fn machine() -> BTreeMap<&'static str, Look> {
    let files = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/samba/smbpasswd"];
    let look = |path: &'static str| {
        let status = fs::metadata(path).ok()?;
        Some((fs::read(path).ok()?, status.mtime(), status.ino()))
    };
    files.map(|path| (path, look(path))).into()
}

#[test]
fn the_machine_itself_is_not_touched_wherever_the_sandbox_lies() {
    let before = machine();
    for parent in ["/tmp", "/root", "/var/tmp"] {
        let nas = Nas::of(World::start_below(Path::new(parent)));
        nas.rest.create_user(&new_user("apart", 3001, "pw"));
        fs::write(nas.world.client_file("x"), "x").unwrap();
        nas.world.with_password("apart", "pw").sftp("put x\nls -l x\n");
        assert_eq!(nas.disk.owner_and_mode("/mnt/tank/home/apart/x"), (3001, 3001, 0o644), "{parent}");
        nas.world.run(&["useradd", "-m", "byhand"]);
        assert!(nas.disk.path("/home/byhand").is_dir());
        assert!(!Path::new("/home/byhand").exists() && !Path::new("/mnt/tank/home/apart").exists());
    }
    assert!(machine() == before);
}

#[test]
fn what_is_not_its_own_is_read_only_inside() {
    let world = World::start();
    for path in ["/usr/planted", "/planted", "/opt/planted"] {
        let output = world.exec(&["touch", path]);
        assert!(!output.status.success(), "{path}");
        assert!(!Path::new(path).exists());
    }
    world.run(&["touch", "/etc/own", "/var/own", "/tmp/own"]);
    assert!(world.root().join("tmp/own").exists());
}

#[test]
fn everything_is_still_there_after_a_restart() {
    let mut nas = Nas::start();
    let id = nas.rest.create_user(&new_user("stays", 3001, "pw"));
    let key = fs::read(nas.disk.path("/var/lib/accountd-ssh/ssh_host_ed25519_key")).unwrap();
    let before = nas.disk.everything("/etc");
    nas.world.restart();
    let rest = crate::rest::Rest::new(&nas.world.api(), "root", &nas.world.admin_password());
    assert_eq!(rest.get(&format!("/account/users/{id}/")).object(200)["bsdusr_username"], "stays");
    assert!(nas.world.with_password("stays", "pw").logs_in());
    assert_eq!(fs::read(nas.disk.path("/var/lib/accountd-ssh/ssh_host_ed25519_key")).unwrap(), key);
    assert!(nas.disk.everything("/etc") == before);
}

#[test]
fn every_program_is_started_again_after_a_kill() {
    let nas = Nas::start();
    nas.rest.create_user(&new_user("anna", 3001, "pw"));
    for program in ["agent", "login", "ssh", "api"] {
        let before = nas.world.process(program);
        nas.world.kill(program);
        crate::world::wait_for(program, || nas.world.process(program) != before);
        crate::world::wait_for("REST and SSH", || {
            nas.rest.get("/account/users/1/").status == 200
                && nas.world.with_password("anna", "pw").try_sftp("pwd\n").status.success()
        });
    }
}

#[test]
fn a_second_sandbox_on_the_same_root_is_refused() {
    let world = World::start();
    let output = Command::new(accountd()).args(["sandbox", "--root"]).arg(world.root()).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("running") || said.contains("in use"), "{said}");
}

#[test]
fn the_host_key_is_private_and_a_readable_one_is_refused() {
    let world = World::start();
    let path = world.root().join("var/lib/accountd-ssh/ssh_host_ed25519_key");
    let status = fs::metadata(&path).unwrap();
    assert_eq!((status.mode() & 0o7777, status.uid()), (0o600, 991));
    world.run(&["chmod", "644", "/var/lib/accountd-ssh/ssh_host_ed25519_key"]);
    world.kill("ssh");
    crate::world::wait_for("the refusal in the log", || world.log().contains("others may not have access"));
}

#[test]
fn there_is_one_agent_and_its_socket_is_for_root_and_the_rest_front() {
    let nas = Nas::start();
    assert_eq!(nas.disk.owner_and_mode("/run/accountd/agent.sock"), (0, 990, 0o660));
    let program = format!("/proc/{}/exe", nas.world.process("agent"));
    let second = nas.world.exec(&[&program, "--socket", "/run/accountd/second.sock"]);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another agent keeps these accounts"), "{said}");
}
