//! What is logged about key files: lines that let nobody in, and options that are passed over. Once
//! for each text, not at every login.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use accountd_config::PermitUserEnvironment;
use accountd_protocol::id::Uid;
use tracing::warn;

use super::authorized_keys::{Untaken, numbered};
use super::key_options::{KeyOption, LineError};
use crate::sys::local_time;

/// Of so many users it is remembered which text was spoken about.
const MOST: usize = 4096;
/// Of one text no more lines are spoken about.
const MOST_LINES: usize = 20;

/// Why a line does not count, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Void(LineError),
    Untaken(Untaken),
    /// `environment=` where it is not permitted.
    EnvironmentIgnored,
}

/// The texts that have been spoken about.
#[derive(Debug, Default)]
pub struct KeyNotices {
    told: Mutex<HashMap<Uid, u64>>,
    hasher: RandomState,
}

impl KeyNotices {
    /// Logs what there is to say about a text that is not the one of the last time.
    pub fn tell(&self, (user, uid): (&str, Uid), text: &str, permit: PermitUserEnvironment) {
        let digest = self.hasher.hash_one(text);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&uid) == Some(&digest) {
            return;
        }
        if told.len() >= MOST {
            told.clear();
        }
        told.insert(uid, digest);
        drop(told);
        for (line, notice) in notices(text, permit).take(MOST_LINES) {
            warn!(user, line, "a line of authorized_keys {notice}");
        }
    }
}

/// The lines, counted from 1, about which there is something to say.
pub fn notices(text: &str, permit: PermitUserEnvironment) -> impl Iterator<Item = (usize, Notice)> {
    let has_environment = |option: &KeyOption| matches!(option, KeyOption::Environment(..));
    numbered(text).filter_map(move |(line, parsed)| {
        let notice = match parsed {
            Err(error) => Some(Notice::Void(error)),
            Ok(key) => key.untaken().map(Notice::Untaken).or_else(|| {
                let ignored = permit == PermitUserEnvironment::No && key.options.iter().any(has_environment);
                ignored.then_some(Notice::EnvironmentIgnored)
            }),
        };
        notice.map(|notice| (line, notice))
    })
}

/// The lines, counted from 1, that let nobody in whatever the settings are, and why.
pub fn lines_that_let_nobody_in(text: &str, now: u64) -> impl Iterator<Item = (usize, String)> {
    let expired = move |option: &KeyOption| matches!(option, KeyOption::ExpiryTime(time) if time.seconds(local_time::seconds).is_none_or(|end| end <= now));
    numbered(text).filter_map(move |(line, parsed)| {
        let reason = match parsed {
            Err(error) => Some(error.to_string()),
            Ok(key) => key.untaken().map(|why| why.to_string()).or_else(|| {
                let is_over = key.options.iter().any(expired);
                is_over.then(|| "its expiry-time is over".to_owned())
            }),
        };
        reason.map(|reason| (line, reason))
    })
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Void(error) => write!(out, "lets nobody in: {error}"),
            Notice::Untaken(why) => write!(out, "lets nobody in: {why}"),
            Notice::EnvironmentIgnored => {
                out.write_str("sets no variables: permit_user_environment of accountd.toml is no")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn each_line_that_does_not_count_is_named_with_its_number() {
        let text = format!("# note\n{KEY}\n\nnew-option {KEY}\ncert-authority {KEY}\nenvironment=\"A=b\" {KEY}\nx");
        let with = |permit| notices(&text, permit).collect::<Vec<_>>();
        let void = [
            (4, Notice::Void(LineError::UnknownOption)),
            (5, Notice::Untaken(Untaken::Authority)),
            (6, Notice::EnvironmentIgnored),
            (7, Notice::Void(LineError::NoKey)),
        ];
        assert_eq!(with(PermitUserEnvironment::No), void);
        assert_eq!(with(PermitUserEnvironment::Yes).len(), 3);
    }

    #[test]
    fn a_line_whose_time_is_over_lets_nobody_in() {
        let text = format!("expiry-time=\"20260101Z\" {KEY}\n{KEY}\nsk-{KEY}");
        let lines = |now| lines_that_let_nobody_in(&text, now).map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!((lines(1_767_225_599), lines(1_767_225_600)), (vec![3], vec![1, 3]));
    }

    #[test]
    fn a_text_is_spoken_about_once_and_anew_when_it_is_another() {
        let notices = KeyNotices::default();
        let digest = |notices: &KeyNotices| notices.told.lock().unwrap().get(&Uid(1)).copied();
        notices.tell(("anna", Uid(1)), "x", PermitUserEnvironment::No);
        let first = digest(&notices);
        notices.tell(("anna", Uid(1)), "x", PermitUserEnvironment::No);
        assert_eq!(digest(&notices), first);
        notices.tell(("anna", Uid(1)), "y", PermitUserEnvironment::No);
        assert_ne!(digest(&notices), first);
    }

    #[test]
    fn of_no_more_than_so_many_users_it_is_remembered() {
        let notices = KeyNotices::default();
        for uid in 0..=MOST {
            notices.tell(("anna", Uid(uid.try_into().unwrap())), "x", PermitUserEnvironment::No);
        }
        let known: Vec<Uid> = notices.told.lock().unwrap().keys().copied().collect();
        assert_eq!(known, [Uid(MOST.try_into().unwrap())]);
    }
}
