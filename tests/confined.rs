//! Sessions that see a directory as `/`, while somebody else changes what is in it.
//!
//! The racing process swaps names as fast as it can: a directory for a symbolic link that leads
//! out, a file for a link to a secret, a parent for another directory. Whatever a request hits, nothing
//! outside of the root is read, changed or even found.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::raw::*;
use crate::running::Running;
use crate::scp::Run;

const SECRET: &[u8] = b"the secret";
/// How long each kind of request is made while names are swapped.
const RACE: Duration = Duration::from_millis(300);
/// The size, mode and time of what is outside; nothing inside looks like it.
const OUTSIDE_MODE: u32 = 0o606;

/// `root`, which the session sees, and `outside` beside it, both the user's own.
struct Jail {
    directory: TempDir,
    before: Vec<String>,
}

impl Jail {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("accountd-jail-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut jail = Self { directory, before: Vec::new() };
        for name in ["outside", "outside/dir", "root", "root/dir", "root/real", "root/real/dir"] {
            fs::create_dir(jail.path(name)).unwrap();
        }
        for (name, content) in [
            ("outside/secret", SECRET),
            ("outside/dir/secret", SECRET),
            ("root/secret", b"inside"),
            ("root/dir/secret", b"inside"),
            ("root/real/secret", b"inside"),
            ("root/real/dir/secret", b"inside"),
        ] {
            fs::write(jail.path(name), content).unwrap();
            let mode = if name.starts_with("outside") { OUTSIDE_MODE } else { 0o644 };
            fs::set_permissions(jail.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let outside = jail.path("outside");
        for (name, target) in [
            ("root/absolute", outside.join("secret")),
            ("root/absolute-dir", outside.clone()),
            ("root/climbing", "../outside/secret".into()),
            ("root/climbing-dir", "../../../../../..".into()),
            ("root/dangling", outside.join("made")),
            ("root/dangling-climbing", "../outside/made".into()),
            ("root/magic", "/proc/self/root".into()),
        ] {
            symlink(target, jail.path(name)).unwrap();
        }
        for entry in walk(jail.directory.path()) {
            std::os::unix::fs::lchown(&entry, Some(USER), Some(USER)).unwrap();
        }
        jail.before = jail.outside();
        jail
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Everything that can be told of what is outside.
    fn outside(&self) -> Vec<String> {
        let mut told: Vec<_> = walk(&self.path("outside"))
            .into_iter()
            .map(|path| {
                let status = fs::symlink_metadata(&path).unwrap();
                let content = if status.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                let changed = (status.mtime(), status.mtime_nsec(), status.ctime(), status.ctime_nsec());
                format!("{} {:o} {} {changed:?} {content:?}", path.display(), status.mode(), status.nlink())
            })
            .collect();
        told.sort_unstable();
        told
    }

    #[track_caller]
    fn is_untouched(&self) {
        assert_eq!(self.outside(), self.before);
    }

    fn session(&self, options: &[&str]) -> Raw {
        let mut command = as_user(&session_program(), &self.path("root"));
        command.args(["sftp", "--root"]).arg(self.path("root")).args(options);
        let mut raw = Raw::start(command);
        raw.greet();
        raw
    }

    fn scp(&self, words: &[&str]) -> Run {
        let mut command = as_user(&session_program(), &self.path("root"));
        command.args(["scp", "--root"]).arg(self.path("root")).arg("--").args(words);
        Run::spawn(command)
    }
}

fn walk(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            found.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// Swaps two names until it is dropped (RENAME_EXCHANGE, renameat2(2)). What the session has
/// removed or moved away is made again.
struct Swapper {
    _running: Running,
}

const SWAPPER: &str = "
import ctypes, os, shutil, sys
libc = ctypes.CDLL(None)
names = sys.argv[1:]
links = {name: os.readlink(name) for name in names if os.path.islink(name)}
directories = {name for name in names if os.path.isdir(name)} - set(links)
def kind(name):
    return 'link' if os.path.islink(name) else 'directory' if os.path.isdir(name) else os.path.lexists(name)
kinds = {pair: sorted(map(str, map(kind, pair))) for pair in zip(names[::2], names[1::2])}
def make_again(name):
    if os.path.isdir(name) and not os.path.islink(name):
        shutil.rmtree(name)
    elif os.path.lexists(name):
        os.unlink(name)
    if name in links:
        os.symlink(links[name], name)
    elif name in directories:
        os.mkdir(name)
    else:
        open(name, 'x').close()
print('ready', flush=True)
while os.getppid() != 1:
    for pair in kinds:
        libc.renameat2(-100, pair[0].encode(), -100, pair[1].encode(), 2)
        if sorted(map(str, map(kind, pair))) != kinds[pair]:
            try:
                make_again(pair[0])
                make_again(pair[1])
            except OSError:
                pass
";

impl Swapper {
    fn start(jail: &Jail, pairs: &[(&str, &str)]) -> Self {
        let mut command = as_user(Path::new("python3"), &jail.path(""));
        command.args(["-c", SWAPPER]).args(pairs.iter().flat_map(|(first, second)| [first, second]));
        let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        let mut said = [0; 6];
        std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut said).unwrap();
        Self { _running: running }
    }
}

/// Every request that takes a path, for that path. Requests that change a name or a file do so to
/// whatever they find inside the root.
fn requests(path: &str) -> Vec<(u8, Body)> {
    let text = || Body::new().text(path);
    let extended = |name: &str| Body::new().text(name).text(path);
    vec![
        (OPEN, text().number(1).number(0)),
        (OPEN, text().number(2 | 8).number(0)),
        (OPEN, text().number(2 | 8 | TRUNCATE).number(PERMISSIONS).number(0o644)),
        (OPEN, text().number(2 | 8 | EXCLUSIVE).number(0)),
        (OPEN, text().number(2 | 8 | APPEND).number(0)),
        (STAT, text()),
        (LSTAT, text()),
        (SETSTAT, text().number(SIZE).long(3)),
        (SETSTAT, text().number(PERMISSIONS).number(0o777)),
        (SETSTAT, text().number(TIMES).number(7).number(7)),
        (SETSTAT, text().number(OWNER).number(USER).number(USER)),
        (OPENDIR, text()),
        (REALPATH, text()),
        (READLINK, text()),
        (EXTENDED, extended("statvfs@openssh.com")),
        (EXTENDED, extended("lsetstat@openssh.com").number(TIMES).number(7).number(7)),
        (EXTENDED, extended("expand-path@openssh.com")),
        (SYMLINK, Body::new().text("/anywhere").text(path)),
        (MKDIR, text().number(0)),
        (EXTENDED, extended("hardlink@openssh.com").text("/hard")),
        (EXTENDED, Body::new().text("hardlink@openssh.com").text("/secret").text(path)),
        (RENAME, text().text("/renamed")),
        (RENAME, Body::new().text("/renamed").text(path)),
        (EXTENDED, extended("posix-rename@openssh.com").text("/renamed")),
        (EXTENDED, Body::new().text("posix-rename@openssh.com").text("/renamed").text(path)),
        (REMOVE, text()),
        (RMDIR, text()),
    ]
}

/// Makes all requests for a path and uses the handles that come of them.
fn exercise(raw: &mut Raw, path: &str) {
    for (kind, body) in requests(path) {
        let (answer, body) = raw.ask(kind, body);
        match answer {
            HANDLE => use_handle(raw, &body[4..], path),
            ATTRS => assert_ne!(Attributes::of(&body).mode & 0o7777, OUTSIDE_MODE, "{path}"),
            NAME if kind == READLINK => {}
            NAME => assert!(!contains(&body, b"outside/dir"), "{path}: {}", String::from_utf8_lossy(&body)),
            _ => {}
        }
    }
    let _ = raw.ask(REMOVE, Body::new().text("/hard"));
}

fn use_handle(raw: &mut Raw, handle: &[u8], path: &str) {
    let (answer, body) = raw.ask(READ, Body::new().text(handle).long(0).number(100));
    assert!(answer != DATA || !contains(&body, SECRET), "read of {path}");
    raw.ask(WRITE, Body::new().text(handle).long(0).text("written"));
    raw.ask(FSETSTAT, Body::new().text(handle).number(PERMISSIONS).number(0o750));
    let (answer, body) = raw.ask(READDIR, Body::new().text(handle));
    // The one listing that must not be had is that of `outside` or of what is above it.
    assert!(answer != NAME || !contains(&body, b"outside"), "listing of {path}");
    // An upload may have lost its place meanwhile.
    raw.ask(CLOSE, Body::new().text(handle));
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

const PATHS: [&str; 22] = [
    "..",
    "../outside",
    "../outside/secret",
    "/../../outside/secret",
    "dir/../../outside/secret",
    "dir/../../../../../../../../etc/passwd",
    "absolute",
    "absolute-dir",
    "absolute-dir/secret",
    "absolute-dir/new",
    "climbing",
    "climbing-dir",
    "climbing-dir/etc/passwd",
    "climbing-dir/../outside/secret",
    "dangling",
    "dangling-climbing",
    "magic",
    "magic/etc/passwd",
    "/proc/self/root",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/../outside/secret",
    "/dev/../outside/new",
];

#[test]
fn no_path_leads_out_of_the_root() {
    for options in [&[][..], &["--uploads", "atomic"]] {
        for path in PATHS {
            let jail = Jail::new();
            let mut raw = jail.session(options);
            exercise(&mut raw, path);
            raw.ends();
            jail.is_untouched();
        }
    }
}

/// Links as a client makes them: their text is its own business, where they lead is not.
#[test]
fn a_link_that_the_session_makes_itself_leads_nowhere_else() {
    let jail = Jail::new();
    let mut raw = jail.session(&[]);
    let outside = jail.path("outside");
    for target in [outside.to_str().unwrap(), "../outside", "/proc/self/root", "/"] {
        assert_eq!(raw.status(SYMLINK, Body::new().text(target).text("made")), OK);
        for path in ["made", "made/secret", "made/new", "made/../outside/secret", "made/proc/1/root/etc/passwd"] {
            if path != "made" {
                exercise(&mut raw, path);
            } else {
                assert_ne!(raw.ask(OPENDIR, Body::new().text(path)).0, 0);
            }
        }
        assert_eq!(raw.status(REMOVE, Body::new().text("made")), OK);
    }
    jail.is_untouched();
}

#[test]
fn a_directory_that_is_swapped_for_a_link_leads_nowhere_else() {
    race(&[("root/dir", "root/absolute-dir")], &["dir/secret", "dir/new", "dir/dir/secret", "dir"]);
}

#[test]
fn a_file_that_is_swapped_for_a_link_leads_nowhere_else() {
    race(&[("root/secret", "root/absolute"), ("root/dir/secret", "root/climbing")], &["secret", "dir/secret"]);
}

#[test]
fn a_dangling_link_that_comes_and_goes_makes_nothing_outside() {
    race(&[("root/secret", "root/dangling"), ("root/dir/secret", "root/dangling-climbing")], &["secret", "dir/secret"]);
}

/// While `dir/../../outside` is resolved, `dir` moves out of the root and back.
#[test]
fn a_parent_that_is_renamed_out_of_the_root_takes_nobody_along() {
    race(
        &[("root/real", "moved"), ("root/real/dir", "deeper")],
        &["real/dir/../../outside/secret", "real/dir/../../../outside/new", "real/../outside/secret", "real/dir/.."],
    );
}

fn race(pairs: &[(&str, &str)], paths: &[&str]) {
    for options in [&[][..], &["--uploads", "atomic"]] {
        let jail = Jail::new();
        for name in ["moved", "deeper"] {
            fs::create_dir(jail.path(name)).unwrap();
            chown(jail.path(name), Some(USER), Some(USER)).unwrap();
        }
        let _swapper = Swapper::start(&jail, pairs);
        let end = Instant::now() + RACE * u32::try_from(paths.len()).unwrap();
        let mut raw = jail.session(options);
        let swapped = pairs[0].0.strip_prefix("root/").unwrap();
        let (mut links, mut others) = (0, 0);
        while Instant::now() < end {
            for path in paths {
                exercise(&mut raw, path);
            }
            for _ in 0..20 {
                let (answer, body) = raw.ask(LSTAT, Body::new().text(swapped));
                match answer {
                    ATTRS if Attributes::of(&body).mode & 0o170_000 == 0o120_000 => links += 1,
                    ATTRS => others += 1,
                    _ => {}
                }
            }
        }
        raw.ends();
        // There was a race: both have been seen under the name, where one of them is a link.
        assert!(others > 0 && (links > 0 || pairs[0].1 == "moved"), "{links} links, {others} others");
        jail.is_untouched();
    }
}

#[test]
fn scp_leads_nowhere_else() {
    for path in PATHS {
        let jail = Jail::new();
        for words in [&["-r", "-f", path][..], &["-f", path]] {
            let mut source = jail.scp(words);
            source.send([0; 400]);
            let (said, _) = source.end();
            assert!(!contains(&said, SECRET) && !contains(&said, b"root:x:0"), "{path}");
        }
        let mut sink = jail.scp(&["-r", "-p", "-t", path]);
        sink.send("T7 0 7 0\nC0777 4 secret\nevil\0D0777 0 dir\nC0777 4 secret\nevil\0E\n");
        sink.end();
        jail.is_untouched();
    }
}

#[test]
fn scp_is_not_led_out_by_names_that_change() {
    for pairs in [
        &[("root/dir", "root/absolute-dir")][..],
        &[("root/dir/secret", "root/absolute"), ("root/secret", "root/dangling")],
        &[("root/real", "root/climbing-dir"), ("root/real/dir", "root/absolute-dir")],
    ] {
        let jail = Jail::new();
        let swapper = Swapper::start(&jail, pairs);
        let end = Instant::now() + 4 * RACE;
        while Instant::now() < end {
            let mut source = jail.scp(&["-r", "-f", "dir", "real", "secret"]);
            source.send([0; 400]);
            let (said, _) = source.end();
            assert!(!contains(&said, SECRET), "{}", String::from_utf8_lossy(&said));
            let mut sink = jail.scp(&["-r", "-p", "-t", "/"]);
            sink.send("D0755 0 dir\nC0644 4 secret\nevil\0C0644 4 new\nevil\0T7 0 7 0\nD0755 0 dir\nE\nE\n");
            sink.send("D0755 0 real\nD0755 0 dir\nC0644 4 secret\nevil\0E\nE\nC0644 4 secret\nevil\0");
            sink.end();
        }
        drop(swapper);
        jail.is_untouched();
    }
}
