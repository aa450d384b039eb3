//! The socket of `accountd-login`: what the SSH front may ask.
//!
//! One connection per SSH connection. It begins with [`LoginRequest::Hello`]; whoever has
//! authenticated on it may open sessions on it; when it closes, its sessions are ended. Answers
//! come in the order of the requests; [`LoginEvent::Ended`] may come between them. What the front counts
//! comes over a connection of its own.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::metrics::SshNumbers;
use crate::octets;
use crate::pam::Questions;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::session_policy::TerminalUse;

/// Numbers one session among all that accountd-login has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginRequest {
    /// First on each connection: where the client is, where it has come to, and what it calls itself
    /// (RFC 4253 §4.2).
    Hello { client: SocketAddr, server: SocketAddr, version: String },
    /// Would this public key let the user in? Asked before the client signs (RFC 4252 §7).
    OfferKey { user: String, key: Vec<u8> },
    /// Lets the user in, or not. A second success on a connection replaces nothing: it is refused.
    Authenticate { user: String, proof: Proof },
    /// Starts a session of the authenticated user. The answer carries its streams.
    Open(Opening),
    /// Passes a signal on to what runs in a session (RFC 4254 §6.9), by its number (signal(7)).
    Signal { session: SessionId, number: i32 },
    /// Ends a session that was opened on this connection.
    Close { session: SessionId },
    /// What the front has counted since its start; only where nobody has said [`LoginRequest::Hello`].
    ReportNumbers(Box<SshNumbers>),
    /// Begins a dialogue with somebody who has shown nothing, or a key that is right and not enough.
    Converse { user: String },
    /// What was answered in it, one for each prompt.
    Respond(Vec<Secret>),
}

/// What the client has shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    Password(Secret),
    /// The present password, too old as it may be, and the one that takes its place.
    PasswordChange {
        current: Secret,
        password: Secret,
        /// The one that the present password was shown with before.
        #[serde(default)]
        code: Option<Secret>,
    },
    /// The key blob (RFC 4253 §6.6) whose signature the front has verified.
    PublicKey(Vec<u8>),
    /// Of an authenticator, or a recovery code.
    PasswordAndCode {
        password: Secret,
        code: Secret,
    },
    PublicKeyAndCode {
        key: Vec<u8>,
        code: Secret,
    },
}

/// What came of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    Granted(Admitted),
    Refused,
    /// The password is right, and has to be changed first: by [`Proof::PasswordChange`].
    PasswordExpired,
    /// The present password is right, and the new one did not take its place.
    NotChanged(Refusal),
    /// What was shown is right, and is not enough: the same again, with a code.
    CodeRequired,
    /// The key is right, and more is asked in a dialogue: [`LoginRequest::Converse`].
    MoreAsked,
}

/// What comes next in a dialogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// None is led here: the front asks, and shows what it hears as a [`Proof`].
    Yours,
    Ask(Questions),
    Over(Admission),
}

/// What the front has to keep to for whoever has authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    pub account: AccountId,
    /// Whether a session may have a terminal.
    pub terminal: TerminalUse,
    /// Seconds; `None`: as everybody.
    pub idle: Option<u32>,
    /// KB/s of all sessions of the account together, where 1 KB is 1000 bytes.
    pub upload: Option<u32>,
    pub download: Option<u32>,
}

/// The longest command line: as long as one argument of a program may be (execve(2)).
pub const MAX_COMMAND: usize = 128 * 1024 - 1;

/// What a session is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub service: Service,
    /// `None`: without one.
    pub terminal: Option<Terminal>,
    /// What the client wants set; which of it is, the account's policy says.
    pub environment: Vec<(String, String)>,
}

/// What a session runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    Sftp {
        links: LinkOrder,
    },
    /// A command line, for the user's shell or one of the services that go without.
    Command(#[serde(with = "octets")] Vec<u8>),
    /// The user's shell.
    Shell,
    /// A TCP connection that is made as the user.
    Connect {
        host: String,
        port: u16,
    },
}

/// A terminal as the client has it (RFC 4254 §6.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// `TERM`
    pub kind: String,
    pub size: WindowSize,
    /// Opcodes and arguments (RFC 4254 §8).
    pub modes: Vec<(u8, u32)>,
}

/// In characters, and in pixels, where 0 means that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    pub columns: u16,
    pub rows: u16,
    pub width: u16,
    pub height: u16,
}

/// Which field of SSH_FXP_SYMLINK a client sends first. The draft says the link; OpenSSH sends the
/// target, and so do most clients since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkOrder {
    TargetFirst,
    LinkFirst,
}

/// What `accountd-login` sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginEvent {
    /// Answer to `Hello`.
    Welcome,
    /// Answer to `OfferKey`.
    KeyAcceptable(bool),
    /// Answer to `Authenticate`.
    Authenticated(Admission),
    /// Answer to `Open`; the descriptors come with it.
    Opened { session: SessionId, streams: Streams },
    /// Answer to `Open`: no session, and a reason that the user may see.
    NotOpened(String),
    /// Answer to `Close`.
    Closed,
    /// Answer to `Signal`, whether anything runs that could hear it or not.
    Signalled,
    /// Answer to `ReportNumbers`.
    NumbersTaken,
    /// Answer to `Converse` and `Respond`.
    Dialogue(Turn),
    /// The connection is to be closed. Not an answer.
    Disconnect,
    /// A session is over. Not an answer.
    Ended { session: SessionId, how: Ending },
}

/// What a session is heard and spoken to by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streams {
    /// One descriptor: a stream socket.
    Socket,
    /// Three: where its standard input is written to, where its standard output and its standard
    /// error are read from.
    Pipes,
    /// One: the side of a pseudoterminal that its user sits at (pty(7)).
    Terminal,
}

impl Streams {
    /// How many descriptors there are.
    pub fn count(self) -> usize {
        match self {
            Streams::Socket | Streams::Terminal => 1,
            Streams::Pipes => 3,
        }
    }
}

/// The first byte of a [`Service::Connect`]'s stream when there is a connection; another one when
/// there is none, and nothing follows it.
pub const CONNECTED: u8 = 0;

/// How a session's program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Exited(i32),
    /// The signal's number (signal(7)).
    Killed(i32),
    /// The account was disabled, changed or deleted, or somebody has closed the connection.
    Revoked,
    /// The service is being started again.
    Interrupted,
}

/// For the log.
impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exited(status) => write!(out, "exited with {status}"),
            Ending::Killed(signal) => write!(out, "killed by signal {signal}"),
            Ending::Revoked => out.write_str("revoked"),
            Ending::Interrupted => out.write_str("interrupted"),
        }
    }
}

impl Ending {
    /// Whether something else than its own program or client has ended it: its client gets nothing more.
    pub fn is_cut_short(&self) -> bool {
        match self {
            Ending::Exited(_) | Ending::Killed(_) => false,
            Ending::Revoked | Ending::Interrupted => true,
        }
    }
}
