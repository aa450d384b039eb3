//! A repository by the path that a client gives, below the directory that all lie in: no component of the
//! way is a symbolic link, and none leads out (openat2(2)).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use accountd_protocol::repository::{RepositoryKind, RepositoryName};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, SFlag, fstatat};

use super::RepositoryError;

#[derive(Debug)]
pub struct Place {
    opened: OwnedFd,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Repository(RepositoryKind),
    Nothing,
}

impl Place {
    /// `None` where the path is not that of something below `root`.
    pub fn find(root: &Path, asked: &[u8]) -> Option<Self> {
        let name = name(root, asked)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = open(root, flags, Mode::empty()).ok()?;
        let opened = beneath(&opened, name.as_str()).ok()?;
        let place = Self { opened, path: root.join(name.as_str()) };
        match place.look() {
            // A directory between the root and repositories, which is none.
            Ok(Found::Nothing) => None,
            Ok(Found::Repository(_)) | Err(_) => Some(place),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn look(&self) -> Result<Found, RepositoryError> {
        if self.has(".hg")? {
            // A store somewhere else (`hg share`) would be reached with the rights of whoever comes.
            return match self.has(".hg/sharedpath")? {
                true => Err(RepositoryError::Elsewhere),
                false => Ok(Found::Repository(RepositoryKind::Hg)),
            };
        }
        let parts = [self.has("HEAD")?, self.has("objects")?, self.has("refs")?];
        if parts != [true; 3] {
            return Ok(Found::Nothing);
        }
        // The same of links in place of the directories.
        for part in ["objects", "refs"] {
            if beneath(&self.opened, part).is_err() {
                return Err(RepositoryError::Elsewhere);
            }
        }
        Ok(Found::Repository(RepositoryKind::Git))
    }

    /// The text of a small file of the repository itself.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        const LONGEST: u64 = 1 << 20;
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = std::fs::File::from(open_beneath(&self.opened, name, flags).ok()?);
        let is_file = file.metadata().is_ok_and(|status| status.is_file());
        let mut text = Vec::new();
        let read = std::io::Read::read_to_end(&mut std::io::Read::take(file, LONGEST), &mut text);
        (is_file && read.is_ok()).then_some(text)
    }

    /// The names of the regular files in a directory of the repository.
    pub fn files(&self, directory: &str) -> Vec<String> {
        let opened = open_beneath(&self.opened, directory, OFlag::O_RDONLY | OFlag::O_DIRECTORY);
        let entries = opened.and_then(nix::dir::Dir::from_fd).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.file_type() == Some(nix::dir::Type::File));
        files.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned)).take(1000).collect()
    }

    fn has(&self, name: &str) -> Result<bool, RepositoryError> {
        match fstatat(&self.opened, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFLNK),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
            Err(Errno::EACCES) => Err(RepositoryError::NoAccess),
            Err(error) => Err(RepositoryError::io("look into the repository")(error)),
        }
    }
}

/// `/name`, `name` and `name.git`, also below the directory's own path.
fn name(root: &Path, asked: &[u8]) -> Option<RepositoryName> {
    let asked = std::str::from_utf8(asked).ok()?.trim_end_matches('/');
    let below = Path::new(asked).strip_prefix(root).ok().and_then(Path::to_str);
    let name = below.unwrap_or(asked).trim_start_matches('/');
    RepositoryName::new(name.strip_suffix(".git").unwrap_or(name)).ok()
}

fn beneath(directory: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    open_beneath(directory, name, OFlag::O_PATH | OFlag::O_DIRECTORY)
}

fn open_beneath(directory: &OwnedFd, name: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW).resolve(resolve);
    loop {
        match openat2(directory, name, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(path: &Path) {
        for directory in ["objects", "refs/heads"] {
            std::fs::create_dir_all(path.join(directory)).unwrap();
        }
        std::fs::write(path.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    }

    #[test]
    fn a_path_leads_to_a_repository_below_the_root_or_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let (root, outside) = (directory.path().join("root"), directory.path().join("outside"));
        for path in [root.join("a/b"), root.join("x"), outside.join("secret")] {
            git(&path);
        }
        std::fs::create_dir_all(root.join("h/.hg")).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), root.join("direct")).unwrap();
        let found = |path: &str| Place::find(&root, path.as_bytes()).map(|place| place.path().to_owned());
        let own = root.join("a/b").to_str().unwrap().to_owned();
        for path in ["a/b", "/a/b", "a/b.git", "/a/b.git/", "a/b/", &own, &format!("{own}.git")] {
            assert_eq!(found(path), Some(root.join("a/b")), "{path}");
        }
        let hg = Place::find(&root, b"h").unwrap();
        assert_eq!(hg.look().unwrap(), Found::Repository(RepositoryKind::Hg));
        for path in
            ["a", "/", "", "a/b/objects", "../outside/secret", "a/../x", "link/secret", "direct", "~/x", "nothing"]
        {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn parts_that_lie_elsewhere_are_not_served() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        git(&root.join("a"));
        git(&root.join("victim"));
        std::fs::remove_dir(root.join("a/objects")).unwrap();
        std::os::unix::fs::symlink(root.join("victim/objects"), root.join("a/objects")).unwrap();
        std::fs::create_dir_all(root.join("h/.hg")).unwrap();
        std::fs::write(root.join("h/.hg/sharedpath"), "/elsewhere").unwrap();
        assert!(Place::find(root, b"a").is_none(), "a link is no part of a repository");
        git(&root.join("b"));
        std::fs::remove_dir(root.join("b/objects")).unwrap();
        std::fs::write(root.join("b/objects"), "gitdir: ../victim/objects").unwrap();
        assert!(matches!(Place::find(root, b"b").unwrap().look(), Err(RepositoryError::Elsewhere)));
        assert!(matches!(Place::find(root, b"h").unwrap().look(), Err(RepositoryError::Elsewhere)));
    }
}
