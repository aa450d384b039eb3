//! What `accountd-login` counts.

use serde::{Deserialize, Serialize};

use super::label::label;
use super::numbers::Numbers;
use crate::login::Proof;

label!(
    /// What is shown to be let in, as [`Proof`] has it.
    ProofKind = "method" {
        Password => "password",
        PasswordChange => "password_change",
        Publickey => "publickey",
        PasswordAndCode => "password_and_code",
        PublickeyAndCode => "publickey_and_code",
    }
);

impl ProofKind {
    pub fn of(proof: &Proof) -> Self {
        match proof {
            Proof::Password(_) => ProofKind::Password,
            Proof::PasswordChange { .. } => ProofKind::PasswordChange,
            Proof::PublicKey(_) => ProofKind::Publickey,
            Proof::PasswordAndCode { .. } => ProofKind::PasswordAndCode,
            Proof::PublicKeyAndCode { .. } => ProofKind::PublickeyAndCode,
        }
    }
}

label!(
    /// What came of a login.
    LoginResult = "result" {
        Granted => "granted",
        Refused => "refused",
        PasswordExpired => "password_expired",
        PasswordNotChanged => "password_not_changed",
        TooManyConnections => "too_many_connections",
        /// The agent could not be heard, or modules of PAM have not answered.
        Undecided => "undecided",
        CodeRequired => "code_required",
    }
);

label!(
    /// What a session runs.
    SessionService = "service" {
        Sftp => "sftp",
        Command => "command",
        Shell => "shell",
        Connect => "connect",
    }
);

label!(
    /// How a session has ended.
    SessionEnd = "how" {
        ExitedOk => "exited_ok",
        ExitedError => "exited_error",
        /// By a signal that was not accountd's.
        Killed => "killed",
        Revoked => "revoked",
        /// The agent or accountd-login has ended or was started again.
        Interrupted => "interrupted",
        /// Its client has closed it or has gone.
        Closed => "closed",
    }
);

label!(
    /// Why there was no session.
    NotOpened = "reason" {
        TooManyOfConnection => "too_many_of_connection",
        TooManyOfAccount => "too_many_of_account",
        /// nologin(5)
        Nologin => "nologin",
        NotAllowed => "not_allowed",
        /// Since the login.
        AccountChanged => "account_changed",
        NotStarted => "not_started",
    }
);

/// Of `accountd-login`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginNumbers {
    pub logins: Numbers<(ProofKind, LoginResult)>,
    pub begun: Numbers<SessionService>,
    pub ended: Numbers<SessionEnd>,
    /// Now.
    pub running: Numbers<SessionService>,
    pub not_opened: Numbers<NotOpened>,
}
