//! Logins through PAM (pam(3)): what the agent says of them, and what a client is asked meanwhile.

use serde::{Deserialize, Serialize};

/// Through which service, and how long at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PamService {
    /// The name of a file of pam.d(5).
    pub name: String,
    /// So long may its modules take for a login, for the begin of its session and for the end, each; what a
    /// client takes to answer is not counted.
    pub seconds: u32,
}

/// A login that PAM is asked about before the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PamTask {
    pub service: PamService,
    pub whom: PamWhom,
}

/// Whether there is anybody whom PAM could let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PamWhom {
    Account,
    /// No account of this name logs in by a password now. The same is asked, and no answer is passed on.
    Nobody,
}

/// How a login begins whose client has shown nothing yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PamBeginning {
    /// Without PAM.
    Native,
    Pam(PamTask),
    /// There were too many failures. The answer to it is to take so long.
    Refused {
        wait_milliseconds: u64,
    },
}

/// What PAM has said, of its stacks `auth` and `account` together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PamVerdict {
    Passed,
    Refused,
    /// Who it is was shown; the password has to be changed first, and was not.
    PasswordExpired,
}

/// What a client is shown and asked (RFC 4256 §3.2). Without a prompt there is only something to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Questions {
    pub said: String,
    pub prompts: Vec<Prompt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    pub text: String,
    pub echo: Echo,
}

/// Whether an answer may be seen as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echo {
    On,
    Off,
}
