//! `[bans]`: what becomes of whoever shows wrong passwords.

use std::net::IpAddr;

use accountd_protocol::network::Network;
use serde::{Deserialize, Serialize};

/// A connection waits no longer.
const LONGEST_DELAY: u64 = 60;
const LONGEST_WINDOW: u64 = 86_400;
const LONGEST_BAN: u64 = 30 * 86_400;
/// Each failure is remembered by itself.
const MOST_FAILURES: u32 = 100;
/// Delays double so often at most: beyond, each is longer than [`LONGEST_DELAY`].
const MOST_DOUBLINGS: u32 = 6;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Bans {
    /// So many failures cost nothing.
    pub free_attempts: u32,
    /// Of the failure after these; each further one doubles it. 0: there are none.
    pub first_delay_seconds: u64,
    pub longest_delay_seconds: u64,
    /// So many failures begin a ban. 0: none does.
    pub ban_after: u32,
    /// For so long a failure counts.
    pub window_seconds: u64,
    /// 0: there are no bans.
    pub ban_seconds: u64,
    /// Where nothing is counted.
    pub ignore: Vec<Network>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    free_attempts: u32,
    first_delay_seconds: u64,
    longest_delay_seconds: u64,
    ban_after: u32,
    window_seconds: u64,
    ban_seconds: u64,
    ignore: Vec<Network>,
}

impl Bans {
    /// What the last of so many failures costs, in seconds.
    pub fn delay(&self, failures: u32) -> u64 {
        match failures.checked_sub(self.free_attempts) {
            None | Some(0) => 0,
            Some(beyond) => {
                (self.first_delay_seconds << (beyond - 1).min(MOST_DOUBLINGS)).min(self.longest_delay_seconds)
            }
        }
    }

    /// Whether so many failures begin a ban.
    pub fn begins(&self, failures: u32) -> bool {
        self.ban_seconds > 0 && self.ban_after > 0 && failures >= self.ban_after
    }

    pub fn ignores(&self, source: IpAddr) -> bool {
        self.ignore.iter().any(|network| network.contains(source))
    }
}

impl Default for Bans {
    fn default() -> Self {
        let Raw {
            free_attempts,
            first_delay_seconds,
            longest_delay_seconds,
            ban_after,
            window_seconds,
            ban_seconds,
            ignore,
        } = Raw::default();
        Self {
            free_attempts,
            first_delay_seconds,
            longest_delay_seconds,
            ban_after,
            window_seconds,
            ban_seconds,
            ignore,
        }
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            free_attempts: 5,
            first_delay_seconds: 1,
            longest_delay_seconds: 30,
            ban_after: 20,
            window_seconds: 600,
            ban_seconds: 600,
            ignore: Vec::new(),
        }
    }
}

impl TryFrom<Raw> for Bans {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let within = |key: &str, value: u64, least: u64, most: u64| {
            let good = (least..=most).contains(&value);
            good.then_some(()).ok_or_else(|| format!("{key} can not be {value}: from {least} to {most}"))
        };
        within("free_attempts", raw.free_attempts.into(), 0, MOST_FAILURES.into())?;
        within("longest_delay_seconds", raw.longest_delay_seconds, 0, LONGEST_DELAY)?;
        within("first_delay_seconds", raw.first_delay_seconds, 0, raw.longest_delay_seconds)?;
        within("ban_after", raw.ban_after.into(), 0, MOST_FAILURES.into())?;
        within("window_seconds", raw.window_seconds, 1, LONGEST_WINDOW)?;
        within("ban_seconds", raw.ban_seconds, 0, LONGEST_BAN)?;
        Ok(Self {
            free_attempts: raw.free_attempts,
            first_delay_seconds: raw.first_delay_seconds,
            longest_delay_seconds: raw.longest_delay_seconds,
            ban_after: raw.ban_after,
            window_seconds: raw.window_seconds,
            ban_seconds: raw.ban_seconds,
            ignore: raw.ignore,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_doubles_after_the_free_attempts_until_it_is_the_longest() {
        let bans = Bans::default();
        assert_eq!(
            [0, 5, 6, 7, 8, 10, 11, 20, u32::MAX].map(|failures| bans.delay(failures)),
            [0, 0, 1, 2, 4, 16, 30, 30, 30]
        );
        let none = Bans { first_delay_seconds: 0, ..Bans::default() };
        assert_eq!(none.delay(100), 0);
    }

    #[test]
    fn a_ban_begins_with_its_last_failure_and_never_where_it_is_switched_off() {
        let bans = Bans::default();
        assert!(!bans.begins(19) && bans.begins(20));
        assert!(!Bans { ban_after: 0, ..Bans::default() }.begins(100));
        assert!(!Bans { ban_seconds: 0, ..Bans::default() }.begins(100));
    }
}
