//! Whether sudo would take a drop-in: `visudo -cf` before it is anywhere near sudo.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::DIRECTORY;

#[derive(Debug, thiserror::Error)]
pub enum Unchecked {
    #[error("sudo is not installed")]
    NoSudo,
    #[error("cannot run visudo: {0}")]
    Run(std::io::Error),
    #[error("visudo refuses it: {0}")]
    Refused(String),
    #[error("/etc/sudoers does not include sudoers.d")]
    NotIncluded,
}

/// Shows `text` to visudo(8), and sees that sudo reads drop-ins at all.
pub fn check(root: &Path, text: &str) -> Result<(), Unchecked> {
    let sudoers = std::fs::read_to_string(root.join("etc/sudoers")).map_err(|_| Unchecked::NoSudo)?;
    if !includes_drop_ins(&sudoers) {
        return Err(Unchecked::NotIncluded);
    }
    let spawned = Command::new("visudo")
        .args(["-c", "-q", "-f", "-"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Unchecked::NoSudo,
        _ => Unchecked::Run(error),
    })?;
    if let Some(mut input) = child.stdin.take() {
        // One that has ended already says why by its status.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(Unchecked::Run)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Unchecked::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn includes_drop_ins(sudoers: &str) -> bool {
    let directory = |line: &str| {
        let rest = line.strip_prefix("@includedir").or_else(|| line.strip_prefix("#includedir"))?;
        Some(rest.trim().trim_matches('"').trim_end_matches('/').to_owned())
    };
    sudoers.lines().filter_map(|line| directory(line.trim())).any(|path| path.trim_start_matches('/') == DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_may_be_included_in_the_old_way_and_in_the_new() {
        for text in ["@includedir /etc/sudoers.d\n", "root ALL=(ALL) ALL\n#includedir /etc/sudoers.d/\n"] {
            assert!(includes_drop_ins(text), "{text}");
        }
        for text in ["", "# @includedir /etc/sudoers.d\n", "@includedir /etc/other\n"] {
            assert!(!includes_drop_ins(text), "{text}");
        }
    }

    #[test]
    fn visudo_has_the_last_word() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(check(root.path(), "\"anna\" ALL=(ALL) ALL\n"), Err(Unchecked::NoSudo)));
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/sudoers"), "@includedir /etc/sudoers.d\n").unwrap();
        check(root.path(), "\"anna\" ALL=(ALL) ALL\n").unwrap();
        assert!(matches!(check(root.path(), "anna ALL=(ALL ALL\n"), Err(Unchecked::Refused(_))));
    }
}
