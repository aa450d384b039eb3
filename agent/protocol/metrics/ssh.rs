//! What the SSH front counts.

use serde::{Deserialize, Serialize};

use super::label::label;
use super::numbers::Numbers;

label!(
    /// Why a client was not let in at all.
    TurnedAway = "reason" {
        /// As many as may be had not authenticated yet.
        Full => "full",
        /// As many of its source.
        SourceFull => "source_full",
        /// By chance, because there were many.
        EarlyDrop => "early_drop",
    }
);

label!(
    /// Why the server has ended a connection.
    CutOff = "reason" {
        LoginGrace => "login_grace",
        TooMuchBeforeLogin => "too_much_before_login",
        /// The client took nothing of what was sent.
        Stalled => "stalled",
        /// A session took nothing of what the client sent.
        SessionStalled => "session_stalled",
        /// The client did not close its side after a goodbye.
        NotClosed => "not_closed",
        /// The account was changed, and the client did not listen.
        Revoked => "revoked",
        /// The client did not say that it is there.
        Keepalive => "keepalive",
        Idle => "idle",
    }
);

label!(
    /// How a client of SSH shows who it is.
    SshMethod = "method" {
        Password => "password",
        KeyboardInteractive => "keyboard_interactive",
        Publickey => "publickey",
        /// A key that is asked about before anything is signed with it (RFC 4252 §7).
        PublickeyOffer => "publickey_offer",
    }
);

label!(
    /// What the SSH front has answered.
    SshResult = "result" {
        Granted => "granted",
        Refused => "refused",
        PasswordExpired => "password_expired",
        PasswordNotChanged => "password_not_changed",
        CodeRequired => "code_required",
        /// Nobody could be asked.
        Undecided => "undecided",
    }
);

label!(
    /// Where bytes of sessions go.
    Direction = "direction" {
        ToSessions => "to_sessions",
        FromSessions => "from_sessions",
    }
);

/// Of the SSH front.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshNumbers {
    pub accepted: Numbers<()>,
    pub turned_away: Numbers<TurnedAway>,
    pub cut_off: Numbers<CutOff>,
    /// Now, as `unauthenticated`.
    pub open: Numbers<()>,
    pub unauthenticated: Numbers<()>,
    pub authentications: Numbers<(SshMethod, SshResult)>,
    pub bytes: Numbers<Direction>,
}
