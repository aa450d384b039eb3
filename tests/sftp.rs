//! SFTP with OpenSSH's clients: what people do with files, and what is on disk after it.

mod refused;
mod requests;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::freenas::{Nas, new_user};
use crate::openssh::{Client, run};

pub const HOME: &str = "/mnt/tank/home/anna";

/// A sandbox with `anna` (uid 3001).
pub struct Files {
    pub nas: Nas,
}

impl Files {
    pub fn new() -> Self {
        let nas = Nas::start();
        nas.rest.create_user(&new_user("anna", 3001, "pw"));
        Self { nas }
    }

    pub fn anna(&self) -> Client<'_> {
        self.nas.world.with_password("anna", "pw")
    }

    /// A file in anna's home, on disk.
    pub fn remote(&self, name: &str) -> PathBuf {
        self.nas.disk.path(HOME).join(name)
    }

    pub fn local(&self, name: &str) -> PathBuf {
        self.nas.world.client_file(name)
    }
}

/// Bytes that differ everywhere and are the same in every run.
fn pattern(length: usize) -> Vec<u8> {
    (0..length.div_ceil(32) as u64).flat_map(|block| Sha256::digest(block.to_le_bytes())).take(length).collect()
}

#[test]
fn large_files_arrive_whole_both_ways() {
    let files = Files::new();
    for length in [0, 1, 32_767, 32_768, 32_769, 261_120, 70_000_003] {
        let sent = pattern(length);
        fs::write(files.local("sent"), &sent).unwrap();
        files.anna().sftp("put sent there\nget there back\n");
        assert!(fs::read(files.remote("there")).unwrap() == sent, "{length} bytes up");
        assert!(fs::read(files.local("back")).unwrap() == sent, "{length} bytes down");
    }
}

#[test]
fn interrupted_transfers_are_resumed() {
    let files = Files::new();
    let whole = pattern(5_000_000);
    fs::write(files.local("whole"), &whole).unwrap();
    fs::write(files.remote("part"), &whole[..1_234_567]).unwrap();
    std::os::unix::fs::chown(files.remote("part"), Some(3001), Some(3001)).unwrap();
    files.anna().sftp("reput whole part\n");
    assert!(fs::read(files.remote("part")).unwrap() == whole);
    fs::write(files.local("rest"), &whole[..3_000_001]).unwrap();
    files.anna().sftp("reget part rest\n");
    assert!(fs::read(files.local("rest")).unwrap() == whole);
}

#[test]
fn thousands_of_entries_are_listed_with_owner_and_size() {
    let files = Files::new();
    let directory = files.remote("many");
    fs::create_dir(&directory).unwrap();
    for number in 0..5000 {
        fs::write(directory.join(format!("entry-{number:04}")), "x").unwrap();
    }
    let listed = files.anna().sftp("ls -l many\n");
    let lines: Vec<&str> = listed.lines().filter(|line| line.contains("entry-")).collect();
    assert_eq!(lines.len(), 5000);
    // With names from users-groups-by-id, the client makes the line itself, and knows no links.
    assert!(lines[4999].starts_with("-rw-r--r--    ? root     root            1 "), "{}", lines[4999]);
    assert!(lines[4999].ends_with(" many/entry-4999"), "{}", lines[4999]);
}

#[test]
fn names_are_bytes() {
    let files = Files::new();
    fs::write(files.local("x"), "x").unwrap();
    let names: [&[u8]; 6] = [b"\xff\xfe", b"a\x80b", "\u{fc}n\u{ef}".as_bytes(), b"sp ace", b"-dash", b"*star"];
    for name in names {
        let mut commands = b"put x \"./".to_vec();
        let quoted: Vec<u8> =
            name.iter().flat_map(|byte| if *byte == b'*' { vec![b'\\', b'*'] } else { vec![*byte] }).collect();
        commands.extend_from_slice(&quoted);
        commands.extend_from_slice(b"\"\n");
        let output = files.anna().sftp_bytes(&commands);
        assert!(output.status.success(), "{name:x?} {}", String::from_utf8_lossy(&output.stderr));
        let found =
            fs::read_dir(files.remote("")).unwrap().any(|entry| entry.unwrap().file_name() == OsStr::from_bytes(name));
        // The client itself drops a backslash or keeps it before a star.
        let kept = fs::read_dir(files.remote(""))
            .unwrap()
            .any(|entry| entry.unwrap().file_name() == OsStr::from_bytes(&quoted));
        assert!(found || kept, "{name:x?}");
    }
    let made = OsStr::from_bytes(b"made-here-\xc3\x28");
    fs::write(files.remote("").join(made), "made").unwrap();
    files.anna().sftp("get made-here-* fetched\n");
    assert_eq!(fs::read(files.local("fetched")).unwrap(), b"made");
}

#[test]
fn attributes_are_set_and_shown() {
    let files = Files::new();
    fs::write(files.local("x"), "x").unwrap();
    fs::set_permissions(files.local("x"), fs::Permissions::from_mode(0o604)).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(files.local("x")).unwrap().set_modified(old).unwrap();
    files.anna().sftp("put -p x kept\nput x plain\nchgrp 3001 plain\nchmod 2710 plain\n");
    let kept = fs::metadata(files.remote("kept")).unwrap();
    assert_eq!((kept.mode() & 0o7777, kept.mtime(), kept.uid(), kept.gid()), (0o604, 1_000_000_000, 3001, 3001));
    assert_eq!(fs::metadata(files.remote("plain")).unwrap().mode() & 0o7777, 0o2710);
    let listed = files.anna().sftp("ls -l\n");
    assert!(listed.contains("-rw----r--    ? anna     anna            1 Sep  9  2001 kept"), "{listed}");
    files.anna().sftp("get -p kept back\n");
    assert_eq!(fs::metadata(files.local("back")).unwrap().mtime(), 1_000_000_000);
}

