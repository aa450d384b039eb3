//! The backup of this machine.

use std::collections::HashSet;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use accountd_protocol::backup::{Backup, BuiltinMembers, FORMAT, GroupRecord, VERSION};
use accountd_protocol::frame::AGENT_ANSWER_CAP;
use accountd_protocol::refusal::{Field, Problem, Refusal};

use super::record::{Sources, Unread};
use crate::agent::{Agent, now};
use crate::database::entry::group;
use crate::database::{FileKind, UserRow, View};

/// What of an answer is not the backup itself.
const AROUND: usize = 64 * 1024;
/// How often the accounts may change while they are looked at.
const TRIES: usize = 20;
const SECONDS_A_DAY: u64 = 86_400;
/// As the kernel has it (proc(5)).
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

impl Agent {
    /// Everything is from one state of the database but key files, which users write by themselves. It
    /// is recorded before anybody gets it.
    pub(crate) fn export(&self, by: &Actor) -> Result<Backup, Refusal> {
        let (backup, users) = self.of_one_state(|view, sources| self.without_homes(view, sources))?;
        let mut users = self.read_homes(users);
        users.sort_by(|left, right| left.name.cmp(&right.name));
        let (backup, length) = Backup { users, ..backup }.sealed();
        if length + AROUND > AGENT_ANSWER_CAP {
            let too_long = Problem::TooLong { max: AGENT_ANSWER_CAP - AROUND, actual: length };
            return Err(Refusal::invalid(Field::Backup, too_long));
        }
        let said = |field, count: usize| FieldChange::new(field, None, Some(count.to_string().into()));
        let changes = vec![said("users", backup.users.len()), said("groups", backup.groups.len())];
        self.database.record(vec![AuditEvent::done(by.clone(), AuditAction::Export, None, changes)])?;
        Ok(backup)
    }

    /// Looks until nothing has changed meanwhile.
    pub(super) fn of_one_state<T>(&self, look: impl Fn(&View, &Sources) -> T) -> Result<T, Refusal> {
        for _ in 0..TRIES {
            let before = self.database.certain_view()?.generation();
            let sources = self.backup_sources()?;
            let view = self.database.certain_view()?;
            if view.generation() == before {
                return Ok(look(&view, &sources));
            }
        }
        Err(Refusal::Busy)
    }

    fn without_homes(&self, view: &View, sources: &Sources) -> (Backup, Vec<Unread>) {
        let is_ours = |row: &&UserRow| !row.is_builtin() && !self.is_service(view, row.uid);
        let rows: Vec<&UserRow> = view.users().iter().filter(is_ours).collect();
        let names: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let groups = view.groups().iter().filter(|row| !row.is_builtin() && !self.is_service_gid(view, row.gid.0));
        let mut groups: Vec<GroupRecord> = groups.map(|row| sources.group(view, row)).collect();
        groups.sort_by(|left, right| left.name.cmp(&right.name));
        let backup = Backup {
            format: FORMAT.into(),
            version: VERSION,
            machine: machine(),
            created: date_time(now()),
            password_rules: view.password_rules().rules().clone(),
            groups,
            builtin_groups: builtin_groups(view, &names),
            users: Vec::new(),
            sha256: String::new(),
        };
        (backup, rows.into_iter().filter_map(|row| sources.user(view, row)).collect())
    }
}

fn builtin_groups(view: &View, users: &HashSet<&str>) -> Vec<BuiltinMembers> {
    let members = |name: &str| {
        let all = view.entry(FileKind::Group, name).map(|entry| entry.names(group::MEMBERS)).unwrap_or_default();
        all.into_iter().filter(|member| users.contains(member.as_str())).collect::<Vec<_>>()
    };
    let builtin = view.groups().iter().filter(|row| row.is_builtin());
    let with_members = builtin.map(|row| BuiltinMembers { name: row.name.clone(), members: members(&row.name) });
    let mut groups: Vec<BuiltinMembers> = with_members.filter(|group| !group.members.is_empty()).collect();
    groups.sort_by(|left, right| left.name.cmp(&right.name));
    groups
}

fn machine() -> String {
    std::fs::read_to_string(HOST_NAME).unwrap_or_default().trim().to_owned()
}

/// Seconds since 1970 as RFC 3339 writes them.
fn date_time(seconds: u64) -> String {
    let (days, rest) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
    // Years that begin in March have their leap day at the end; day 0 is 0000-03-01 then.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_651_199, "2026-11-25T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date_time(seconds), text);
        }
    }
}
