//! Users and keys as this API shows them.

use accountd_protocol::agent::{Dialect, User};
use accountd_protocol::alist::{AlistSettings, AlistWords};
use accountd_protocol::ssh_key::SshKey;
use serde::Serialize;
use time::OffsetDateTime;

use super::caller::role;
use super::meaning::words;

/// With the members in AList's order; the last is OpenList's.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: u64,
    username: String,
    password: &'static str,
    base_path: String,
    role: i64,
    disabled: bool,
    permission: i32,
    sso_id: String,
    allow_ldap: bool,
    /// Only of oneself.
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<bool>,
}

impl Shown {
    pub fn of(user: User, settings: &AlistSettings) -> Self {
        let AlistWords { permission, base_path, sso_id, allow_ldap } = words(&user);
        Self {
            id: user.id.0,
            role: role(&user, settings),
            username: user.name,
            password: "",
            base_path,
            disabled: user.locked,
            permission,
            sso_id,
            allow_ldap,
            otp: None,
        }
    }

    pub fn of_oneself(user: User, settings: &AlistSettings) -> Self {
        let otp = Some(user.two_factor);
        Self { otp, ..Self::of(user, settings) }
    }
}

/// What the system was installed with is no business of this API, but for the accounts that were made for it.
pub fn is_ours(user: &User) -> bool {
    !user.builtin || user.echoes.contains_key(&Dialect::Alist)
}

#[derive(Debug, Serialize)]
pub struct ShownKey {
    id: u64,
    title: String,
    fingerprint: String,
    added_time: String,
    last_used_time: String,
}

impl ShownKey {
    /// One that was not used yet was used last when it was added.
    pub fn of(key: SshKey) -> Self {
        Self {
            id: key.id.0,
            title: key.title,
            fingerprint: key.fingerprint,
            added_time: moment(key.added),
            last_used_time: moment(key.last_used.unwrap_or(key.added)),
        }
    }
}

/// RFC 3339, in UTC, of milliseconds since 1970. What no calendar has is the beginning.
fn moment(milliseconds: u64) -> String {
    let nanoseconds = i128::from(milliseconds) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let fraction = time.millisecond();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_date() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (1_734_264_568_177, "2024-12-15T12:09:28.177Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(moment(milliseconds), expected);
        }
    }
}
