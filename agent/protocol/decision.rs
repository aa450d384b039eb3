//! Whether somebody is let in, and as what.

use serde::{Deserialize, Serialize};

use crate::agent::Generation;
use crate::id::{AccountId, Gid, Uid};
use crate::limits::Limits;
use crate::name::UserName;
use crate::pam::{PamService, PamTask};
use crate::quota::QuotaBackend;
use crate::refusal::Refusal;
use crate::resume::Standing;
use crate::session_policy::SessionPolicy;

/// The agent's word on a login. To start anything, it has to be opened.
#[must_use]
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Granted(Box<Grant>),
    /// The answer to it is to take so long, or until the client goes.
    Refused {
        wait_milliseconds: u64,
    },
    /// The password is right, and too old for anything but being changed.
    PasswordExpired,
    /// The present password is right, and the new one did not take its place.
    NotChanged(Refusal),
    /// What was shown is right, and not enough without a code.
    CodeRequired,
    /// PAM decides first: this is to be asked again with what it has said.
    ByPam(PamTask),
}

/// Who has logged in, and as what a session of theirs runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub account: AccountId,
    pub name: UserName,
    pub uid: Uid,
    pub gid: Gid,
    /// Supplementary groups, computed from the files.
    pub groups: Vec<Gid>,
    /// Bytes of the passwd(5) fields, which need not be UTF-8.
    pub home: Vec<u8>,
    pub shell: Vec<u8>,
    pub policy: SessionPolicy,
    pub limits: Limits,
    /// Who counts what sessions write, where that has a limit.
    pub quota: Option<QuotaBackend>,
    /// The users of the fronts, whose listeners are no place to forward to.
    pub fronts: Vec<Uid>,
    pub generation: Generation,
    pub standing: Standing,
    /// Whose stacks `account` and `session` count as well.
    #[serde(default)]
    pub pam: Option<PamService>,
}

/// What runs where the shell field of passwd(5) is empty.
pub const USUAL_SHELL: &str = "/bin/sh";

impl Grant {
    /// The program that is the user's shell.
    pub fn shell_program(&self) -> &[u8] {
        if self.shell.is_empty() { USUAL_SHELL.as_bytes() } else { &self.shell }
    }
}
