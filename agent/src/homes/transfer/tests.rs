//! The engine on plain directories. Run as root, who is the user here; others are other uids.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use accountd_protocol::id::{Gid, Uid};
use nix::fcntl::{OFlag, RenameFlags, open, openat, renameat2};
use nix::sys::stat::{Mode, mkdirat};
use xattr::FileExt as _;

use super::report::Reporter;
use super::work::{copy, hand_over};
use super::{Attributes, Fault, Passes, Report, Transfer};
use crate::homes::Owner;
use crate::homes::worker::WorkError;

const STRANGER: u32 = 3999;

struct Homes {
    directory: tempfile::TempDir,
}

impl Homes {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "the tests need root");
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("old")).unwrap();
        fs::create_dir(directory.path().join("new")).unwrap();
        Self { directory }
    }

    fn old(&self, path: &str) -> PathBuf {
        self.directory.path().join("old").join(path)
    }

    fn new_home(&self, path: &str) -> PathBuf {
        self.directory.path().join("new").join(path)
    }

    fn opened(&self, path: &str) -> OwnedFd {
        open(&self.directory.path().join(path), OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()).unwrap()
    }

    fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.old(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn copy_without(&self, others: &[&str]) -> Report {
        let mut reporter = Reporter::new(std::io::sink());
        let transfer = Transfer {
            from: "/old".into(),
            to: "/new".into(),
            others: others.iter().map(PathBuf::from).collect(),
            attributes: Attributes::Copied,
            passes: Passes::UntilComplete,
        };
        copy(&self.opened(""), Uid(0), &transfer, &mut reporter).unwrap();
        reporter.counts
    }

    fn copy(&self) -> Report {
        self.copy_without(&[])
    }

    fn hand_over(&self, from: (u32, u32), to: (u32, u32)) -> Report {
        let owner = |(uid, gid)| Owner { uid: Uid(uid), gid: Gid(gid) };
        let mut reporter = Reporter::new(std::io::sink());
        hand_over(&self.opened("old"), (owner(from), owner(to)), &HashSet::new(), &mut reporter).unwrap();
        reporter.counts
    }
}

fn status(path: &Path) -> fs::Metadata {
    fs::symlink_metadata(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    status(path).mode() & 0o7777
}

/// An access ACL (acl(5)): owner rwx, user 3999 r--, group r-x, mask r-x, others nothing.
const ACL: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0x9f, 0x0f, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 5,
    0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

#[test]
fn a_copy_has_modes_times_attributes_and_acls() {
    let homes = Homes::new();
    let file = File::create(homes.write("a/readonly", "x")).unwrap();
    file.set_xattr("user.tag", b"\x00\xff value").unwrap();
    file.set_permissions(Permissions::from_mode(0o4555)).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789)).unwrap();
    File::open(homes.write("acl", "y")).unwrap().set_xattr("system.posix_acl_access", &ACL).unwrap();
    File::open(homes.old("a")).unwrap().set_xattr("system.posix_acl_default", &ACL).unwrap();
    fs::set_permissions(homes.old("a"), Permissions::from_mode(0o2510)).unwrap();
    fs::set_permissions(homes.old(""), Permissions::from_mode(0o751)).unwrap();
    let report = homes.copy();
    assert_eq!((report.files, report.left_alone), (3, 0));
    let copied = File::open(homes.new_home("a/readonly")).unwrap();
    assert_eq!(copied.get_xattr("user.tag").unwrap().unwrap(), b"\x00\xff value");
    assert_eq!(mode(&homes.new_home("a/readonly")), 0o4555);
    let times = |path: &Path| (status(path).mtime(), status(path).mtime_nsec());
    assert_eq!(times(&homes.new_home("a/readonly")), (1_000_000_000, 123_456_789));
    assert_eq!(times(&homes.new_home("a")), times(&homes.old("a")));
    assert_eq!(File::open(homes.new_home("acl")).unwrap().get_xattr("system.posix_acl_access").unwrap().unwrap(), ACL);
    // What lies in a directory with a default ACL has not inherited it.
    assert_eq!(copied.get_xattr("system.posix_acl_access").unwrap(), None);
    assert_eq!(File::open(homes.new_home("a")).unwrap().get_xattr("system.posix_acl_default").unwrap().unwrap(), ACL);
    assert_eq!((mode(&homes.new_home("a")), mode(&homes.new_home(""))), (0o2510, 0o751));
}