#[test]
fn the_umask_makes_the_mode_of_what_is_new() {
    let files = Files::new();
    fs::write(files.local("open"), "x").unwrap();
    fs::set_permissions(files.local("open"), fs::Permissions::from_mode(0o666)).unwrap();
    files.anna().sftp("put open\nmkdir directory\n");
    assert_eq!(files.nas.disk.owner_and_mode(&format!("{HOME}/open")), (3001, 3001, 0o644));
    assert_eq!(files.nas.disk.owner_and_mode(&format!("{HOME}/directory")), (3001, 3001, 0o755));
}

#[test]
fn links_renames_and_removal() {
    let files = Files::new();
    fs::write(files.local("x"), "one").unwrap();
    fs::write(files.local("y"), "two").unwrap();
    files.anna().sftp(
        "put x a\nput y b\nsymlink a soft\nln b hard\nsymlink /nowhere dangling\nmkdir d\nrename a d/a\nls -l dangling\n",
    );
    assert_eq!(fs::read_link(files.remote("soft")).unwrap(), PathBuf::from("a"));
    assert_eq!(fs::metadata(files.remote("hard")).unwrap().nlink(), 2);
    assert_eq!(fs::read(files.remote("d/a")).unwrap(), b"one");
    // posix-rename@openssh.com puts one in the place of another.
    files.anna().sftp("rename b d/a\n");
    assert_eq!(fs::read(files.remote("d/a")).unwrap(), b"two");
    assert!(!files.remote("b").exists());
    files.anna().sftp_fails("rmdir d\n");
    assert!(files.remote("d/a").exists());
    files.anna().sftp("rm d/a\nrm dangling\nrm soft\nrmdir d\n");
    assert!(!files.remote("d").exists() && fs::symlink_metadata(files.remote("dangling")).is_err());
    files.anna().sftp_fails("rm d/a\n");
    files.anna().sftp_fails("rm .\n");
}

#[test]
fn free_space_is_told() {
    let files = Files::new();
    let told = files.anna().sftp("df\ndf -i\n");
    let figures: Vec<u64> = told.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    let status = nix::sys::statvfs::statvfs(&files.remote("")).unwrap();
    let kib = status.blocks() * status.fragment_size() / 1024;
    assert_eq!(figures.len(), 2, "{told}");
    assert_eq!((figures[0], figures[1]), (kib, status.files()), "{told}");
}

#[test]
fn a_session_starts_in_the_home_and_sees_the_whole_tree() {
    let files = Files::new();
    let told = files.anna().sftp("pwd\ncd ..\npwd\ncd /etc\nls passwd\n");
    let places: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("Remote working directory: ")).collect();
    assert_eq!(places, [HOME, "/mnt/tank/home"]);
    assert!(told.contains("passwd"));
}

#[test]
fn scp_copies_trees_both_ways() {
    let files = Files::new();
    let tree = files.local("tree");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::write(tree.join("a/b/file"), pattern(100_000)).unwrap();
    fs::write(tree.join("top"), "t").unwrap();
    let scp = |from: &str, to: &str| {
        let mut command = files.anna().prepare("scp");
        command.args(["-r", "-p", from, to]).current_dir(files.local(""));
        let output = run(command, b"");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    scp("tree", "127.0.0.1:copied");
    assert!(fs::read(files.remote("copied/a/b/file")).unwrap() == pattern(100_000));
    assert_eq!(fs::metadata(files.remote("copied/a")).unwrap().uid(), 3001);
    scp("127.0.0.1:copied", "back");
    assert!(fs::read(files.local("back/a/b/file")).unwrap() == pattern(100_000));
    assert_eq!(fs::read(files.local("back/top")).unwrap(), b"t");
}

#[test]
fn a_pipe_does_not_hang_the_session() {
    let files = Files::new();
    nix::unistd::mkfifo(&files.remote("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    std::os::unix::fs::chown(files.remote("pipe"), Some(3001), Some(3001)).unwrap();
    assert!(fs::symlink_metadata(files.remote("pipe")).unwrap().file_type().is_fifo());
    let mut command = files.anna().prepare("sftp");
    command.args(["-b", "-", "127.0.0.1"]).current_dir(files.local(""));
    let mut timed = std::process::Command::new("timeout");
    timed.arg("20").arg(command.get_program()).args(command.get_args()).current_dir(files.local(""));
    for (name, value) in command.get_envs() {
        timed.env(name, value.unwrap_or_default());
    }
    let output = run(timed, b"-get pipe\nls -1\n");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_full_disk_is_told_and_the_rest_stays() {
    let files = Files::new();
    // A small file system of its own, inside the sandbox only.
    files.nas.world.run(&["mount", "-t", "tmpfs", "-o", "size=4m,uid=3001,gid=3001,mode=755", "tmpfs", HOME]);
    fs::write(files.local("small"), pattern(1_000_000)).unwrap();
    fs::write(files.local("large"), pattern(6_000_000)).unwrap();
    files.anna().sftp("put small\n");
    let said = files.anna().sftp_fails("put large\n");
    assert!(said.contains("write remote") || said.contains("ailure") || said.contains("space"), "{said}");
    files.anna().sftp("rm large\nget small back\n");
    assert!(fs::read(files.local("back")).unwrap() == pattern(1_000_000));
}
