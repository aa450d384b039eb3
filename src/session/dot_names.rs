//! Names that begin with a dot. Where a session may see visible names only, no path that has one of
//! them leads anywhere, and no directory has one in it. A symbolic link leads where it leads: its own
//! name is what counts.

use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DotNames {
    #[default]
    Shown,
    /// But the way to the directory that the session began in.
    Hidden { start: Vec<u8> },
}

impl DotNames {
    /// Hidden, for a session that begins in the current directory.
    pub fn hidden() -> Self {
        let start = std::env::current_dir().map(|path| path.into_os_string().into_vec()).unwrap_or_default();
        DotNames::Hidden { start }
    }

    pub fn shows(&self, name: &[u8]) -> bool {
        *self == DotNames::Shown || !begins_with_dot(name)
    }

    /// ENOENT for a path that has a hidden name in it.
    pub fn admit(&self, path: &[u8]) -> nix::Result<()> {
        let DotNames::Hidden { start } = self else { return Ok(()) };
        let below = path.strip_prefix(start.as_slice()).filter(|rest| matches!(rest, [] | [b'/', ..]));
        let has_hidden = below.unwrap_or(path).split(|byte| *byte == b'/').any(begins_with_dot);
        if has_hidden { Err(Errno::ENOENT) } else { Ok(()) }
    }
}

fn begins_with_dot(name: &[u8]) -> bool {
    name.first() == Some(&b'.') && !matches!(name, b"." | b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_through_a_hidden_name() {
        let hidden = DotNames::Hidden { start: b"/pool/.homes/anna".to_vec() };
        for path in ["", ".", "..", "a/../b", "/", "a.b/c.", "/pool/.homes/anna", "/pool/.homes/anna/f", "a//./b"] {
            assert_eq!(hidden.admit(path.as_bytes()), Ok(()), "{path}");
        }
        for path in
            [".a", "...", "a/.b", ".ssh/authorized_keys", "/pool/.homes/anna/.x", "/pool/.homes/annabel", "./.a/"]
        {
            assert_eq!(hidden.admit(path.as_bytes()), Err(Errno::ENOENT), "{path}");
            assert_eq!(DotNames::Shown.admit(path.as_bytes()), Ok(()));
        }
        assert!(!hidden.shows(b".a") && hidden.shows(b"a") && hidden.shows(b"..") && DotNames::Shown.shows(b".a"));
    }
}
