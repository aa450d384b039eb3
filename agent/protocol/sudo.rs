//! What sudo lets somebody run, as far as this program writes it (sudoers(5), "Cmnd"): `ALL`, or
//! commands by their paths. Patterns, negations, aliases and digests are not taken: a list with
//! any of them can let more through than it seems to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Of one account, with and without a password together.
pub const MAX_COMMANDS: usize = 100;
/// Bytes of all of them together: a thousand accounts fit into one answer.
pub const MAX_TEXT: usize = 32 * 1024;
/// Bytes of one command with its arguments.
pub const MAX_COMMAND: usize = 1024;

const ALL: &str = "ALL";
/// Stands for no arguments at all.
const NO_ARGUMENTS: &str = "\"\"";
/// Built into sudo; it makes the same of a path that ends so.
const SUDOEDIT: &str = "sudoedit";

/// `ALL`; the path of a program, which may be run with any arguments; the path and arguments
/// behind it, which are the only ones, or `""` for none; a directory with `/` at its end, for
/// every program in it. Whether root alone can change what is there is found out by the agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SudoCommand(String);

/// Why something is no command that can be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SudoFault {
    #[error("must not be empty")]
    Empty,
    #[error("is longer than {max} bytes (it has {actual})")]
    TooLong { max: usize, actual: usize },
    #[error("contains a newline, a tab or another control character")]
    ControlCharacters,
    #[error("is a negation, which does not keep anybody from running the command by another way")]
    Negated,
    #[error("is sudoedit, which can not be granted here")]
    Sudoedit,
    #[error("must be ALL or an absolute path")]
    NotAbsolute,
    #[error("must be a path without `.`, `..` and `//`")]
    DotComponent,
    #[error("must not have `*`, `?`, `[`, `]` or a backslash in its path")]
    WildcardInPath,
    #[error("must not have `*`, `?`, `[`, `]` or a backslash in its arguments: they match more than it seems")]
    WildcardInArguments,
    #[error("must not have arguments that begin with `^`: they would be a regular expression")]
    RegularExpression,
    #[error("must not have quotes: they mean nothing to sudo, but for \"\" alone as no arguments")]
    Quotes,
    #[error("must have one blank before each argument, and no other")]
    Blanks,
    #[error("can not have arguments: it is a directory")]
    DirectoryWithArguments,
    #[error("is there twice")]
    Twice,
    #[error("does not exist: {0}")]
    Missing(String),
    #[error("is not a program: {0}")]
    NotAProgram(String),
    #[error("is a directory and has to end with `/`, for all programs in it")]
    Directory,
    #[error("can be replaced by others than root: {path} {reason}")]
    Replaceable { path: String, reason: String },
}

/// One of the two lists of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SudoList {
    Commands,
    CommandsWithoutPassword,
}

/// A command that is not taken, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("'{}' {fault}", .command.escape_debug())]
pub struct SudoProblem {
    pub list: SudoList,
    /// Counted from 0.
    pub index: usize,
    pub command: String,
    pub fault: SudoFault,
}

/// What may be run, as anybody. Where a command is in both lists, no password is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SudoCommands {
    pub commands: Vec<SudoCommand>,
    pub commands_without_password: Vec<SudoCommand>,
}

/// What a drop-in of ours lets somebody do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SudoGrant {
    Commands(SudoCommands),
    /// Somebody has written something else into it, which is left to sudo to understand.
    ByHand,
}

/// What is to become of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SudoChange {
    /// Everything or nothing, for dialects that know no lists. What [`SudoGrant::shows_as_all`]
    /// says already, is no change.
    All(bool),
    /// A list that is left out stays as it is.
    Lists {
        commands: Option<Vec<SudoCommand>>,
        commands_without_password: Option<Vec<SudoCommand>>,
    },
    Nothing,
}

impl SudoCommand {
    pub fn new(text: impl Into<String>) -> Result<Self, SudoFault> {
        let text = text.into();
        if text != ALL {
            check(&text)?;
        }
        Ok(Self(text))
    }

    pub fn all() -> Self {
        Self(ALL.into())
    }

    pub fn is_all(&self) -> bool {
        self.0 == ALL
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the arguments. Of `ALL`, itself.
    pub fn path(&self) -> &str {
        self.0.split_once(' ').map_or(&*self.0, |(path, _)| path)
    }

    pub fn arguments(&self) -> Option<&str> {
        self.0.split_once(' ').map(|(_, arguments)| arguments)
    }
}

impl TryFrom<String> for SudoCommand {
    type Error = SudoFault;

