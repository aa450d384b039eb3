//! Names that a path to be sent may stand for: `~`, and patterns as in glob(7).
//!
//! Without a shell in between, `*`, `?` and `[…]` mean what they would mean to it. A path that
//! names something as it stands is not taken for a pattern, and one that matches nothing stays as
//! it is.

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, fstatat};

use crate::home;
use crate::path::Tree;

/// The most that one word may become, as long as what a program may be given (execve(2)).
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The paths that `word` stands for, in the order of their bytes. The error is one for the user.
pub fn expand(tree: &Tree, word: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let path = home::expand(tree, word).ok_or("no such user")?;
    if !has_pattern(&path) || exists(tree, &path) {
        return Ok(vec![path]);
    }
    let mut found = vec![Vec::new()];
    for part in path.split_inclusive(|byte| *byte == b'/') {
        let (name, slash) = part.strip_suffix(b"/").map_or((part, &b""[..]), |name| (name, b"/"));
        found = step(tree, &found, name, slash)?;
    }
    found.retain(|path| exists(tree, path));
    found.sort_unstable();
    Ok(if found.is_empty() { vec![path] } else { found })
}

/// One component further.
fn step(tree: &Tree, found: &[Vec<u8>], name: &[u8], slash: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut next = Vec::new();
    let mut bytes = 0;
    let mut add = |directory: &[u8], name: &[u8]| {
        let path = [directory, name, slash].concat();
        bytes += path.len();
        next.push(path);
        if bytes > MAX_BYTES { Err("too many names match") } else { Ok(()) }
    };
    for directory in found {
        if has_pattern(name) {
            for entry in matching(tree, directory, name) {
                add(directory, &entry)?;
            }
        } else {
            add(directory, &unprotected(name))?;
        }
    }
    Ok(next)
}

/// The entries of a directory that match. One that can't be read has none.
fn matching(tree: &Tree, directory: &[u8], pattern: &[u8]) -> Vec<Vec<u8>> {
    let directory = if directory.is_empty() { b"." } else { directory };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
    let Ok(listed) = tree.open_file(directory, flags, Mode::empty()).and_then(Dir::from_fd) else { return Vec::new() };
    let mut bytes = 0;
    let mut names = Vec::new();
    for entry in listed.into_iter().flatten() {
        let name = entry.file_name().to_bytes();
        // A name that is hidden is matched by one that is hidden.
        let is_shown = name.first() != Some(&b'.') || pattern.first() == Some(&b'.');
        if is_shown && tree.shows(name) && !matches!(name, b"." | b"..") && matches(pattern, name) {
            bytes += name.len();
            names.push(name.to_vec());
        }
        if bytes > MAX_BYTES {
            break;
        }
    }
    names
}

fn exists(tree: &Tree, path: &[u8]) -> bool {
    if path.ends_with(b"/") {
        return tree.open_file(path, OFlag::O_PATH, Mode::empty()).is_ok();
    }
    let place = tree.place(path);
    place.is_ok_and(|place| fstatat(&place, place.name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok())
}

fn has_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Without the backslashes that protect what follows them.
fn unprotected(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.iter();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    plain
}

/// Whether a pattern matches all of a name. A star that matched too little gets one letter more:
/// only the last one has to be tried again, so this ends in the product of both lengths.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            star = Some((rest, name));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && name.is_empty() {
            return true;
        }
        if let Some(rests) = one(pattern, name) {
            (pattern, name) = rests;
            continue;
        }
        let Some((after, from)) = star else { return false };
        let Some((_, behind)) = first_letter(from) else { return false };
        star = Some((after, behind));
        (pattern, name) = (after, behind);
    }
}

/// What is behind the first element of the pattern and the first letter of the name, if the one is
/// for the other.
fn one<'p, 'n>(pattern: &'p [u8], name: &'n [u8]) -> Option<(&'p [u8], &'n [u8])> {
    let (letter, behind) = first_letter(name)?;
    let rest = match pattern.split_first()? {
        (b'?', rest) => Some(rest),
        (b'[', rest) => match bracket(rest, letter) {
            Some((true, rest)) => Some(rest),
            Some((false, _)) => None,
            // Not closed: a letter like any other.
            None => (letter == u32::from(b'[')).then_some(rest),
        },
        (b'\\', rest) if !rest.is_empty() => literal(rest, letter),
        (_, _) => literal(pattern, letter),
    };
    Some((rest?, behind))
}

fn literal(pattern: &[u8], letter: u32) -> Option<&[u8]> {
    let (expected, rest) = first_letter(pattern)?;
    (expected == letter).then_some(rest)
}

/// A character of UTF-8; a byte that is none of one stands for itself, above all characters.
fn first_letter(text: &[u8]) -> Option<(u32, &[u8])> {
    let first = text.first()?;
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let character = text.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    match character {
        Some(character) => Some((character.into(), text.get(length..).unwrap_or_default())),
        None => Some((0x11_0000 + u32::from(*first), text.get(1..).unwrap_or_default())),
    }
}

/// Whether a letter is in a bracket expression, and what is behind it; `pattern` begins behind its
/// `[`. `None`: it has no end.
fn bracket(pattern: &[u8], letter: u32) -> Option<(bool, &[u8])> {
    let (is_negated, mut rest) = match pattern.split_first()? {
        (b'!' | b'^', rest) => (true, rest),
        _ => (false, pattern),
    };
    let (mut is_in, mut is_first) = (false, true);
    loop {
        if !is_first && let Some(behind) = rest.strip_prefix(b"]") {
            return Some((is_in != is_negated, behind));
        }
        is_first = false;
        if let Some((is_member, behind)) = class(rest, letter) {
            is_in |= is_member;
            rest = behind;
            continue;
        }
        let (low, behind) = bracket_letter(rest)?;
        (is_in, rest) = match behind.strip_prefix(b"-").filter(|end| !end.starts_with(b"]")) {
            Some(end) => {
                let (high, behind) = bracket_letter(end)?;
                (is_in || (low..=high).contains(&letter), behind)
            }
            None => (is_in || low == letter, behind),
        };
    }
}

