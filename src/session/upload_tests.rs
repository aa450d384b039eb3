use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use nix::unistd::write;
use tempfile::TempDir;

use super::*;

const WISH: Wish = Wish { flags: OFlag::O_WRONLY, mode: Mode::from_bits_truncate(0o640), target: Target::Replaced };

struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn tree(&self) -> Tree {
        Tree::open(Some(self.0.path())).unwrap()
    }

    fn begin(&self, path: &str) -> Upload {
        Upload::begin(&self.tree(), path.as_bytes(), WISH).unwrap().unwrap()
    }

    /// The same as on a file system that has no files without names.
    fn begin_hidden(&self, name: &str, target: Target) -> Upload {
        let (directory, name) = self.tree().directory_of(name.as_bytes()).unwrap();
        sweep(&directory, &name);
        let (file, hidden) = make_hidden(&directory, &name, OFlag::O_WRONLY, WISH.mode).unwrap();
        Upload { file, directory, name, hidden: Some(hidden), wish: Wish { target, ..WISH } }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }
}

fn put(upload: Upload, text: &str) -> nix::Result<()> {
    write(upload.file(), text.as_bytes()).unwrap();
    upload.publish()
}

#[test]
fn a_file_is_there_when_it_is_whole_and_the_old_one_until_then() {
    let scratch = Scratch::new();
    fs::write(scratch.path("old"), "old").unwrap();
    let (first, second) = (scratch.begin("old"), scratch.begin("new"));
    assert_eq!(scratch.names(), ["old"]);
    assert_eq!(scratch.read("old"), "old");
    put(first, "replaced").unwrap();
    put(second, "made").unwrap();
    assert_eq!((scratch.read("old"), scratch.read("new")), ("replaced".into(), "made".into()));
    assert_eq!(scratch.names(), ["new", "old"]);
    drop(scratch.begin("old"));
    assert_eq!((scratch.read("old"), scratch.names()), ("replaced".into(), vec!["new".into(), "old".into()]));
}

#[test]
fn a_hidden_name_does_the_same_and_goes_with_the_upload() {
    let scratch = Scratch::new();
    fs::write(scratch.path("old"), "old").unwrap();
    let first = scratch.begin_hidden("old", Target::Replaced);
    let second = scratch.begin_hidden("old", Target::Replaced);
    let hidden = scratch.names().into_iter().filter(|name| name.starts_with(".accountd-upload-"));
    assert_eq!(hidden.count(), 2, "both are at work");
    drop(second);
    assert_eq!(scratch.read("old"), "old");
    put(first, "replaced").unwrap();
    assert_eq!((scratch.read("old"), scratch.names()), ("replaced".into(), vec!["old".into()]));
    assert_eq!(put(scratch.begin_hidden("old", Target::New), "x"), Err(Errno::EEXIST));
    put(scratch.begin_hidden("new", Target::New), "x").unwrap();
    assert_eq!(scratch.names(), ["new", "old"]);
}

#[test]
fn what_a_killed_session_has_left_goes_with_the_next_upload_of_that_name() {
    let scratch = Scratch::new();
    let (one, two) = (scratch.begin_hidden("f", Target::Replaced), scratch.begin_hidden("f", Target::Replaced));
    for upload in [one, two] {
        // As after a kill: the file stays, and nobody holds it.
        let Upload { file, hidden, .. } = &upload;
        assert!(hidden.is_some());
        flock(file, FlockOperation::Unlock).unwrap();
        std::mem::forget(upload);
    }
    let other = scratch.begin_hidden("other", Target::Replaced);
    assert_eq!(scratch.names().len(), 3);
    put(scratch.begin("f"), "whole").unwrap();
    assert_eq!(scratch.names().len(), 2, "the one of the other target is held");
    drop(other);
    assert_eq!(scratch.names(), ["f"]);
}

#[test]
fn what_others_put_under_a_hidden_name_stays_and_does_no_harm() {
    let scratch = Scratch::new();
    fs::write(scratch.path("f"), "old").unwrap();
    for slot in 0..SLOTS {
        let hidden = hidden_name(c"f", slot.into());
        symlink("f", scratch.path(hidden.to_str().unwrap())).unwrap();
    }
    put(scratch.begin("f"), "new").unwrap();
    assert_eq!(scratch.read("f"), "new");
    assert_eq!(scratch.names().len(), 1 + SLOTS as usize);
}

