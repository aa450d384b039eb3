//! What the clock on the wall says, by the time zone of the machine (mktime(3), tzset(3)).

/// A time of the machine's own zone; months and days count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

/// Seconds since 1970; `None` for a time before. The zone file is looked at anew where it has changed.
pub fn seconds(LocalTime { year, month, day, hour, minute, second }: LocalTime) -> Option<u64> {
    // SAFETY: false if `tm` had fields, as references, for which zero is no value.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    time.tm_year = i32::from(year) - 1900;
    time.tm_mon = i32::from(month) - 1;
    (time.tm_mday, time.tm_hour) = (day.into(), hour.into());
    (time.tm_min, time.tm_sec) = (minute.into(), second.into());
    // The zone says whether it is summer time.
    time.tm_isdst = -1;
    // SAFETY: false if `time` were no whole `tm`, or if another thread changed the environment, which nothing here does.
    let seconds = unsafe { libc::mktime(&raw mut time) };
    u64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_the_zone_begins_within_a_day_of_that_of_utc() {
        let day = LocalTime { year: 2026, month: 1, day: 1, hour: 0, minute: 0, second: 0 };
        let begins = seconds(day).unwrap();
        assert!(begins.abs_diff(1_767_225_600) <= 14 * 3600, "{begins}");
        assert_eq!(seconds(LocalTime { second: 59, ..day }), Some(begins + 59));
        assert_eq!(seconds(LocalTime { month: 2, ..day }), Some(begins + 31 * 86_400));
        assert_eq!(seconds(LocalTime { year: 1900, ..day }), None);
    }
}
