//! `~` at the beginning of a path, as the shell and OpenSSH's sftp-server understand it.

use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use uzers::os::unix::UserExt;

use crate::path::{Scope, Tree};

/// What a path that begins with `~` stands for; `None` when it begins with the name of nobody
/// whose home is to be seen. Other paths are as they are.
pub fn expand(tree: &Tree, path: &[u8]) -> Option<Vec<u8>> {
    let Some(rest) = path.strip_prefix(b"~") else { return Some(path.to_vec()) };
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (name, below) = rest.split_at(end);
    let mut expanded = if name.is_empty() { own_home(tree) } else { home_of(tree, name)? };
    expanded.extend_from_slice(below);
    Some(expanded)
}

/// The session begins in the home of its user, and stays there.
fn own_home(tree: &Tree) -> Vec<u8> {
    match tree.scope() {
        Scope::Whole => b".".to_vec(),
        Scope::Confined(_) => b"/".to_vec(),
    }
}

/// The home of an account by its name. A confined session sees its own alone, as `/`.
pub fn home_of(tree: &Tree, name: &[u8]) -> Option<Vec<u8>> {
    let account = uzers::get_user_by_name(OsStr::from_bytes(name))?;
    match tree.scope() {
        Scope::Whole => Some(account.home_dir().as_os_str().as_bytes().to_vec()),
        Scope::Confined(_) => (account.uid() == geteuid().as_raw()).then(|| b"/".to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_a_home_at_the_beginning_only() {
        let whole = Tree::open(None).unwrap();
        for (path, meant) in [
            (&b"~"[..], Some(&b"."[..])),
            (b"~/a b", Some(b"./a b")),
            (b"~root", Some(b"/root")),
            (b"~root/x/~", Some(b"/root/x/~")),
            (b"~no-such-user/x", None),
            (b"~no\xffsuch", None),
            (b"a/~", Some(b"a/~")),
            (b"", Some(b"")),
        ] {
            assert_eq!(expand(&whole, path).as_deref(), meant, "{path:?}");
        }
    }

    #[test]
    fn a_confined_session_sees_no_home_but_its_own() {
        let confined = Tree::open(Some(std::path::Path::new("/tmp"))).unwrap();
        assert_eq!(expand(&confined, b"~/x").unwrap(), b"//x");
        let other = if geteuid().is_root() { b"~daemon" } else { &b"~root"[..] };
        assert_eq!(expand(&confined, other), None);
    }
}
