//! The line that `ls -l` would show (section 7, SSH_FXP_NAME): what `sftp` prints for `ls -l`.
//!
//! Its time is in UTC, where sftp-server of OpenSSH shows the server's local time. That would take
//! localtime(3), which is unsafe beside threads, or a reader of time zones in the process of every
//! session, for a text that is there to be looked at: programs have the times of the attributes,
//! which have no zone.

use std::ffi::OsString;

use nix::sys::stat::FileStat;
use uzers::{Groups, Users, UsersCache};

/// Names of users and groups; each is looked up once.
#[derive(Default)]
pub struct Names(UsersCache);

impl Names {
    pub fn user(&self, uid: u32) -> Option<OsString> {
        self.0.get_user_by_uid(uid).map(|user| user.name().to_owned())
    }

    pub fn group(&self, gid: u32) -> Option<OsString> {
        self.0.get_group_by_gid(gid).map(|group| group.name().to_owned())
    }

    /// Type and permissions, links, owner, group, size, time (UTC), name.
    pub fn line(&self, name: &[u8], status: &FileStat, now: i64) -> Vec<u8> {
        let shown = |name: Option<OsString>, id: u32| {
            name.map_or_else(|| id.to_string(), |name| name.to_string_lossy().into_owned())
        };
        let user = shown(self.user(status.st_uid), status.st_uid);
        let group = shown(self.group(status.st_gid), status.st_gid);
        let mut line = format!(
            "{} {:>4} {user:<8} {group:<8} {:>8} {} ",
            permissions(status.st_mode),
            status.st_nlink,
            status.st_size,
            date(status.st_mtime, now)
        )
        .into_bytes();
        line.extend_from_slice(name);
        line
    }
}

fn permissions(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o010_000 => 'p',
        0o140_000 => 's',
        0o020_000 => 'c',
        0o060_000 => 'b',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
    text
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 86_400;

/// `Nov 24 14:22`, or `Nov 24  2019` for what is over half a year away.
fn date(time: i64, now: i64) -> String {
    let (year, month, day) = civil(time.div_euclid(DAY));
    let name = MONTHS.get(month).copied().unwrap_or("?");
    let seconds = time.rem_euclid(DAY);
    if (now - time).abs() < 182 * DAY {
        format!("{name} {day:>2} {:02}:{:02}", seconds / 3600, seconds / 60 % 60)
    } else {
        format!("{name} {day:>2}  {year}")
    }
}

/// Year, month from 0, and day of a day since 1970 in the Gregorian calendar, by eras of 400
/// years that begin in March.
fn civil(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = usize::try_from((march_month + 2) % 12).unwrap_or_default();
    (year + era * 400 + i64::from(month < 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_ls_shows_them() {
        assert_eq!(permissions(0o100_644), "-rw-r--r--");
        assert_eq!(permissions(0o041_777), "drwxrwxrwt");
        assert_eq!(permissions(0o104_710), "-rws--x---");
        assert_eq!(permissions(0o102_600), "-rw---S---");
        let kinds = [0o120_777, 0o010_777, 0o140_777, 0o020_777, 0o060_777];
        assert_eq!(kinds.map(permissions).map(|text| text[..1].to_owned()), ["l", "p", "s", "c", "b"]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0, 0), "Jan  1 00:00");
        assert_eq!(date(951_782_400, 2_000_000_000), "Feb 29  2000");
        assert_eq!(date(1_795_530_161, 1_795_530_161), "Nov 24 14:22");
        assert_eq!(date(-1, 2_000_000_000), "Dec 31  1969");
    }
}