#[test]
fn a_target_that_must_be_new_is_not_replaced_however_late_it_comes() {
    let scratch = Scratch::new();
    let wish = Wish { target: Target::New, ..WISH };
    let upload = Upload::begin(&scratch.tree(), b"f", wish).unwrap().unwrap();
    fs::write(scratch.path("f"), "first").unwrap();
    assert_eq!(put(upload, "second"), Err(Errno::EEXIST));
    assert_eq!(Upload::begin(&scratch.tree(), b"f", wish).err(), Some(Errno::EEXIST));
    symlink("nowhere", scratch.path("link")).unwrap();
    assert_eq!(Upload::begin(&scratch.tree(), b"link", wish).err(), Some(Errno::EEXIST));
    assert_eq!((scratch.read("f"), scratch.names()), ("first".into(), vec!["f".into(), "link".into()]));
}

#[test]
fn links_are_followed_inside_the_root_and_stay_links() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("d")).unwrap();
    fs::write(scratch.path("d/f"), "old").unwrap();
    symlink("../../../d/f", scratch.path("d/link")).unwrap();
    symlink("/d/new", scratch.path("dangling")).unwrap();
    symlink("loop", scratch.path("loop")).unwrap();
    put(scratch.begin("d/link"), "through").unwrap();
    put(scratch.begin("dangling"), "made").unwrap();
    assert_eq!((scratch.read("d/f"), scratch.read("d/new")), ("through".into(), "made".into()));
    assert!(fs::symlink_metadata(scratch.path("d/link")).unwrap().is_symlink());
    assert_eq!(Upload::begin(&scratch.tree(), b"loop", WISH).err(), Some(Errno::ELOOP));
}

#[test]
fn the_attributes_of_what_is_replaced_are_kept() {
    let scratch = Scratch::new();
    fs::write(scratch.path("f"), "old").unwrap();
    fs::set_permissions(scratch.path("f"), fs::Permissions::from_mode(0o4664)).unwrap();
    let path = std::ffi::CString::new(scratch.path("f").to_str().unwrap()).unwrap();
    rustix::fs::setxattr(path.as_c_str(), "user.note", b"kept", XattrFlags::empty()).unwrap();
    put(scratch.begin("f"), "new").unwrap();
    assert_eq!(fs::metadata(scratch.path("f")).unwrap().mode() & 0o7777, 0o664);
    let mut value = [0; 16];
    assert_eq!(rustix::fs::getxattr(path.as_c_str(), "user.note", &mut value), Ok(4));
    put(scratch.begin("g"), "new").unwrap();
    assert_eq!(fs::metadata(scratch.path("g")).unwrap().mode() & 0o7777, 0o640);
}

#[test]
fn what_is_no_file_and_what_has_become_none_is_left_alone() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("d")).unwrap();
    nix::unistd::mkfifo(&scratch.path("pipe"), Mode::S_IRWXU).unwrap();
    for path in ["d", "d/", "d/.", "pipe", ""] {
        assert!(Upload::begin(&scratch.tree(), path.as_bytes(), WISH).unwrap().is_none(), "{path}");
    }
    fs::write(scratch.path("f"), "old").unwrap();
    let (replaced, removed, moved) = (scratch.begin("f"), scratch.begin("f"), scratch.begin("f"));
    fs::rename(scratch.path("f"), scratch.path("moved")).unwrap();
    put(moved, "new").unwrap();
    assert_eq!((scratch.read("moved"), scratch.read("f")), ("old".into(), "new".into()));
    fs::remove_file(scratch.path("f")).unwrap();
    put(removed, "again").unwrap();
    assert_eq!(scratch.read("f"), "again");
    fs::remove_file(scratch.path("f")).unwrap();
    fs::create_dir(scratch.path("f")).unwrap();
    assert_eq!(put(replaced, "x"), Err(Errno::EISDIR));
    assert_eq!(scratch.names(), ["d", "f", "moved", "pipe"]);
}
