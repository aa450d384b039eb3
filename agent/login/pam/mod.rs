//! Logins through PAM (pam(3)): its modules run in a process of their own for each login, which has nothing else to
//! lose, and which every session of that login descends from.
//!
//! Here is what the two sides say to each other, in packets; [`process`] is the one side, [`modules`] the other.

mod modules;
mod process;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::pam::{PamVerdict, Questions};
use accountd_protocol::secret::Secret;
use accountd_protocol::socket;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use modules::Modules;
pub use process::serve;

/// Longest packet: the questions and texts of one turn, or their answers.
const MAX_PACKET: usize = 64 * 1024;

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
pub enum Told {
    /// One for each prompt; `None`: nobody answers.
    Answers(Option<Vec<Secret>>),
    /// Behind [`PamVerdict::PasswordExpired`].
    ChangePassword,
    /// Behind [`PamVerdict::Passed`]. Once it is open, orders follow, and nothing else.
    OpenSession,
}

/// What the process says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    /// With a descriptor of itself, by which it can be killed.
    Begun,
    Asks(Questions),
    Judged(Judgement),
    SessionOpen,
    /// In words for the user.
    SessionNotOpen(String),
}

/// What PAM has come to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Judgement {
    pub verdict: Verdict,
    /// What its modules have said for the client to read.
    pub said: String,
    /// How long its modules want a refusal to take.
    pub wait_milliseconds: u64,
    /// For the log.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    Known(PamVerdict),
    /// Whom the modules would ask can not be asked.
    Unavailable,
}

fn say(line: &impl AsFd, what: &impl Serialize, descriptors: &[OwnedFd]) -> io::Result<()> {
    let text = serde_json::to_vec(what)?;
    socket::send(line, &text, descriptors).map(|_| ())
}

/// `None`: the other side has gone.
fn hear<T: DeserializeOwned>(line: &impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut buffer = vec![0; MAX_PACKET];
    let (count, descriptors) = loop {
        match socket::receive(line, &mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => break received?,
        }
    };
    let heard = buffer.get(..count).filter(|text| !text.is_empty()).map(serde_json::from_slice).transpose();
    // It may hold a password.
    buffer.fill(0);
    std::hint::black_box(&buffer);
    Ok(heard?.map(|heard| (heard, descriptors)))
}
