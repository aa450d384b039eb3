//! Why a command was not done: in words, with what to do next and the status to exit with.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::problem::Refused;
use crate::text::harmless;

/// Exit statuses, the same for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Failed = 1,
    Usage = 2,
    NotReachable = 3,
    NotPermitted = 4,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(Box<Refused>),
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("what answers at {url} is not accountd: {reason}")]
    NotAccountd { url: String, reason: String },
    #[error("cannot reach the agent at {}: {reason}", socket.display())]
    NoAgent { socket: PathBuf, reason: String },
    #[error("the agent at {} gives a handle to nobody but root", socket.display())]
    TurnedAway { socket: PathBuf },
    #[error("the agent at {} gives no handle: {reason}", socket.display())]
    NoHandle { socket: PathBuf, reason: String },
    #[error("{url} is no address of accountd: {reason}")]
    Url { url: String, reason: &'static str },
    #[error("root's own handle goes to this machine only, not to {url}")]
    HandleElsewhere { url: String },
    #[error("it is not known who asks")]
    NoCredential,
    #[error("{}: {reason}", path.display())]
    Settings { path: PathBuf, reason: String },
    #[error("{} holds a secret and can be read by others than its owner", path.display())]
    Exposed { path: PathBuf },
    #[error("{} belongs to somebody else, or others may write it", path.display())]
    Foreign { path: PathBuf },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A command line that clap has no words for.
    #[error("{what}")]
    Usage { what: String, next: &'static str },
    #[error("{question} needs somebody to agree, and this is no terminal")]
    NobodyToAsk { question: String },
    #[error("not agreed to")]
    NotAgreed,
    #[error("the two are not the same")]
    NotTheSame,
    #[error("nothing was typed")]
    NothingTyped,
    #[error("cannot use the terminal: {0}")]
    Terminal(Errno),
    #[error("cannot read from the terminal: {0}")]
    Typing(io::Error),
    #[error("{item} is not among the {what} of {whose}")]
    NotAmong { item: String, what: &'static str, whose: String },
    #[error("the {what} of {whose} are changed by others all the time")]
    Contended { what: &'static str, whose: String },
    #[error("the audit trail is not whole")]
    NotWhole,
    #[error("not everything was repaired")]
    NotAllRepaired,
    #[error("not every item was done")]
    NotAllDone,
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is no backup that can be used: {reason}", path.display())]
    NoBackup { path: PathBuf, reason: String },
    #[error("cannot open {}: the passphrase is wrong", path.display())]
    Passphrase { path: PathBuf },
    #[error("{count} accounts can not be taken over as they are")]
    Conflicts { count: u64 },
    #[error("the job was cancelled")]
    Cancelled,
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    pub fn status(&self) -> Status {
        match self {
            Error::Refused(refused) => refused.status(),
            Error::Unreachable { .. } | Error::NotAccountd { .. } | Error::NoAgent { .. } => Status::NotReachable,
            Error::TurnedAway { .. } | Error::NoHandle { .. } => Status::NotPermitted,
            Error::Url { .. }
            | Error::HandleElsewhere { .. }
            | Error::NoCredential
            | Error::Settings { .. }
            | Error::Exposed { .. }
            | Error::Foreign { .. }
            | Error::Read { .. }
            | Error::Usage { .. }
            | Error::NobodyToAsk { .. } => Status::Usage,
            Error::NotAgreed
            | Error::NotTheSame
            | Error::NothingTyped
            | Error::Terminal(_)
            | Error::Typing(_)
            | Error::NotAmong { .. }
            | Error::Contended { .. }
            | Error::NotWhole
            | Error::NotAllRepaired
            | Error::NotAllDone
            | Error::Exists { .. }
            | Error::Write { .. }
            | Error::NoBackup { .. }
            | Error::Passphrase { .. }
            | Error::Conflicts { .. }
            | Error::Cancelled
            | Error::Output(_) => Status::Failed,
        }
    }

    /// What whoever has called this can do.
    fn next(&self) -> String {
        let next = match self {
            Error::Refused(refused) => return refused.next(),
            Error::Unreachable { .. } => {
                "Is accountd running there? --url says where it is. If this was a change, look whether it was made."
            }
            Error::NotAccountd { .. } => "Say with --url where accountd is.",
            Error::NoAgent { .. } => {
                "Is accountd-agent running? --socket says where its socket is (in a sandbox: \
                 DIR/run/accountd/agent.sock). Or say who you are with --user."
            }
            Error::TurnedAway { .. } => "Say who you are with --user, or call accountctl as root.",
            Error::NoHandle { .. } => "Say who you are with --user.",
            Error::Url { .. } => "It looks like http://HOST:PORT.",
            Error::HandleElsewhere { .. } => "Say with --user who you are there.",
            Error::NoCredential => {
                "Say who you are with --user, put a token into ACCOUNTCTL_TOKEN, write either into \
                 ~/.config/accountd/accountctl.toml, or call accountctl as root on the machine itself."
            }
            Error::Settings { .. } => "accountctl(1) explains every key, under FILES.",
            Error::Exposed { .. } => "Take it from the others with chmod 600, and call again.",
            Error::Foreign { .. } => "It is not believed. Put one of your own in its place, or set HOME.",
            Error::Read { .. } => "Nothing has been changed. Correct the path and call again.",
            Error::Usage { next, .. } => next,
            Error::NobodyToAsk { .. } => "Nothing has been changed. Say it beforehand with --yes.",
            Error::NotAgreed => "Nothing has been changed.",
            Error::NotTheSame | Error::NothingTyped => "Nothing has been changed. Call again.",
            Error::Terminal(_) | Error::Typing(_) => "Nothing has been changed. A file can stand for the terminal.",
            Error::NotAmong { .. } => "Nothing has been changed. The verb list shows what there is.",
            Error::Contended { .. } => "Nothing has been changed. Call again.",
            Error::NotWhole => {
                "Keep the files beside the state store as they are; accountd-agent(8) explains the trail."
            }
            Error::Exists { .. } => "Nothing has been written. Take another name, or replace it with --force.",
            Error::Write { .. } => "Nothing has been written. Take another place, or make room.",
            Error::NoBackup { .. } => "Nothing has been changed. Take another copy of it.",
            Error::Passphrase { .. } => "Nothing has been changed. Call again with the right one.",
            Error::Conflicts { .. } => {
                "Nothing has been changed. The lines above say why; choose what is to become of them with --on-name, \
                 --on-id, --skip, --rename and the like: --help explains each."
            }
            Error::NotAllRepaired => "The lines above say why. accountctl check run shows what is left.",
            Error::NotAllDone => "The lines above say why. Correct these, and import them by themselves.",
            Error::Cancelled => "Nothing has been changed.",
            Error::Output(_) => "What was asked for may have been done; look before you call again.",
        };
        next.to_owned()
    }

    /// For standard error: what, of which fields, and what next.
    pub fn lines(&self) -> String {
        let mut lines = format!("accountctl: {}\n", harmless(&self.to_string()));
        if let Error::Refused(refused) = self {
            refused.faults().for_each(|fault| lines.push_str(&format!("  {}\n", harmless(&fault))));
        }
        lines.push_str(&format!("{}\n", harmless(&self.next())));
        lines
    }

    /// Whoever has read the output has seen enough (a pager that was left, head(1)).
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_server_says_reaches_the_terminal_as_it_is() {
        let error = Error::NotAccountd { url: "http://h".into(), reason: "\u{1b}[31mred".into() };
        assert!(error.lines().contains(r"\u{1b}[31mred"), "{}", error.lines());
        assert_eq!(error.status(), Status::NotReachable);
    }
}