    fn try_from(text: String) -> Result<Self, SudoFault> {
        Self::new(text)
    }
}

impl From<SudoCommand> for String {
    fn from(command: SudoCommand) -> String {
        command.0
    }
}

impl fmt::Display for SudoCommand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl SudoList {
    pub fn name(self) -> &'static str {
        match self {
            SudoList::Commands => "commands",
            SudoList::CommandsWithoutPassword => "commands_without_password",
        }
    }
}

impl SudoCommands {
    /// Everything, with the password.
    pub fn everything() -> Self {
        Self { commands: vec![SudoCommand::all()], commands_without_password: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.commands_without_password.is_empty()
    }

    pub fn list(&self, list: SudoList) -> &[SudoCommand] {
        match list {
            SudoList::Commands => &self.commands,
            SudoList::CommandsWithoutPassword => &self.commands_without_password,
        }
    }

    /// Every command with its list and its place there.
    pub fn places(&self) -> impl Iterator<Item = (SudoList, usize, &SudoCommand)> {
        let lists = [SudoList::Commands, SudoList::CommandsWithoutPassword].into_iter();
        lists.flat_map(|list| self.list(list).iter().enumerate().map(move |(at, command)| (list, at, command)))
    }
}

impl SudoGrant {
    /// What a dialect shows that knows no lists: whether everything may be run. What was written by
    /// hand may be that.
    pub fn shows_as_all(&self) -> bool {
        match self {
            SudoGrant::Commands(commands) => commands.places().any(|(_, _, command)| command.is_all()),
            SudoGrant::ByHand => true,
        }
    }
}

impl SudoChange {
    /// Everything or nothing, whatever there is now.
    pub fn certainly(all: bool) -> Self {
        if all { Self::of(SudoCommands::everything()) } else { SudoChange::Nothing }
    }

    pub fn of(SudoCommands { commands, commands_without_password }: SudoCommands) -> Self {
        SudoChange::Lists { commands: Some(commands), commands_without_password: Some(commands_without_password) }
    }

    /// Whether somebody could get more by it.
    pub fn may_grant(&self) -> bool {
        match self {
            SudoChange::All(all) => *all,
            SudoChange::Lists { .. } => true,
            SudoChange::Nothing => false,
        }
    }
}

fn check(text: &str) -> Result<(), SudoFault> {
    if text.is_empty() {
        return Err(SudoFault::Empty);
    }
    if text.len() > MAX_COMMAND {
        return Err(SudoFault::TooLong { max: MAX_COMMAND, actual: text.len() });
    }
    let unusable = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
    if text.contains(unusable) {
        return Err(SudoFault::ControlCharacters);
    }
    if text.starts_with('!') {
        return Err(SudoFault::Negated);
    }
    let (path, arguments) = text.split_once(' ').map_or((text, None), |(path, rest)| (path, Some(rest)));
    check_path(path)?;
    match arguments {
        Some(_) if path.ends_with('/') => Err(SudoFault::DirectoryWithArguments),
        Some(arguments) => check_arguments(arguments),
        None => Ok(()),
    }
}

fn check_path(path: &str) -> Result<(), SudoFault> {
    if path.rsplit('/').next() == Some(SUDOEDIT) {
        return Err(SudoFault::Sudoedit);
    }
    let Some(below) = path.strip_prefix('/') else { return Err(SudoFault::NotAbsolute) };
    if path.contains(is_wildcard) {
        return Err(SudoFault::WildcardInPath);
    }
    if path.contains(is_quote) {
        return Err(SudoFault::Quotes);
    }
    let parts = below.strip_suffix('/').unwrap_or(below);
    if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(SudoFault::DotComponent);
    }
    Ok(())
}

fn check_arguments(arguments: &str) -> Result<(), SudoFault> {
    if arguments == NO_ARGUMENTS {
        return Ok(());
    }
    if arguments.split(' ').any(str::is_empty) {
        return Err(SudoFault::Blanks);
    }
    if arguments.contains(is_wildcard) {
        return Err(SudoFault::WildcardInArguments);
    }
    if arguments.contains(is_quote) {
        return Err(SudoFault::Quotes);
    }
    if arguments.starts_with('^') { Err(SudoFault::RegularExpression) } else { Ok(()) }
}

