//! Who has come into a group or left it, for the audit trail.

use hashbrown::HashSet;

use super::accounts::Accounts;
use super::fields::{Changed, HIDDEN, push, push_different, shown};
use crate::database::entry::{group, gshadow};

impl Accounts<'_> {
    /// Who has come into a group or left it: in the record of a user that is changed anyway, else in
    /// the group's.
    pub(super) fn members(&mut self, name: &str, line: Changed<'_>) {
        let [old, new] = [line.old, line.new].map(|line| names(line, group::MEMBERS));
        let is_whole = line.old.is_none() || line.new.is_none();
        let mut others = [Vec::new(), Vec::new()];
        for (side, members) in differences(&old, &new).into_iter().enumerate() {
            for member in members {
                let user = self.users.get(member).filter(|_| !is_whole);
                match user.and_then(|user| self.all.get_mut(*user)).and_then(|user| user.groups.get_mut(side)) {
                    Some(groups) => groups.push(name.to_owned()),
                    None => others[side].push(member),
                }
            }
        }
        if others.iter().any(|members| !members.is_empty()) && !self.private.contains(name) {
            let account = self.group(name).and_then(|index| self.all.get_mut(index));
            let said = others.map(|members| (!members.is_empty()).then(|| shown(members.join(",").as_bytes())));
            if let Some(account) = account {
                push(&mut account.changes, "members", said);
            }
        }
    }

    /// gshadow(5) says more than group(5) only by these.
    pub(super) fn administrators(&mut self, name: &str, line: Changed<'_>) {
        if self.private.contains(name) {
            return;
        }
        let passwords = [line.old, line.new].map(|line| line.and_then(|line| line.split(|byte| *byte == b':').nth(1)));
        let [old, new] = [line.old, line.new].map(|line| names(line, gshadow::ADMINISTRATORS));
        let is_kept = line.old.is_some() && line.new.is_some() && passwords[0] != passwords[1];
        if old == new && !is_kept {
            return;
        }
        let Some(account) = self.group(name).and_then(|index| self.all.get_mut(index)) else { return };
        if is_kept {
            push_different(&mut account.changes, "group_password", [Some(HIDDEN), Some(HIDDEN)]);
        }
        let said = [old, new].map(|names| (!names.is_empty()).then(|| shown(names.join(",").as_bytes())));
        push(&mut account.changes, "administrators", said);
    }
}

/// The names of a comma-separated field; those that are not UTF-8 name no account.
fn names(line: Option<&[u8]>, field: usize) -> Vec<&str> {
    let text = line.and_then(|line| line.split(|byte| *byte == b':').nth(field)).unwrap_or_default();
    text.split(|byte| *byte == b',')
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|n| !n.is_empty())
        .collect()
}

/// Who is only in the first list, and who is only in the second. Long lists differ at one place as
/// a rule.
fn differences<'a>(old: &[&'a str], new: &[&'a str]) -> [Vec<&'a str>; 2] {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (old.get(same..).unwrap_or_default(), new.get(same..).unwrap_or_default());
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let [old, new] = [old, new].map(|names| names.get(..names.len() - same).unwrap_or_default());
    let sets: [HashSet<&str>; 2] = [old, new].map(|names| names.iter().copied().collect());
    let only =
        |names: &[&'a str], other: &HashSet<&str>| names.iter().copied().filter(|n| !other.contains(n)).collect();
    [only(old, &sets[1]), only(new, &sets[0])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_differ_by_who_has_come_and_who_has_gone() {
        let rows: [[&[&str]; 4]; 5] = [
            [&["a", "b"], &["a", "b"], &[], &[]],
            [&["a", "b"], &["a", "b", "c"], &[], &["c"]],
            [&["a", "b", "c"], &["a", "c"], &["b"], &[]],
            [&["a", "b"], &["b", "a"], &[], &[]],
            [&[], &["a"], &[], &["a"]],
        ];
        for [old, new, gone, come] in rows {
            assert_eq!(differences(old, new), [gone.to_vec(), come.to_vec()], "{old:?} {new:?}");
        }
    }
}
