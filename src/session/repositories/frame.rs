//! What git is started on: a directory of the session's own with the settings that are meant, in which
//! objects and references are links into the repository (gitrepository-layout(5)).
//!
//! git reads the settings of the directory that it is started on and no others. What a repository itself has
//! in `config`, `hooks` and `info` is not read, so nothing that somebody with write access puts there runs as
//! whoever comes next: neither hooks nor filters, proxies, commands for archives, helpers for credentials
//! or anything that a later git may add.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::unistd::{Uid, mkdtemp};

use super::place::Place;
use super::{RepositoryError, run};

const TEMPORARY: &str = "/tmp";
const PREFIX: &str = "accountd-git-";
/// One that is older was left by a session that was killed.
const OLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Where references and objects are; the last two need not be there.
const LINKS: [&str; 4] = ["objects", "refs", "packed-refs", "shallow"];

/// Whatever is served or fetched.
const COMMON: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n\
                      \tlogAllRefUpdates = false\n\thooksPath = /dev/null\n\tfsmonitor = false\n\
                      \talternateRefsCommand = true\n\
                      [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[pack]\n\twindowMemory = 256m\n";
/// For a client.
pub const SERVER: &str = "[receive]\n\tautogc = false\n\tupdateServerInfo = false\n\tdenyCurrentBranch = refuse\n\
                          [uploadpack]\n\tallowFilter = true\n[protocol]\n\tallow = never\n";

/// Removed when dropped.
#[derive(Debug)]
pub struct Frame(PathBuf);

impl Frame {
    /// `settings` stand behind those that are for all.
    pub fn make(place: &Place, settings: &str) -> Result<Self, RepositoryError> {
        let frame = Self::empty()?;
        let fill = || {
            fs::write(frame.0.join("config"), format!("{COMMON}{settings}"))?;
            fs::write(frame.0.join("HEAD"), head(place))?;
            LINKS.into_iter().try_for_each(|part| symlink(place.path().join(part), frame.0.join(part)))
        };
        fill().map_err(RepositoryError::io("fill a directory in /tmp"))?;
        Ok(frame)
    }

    /// One without anything in it, for settings of another program.
    pub fn empty() -> Result<Self, RepositoryError> {
        sweep();
        let template = Path::new(TEMPORARY).join(format!("{PREFIX}XXXXXX"));
        mkdtemp(&template).map(Self).map_err(RepositoryError::io("make a directory in /tmp"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A program of git that reads none but these settings.
    pub fn git(&self, command: impl AsRef<OsStr>) -> Command {
        let mut git = run::clean("git");
        git.arg(command.as_ref());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_NO_LAZY_FETCH", "1");
        git.env("GIT_ATTR_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "none");
        git
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // What stays is removed by a later session of the user.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The branch that a clone begins with. Where the one that the repository names is not there, another that
/// is: the first push, or a pull, may have brought a `master`.
fn head(place: &Place) -> Vec<u8> {
    const UNBORN: &[u8] = b"ref: refs/heads/main\n";
    let Some(head) = place.read("HEAD") else { return UNBORN.to_vec() };
    let text = String::from_utf8_lossy(&head);
    let Some(branch) = text.trim_end().strip_prefix("ref: refs/heads/") else {
        // One that is detached is a number; anything else is not passed on.
        let is_number = text.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit());
        return if is_number { head } else { UNBORN.to_vec() };
    };
    let plain = |name: &str| !name.is_empty() && !name.contains(char::is_control);
    let packed = place.read("packed-refs").unwrap_or_default();
    let packed = String::from_utf8_lossy(&packed);
    let mut branches: Vec<String> = place.files("refs/heads");
    branches.extend(packed.lines().filter_map(|line| line.split_once(" refs/heads/").map(|(_, name)| name.to_owned())));
    branches.retain(|name| plain(name) && !name.ends_with(".lock"));
    branches.sort_unstable();
    let is_there = |name: &str| branches.iter().any(|branch| branch == name);
    let usual = ["main", "master", "trunk", "default"].into_iter().find(|name| is_there(name));
    let chosen = match branch {
        branch if plain(branch) && (branches.is_empty() || is_there(branch) || branch.contains('/')) => branch,
        _ => usual.or(branches.first().map(String::as_str)).unwrap_or("main"),
    };
    format!("ref: refs/heads/{chosen}\n").into_bytes()
}

/// Removes what sessions of this user have left that were killed.
fn sweep() {
    let entries = fs::read_dir(TEMPORARY).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes())) {
        let Ok(status) = fs::symlink_metadata(entry.path()) else { continue };
        let age = status.modified().ok().and_then(|made| SystemTime::now().duration_since(made).ok());
        if status.is_dir() && status.uid() == Uid::effective().as_raw() && age.is_some_and(|age| age > OLD) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_begins_with_a_branch_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let repository = directory.path().join("a");
        for name in ["objects", "refs/heads"] {
            fs::create_dir_all(repository.join(name)).unwrap();
        }
        fs::write(repository.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let seen = || {
            let head = head(&Place::find(directory.path(), b"a").unwrap());
            String::from_utf8(head).unwrap()
        };
        assert_eq!(seen(), "ref: refs/heads/main\n");
        fs::write(repository.join("packed-refs"), "# pack-refs\n0123 refs/heads/zebra\n0123 refs/tags/main\n").unwrap();
        assert_eq!(seen(), "ref: refs/heads/zebra\n");
        fs::write(repository.join("refs/heads/master"), "0123").unwrap();
        assert_eq!(seen(), "ref: refs/heads/master\n");
        fs::write(repository.join("refs/heads/main"), "0123").unwrap();
        assert_eq!(seen(), "ref: refs/heads/main\n");
        fs::write(repository.join("HEAD"), "gitdir: /elsewhere\n").unwrap();
        assert_eq!(seen(), "ref: refs/heads/main\n");
    }

    #[test]
    fn what_an_earlier_session_of_the_user_has_left_long_ago_goes() {
        let made = |age: Duration| {
            let path = mkdtemp(&Path::new(TEMPORARY).join(format!("{PREFIX}XXXXXX"))).unwrap();
            fs::write(path.join("config"), "").unwrap();
            fs::File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
            path
        };
        let (old, new) = (made(OLD + Duration::from_secs(60)), made(OLD / 2));
        let frame = Frame::empty().unwrap();
        assert!(!old.exists() && new.join("config").exists());
        fs::remove_dir_all(new).unwrap();
        let path = frame.path().to_owned();
        drop(frame);
        assert!(!path.exists());
    }
}