fn is_wildcard(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | ']' | '\\')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_taken_away_may_grant_something() {
        let grants = [SudoChange::All(true), SudoChange::of(SudoCommands::default()), SudoChange::certainly(true)];
        assert!(grants.iter().all(SudoChange::may_grant));
        assert!(![SudoChange::All(false), SudoChange::certainly(false)].iter().any(SudoChange::may_grant));
    }

    #[test]
    fn a_command_is_everything_or_a_path_with_arguments() {
        let rows = [
            ("ALL", "ALL", None),
            ("/usr/bin/id", "/usr/bin/id", None),
            ("/usr/bin/systemctl restart smbd", "/usr/bin/systemctl", Some("restart smbd")),
            ("/usr/bin/id \"\"", "/usr/bin/id", Some("\"\"")),
            ("/usr/local/sbin/", "/usr/local/sbin/", None),
            ("/bin/x a,b:c=d#e !f ^ \u{e9}", "/bin/x", Some("a,b:c=d#e !f ^ \u{e9}")),
        ];
        for (text, path, arguments) in rows {
            let command = SudoCommand::new(text).unwrap();
            assert_eq!((command.path(), command.arguments()), (path, arguments), "{text}");
        }
    }

    #[test]
    fn what_could_mean_more_than_it_seems_is_refused() {
        let rows = [
            ("", SudoFault::Empty),
            ("!/usr/bin/id", SudoFault::Negated),
            ("!ALL", SudoFault::Negated),
            ("sudoedit /etc/motd", SudoFault::Sudoedit),
            ("/usr/bin/sudoedit /etc/motd", SudoFault::Sudoedit),
            ("id", SudoFault::NotAbsolute),
            ("all", SudoFault::NotAbsolute),
            ("ALL /usr/bin/id", SudoFault::NotAbsolute),
            ("OPERATORS", SudoFault::NotAbsolute),
            ("list", SudoFault::NotAbsolute),
            ("^/usr/bin/.$", SudoFault::NotAbsolute),
            ("sha256:abcd /usr/bin/id", SudoFault::NotAbsolute),
            ("NOPASSWD: /usr/bin/id", SudoFault::NotAbsolute),
            (" /usr/bin/id", SudoFault::NotAbsolute),
            ("/", SudoFault::DotComponent),
            ("/usr//bin/id", SudoFault::DotComponent),
            ("/usr/../tmp/x", SudoFault::DotComponent),
            ("/usr/bin/./id", SudoFault::DotComponent),
            ("/usr/bin/*", SudoFault::WildcardInPath),
            ("/usr/bin/i?", SudoFault::WildcardInPath),
            ("/usr/bin/[i]d", SudoFault::WildcardInPath),
            ("/usr/bin/i\\d", SudoFault::WildcardInPath),
            ("/usr/bin/cat /var/log/*", SudoFault::WildcardInArguments),
            ("/usr/bin/cat \\x", SudoFault::WildcardInArguments),
            ("/usr/bin/cat ^/etc/.$", SudoFault::RegularExpression),
            ("/usr/bin/cat \"a b\"", SudoFault::Quotes),
            ("/usr/bin/cat \"\" x", SudoFault::Quotes),
            ("/usr/bin/'id'", SudoFault::Quotes),
            ("/usr/bin/cat  x", SudoFault::Blanks),
            ("/usr/bin/cat ", SudoFault::Blanks),
            ("/usr/bin/ x", SudoFault::DirectoryWithArguments),
            ("/usr/bin/id\n\"anna\" ALL=(ALL) ALL", SudoFault::ControlCharacters),
            ("/usr/bin/id\tx", SudoFault::ControlCharacters),
            ("/usr/bin/id\u{2028}x", SudoFault::ControlCharacters),
        ];
        for (text, fault) in rows {
            assert_eq!(SudoCommand::new(text), Err(fault), "{text:?}");
        }
        let long = format!("/{}", "x".repeat(MAX_COMMAND));
        assert_eq!(SudoCommand::new(long), Err(SudoFault::TooLong { max: 1024, actual: 1025 }));
    }

    #[test]
    fn a_command_that_came_over_the_socket_is_checked_again() {
        assert!(serde_json::from_str::<SudoCommand>("\"/usr/bin/*\"").is_err());
        let command: SudoCommand = serde_json::from_str("\"/usr/bin/id -u\"").unwrap();
        assert_eq!(command.as_str(), "/usr/bin/id -u");
    }
}