fn bracket_letter(text: &[u8]) -> Option<(u32, &[u8])> {
    first_letter(text.strip_prefix(b"\\").filter(|rest| !rest.is_empty()).unwrap_or(text))
}

/// `[:NAME:]`; of the letters of ASCII.
fn class(text: &[u8], letter: u32) -> Option<(bool, &[u8])> {
    let rest = text.strip_prefix(b"[:")?;
    let end = rest.windows(2).position(|end| end == b":]")?;
    let is = |test: fn(&u8) -> bool| u8::try_from(letter).is_ok_and(|byte| test(&byte));
    let is_in = match rest.get(..end)? {
        b"alnum" => is(u8::is_ascii_alphanumeric),
        b"alpha" => is(u8::is_ascii_alphabetic),
        b"blank" => is(|byte| matches!(byte, b' ' | b'\t')),
        b"cntrl" => is(u8::is_ascii_control),
        b"digit" => is(u8::is_ascii_digit),
        b"graph" => is(u8::is_ascii_graphic),
        b"lower" => is(u8::is_ascii_lowercase),
        b"print" => is(|byte| matches!(byte, b' '..=b'~')),
        b"punct" => is(u8::is_ascii_punctuation),
        b"space" => is(|byte| byte.is_ascii_whitespace() || *byte == 0x0b),
        b"upper" => is(u8::is_ascii_uppercase),
        b"xdigit" => is(u8::is_ascii_hexdigit),
        _ => false,
    };
    Some((is_in, rest.get(end + 2..)?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn patterns_match_as_glob_has_it() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbc"),
            ("*a*b*", "xaxxbx"),
            ("?", "\u{fc}"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[^a]", "\u{fc}"),
            ("[]a]", "]"),
            ("[a-]", "-"),
            ("[[:digit:]x]*", "7up"),
            ("[", "["),
            ("[a", "[a"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("a\\", "a\\"),
        ] {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("?", ""), ("a", "ab"), ("*a", "ab"), ("[!a]", "a"), ("\\*", "x"), ("[[:upper:]]", "a"), ("[b-a]", "a")]
        {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        assert!(matches(b"?x", b"\xffx") && matches(b"[\xfe-\xff]", b"\xff"));
    }

    #[test]
    fn classes_are_those_of_the_letters_of_ascii() {
        for (class, of_it, of_none) in [
            ("alnum", "aZ0", "-\u{fc}"),
            ("alpha", "aZ", "0-"),
            ("blank", " \t", "a\n"),
            ("cntrl", "\u{1}\u{7f}", "a "),
            ("digit", "09", "a"),
            ("graph", "!~a", " \u{7f}"),
            ("lower", "az", "A0"),
            ("print", " ~a", "\u{1f}\u{7f}"),
            ("punct", "!_~", "a 0"),
            ("space", " \t\n\u{b}\u{c}\r", "a_"),
            ("upper", "AZ", "a0"),
            ("xdigit", "09afAF", "g-"),
            ("other", "", "a0 "),
        ] {
            let is_in = |letter: char| matches(format!("[[:{class}:]]").as_bytes(), letter.to_string().as_bytes());
            assert!(of_it.chars().all(is_in), "{class}");
            assert!(!of_none.chars().any(is_in), "{class}");
        }
    }

    #[test]
    fn a_pattern_of_stars_ends_soon() {
        assert!(!matches(&b"*a".repeat(100), &b"a".repeat(4000).iter().chain(b"b").copied().collect::<Vec<_>>()));
    }

    #[test]
    fn paths_are_expanded_component_by_component() {
        let scratch = tempfile::tempdir().unwrap();
        for directory in ["a1", "a2", "b", ".a"] {
            fs::create_dir(scratch.path().join(directory)).unwrap();
        }
        for file in ["a1/x", "a2/x", "a2/y", "b/x", "[ab]*", "a*", ".a/x", "\\x"] {
            fs::write(scratch.path().join(file), "").unwrap();
        }
        let tree = Tree::open(Some(scratch.path())).unwrap();
        let expand = |word: &str| -> Vec<String> {
            let paths = super::expand(&tree, word.as_bytes()).unwrap();
            paths.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
        };
        assert_eq!(expand("a?/x"), ["a1/x", "a2/x"]);
        assert_eq!(expand("/a[2-9]/*"), ["/a2/x", "/a2/y"]);
        assert_eq!(expand("*/x"), ["a1/x", "a2/x", "b/x"]);
        assert_eq!(expand("a?/y"), ["a2/y"]);
        assert_eq!(expand("[ab]*"), ["[ab]*"], "there is a file of that name");
        assert_eq!(expand("a*"), ["a*"]);
        assert_eq!(expand("?*/"), ["a1/", "a2/", "b/"]);
        assert_eq!(expand(".*"), [".a"]);
        assert_eq!(expand("no*"), ["no*"]);
        assert_eq!(expand("~/b/*"), ["//b/x"]);
        assert_eq!(expand("\\x"), ["\\x"]);
        assert_eq!(expand("../*1/x"), ["../a1/x"], "the root is as far up as it goes");
    }
}
