//! What the agent counts.

use serde::{Deserialize, Serialize};

use super::label::label;
use super::login::ProofKind;
use super::numbers::Numbers;

label!(
    /// The agent's word on a login.
    DecisionResult = "result" {
        Granted => "granted",
        Refused => "refused",
        PasswordExpired => "password_expired",
        PasswordNotChanged => "password_not_changed",
        CodeRequired => "code_required",
    }
);

label!(
    /// Its word on a key that is asked about.
    OfferResult = "result" {
        Acceptable => "acceptable",
        Refused => "refused",
    }
);

label!(
    /// By what a caller of REST shows who it is.
    RestMethod = "method" {
        Password => "password",
        ApiKey => "api_key",
        /// What a client of AList makes of the password.
        StaticHash => "static_hash",
        Token => "token",
        /// Nothing: a guest.
        Guest => "guest",
    }
);

label!(
    /// What came of it.
    RestResult = "result" {
        Granted => "granted",
        Refused => "refused",
        /// Too many wrong passwords have come before.
        TurnedAway => "turned_away",
        Undecided => "undecided",
        CodeRequired => "code_required",
        WrongCode => "wrong_code",
    }
);

label!(
    /// What a ban is about.
    BanObject = "of" {
        Source => "source",
        Account => "account",
        UnknownName => "unknown_name",
    }
);

/// Of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNumbers {
    pub decisions: Numbers<(ProofKind, DecisionResult)>,
    pub offers: Numbers<OfferResult>,
    pub rest: Numbers<(RestMethod, RestResult)>,
    pub bans_begun: Numbers<BanObject>,
    /// Now.
    pub bans: Numbers<BanObject>,
    /// Changes of the accounts in one commit or found in the files.
    pub changes: Numbers<()>,
}
