//! `[deletion]`: what becomes of the things that an account leaves outside of the account files.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    /// crontab(1)
    pub crontab: Leftover,
    /// at(1)
    pub at_jobs: Leftover,
    /// loginctl(1), enable-linger
    pub linger: Leftover,
    pub mail: Mail,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftover {
    #[default]
    Remove,
    Keep,
}

/// The mail spool, `/var/mail/NAME`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mail {
    /// It stays, as root's and readable by root alone, under a name that no account has.
    #[default]
    GiveToRoot,
    Remove,
    /// It stays as it is: whoever gets the name next may get the mail.
    Keep,
}
