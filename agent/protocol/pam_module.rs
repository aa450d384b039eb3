//! The socket of `accountd-agent` for PAM (pam(8)): what `pam_accountd.so` asks in the programs of others.
//!
//! A connection carries requests one after the other, each answered with a [`PamAnswer`]. Everybody may connect: root's
//! programs ask about everybody, others about the account of their own uid alone (SO_PEERCRED, unix(7)).

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// In the directory of the agent's other socket.
pub const SOCKET_NAME: &str = "pam.sock";
pub const SOCKET: &str = "/run/accountd/pam.sock";

/// Cap of both directions: whoever connects may be anybody.
pub const PAM_CAP: usize = 16 * 1024;

/// The longest text of a request but for passwords and codes, in bytes; longer ones are cut.
pub const MOST_TEXT: usize = 255;

/// What is asked, and where.
#[derive(Debug, Serialize, Deserialize)]
pub struct PamRequest {
    /// `PAM_USER`
    pub user: String,
    /// `PAM_SERVICE`
    pub service: String,
    /// `PAM_TTY`; `None`: without one.
    #[serde(default)]
    pub terminal: Option<String>,
    /// `PAM_RHOST`: where the user is; `None`: here.
    #[serde(default)]
    pub host: Option<String>,
    pub question: PamQuestion,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PamQuestion {
    /// Is it the user?
    Authenticate {
        password: Secret,
        /// Of an authenticator, or a recovery code.
        #[serde(default)]
        code: Option<Secret>,
    },
    /// May the user have a session now, however it was shown who it is?
    CheckAccount,
    /// A new password is about to be written into shadow(5).
    BeginPassword,
    /// It was written there: what else is made of a password is to follow.
    FollowPassword { password: Secret },
    /// Root: a session of the user begins, led by the process that asks.
    OpenSession,
    /// Root: it ends.
    CloseSession,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PamAnswer {
    /// To `Authenticate` and `CheckAccount`.
    Granted,
    /// Not let in. Why is in the audit trail, and told to nobody.
    Refused {
        wait_milliseconds: u64,
    },
    /// The password is right, and not enough: the same again, with a code.
    CodeRequired,
    /// To be changed first. To `Authenticate`: and it is the right one.
    PasswordExpired,
    /// No account of these files.
    Unknown,
    /// Root, or an account of the system's own: others decide.
    NotManaged,
    Locked,
    Expired,
    /// Nobody comes from there.
    NotFromThere,
    /// The account has as many sessions as it may.
    TooManySessions {
        most: u32,
    },
    /// To what is no question.
    Done,
    /// To `FollowPassword`: another one is in shadow(5).
    AnotherPassword,
    /// The peer speaks for somebody else.
    NotPermitted,
    /// The peer asks too often.
    TooOften {
        seconds: u64,
    },
    /// It can't be told now, for a reason that is in the agent's log.
    Failed,
}

/// A text of at most [`MOST_TEXT`] bytes.
pub fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::secret::MAX_PASSWORD_BYTES;

    #[test]
    fn the_longest_request_fits_below_the_cap() {
        let text = || cut(&"\u{1}".repeat(1000));
        assert_eq!(text().len(), MOST_TEXT);
        assert_eq!(cut(&"ä".repeat(200)).len(), MOST_TEXT - 1);
        let secret = || Secret::new("\u{1}".repeat(MAX_PASSWORD_BYTES));
        let question = PamQuestion::Authenticate { password: secret(), code: Some(secret()) };
        let request =
            PamRequest { user: text(), service: text(), terminal: Some(text()), host: Some(text()), question };
        assert!(frame::encode(&request, PAM_CAP).is_ok());
    }
}
