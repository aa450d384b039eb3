//! What the programs count, as they tell it to each other and as `/api/v2/metrics` shows it.
//!
//! Labels are enums of this file: nothing that a client says becomes one, and a set of numbers is never
//! longer than they are. A program that was started anew begins at 0 again.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::login::Proof;

/// How old numbers of another program may be to be shown.
pub const MAX_AGE_SECONDS: u64 = 60;

/// What tells numbers of one kind apart.
pub trait Labels: Copy {
    const COUNT: usize;
    fn all() -> Vec<Self>;
    /// Below [`Labels::COUNT`], in the order of [`Labels::all`].
    fn index(self) -> usize;
    /// Names and values as they are shown.
    fn pairs(self) -> Vec<(&'static str, &'static str)>;
}

/// There is one number.
impl Labels for () {
    const COUNT: usize = 1;

    fn all() -> Vec<Self> {
        vec![()]
    }

    fn index(self) -> usize {
        0
    }

    fn pairs(self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

impl<A: Labels, B: Labels> Labels for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;

    fn all() -> Vec<Self> {
        A::all().into_iter().flat_map(|first| B::all().into_iter().map(move |second| (first, second))).collect()
    }

    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }

    fn pairs(self) -> Vec<(&'static str, &'static str)> {
        [self.0.pairs(), self.1.pairs()].concat()
    }
}

/// An enum that is a label: its name there, and that of each value.
macro_rules! label {
    ($(#[$about:meta])* $label:ident = $name:literal {
        $($(#[$about_value:meta])* $value:ident => $shown:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $label {
            $($(#[$about_value])* $value,)+
        }

        impl $label {
            pub const ALL: &[Self] = &[$(Self::$value,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $shown,)+
                }
            }
        }

        impl Labels for $label {
            const COUNT: usize = Self::ALL.len();

            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }

            fn index(self) -> usize {
                self as usize
            }

            fn pairs(self) -> Vec<(&'static str, &'static str)> {
                vec![($name, self.name())]
            }
        }
    };
}

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

label!(
    /// What is shown to be let in, as [`Proof`] has it.
    ProofKind = "method" {
        Password => "password",
        PasswordChange => "password_change",
        Publickey => "publickey",
    }
);

impl ProofKind {
    pub fn of(proof: &Proof) -> Self {
        match proof {
            Proof::Password(_) => ProofKind::Password,
            Proof::PasswordChange { .. } => ProofKind::PasswordChange,
            Proof::PublicKey(_) => ProofKind::Publickey,
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
        /// The agent could not be heard.
        Undecided => "undecided",
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

label!(
    /// The agent's word on a login.
    DecisionResult = "result" {
        Granted => "granted",
        Refused => "refused",
        PasswordExpired => "password_expired",
        PasswordNotChanged => "password_not_changed",
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

/// Numbers that change while others read them: no lock, and no order between them.
#[derive(Debug)]
pub struct Tally<L> {
    cells: Box<[AtomicU64]>,
    of: PhantomData<fn(L)>,
}

impl<L: Labels> Default for Tally<L> {
    fn default() -> Self {
        Self { cells: (0..L::COUNT).map(|_| AtomicU64::new(0)).collect(), of: PhantomData }
    }
}

impl<L: Labels> Tally<L> {
    pub fn add(&self, labels: L, count: u64) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub fn one(&self, labels: L) {
        self.add(labels, 1);
    }

    /// Takes one back, of what is counted as long as it is there.
    pub fn less(&self, labels: L) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn numbers(&self) -> Numbers<L> {
        Numbers { values: self.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect(), of: PhantomData }
    }
}

/// One number for each value of the labels. What is not said is 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(L, u64)>", into = "Vec<(L, u64)>")]
#[serde(bound(serialize = "L: Labels + Serialize", deserialize = "L: Labels + Deserialize<'de>"))]
pub struct Numbers<L> {
    values: Vec<u64>,
    of: PhantomData<L>,
}

impl<L: Labels> Default for Numbers<L> {
    fn default() -> Self {
        Self { values: vec![0; L::COUNT], of: PhantomData }
    }
}

impl<L: Labels> From<Vec<(L, u64)>> for Numbers<L> {
    fn from(said: Vec<(L, u64)>) -> Self {
        let mut numbers = Self::default();
        for (labels, number) in said {
            if let Some(value) = numbers.values.get_mut(labels.index()) {
                *value = number;
            }
        }
        numbers
    }
}

impl<L: Labels> From<Numbers<L>> for Vec<(L, u64)> {
    fn from(numbers: Numbers<L>) -> Self {
        numbers.rows().into_iter().filter(|(_, value)| *value > 0).collect()
    }
}

impl<L: Labels> Numbers<L> {
    /// All of them, in the order of the labels.
    pub fn rows(&self) -> Vec<(L, u64)> {
        L::all().into_iter().zip(self.values.iter().copied()).collect()
    }
}

impl From<u64> for Numbers<()> {
    fn from(number: u64) -> Self {
        Self { values: vec![number], of: PhantomData }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told_and_zeros_are_not() {
        let tally = Tally::<(SshMethod, SshResult)>::default();
        tally.one((SshMethod::Publickey, SshResult::Undecided));
        tally.add((SshMethod::Password, SshResult::Granted), 3);
        tally.one((SshMethod::Password, SshResult::Granted));
        tally.less((SshMethod::Password, SshResult::Granted));
        let numbers = tally.numbers();
        let wire = serde_json::to_string(&numbers).unwrap();
        assert_eq!(wire, r#"[[["password","granted"],3],[["publickey","undecided"],1]]"#);
        assert_eq!(serde_json::from_str::<Numbers<(SshMethod, SshResult)>>(&wire).unwrap(), numbers);
        assert_eq!(numbers.rows().len(), 20);
    }

    #[test]
    fn a_set_is_no_longer_than_its_labels_whatever_was_said() {
        let said = format!("[{}[\"full\",7]]", "[\"full\",1],".repeat(1000));
        let numbers: Numbers<TurnedAway> = serde_json::from_str(&said).unwrap();
        let shown = [(TurnedAway::Full, 7), (TurnedAway::SourceFull, 0), (TurnedAway::EarlyDrop, 0)];
        assert_eq!(numbers.rows(), shown);
        assert!(serde_json::from_str::<Numbers<TurnedAway>>(r#"[["anna",1]]"#).is_err());
    }

    #[test]
    fn every_pair_has_a_place_of_its_own() {
        let all = <(CutOff, ProofKind)>::all();
        let places: Vec<usize> = all.iter().map(|labels| labels.index()).collect();
        assert_eq!(places, (0..<(CutOff, ProofKind)>::COUNT).collect::<Vec<_>>());
        assert_eq!(all[0].pairs(), [("reason", "login_grace"), ("method", "password")]);
    }
}
