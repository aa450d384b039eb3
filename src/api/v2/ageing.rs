//! How long a password and an account last, as fields of a user: numbers of days, and days of the
//! calendar as RFC 3339 has them (full-date), in UTC.

use accountd_protocol::ageing::{Ageing, AgeingChange, Limit, MustChange};
use serde_json::{Value, json};

use super::day::{date, day};
use super::input::{Given, Input};

pub fn change(input: &mut Input) -> AgeingChange {
    AgeingChange {
        min_days: limit(input, "min_days"),
        max_days: limit(input, "max_days"),
        warn_days: limit(input, "warn_days"),
        inactive_days: limit(input, "inactive_days"),
        expires: expires(input),
        must_change: input.boolean("must_change").value().map(|must| match must {
            true => MustChange::Yes,
            false => MustChange::No,
        }),
    }
}

fn limit(input: &mut Input, field: &str) -> Option<Limit> {
    match input.number(field) {
        Given::Absent => None,
        Given::Null => Some(Limit::None),
        Given::Value(days) => Some(Limit::Days(days)),
    }
}

fn expires(input: &mut Input) -> Option<Limit> {
    match input.text("expires") {
        Given::Absent => None,
        Given::Null => Some(Limit::None),
        Given::Value(text) => match day(&text) {
            Some(day) => Some(Limit::Days(day)),
            None => {
                input.fault("expires", "bad_date", "has to be a day from 1970 on, like 2030-12-31");
                None
            }
        },
    }
}

pub fn fields(ageing: &Ageing) -> [(&'static str, Value); 7] {
    let Ageing { last_change, min_days, max_days, warn_days, inactive_days, expires } = ageing;
    [
        ("must_change", json!(*last_change == Some(0))),
        ("password_changed", json!(last_change.filter(|day| *day > 0).and_then(date))),
        ("min_days", json!(min_days)),
        ("max_days", json!(max_days)),
        ("warn_days", json!(warn_days)),
        ("inactive_days", json!(inactive_days)),
        ("expires", json!(expires.and_then(date))),
    ]
}
