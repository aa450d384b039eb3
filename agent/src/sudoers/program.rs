//! Whether root alone decides what a command of a grant is: whoever could replace the program,
//! a directory above it or a link to it could run anything.
//!
//! The path is followed as sudo would, component by component, but only as long as everything on
//! it is root's. In a directory that has been found so, nobody else can change what comes next.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use accountd_protocol::sudo::{SudoCommand, SudoFault};
use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};

/// As many links as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const EXECUTABLE: u32 = 0o111;

/// Refuses a command that is not there, is no program, or is not root's alone. Every program of a
/// directory is looked at.
pub fn check(root: &Path, command: &SudoCommand) -> Result<(), SudoFault> {
    if command.is_all() {
        return Ok(());
    }
    let path = Path::new(command.path());
    let Followed { path: place, status } = follow(root, path)?;
    match (command.path().ends_with('/'), status.is_dir()) {
        (true, true) => check_directory(root, &place),
        (true, false) => Err(SudoFault::Missing(shown(path))),
        (false, true) => Err(SudoFault::Directory),
        (false, false) if status.is_file() && status.mode() & EXECUTABLE != 0 => Ok(()),
        (false, false) => Err(SudoFault::NotAProgram(shown(&place))),
    }
}

/// What is no program now, and is not root's, could be one later.
fn check_directory(root: &Path, directory: &Path) -> Result<(), SudoFault> {
    let unreadable = |_: io::Error| SudoFault::Missing(shown(directory));
    for entry in fs::read_dir(below(root, directory)).map_err(unreadable)? {
        let path = directory.join(entry.map_err(unreadable)?.file_name());
        match follow(root, &path) {
            // A link that leads nowhere, where nobody else can make something.
            Ok(_) | Err(SudoFault::Missing(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Where a path leads, from the root directory down.
struct Followed {
    path: PathBuf,
    status: Metadata,
}

fn follow(root: &Path, path: &Path) -> Result<Followed, SudoFault> {
    let mut place = PathBuf::from("/");
    let mut status = look(root, &place)?;
    let mut ahead: Vec<OsString> = reversed(path);
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if !status.is_dir() {
            return Err(SudoFault::Missing(shown(path)));
        }
        if name == ".." {
            place.pop();
            status = look(root, &place)?;
            continue;
        }
        let next = place.join(&name);
        let found = look(root, &next)?;
        if !found.is_symlink() {
            (place, status) = (next, found);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(SudoFault::Missing(shown(path)));
        }
        let target = link(root, &place, &next)?;
        if target.is_absolute() {
            place = PathBuf::from("/");
        }
        status = look(root, &place)?;
        ahead.extend(reversed(&target));
    }
    Ok(Followed { path: place, status })
}

/// The status of what root alone can change. A link has no mode of its own.
fn look(root: &Path, path: &Path) -> Result<Metadata, SudoFault> {
    let replaceable = |reason: String| Err(SudoFault::Replaceable { path: shown(path), reason });
    let Ok(status) = fs::symlink_metadata(below(root, path)) else { return Err(SudoFault::Missing(shown(path))) };
    if status.uid() != 0 {
        return replaceable(format!("belongs to uid {}", status.uid()));
    }
    match status.mode() & WRITABLE_BY_OTHERS {
        _ if status.is_symlink() => Ok(status),
        0 => Ok(status),
        0o020 => replaceable(format!("can be written by group {}", status.gid())),
        _ => replaceable("can be written by everybody".into()),
    }
}

/// Where a link leads. Those of proc(5) lead elsewhere for every process.
fn link(root: &Path, directory: &Path, path: &Path) -> Result<PathBuf, SudoFault> {
    let missing = || SudoFault::Missing(shown(path));
    let system = statfs(&below(root, directory)).map_err(|_| missing())?;
    if system.filesystem_type() == PROC_SUPER_MAGIC {
        let reason = "is not the same for every process".to_owned();
        return Err(SudoFault::Replaceable { path: shown(path), reason });
    }
    fs::read_link(below(root, path)).map_err(|_| missing())
}

/// The components, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(name).collect()
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// A root directory with a program, `usr/bin/tool`.
    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for directory in ["usr", "usr/bin", "srv"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        program(root.path(), "usr/bin/tool", 0o755);
        symlink("usr/bin", root.path().join("bin")).unwrap();
        root
    }

    fn program(root: &Path, path: &str, mode: u32) {
        fs::write(root.join(path), "").unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn checked(root: &Path, command: &str) -> Result<(), SudoFault> {
        check(root, &SudoCommand::new(command).unwrap())
    }

    fn replaceable(path: &str, reason: &str) -> Result<(), SudoFault> {
        Err(SudoFault::Replaceable { path: path.into(), reason: reason.into() })
    }

    fn is_root() -> bool {
        nix::unistd::geteuid().is_root()
    }

    #[test]
    fn a_program_of_roots_can_be_granted_whichever_way_leads_to_it() {
        if !is_root() {
            return;
        }
        let root = root();
        symlink("/bin/../../srv/.././bin/tool", root.path().join("srv/absolute")).unwrap();
        symlink("../../../usr/bin/tool", root.path().join("srv/relative")).unwrap();
        for command in
            ["ALL", "/usr/bin/tool", "/bin/tool", "/bin/tool a b", "/srv/absolute", "/srv/relative \"\"", "/usr/bin/"]
        {
            assert_eq!(checked(root.path(), command), Ok(()), "{command}");
        }
    }

    #[test]
    fn what_is_not_there_or_no_program_is_refused() {
        if !is_root() {
            return;
        }
        let root = root();
        program(root.path(), "srv/text", 0o644);
        symlink("around", root.path().join("srv/around")).unwrap();
        let missing = |path: &str| Err(SudoFault::Missing(path.into()));
        assert_eq!(checked(root.path(), "/usr/bin/none"), missing("/usr/bin/none"));
        assert_eq!(checked(root.path(), "/usr/bin/tool/x"), missing("/usr/bin/tool/x"));
        assert_eq!(checked(root.path(), "/usr/bin/tool/"), missing("/usr/bin/tool/"));
        assert_eq!(checked(root.path(), "/srv/around"), missing("/srv/around"));
        assert_eq!(checked(root.path(), "/srv/text"), Err(SudoFault::NotAProgram("/srv/text".into())));
        assert_eq!(checked(root.path(), "/usr/bin"), Err(SudoFault::Directory));
    }

    #[test]
    fn nothing_on_the_way_may_be_somebody_elses() {
        if !is_root() {
            return;
        }
        let root = root();
        let at = |path: &str| root.path().join(path);
        let mode = |path: &str, mode| fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
        program(root.path(), "srv/own", 0o755);
        chown(at("srv/own"), Some(4711), None).unwrap();
        let by_owner = replaceable("/srv/own", "belongs to uid 4711");
        assert_eq!(checked(root.path(), "/srv/own"), by_owner);
        assert_eq!(checked(root.path(), "/srv/"), by_owner);
        symlink("../../srv/own", at("usr/bin/alias")).unwrap();
        assert_eq!(checked(root.path(), "/bin/alias"), by_owner);
        assert_eq!(checked(root.path(), "/bin/"), by_owner);
        fs::remove_file(at("usr/bin/alias")).unwrap();
        symlink("tool", at("usr/bin/theirs")).unwrap();
        std::os::unix::fs::lchown(at("usr/bin/theirs"), Some(4711), None).unwrap();
        assert_eq!(checked(root.path(), "/bin/theirs"), replaceable("/usr/bin/theirs", "belongs to uid 4711"));
        fs::remove_file(at("usr/bin/theirs")).unwrap();
        for (bits, reason) in [(0o775, "can be written by group 0"), (0o757, "can be written by everybody")] {
            mode("usr/bin/tool", bits);
            assert_eq!(checked(root.path(), "/bin/tool"), replaceable("/usr/bin/tool", reason));
            assert_eq!(checked(root.path(), "/bin/"), replaceable("/usr/bin/tool", reason));
            mode("usr/bin/tool", 0o755);
            mode("usr", bits);
            assert_eq!(checked(root.path(), "/bin/tool"), replaceable("/usr", reason));
            mode("usr", 0o755);
        }
        mode("usr/bin", 0o1777);
        assert_eq!(checked(root.path(), "/usr/bin/tool"), replaceable("/usr/bin", "can be written by everybody"));
        mode("usr/bin", 0o755);
        // A link to a place where somebody else can put something later.
        fs::create_dir(at("srv/open")).unwrap();
        mode("srv/open", 0o777);
        symlink("/srv/open/later", at("usr/bin/later")).unwrap();
        assert_eq!(checked(root.path(), "/usr/bin/"), replaceable("/srv/open", "can be written by everybody"));
    }

    #[test]
    fn what_is_another_program_for_another_process_is_refused() {
        if !is_root() {
            return;
        }
        let fault = checked(Path::new("/"), "/proc/self/exe");
        assert_eq!(fault, replaceable("/proc/self", "is not the same for every process"));
    }
}
