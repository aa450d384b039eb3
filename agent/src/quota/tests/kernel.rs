//! Quotas that the kernel counts: whoever writes, through this program or past it, is held to them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::quota::QuotaBackend;
use accountd_protocol::removal::DeletedHome;
use accountd_protocol::text::FieldPath;

use super::{ROOT, World, bytes, leased};

/// Mount points of this machine on which the kernel holds users to their quotas (ext4, xfs): none on many.
fn enforced() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    mounts.filter(|mount| is_enforced(mount)).collect()
}

fn is_enforced(mount: &Path) -> bool {
    use crate::sys::quotactl::{Enforcement, enforcement};
    fs::File::open(mount).is_ok_and(|opened| enforcement(&opened) == Ok(Enforcement::Enforced))
}

/// Writes as a user, by no program of ours; gives what it says.
fn write_as(uid: u32, path: &Path, kilobytes: u32) -> String {
    let of = format!("of={}", path.display());
    let count = format!("count={kilobytes}");
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/zero", "bs=1024", "conv=fsync", &of, &count]).env("LC_ALL", "C").uid(uid).gid(uid);
    String::from_utf8(dd.output().unwrap().stderr).unwrap()
}

#[test]
fn whoever_writes_is_held_to_a_quota_of_the_kernel() {
    for mount in enforced() {
        let mut world = World::below(&mount);
        // Whoever writes has to get there.
        fs::set_permissions(world.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let anna = world.create("anna", bytes(1 << 20));
        let uid = world.agent().get_user(anna).unwrap().uid.0;
        assert_eq!(world.report(anna).backend, QuotaBackend::Kernel, "{}", mount.display());
        let said = write_as(uid, &world.home("anna").join("big"), 2048);
        assert!(said.contains("quota exceeded"), "{}: {said}", mount.display());
        let (used, _) = world.used(anna);
        assert!((900 << 10..=1 << 20).contains(&used), "{used}");
        assert_eq!(world.lease((anna, 1), 1 << 40), leased(1 << 40), "the kernel decides");
        world.restart();
        world.limit(anna, bytes(4 << 20));
        let said = write_as(uid, &world.home("anna").join("big"), 2048);
        assert!(said.contains("2048+0 records out"), "{}: {said}", mount.display());
        let files = LimitsChange { files: Some(Some(3)), ..LimitsChange::default() };
        world.limit(anna, files);
        let said: Vec<String> =
            ["a", "b"].iter().map(|name| write_as(uid, &world.home("anna").join(name), 1)).collect();
        assert!(said[1].contains("quota exceeded"), "{}: {said:?}", mount.display());
        let gone = (DeletedHome::Keep, OtherProcesses::Left);
        world.agent().delete_user(&ROOT, anna, gone, Precondition::None).unwrap();
        let said = write_as(uid, &world.home("anna").join("after"), 8192);
        assert!(said.contains("8192+0 records out"), "{}: whoever gets the uid has its limit: {said}", mount.display());
    }
}

/// A new btrfs in a file, mounted for one test.
struct Btrfs(tempfile::TempDir);

impl Btrfs {
    /// `None` where this machine has none.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (image, at) = (directory.path().join("image"), directory.path().join("at"));
        fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
        fs::create_dir(&at).unwrap();
        run(&["mkfs.btrfs", "-q", image.to_str().unwrap()])?;
        run(&["mount", "-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()])?;
        let mounted = Self(directory);
        for path in [mounted.0.path(), &at] {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        Some(mounted)
    }

    fn at(&self) -> PathBuf {
        self.0.path().join("at")
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        run(&["umount", "-l", self.at().to_str().unwrap()]);
    }
}

fn run(command: &[&str]) -> Option<()> {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let has_worked = output.as_ref().is_ok_and(|output| output.status.success());
    if !has_worked {
        eprintln!("{command:?}: {output:?}");
    }
    has_worked.then_some(())
}

#[test]
fn whoever_writes_is_held_to_a_qgroup_of_btrfs() {
    let Some(btrfs) = Btrfs::mount() else { return eprintln!("SKIPPED: no btrfs can be had here") };
    let at = btrfs.at();
    let world = World::below(&at);
    fs::set_permissions(world.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let before = world.create("before", bytes(4 << 20));
    assert_eq!(world.report(before).backend, QuotaBackend::Ledger, "quotas are off");
    run(&["btrfs", "quota", "enable", at.to_str().unwrap()]).unwrap();
    let anna = world.create("anna", bytes(4 << 20));
    // What was known of the file system is looked at again after a while.
    let end = Instant::now() + Duration::from_secs(30);
    while world.report(anna).backend != QuotaBackend::Btrfs {
        assert!(Instant::now() < end, "{:?}", world.report(anna));
    }
    world.limit(anna, bytes(5 << 20));
    let uid = world.agent().get_user(anna).unwrap().uid.0;
    let said = write_as(uid, &world.home("anna").join("big"), 12_288);
    assert!(said.contains("quota exceeded"), "{said}");
    run(&["sync", "-f", at.to_str().unwrap()]).unwrap();
    let (used, _) = world.used(anna);
    assert!((3 << 20..=5 << 20).contains(&used), "{used}");
    assert_eq!(world.lease((anna, 1), 1 << 40), leased(1 << 40), "the kernel decides");
    assert_eq!(world.report(before).backend, QuotaBackend::Ledger, "it is a plain directory");
    let [shown] = world.agent().list_quota_file_systems().try_into().unwrap();
    assert_eq!((shown.backend, shown.kind.as_str()), (QuotaBackend::Btrfs, "btrfs"));
    world.limit(anna, LimitsChange { bytes: Some(None), ..LimitsChange::default() });
    let said = write_as(uid, &world.home("anna").join("big"), 12_288);
    assert!(said.contains("12288+0 records out"), "{said}");
}

#[test]
fn a_home_that_is_a_subvolume_can_be_moved_and_goes_with_all_that_is_in_it() {
    let Some(btrfs) = Btrfs::mount() else { return eprintln!("SKIPPED: no btrfs can be had here") };
    let at = btrfs.at();
    run(&["btrfs", "quota", "enable", at.to_str().unwrap()]).unwrap();
    let world = World::below(&at);
    let anna = world.create("anna", bytes(4 << 20));
    let inside = |name: &str, path: &str| world.home(name).join(path).to_str().unwrap().to_owned();
    fs::create_dir(world.home("anna").join("deep")).unwrap();
    run(&["btrfs", "-q", "subvolume", "create", &inside("anna", "deep/own")]).unwrap();
    fs::write(inside("anna", "deep/own/file"), "kept").unwrap();
    let uid = world.agent().get_user(anna).unwrap().uid.0;
    run(&["chown", "-R", &uid.to_string(), world.home("anna").to_str().unwrap()]).unwrap();
    run(&["btrfs", "-q", "subvolume", "snapshot", "-r", &inside("anna", "deep/own"), &inside("anna", "snap")]).unwrap();
    let [from, to] = ["/mnt/tank/anna", "/mnt/tank/moved"].map(|path| FieldPath::new(path).unwrap());
    let way = world.agent().homes.prepare_move(&from, &to, accountd_protocol::id::Uid(uid)).unwrap();
    assert!(way.is_some(), "it is renamed like a directory");
    let gone = (DeletedHome::Remove, OtherProcesses::Left);
    world.agent().delete_user(&ROOT, anna, gone, Precondition::None).unwrap();
    let trash = world.home(".accountd-trash");
    let end = Instant::now() + Duration::from_secs(30);
    while fs::read_dir(&trash).unwrap().next().is_some() {
        assert!(Instant::now() < end, "the trash is not empty");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!world.home("anna").exists());
}
