//! The limits of a user: its own, and those of its groups.

use accountd_protocol::limits::Limits;

use super::View;
use crate::database::entry;
use crate::database::file::FileKind;
use crate::database::row::{GroupRow, UserRow};

impl View {
    /// The limits that count for a user: its own, and those of each of its groups.
    pub fn limits_of<'a>(&'a self, row: &'a UserRow) -> Vec<&'a Limits> {
        let primary = self.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number::<u32>(entry::passwd::GID));
        let primary = primary.into_iter().flat_map(|gid| self.names_of_gid(gid));
        let supplementary = self.groups_of_member(&row.name).iter().map(|name| &**name);
        let mut groups: Vec<&GroupRow> =
            primary.chain(supplementary).filter_map(|name| self.group_named(name)).collect();
        groups.sort_unstable_by_key(|group| group.id);
        groups.dedup_by_key(|group| group.id);
        let of_groups = groups.into_iter().map(GroupRow::limits);
        [&row.extras().limits].into_iter().chain(of_groups).filter(|limits| !limits.is_none()).collect()
    }

    /// All of them in one: the strictest of each.
    pub fn effective_limits(&self, row: &UserRow) -> Limits {
        let limits = self.limits_of(row).into_iter();
        limits.fold(Limits::default(), |all, limits| all.and(limits))
    }
}