#[test]
fn names_of_any_bytes_links_pipes_and_empty_directories_come_along() {
    use std::os::unix::ffi::OsStrExt;
    let homes = Homes::new();
    let name = std::ffi::OsStr::from_bytes(b"\xff\n\x01 *-rf\\");
    fs::write(homes.old("").join(name), "odd").unwrap();
    fs::create_dir(homes.old("empty")).unwrap();
    symlink("/etc/passwd", homes.old("out")).unwrap();
    symlink("nowhere", homes.old("dangling")).unwrap();
    nix::unistd::mkfifo(&homes.old("pipe"), Mode::from_bits_truncate(0o640)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(homes.old("socket")).unwrap();
    let report = homes.copy();
    assert_eq!((report.files, report.left_alone), (5, 0));
    assert_eq!(fs::read(homes.new_home("").join(name)).unwrap(), b"odd");
    assert_eq!(fs::read_link(homes.new_home("out")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::read_link(homes.new_home("dangling")).unwrap(), Path::new("nowhere"));
    assert!(homes.new_home("empty").is_dir() && !homes.new_home("socket").exists());
    use std::os::unix::fs::FileTypeExt;
    assert!(status(&homes.new_home("pipe")).file_type().is_fifo());
    assert_eq!(fs::read_dir(homes.new_home("")).unwrap().count(), 5, "nothing else is left there");
}

#[test]
fn hard_links_stay_hard_links() {
    let homes = Homes::new();
    let one = homes.write("a/b/one", "linked");
    fs::create_dir_all(homes.old("z/y")).unwrap();
    fs::hard_link(&one, homes.old("z/y/two")).unwrap();
    fs::hard_link(&one, homes.old("three")).unwrap();
    fs::hard_link(homes.write("half", "x"), homes.directory.path().join("outside")).unwrap();
    assert_eq!(homes.copy().left_alone, 0);
    let inodes: HashSet<u64> =
        ["a/b/one", "z/y/two", "three"].iter().map(|name| status(&homes.new_home(name)).ino()).collect();
    assert_eq!((inodes.len(), status(&homes.new_home("three")).nlink()), (1, 3));
    assert_eq!(status(&homes.new_home("half")).nlink(), 1);
}

#[test]
fn holes_stay_holes() {
    let homes = Homes::new();
    let file = File::create(homes.old("sparse")).unwrap();
    file.set_len(10 << 30).unwrap();
    file.write_all_at(b"middle", 5 << 30).unwrap();
    homes.copy();
    let copied = status(&homes.new_home("sparse"));
    assert_eq!(copied.len(), 10 << 30);
    assert!(copied.blocks() * 512 <= 64 << 10, "{} blocks", copied.blocks());
    let mut middle = [0; 6];
    File::open(homes.new_home("sparse")).unwrap().read_exact_at(&mut middle, 5 << 30).unwrap();
    assert_eq!(&middle, b"middle");
}

/// Makes a chain of directories below `top` and gives the deepest.
fn deep(top: OwnedFd, levels: usize) -> OwnedFd {
    (0..levels).fold(top, |directory, _| {
        mkdirat(&directory, "d", Mode::S_IRWXU).unwrap();
        openat(&directory, "d", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()).unwrap()
    })
}

fn depth(top: OwnedFd) -> (usize, OwnedFd) {
    let (mut levels, mut directory) = (0, top);
    while let Ok(below) = openat(&directory, "d", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()) {
        (levels, directory) = (levels + 1, below);
    }
    (levels, directory)
}

#[test]
fn a_tree_of_5000_levels_is_copied_and_handed_over() {
    let homes = Homes::new();
    let bottom = deep(homes.opened("old"), 5000);
    openat(&bottom, "leaf", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRWXU).unwrap();
    assert_eq!(homes.copy().files, 5001);
    let (levels, bottom) = depth(homes.opened("new"));
    assert_eq!(levels, 5000);
    openat(&bottom, "leaf", OFlag::O_RDONLY, Mode::empty()).unwrap();
    assert_eq!(homes.hand_over((0, 0), (4001, 4001)).files, 5001);
    let (_, bottom) = depth(homes.opened("old"));
    assert_eq!(nix::sys::stat::fstat(&bottom).unwrap().st_uid, 4001);
    // Removing is not the subject here; the standard library's would need a descriptor per level.
    std::process::Command::new("rm").arg("-rf").arg(homes.directory.path()).status().unwrap();
}

#[test]
fn wide_directories_are_read_on_where_they_were_left() {
    let homes = Homes::new();
    let names: Vec<String> = (0..1500).map(|number| format!("a-longer-name-for-a-directory-{number}")).collect();
    // Deeper than the levels that keep what they have read ahead.
    let nested = "n/".repeat(70);
    for below in ["", &nested] {
        fs::create_dir_all(homes.old(below)).unwrap();
        for name in &names {
            fs::create_dir(homes.old(&format!("{below}{name}"))).unwrap();
            fs::write(homes.old(&format!("{below}{name}/file")), name).unwrap();
        }
    }
    let report = homes.copy();
    assert_eq!((report.files, report.left_alone), (4 * 1500 + 70, 0));
    for below in ["", &nested] {
        let wrong = names.iter().find(|name| {
            fs::read_to_string(homes.new_home(&format!("{below}{name}/file"))).ok().as_deref() != Some(name)
        });
        assert_eq!(wrong, None);
    }
}

#[test]
fn what_is_not_the_users_is_left_alone_and_counted() {
    let homes = Homes::new();
    chown(homes.write("theirs", "secret"), Some(STRANGER), None).unwrap();
    homes.write("their-directory/inside", "x");
    chown(homes.old("their-directory"), Some(STRANGER), None).unwrap();
    homes.write("nested/home/file", "x");
    homes.write("mine", "x");
    let report = homes.copy_without(&["/old/nested/home"]);
    assert_eq!((report.files, report.left_alone), (2, 3));
    let copied: HashSet<_> =
        fs::read_dir(homes.new_home("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(copied, HashSet::from(["nested".into(), "mine".into()]));
    assert_eq!(fs::read_dir(homes.new_home("nested")).unwrap().count(), 0);
}

#[test]
fn what_the_new_home_has_stays_and_the_key_file_is_never_copied() {
    let homes = Homes::new();
    homes.write(".profile", "old");
    homes.write(".ssh/authorized_keys", "revoked");
    homes.write(".ssh/known_hosts", "hosts");
    homes.write("sub/.ssh/authorized_keys", "not the key file");
    fs::write(homes.new_home(".profile"), "new").unwrap();
    let report = homes.copy();
    assert_eq!(report.left_alone, 1);
    assert_eq!(fs::read_to_string(homes.new_home(".profile")).unwrap(), "new");
    assert!(!homes.new_home(".ssh/authorized_keys").exists());
    assert_eq!(fs::read_to_string(homes.new_home(".ssh/known_hosts")).unwrap(), "hosts");
    assert!(homes.new_home("sub/.ssh/authorized_keys").exists());
}

#[test]
fn a_transfer_that_was_killed_goes_on_with_what_it_has() {
    let homes = Homes::new();
    homes.write("a/one", "one");
    fs::hard_link(homes.write("a/linked", "linked"), homes.old("again")).unwrap();
    homes.write("b/two", "two");
    fs::set_permissions(homes.old("b"), Permissions::from_mode(0o750)).unwrap();
    homes.copy();
    let inode = |path: &str| status(&homes.new_home(path)).ino();
    let (one, linked) = (inode("a/one"), inode("a/linked"));
    let original = status(&homes.old("again"));
    let kept = format!(".accountd-transfer/link-{:x}-{:x}", original.dev(), original.ino());
    // As it would be had it been killed: a directory that is being filled, a file without a name.
    fs::remove_file(homes.new_home("b/two")).unwrap();
    fs::remove_file(homes.new_home("again")).unwrap();
    fs::set_permissions(homes.new_home("b"), Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(homes.new_home(".accountd-transfer")).unwrap();
    symlink("filling", homes.new_home(&format!(".accountd-transfer/filling-{:x}", inode("b")))).unwrap();
    fs::write(homes.new_home(".accountd-transfer/new-1"), "half").unwrap();
    fs::hard_link(homes.new_home("a/linked"), homes.new_home(&kept)).unwrap();
    assert_eq!(homes.copy().left_alone, 0);
    assert_eq!((inode("a/one"), inode("a/linked"), inode("again")), (one, linked, linked));
    assert_eq!(
        (mode(&homes.new_home("b")), fs::read_to_string(homes.new_home("b/two")).unwrap()),
        (0o750, "two".into())
    );
    assert!(!homes.new_home(".accountd-transfer").exists());
}

#[test]
fn only_what_the_old_owner_has_is_handed_over() {
    let homes = Homes::new();
    let owned = |path: &str, uid, gid| {
        let path = homes.write(path, "x");
        chown(&path, Some(uid), Some(gid)).unwrap();
        path
    };
    let paths = [
        owned("plain", 3001, 3001),
        owned("grouped", 3001, 50),
        owned("stranger", STRANGER, 3001),
        owned("linked", 3001, 3001),
        owned("setuid", 3001, 3001),
    ];
    fs::hard_link(&paths[3], homes.directory.path().join("outside")).unwrap();
    fs::set_permissions(&paths[4], Permissions::from_mode(0o6755)).unwrap();
    symlink("/etc/passwd", homes.old("link")).unwrap();
    for path in [homes.old("link"), homes.old("")] {
        lchown(path, Some(3001), Some(3001)).unwrap();
    }
    let report = homes.hand_over((3001, 3001), (4001, 4002));
    let owners = |path: &Path| (status(path).uid(), status(path).gid());
    let now: Vec<_> = paths.iter().map(|path| owners(path)).collect();
    assert_eq!(now, [(4001, 4002), (4001, 50), (STRANGER, 3001), (3001, 3001), (4001, 4002)]);
    assert_eq!((owners(&homes.old("link")), owners(&homes.old(""))), ((4001, 4002), (4001, 4002)));
    assert_eq!(mode(&paths[4]), 0o755);
    assert_eq!((report.files, report.left_alone), (4, 2));
    assert_eq!(status(Path::new("/etc/passwd")).uid(), 0);
    let again = homes.hand_over((3001, 3001), (4001, 4002));
    assert_eq!((again.files, again.left_alone), (4, 2), "what is done is done");
}

/// Swaps a directory for a symbolic link to another tree, all the time.
fn while_swapping(homes: &Homes, work: impl FnOnce()) {
    symlink(homes.directory.path().join("outside"), homes.old("link")).unwrap();
    let (old, stop) = (homes.opened("old"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat2(&old, "directory", &old, "link", RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn whoever_swaps_a_directory_for_a_link_leads_nobody_elsewhere() {
    let homes = Homes::new();
    let outside = homes.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for number in 0..50 {
        homes.write(&format!("directory/{number}/file"), "mine");
        fs::write(outside.join(number.to_string()), "theirs").unwrap();
    }
    while_swapping(&homes, || {
        for round in 0..40 {
            // Even rounds hand over, odd ones hand back; what lies outside has the same owner.
            let owners = if round % 2 == 0 { ((0, 0), (4001, 4001)) } else { ((4001, 4001), (0, 0)) };
            let owner = |(uid, gid)| Owner { uid: Uid(uid), gid: Gid(gid) };
            let mut reporter = Reporter::new(std::io::sink());
            let result =
                hand_over(&homes.opened("old"), (owner(owners.0), owner(owners.1)), &HashSet::new(), &mut reporter);
            assert!(matches!(result, Ok(()) | Err(super::Fault::Moved)), "{result:?}");
        }
    });
    for entry in fs::read_dir(&outside).unwrap() {
        assert_eq!(status(&entry.unwrap().path()).uid(), 0);
    }
    assert_eq!(status(&outside).uid(), 0);
}

#[test]
fn a_copy_never_follows_a_directory_that_becomes_a_link() {
    let homes = Homes::new();
    let outside = homes.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "theirs").unwrap();
    for number in 0..200 {
        homes.write(&format!("directory/{number}"), "mine");
    }
    while_swapping(&homes, || {
        for _ in 0..20 {
            let _ = homes.copy();
        }
    });
    for name in ["directory", "link"] {
        let found = homes.new_home(name);
        if status(&found).is_dir() {
            assert!(!found.join("secret").exists());
        }
    }
}

#[test]
fn what_no_copy_can_be_made_of_is_left_alone() {
    let homes = Homes::new();
    let device = nix::sys::stat::makedev(1, 3);
    let kind = nix::sys::stat::SFlag::S_IFCHR;
    nix::sys::stat::mknod(&homes.write("keep/file", "x").with_file_name("null"), kind, Mode::S_IRWXU, device).unwrap();
    homes.write("taken/file", "x");
    fs::write(homes.new_home("taken"), "a file of this name").unwrap();
    homes.write(".accountd-transfer/left", "of an earlier transfer");
    assert_eq!(homes.copy().left_alone, 2);
    assert!(homes.new_home("keep/file").exists() && !homes.new_home("keep/null").exists());
    assert_eq!(fs::read(homes.new_home("taken")).unwrap(), b"a file of this name");
    assert!(!homes.new_home(".accountd-transfer").exists());
}

#[test]
fn homes_of_others_and_homes_that_are_not_there_are_nobodys_to_copy() {
    let refused = |prepare: &dyn Fn(&Homes)| {
        let homes = Homes::new();
        homes.write("file", "x");
        prepare(&homes);
        let transfer = Transfer {
            from: "/old".into(),
            to: "/new".into(),
            others: Vec::new(),
            attributes: Attributes::Copied,
            passes: Passes::UntilComplete,
        };
        let error = copy(&homes.opened(""), Uid(0), &transfer, &mut Reporter::new(std::io::sink())).unwrap_err();
        assert!(!homes.new_home("file").exists());
        error
    };
    let not_owned = |error: WorkError| error.to_string() == WorkError::from(Fault::NotOwned).to_string();
    assert!(matches!(refused(&|homes| fs::remove_dir_all(homes.old("")).unwrap()), WorkError::NoHome));
    assert!(not_owned(refused(&|homes| chown(homes.new_home(""), Some(STRANGER), None).unwrap())));
    assert!(not_owned(refused(&|homes| {
        fs::create_dir(homes.new_home(".accountd-transfer")).unwrap();
        chown(homes.new_home(".accountd-transfer"), Some(STRANGER), None).unwrap();
    })));
}

#[test]
fn a_home_of_somebody_else_is_not_handed_over() {
    let homes = Homes::new();
    let file = homes.write("file", "x");
    chown(homes.old(""), Some(STRANGER), None).unwrap();
    let owner = |uid| Owner { uid: Uid(uid), gid: Gid(uid) };
    let mut reporter = Reporter::new(std::io::sink());
    let result = hand_over(&homes.opened("old"), (owner(0), owner(3001)), &HashSet::new(), &mut reporter);
    assert!(matches!(result, Err(Fault::NotOwned)), "{result:?}");
    assert_eq!(status(&file).uid(), 0);
}
