//! `expiry-time=` of a key (sshd(8)): `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]`, in the time zone of the
//! system unless it ends with `Z`, which is UTC.

use std::fmt;

use crate::sys::local_time::LocalTime;

/// From this moment on a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Local,
    Utc,
}

/// What a local time is in seconds since 1970; `None` where nobody knows.
pub type Zone = fn(LocalTime) -> Option<u64>;

impl ExpiryTime {
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, clock) = match text.strip_suffix(['Z', 'z']) {
            Some(digits) => (digits, Clock::Utc),
            None => (text, Clock::Local),
        };
        if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |from: usize| digits.get(from..from + 2).map_or(Some(0), |text| text.parse::<u8>().ok());
        let (month, day) = (number(4)?, number(6)?);
        let (hour, minute, second) = (number(8)?, number(10)?, number(12)?);
        let year = digits.get(..4)?.parse().ok()?;
        let valid = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
        (valid && hour < 24 && minute < 60 && second < 61).then_some(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            clock,
        })
    }

    /// In seconds since 1970; `None` where the time zone can't tell.
    pub fn seconds(self, zone: Zone) -> Option<u64> {
        let Self { year, month, day, hour, minute, second, clock } = self;
        match clock {
            Clock::Local => zone(LocalTime { year, month, day, hour, minute, second }),
            Clock::Utc => {
                let days = days_since_1970(year.into(), month.into(), day.into());
                Some(days * 86_400 + u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second))
            }
        }
    }
}

impl fmt::Display for ExpiryTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, clock } = self;
        let zone = match clock {
            Clock::Local => "",
            Clock::Utc => "Z",
        };
        write!(out, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{zone}")
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counting years from March.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours before UTC, as everything is in this zone.
    fn east(local: LocalTime) -> Option<u64> {
        let LocalTime { year, month, day, hour, minute, second } = local;
        let utc = ExpiryTime { year, month, day, hour, minute, second, clock: Clock::Utc };
        utc.seconds(|_| None).map(|seconds| seconds - 7200)
    }

    #[test]
    fn a_time_is_that_of_the_zone_or_utc() {
        let seconds = |text: &str| ExpiryTime::parse(text).and_then(|time| time.seconds(east));
        assert_eq!(seconds("20260101Z"), Some(1_767_225_600));
        assert_eq!(seconds("20260101"), Some(1_767_225_600 - 7200));
        assert_eq!(seconds("202601010203z"), Some(1_767_225_600 + 2 * 3600 + 180));
        assert_eq!(seconds("20260101020304"), Some(1_767_225_600 + 184));
        assert_eq!(ExpiryTime::parse("20260101").unwrap().seconds(|_| None), None);
    }

    #[test]
    fn whatever_else_is_written_is_no_time() {
        for text in [
            "",
            "Z",
            "never",
            "2026010",
            "2026010101",
            "20261301",
            "20260132",
            "20260100",
            "202601012400",
            "202601010060",
            "20260101ZZ",
            "20260101UTC",
            "+2026010",
            "19691231",
            "20260101 ",
        ] {
            assert_eq!(ExpiryTime::parse(text), None, "{text:?}");
        }
    }
}
