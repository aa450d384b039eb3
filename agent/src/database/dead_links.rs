//! What agents and tools that were killed have left of taking a lock: `FILE.PID`, which was to
//! become `FILE.lock`. Nobody is kept from anything by it, and nobody else takes it away.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::lock::LOCKED;

/// Removes them from `etc`. The lock is held. A file with such a name that is something else, a
/// copy that somebody has made, does not have the number as its content.
pub fn sweep(etc: &Path) {
    let Ok(entries) = fs::read_dir(etc) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(number_of) else { continue };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let content = if is_file { fs::read(entry.path()).unwrap_or_default() } else { continue };
        let is_link = content.is_empty() || content == format!("{number}\0").as_bytes();
        if is_link && kill(Pid::from_raw(number), None) == Err(Errno::ESRCH) {
            // Left for the next time where it can't be removed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The process of `FILE.PID`.
fn number_of(name: &str) -> Option<i32> {
    let (file, digits) = name.rsplit_once('.')?;
    let plain = LOCKED.contains(&file) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_dead_processes_go_and_copies_stay() {
        let etc = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (dead, own) = (child.id(), std::process::id());
        let write = |name: &str, content: &str| fs::write(etc.path().join(name), content).unwrap();
        write(&format!("passwd.{dead}"), &format!("{dead}\0"));
        write(&format!("group.{dead}"), "");
        write(&format!("shadow.{dead}"), "root:*:::::::\n");
        write(&format!("hosts.{dead}"), "");
        write(&format!("passwd.{own}"), &format!("{own}\0"));
        sweep(etc.path());
        let mut left: Vec<_> = fs::read_dir(etc.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let kept = [format!("hosts.{dead}"), format!("passwd.{own}"), format!("shadow.{dead}")];
        assert_eq!(left, kept.map(std::ffi::OsString::from));
    }
}
