//! How long a password and an account last: the fields of shadow(5), in days.

use serde::{Deserialize, Serialize};

/// As shadow(5) has it. `None` where the field is empty or no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ageing {
    /// The day of the last change of the password, counted from 1970-01-01; 0: it has to be changed
    /// before anything else.
    pub last_change: Option<u32>,
    /// Between two changes by the user.
    pub min_days: Option<u32>,
    /// After so many the password is too old.
    pub max_days: Option<u32>,
    /// The user is warned so many before that.
    pub warn_days: Option<u32>,
    /// So many after that the account is disabled.
    pub inactive_days: Option<u32>,
    /// The day from which on the account is expired, counted from 1970-01-01.
    pub expires: Option<u32>,
}

/// What to change of it; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeingChange {
    pub min_days: Option<Limit>,
    pub max_days: Option<Limit>,
    pub warn_days: Option<Limit>,
    pub inactive_days: Option<Limit>,
    pub expires: Option<Limit>,
    pub must_change: Option<MustChange>,
}

/// A field of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// An empty field.
    None,
    Days(u32),
}

/// Whether the password has to be changed at the next login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MustChange {
    Yes,
    /// It counts as changed today, where it had to be.
    No,
}

impl Limit {
    pub fn days(self) -> Option<u32> {
        match self {
            Limit::None => None,
            Limit::Days(days) => Some(days),
        }
    }
}
