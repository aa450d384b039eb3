//! Days and moments as RFC 3339 writes them, in UTC.

use accountd_protocol::audit::Moment;
use time::{Date, Month};

/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;
const SECONDS_A_DAY: u64 = 86_400;

/// Days since 1970-01-01.
pub fn day(text: &str) -> Option<u32> {
    let mut parts = text.splitn(3, '-');
    let mut number = |digits| {
        let part =
            parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i32>().ok()
    };
    let (year, month, day) = (number(4)?, u8::try_from(number(2)?).ok()?, u8::try_from(number(2)?).ok()?);
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    u32::try_from(date.to_julian_day() - EPOCH).ok()
}

/// `None` beyond the year 9999.
pub fn date(day: u32) -> Option<String> {
    let date = Date::from_julian_day(i32::try_from(day).ok()?.checked_add(EPOCH)?).ok()?;
    Some(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
}

/// A date-time like `2030-12-31T23:59:59.000000000Z`.
pub fn moment(Moment { seconds, nanoseconds }: Moment) -> Option<String> {
    let day = date(u32::try_from(seconds / SECONDS_A_DAY).ok()?)?;
    let rest = seconds % SECONDS_A_DAY;
    let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(format!("{day}T{hours:02}:{minutes:02}:{seconds:02}.{nanoseconds:09}Z"))
}

/// Seconds since 1970 of a date-time in UTC, with or without a fraction, which counts for nothing.
pub fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.splitn(3, ':');
    let mut number = |below: u64| {
        let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<u64>().ok().filter(|number| *number < below)
    };
    let (hours, minutes, seconds) = (number(24)?, number(60)?, number(60)?);
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let of_day = hours * 3600 + minutes * 60 + seconds;
    is_fraction.then_some(u64::from(day(date)?) * SECONDS_A_DAY + of_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, number) in
            [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-11-26", 20_783), ("9999-12-31", 2_932_896)]
        {
            assert_eq!((day(text), date(number).as_deref()), (Some(number), Some(text)));
        }
        for text in ["1969-12-31", "2001-02-29", "2000-13-01", "2000-1-01", "+200-01-01", "2000-01-01T00:00:00Z", ""] {
            assert_eq!(day(text), None, "{text}");
        }
        assert_eq!(date(3_000_000), None);
    }

    #[test]
    fn moments_are_read_as_they_are_written() {
        let time = Moment { seconds: 951_782_399, nanoseconds: 5 };
        assert_eq!(moment(time).as_deref(), Some("2000-02-28T23:59:59.000000005Z"));
        assert_eq!(seconds("2000-02-28T23:59:59.000000005Z"), Some(951_782_399));
        assert_eq!(seconds("1970-01-01T00:00:01Z"), Some(1));
        for text in [
            "",
            "2000-01-01",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:00:00",
            "2000-01-01T0:00:00Z",
            "2000-01-01T00:00:00.Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
