//! Laws of sudo's drop-ins.

use crate::sudoers::{Kind, is_about, renamed, rule};

/// Read as sudoers(5) says, the one rule names this account and nobody else, and nothing of the
/// name is anything but the name; a rename changes that name alone.
pub fn drop_in(name: &str, other: &str, group: bool) {
    let kind = if group { Kind::Group } else { Kind::User };
    let Ok(text) = rule(kind, name) else { return };
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(matches!(lines.as_slice(), [comment, _, ""] if comment.starts_with("# ")), "{text:?}");
    let (word, rest) = quoted(lines[1]);
    assert_eq!((word.as_str(), rest), (marked(kind, name).as_str(), " ALL=(ALL) ALL"));
    // What would not be a user's or a group's name in quotes.
    let bare = word.strip_prefix('%').filter(|_| group).unwrap_or(&word);
    assert!(!bare.is_empty() && !bare.starts_with(if group { &[':', '#', '!'][..] } else { &['%', '+', '#', '!'] }));
    assert!(is_about(&text, kind, name));
    assert_eq!(is_about(&text, kind, other), name == other);
    if let Ok(moved) = renamed(&text, kind, (name, other)) {
        assert_eq!(Ok(moved), rule(kind, other));
    }
}

fn marked(kind: Kind, name: &str) -> String {
    match kind {
        Kind::User => name.to_owned(),
        Kind::Group => format!("%{name}"),
    }
}

/// The word in double quotes at the beginning of a line, and what is behind it.
fn quoted(line: &str) -> (String, &str) {
    let mut word = String::new();
    let Some(begun) = line.strip_prefix('"') else { panic!("no quote: {line:?}") };
    let mut characters = begun.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (word, &begun[at + 1..]),
            '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
            c => word.push(c),
        }
    }
    panic!("the quote does not end: {line:?}");
}
