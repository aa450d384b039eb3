//! What the programs count, as they tell it to each other and as `/api/v2/metrics` shows it.
//!
//! Labels are enums of this folder: nothing that a client says becomes one, and a set of numbers is never
//! longer than they are. A program that was started anew begins at 0 again.

mod agent;
mod label;
mod login;
mod numbers;
mod ssh;

use serde::{Deserialize, Serialize};

pub use self::agent::{AgentNumbers, BanObject, DecisionResult, OfferResult, RestMethod, RestResult};
pub use self::label::Labels;
pub use self::login::{LoginNumbers, LoginResult, NotOpened, ProofKind, SessionEnd, SessionService};
pub use self::numbers::{Numbers, Tally};
pub use self::ssh::{CutOff, Direction, SshMethod, SshNumbers, SshResult, TurnedAway};

/// How old numbers of another program may be to be shown.
pub const MAX_AGE_SECONDS: u64 = 60;

/// What `accountd-login` tells the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginReport {
    pub login: LoginNumbers,
    /// The last that the SSH front has said.
    pub ssh: Option<SshReport>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshReport {
    pub numbers: SshNumbers,
    pub age_seconds: u64,
}

/// All that is counted. `None` for a program that has said nothing for [`MAX_AGE_SECONDS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    pub agent: AgentNumbers,
    pub login: Option<LoginNumbers>,
    pub ssh: Option<SshNumbers>,
}
