//! How long passwords and accounts last: checked, and put into a line of shadow(5).

use accountd_protocol::ageing::{Ageing, AgeingChange, Limit, MustChange};
use accountd_protocol::refusal::{Field, Problem};

use super::check::Faults;
use crate::database::Line;
use crate::database::entry::{Entry, shadow};

/// As many days as anybody means; shadow(5) has no limit, and programs overflow at different ones.
const MOST_DAYS: u32 = 999_999;

/// As the line has it.
pub fn of(entry: &Entry) -> Ageing {
    Ageing {
        last_change: entry.number(shadow::LAST_CHANGE),
        min_days: entry.number(shadow::MIN),
        max_days: entry.number(shadow::MAX),
        warn_days: entry.number(shadow::WARN),
        inactive_days: entry.number(shadow::INACTIVE),
        expires: entry.number(shadow::EXPIRE),
    }
}

/// The fields of a change, with where they stand.
fn limits(change: &AgeingChange) -> [(Field, usize, Option<Limit>); 5] {
    [
        (Field::MinDays, shadow::MIN, change.min_days),
        (Field::MaxDays, shadow::MAX, change.max_days),
        (Field::WarnDays, shadow::WARN, change.warn_days),
        (Field::InactiveDays, shadow::INACTIVE, change.inactive_days),
        (Field::Expires, shadow::EXPIRE, change.expires),
    ]
}

/// Refuses what can't be meant. With fewer days until it is too old than until it may be changed, a
/// user could never change a password that is too old (passwd(1)).
pub fn check(present: &Ageing, change: &AgeingChange, faults: &mut Faults) {
    for (field, _, limit) in limits(change) {
        if limit.and_then(Limit::days).is_some_and(|days| days > MOST_DAYS) {
            faults.add(field, Problem::MoreThan(MOST_DAYS));
        }
    }
    let after = |limit: Option<Limit>, now: Option<u32>| limit.map_or(now, Limit::days);
    let (min, max) = (after(change.min_days, present.min_days), after(change.max_days, present.max_days));
    let is_changed = change.min_days.is_some() || change.max_days.is_some();
    if is_changed && min.zip(max).is_some_and(|(min, max)| min > max) {
        faults.add(Field::MaxDays, Problem::LessThanMinDays);
    }
}

/// Puts the change into the line; `today` counts from 1970-01-01. Gives whether anything changed.
pub fn set(entry: &mut Entry, change: &AgeingChange, today: u64) -> bool {
    let before = entry.clone();
    for (_, place, limit) in limits(change) {
        if let Some(limit) = limit.filter(|limit| limit.days() != entry.number(place)) {
            entry.set(place, &limit.days().map(|days| days.to_string()).unwrap_or_default());
        }
    }
    match change.must_change {
        Some(MustChange::Yes) => entry.set(shadow::LAST_CHANGE, "0"),
        Some(MustChange::No) if entry.number(shadow::LAST_CHANGE) == Some(0_u64) => {
            entry.set(shadow::LAST_CHANGE, &today.to_string());
        }
        Some(MustChange::No) | None => {}
    }
    *entry != before
}

/// A new line with the change in it.
pub fn aged(line: Line, change: &AgeingChange, today: u64) -> Line {
    if *change == AgeingChange::default() {
        return line;
    }
    let mut entry = Entry::parse(&line);
    if set(&mut entry, change, today) { entry.line() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_in(line: &str, change: AgeingChange) -> (String, bool) {
        let mut entry = Entry::parse(line.as_bytes());
        let changed = set(&mut entry, &change, 20_000);
        (String::from_utf8(entry.line().to_vec()).unwrap(), changed)
    }

    #[test]
    fn a_change_touches_its_fields_and_no_other() {
        let change = AgeingChange {
            min_days: Some(Limit::Days(1)),
            max_days: Some(Limit::Days(90)),
            inactive_days: Some(Limit::Days(14)),
            expires: Some(Limit::Days(21_000)),
            ..AgeingChange::default()
        };
        assert_eq!(set_in("a:$6$h:19000:0:99999:7:::odd", change), ("a:$6$h:19000:1:90:7:14:21000:odd".into(), true));
        assert_eq!(set_in("a:$6$h:19000:1:90:7:14:21000:", change), ("a:$6$h:19000:1:90:7:14:21000:".into(), false));
        let never = AgeingChange { max_days: Some(Limit::None), expires: Some(Limit::None), ..AgeingChange::default() };
        assert_eq!(set_in("a:*:19000:1:90:7:14:21000:", never).0, "a:*:19000:1::7:14::");
        // What is no number is none, and stays until something else is wanted.
        assert_eq!(set_in("a:*:19000:0:soon:7:::", never), ("a:*:19000:0:soon:7:::".into(), false));
    }

    #[test]
    fn a_password_that_has_to_be_changed_is_of_day_0() {
        let must = |must_change| AgeingChange { must_change: Some(must_change), ..AgeingChange::default() };
        assert_eq!(set_in("a:*:19000:0:99999:7:::", must(MustChange::Yes)).0, "a:*:0:0:99999:7:::");
        assert_eq!(set_in("a:*:0:0:99999:7:::", must(MustChange::No)).0, "a:*:20000:0:99999:7:::");
        assert!(!set_in("a:*:19000:0:99999:7:::", must(MustChange::No)).1);
    }
}
