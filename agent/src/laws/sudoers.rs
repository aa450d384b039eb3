//! Laws of sudo's drop-ins.

use accountd_protocol::sudo::{SudoCommand, SudoCommands, SudoGrant};

use crate::sudoers::{Kind, granted, is_about, renamed, rule};

/// Read as sudoers(5) says, every rule names this account and nobody else, and nothing of the
/// name is anything but the name; what was written is read again; a rename changes that name alone.
pub fn drop_in((name, other): (&str, &str), group: bool, lists: [&[String]; 2]) {
    let kind = if group { Kind::Group } else { Kind::User };
    let [commands, commands_without_password] = lists.map(commands);
    let commands = SudoCommands { commands, commands_without_password };
    let Ok(text) = rule(kind, name, &commands) else { return };
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|comment| comment.starts_with("# ")) && text.ends_with('\n'), "{text:?}");
    for (line, (_, _, command)) in lines.by_ref().zip(commands.places()) {
        let (word, rest) = quoted(line);
        assert_eq!(word, marked(kind, name));
        assert_eq!(allowed(rest), command.as_str(), "{text:?}");
        // What would not be a user's or a group's name in quotes.
        let bare = word.strip_prefix('%').filter(|_| group).unwrap_or(&word);
        let special = if group { &[':', '#', '!'][..] } else { &['%', '+', '#', '!'] };
        assert!(!bare.is_empty() && !bare.starts_with(special));
    }
    assert_eq!(lines.next(), None);
    let is_some = !commands.is_empty();
    assert_eq!(is_about(&text, kind, name), is_some);
    assert_eq!(is_about(&text, kind, other), is_some && name == other);
    assert_eq!(granted(&text, kind, name), is_some.then(|| SudoGrant::Commands(commands.clone())));
    if let Ok(moved) = renamed(&text, kind, (name, other)) {
        assert_eq!(Ok(moved), rule(kind, other, &commands));
    }
}

/// Whatever stands in a drop-in: what is read as commands is written again as the same text, but for
/// the comment.
pub fn any_drop_in(text: &str, name: &str) {
    let Some(SudoGrant::Commands(commands)) = granted(text, Kind::User, name) else { return };
    let again = rule(Kind::User, name, &commands).unwrap_or_default();
    let behind = |text: &str| text.split_once('\n').map(|(_, rules)| rules.to_owned());
    assert_eq!(behind(&again), behind(text), "{text:?}");
}

/// Those of the texts that can be granted.
fn commands(texts: &[String]) -> Vec<SudoCommand> {
    texts.iter().filter_map(|text| SudoCommand::new(text.as_str()).ok()).collect()
}

/// The command of a rule behind its name: ended by a special character that is not escaped, which
/// there must not be.
fn allowed(rest: &str) -> String {
    let command = rest.strip_prefix(" ALL=(ALL) ").unwrap_or_else(|| panic!("{rest:?}"));
    let command = ["PASSWD: ", "NOPASSWD: "].iter().find_map(|tag| command.strip_prefix(tag)).unwrap_or(command);
    let mut read = String::new();
    let mut characters = command.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => read.extend(characters.next()),
            ',' | ':' | '=' | '#' | '*' | '?' | '[' | ']' => panic!("{c} is not escaped: {rest:?}"),
            c => read.push(c),
        }
    }
    read
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
