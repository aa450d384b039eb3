//! What a change has done to each account, for the audit trail: found in the edits themselves, so
//! that no operation can forget a field, and the same for what other programs have done.

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind, Word};
use accountd_protocol::id::AccountId;
use accountd_protocol::limits::{Bandwidth, Limits, Root};
use accountd_protocol::policy::PasswordRule;
use hashbrown::{HashMap, HashSet};

use super::changed_fields::{Changed, HIDDEN, push, push_different, shown, shown_up_to};
use super::commit::line_edits;
use super::entry::{group, gshadow};
use super::file::FileKind;
use super::row::GroupRow;
use super::view::{Edit, View};
use crate::sudoers::{Grantee, Sudo};

/// The files in which lines of accounts are.
const KINDS: [FileKind; 5] =
    [FileKind::Passwd, FileKind::Shadow, FileKind::Smbpasswd, FileKind::Group, FileKind::Gshadow];

/// Which commands somebody may run matters more than most.
const LONGEST_SUDO: usize = 4096;

/// In whose name a change is made, and what it is called.
#[derive(Clone, Debug)]
pub struct Purpose {
    pub actor: Actor,
    pub action: AuditAction,
    /// Whose record says which groups a user was put into; others are in the groups' records.
    pub user: Option<AccountId>,
}

/// Something about an account that is in no line and no row: keys, the mode of a home.
#[derive(Clone, Debug)]
pub struct Remark {
    pub of: Grantee,
    pub change: FieldChange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Made,
    Changed,
    Gone,
}

/// One account and what has become of it.
#[derive(Debug)]
struct Account {
    target: Target,
    life: Life,
    changes: Vec<FieldChange>,
    /// Groups that a user has left, and those that it has come into.
    groups: [Vec<String>; 2],
}

/// All accounts that a change is about, in the order in which they come up.
pub struct Accounts<'a> {
    view: &'a View,
    all: Vec<Account>,
    users: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    by_id: HashMap<Grantee, usize>,
    /// Groups whose making or end is a part of their user's.
    private: HashSet<String>,
}

/// What a change says of itself beside its edits.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub purpose: &'a Purpose,
    /// More users like [`Purpose::user`].
    pub mentioned: &'a [AccountId],
    pub remarks: &'a [Remark],
}

/// The records of one change of ours.
pub fn own(view: &View, edits: &[Edit], Said { purpose, mentioned, remarks }: Said<'_>) -> Vec<AuditEvent> {
    let mut accounts = Accounts::of_rows(view, edits);
    for row in purpose.user.iter().chain(mentioned).filter_map(|id| view.user(*id)) {
        accounts.user(&row.name);
    }
    for kind in KINDS {
        for edit in line_edits(kind, edits) {
            accounts.line(Changed { kind, old: edit.old.as_deref(), new: edit.new.as_deref() });
        }
    }
    accounts.grants(edits);
    remarks.iter().for_each(|remark| accounts.remark(remark.clone()));
    let mut events = accounts.finish(|kind, life| {
        // Of many changes each account's record says which it was.
        let is_many = matches!(purpose.action, AuditAction::Batch | AuditAction::Import);
        let action = if is_many { action_of(kind, life) } else { purpose.action };
        (purpose.actor.clone(), action)
    });
    let rules = edits.iter().filter_map(rules);
    events.extend(rules.map(|changes| AuditEvent::done(purpose.actor.clone(), purpose.action, None, changes)));
    events
}

/// What an edit changes in the rules for passwords.
fn rules(edit: &Edit) -> Option<Vec<FieldChange>> {
    let Edit::PasswordRules { old, new } = edit else { return None };
    let mut changes = Vec::new();
    for rule in PasswordRule::ALL {
        push(&mut changes, rule.name(), [old, new].map(|rules| rules.rules().get(&rule).copied().map(number)));
    }
    Some(changes)
}

/// The limits that differ, one by one.
fn limits(both: [Option<&Limits>; 2], changes: &mut Vec<FieldChange>) {
    if both[0].is_none_or(Limits::is_none) && both[1].is_none_or(Limits::is_none) {
        return;
    }
    for (field, said) in LIMITS {
        push(changes, field, both.map(|limits| limits.and_then(said)));
    }
}

/// A limit by its name, as text.
type NamedLimit = (&'static str, fn(&Limits) -> Option<Word>);

const LIMITS: [NamedLimit; 12] = [
    ("quota_bytes", |limits| limits.quota.bytes.map(number)),
    ("quota_soft_bytes", |limits| limits.quota.soft_bytes.map(number)),
    ("quota_files", |limits| limits.quota.files.map(number)),
    ("quota_soft_files", |limits| limits.quota.soft_files.map(number)),
    ("max_sessions", |limits| limits.sessions.map(number)),
    ("upload_bandwidth", |limits| limits.upload.map(number)),
    ("download_bandwidth", |limits| limits.download.map(number)),
    ("bandwidth_scope", |limits| (limits.bandwidth == Bandwidth::Transfer).then_some(Word::Borrowed("transfer"))),
    ("permissions", |limits| {
        let permissions = limits.permissions.as_ref()?;
        Some(permissions.iter().map(|permission| permission.name()).collect::<Vec<_>>().join(",").into())
    }),
    ("idle_timeout", |limits| limits.idle.map(number)),
    ("allowed_networks", |limits| {
        let networks: Vec<String> = limits.networks.iter().map(|network| String::from(*network)).collect();
        (!networks.is_empty()).then(|| networks.join(",").into())
    }),
    ("session_root", |limits| match limits.root.as_ref()? {
        Root::Home => Some(Word::Borrowed("home")),
        Root::Path(path) => Some(shown(path.as_bytes())),
    }),
];

impl<'a> Accounts<'a> {
    /// With what rows say: names, numbers, and what Unix files can't hold.
    pub fn of_rows(view: &'a View, edits: &[Edit]) -> Self {
        let (users, groups, by_id) = Default::default();
        let mut accounts = Self { view, all: Vec::new(), users, groups, by_id, private: HashSet::new() };
        accounts.user_rows(edits);
        accounts.group_rows(edits);
        accounts
    }

    fn user_rows(&mut self, edits: &[Edit]) {
        for edit in edits {
            let Edit::User { id, old, new } = edit else { continue };
            let (old, new) = (old.as_deref(), new.as_deref());
            let names = [old.map(|row| row.name.as_str()), new.map(|row| row.name.as_str())];
            let index = self.enter(Grantee::User(*id), names);
            let Some(account) = self.all.get_mut(index) else { continue };
            let changes = &mut account.changes;
            renamed(names, changes);
            push(changes, "uid", [old, new].map(|row| row.map(|row| number(row.uid.0))));
            let email = |email: &str| (!email.is_empty()).then(|| shown(email.as_bytes()));
            push(changes, "email", [old, new].map(|row| row.and_then(|row| email(&row.email))));
            let is_microsoft = [old, new].map(|row| row.is_some_and(|row| row.microsoft_account));
            push(changes, "microsoft_account", is_microsoft.map(yes));
            let kept = [old, new].map(|row| row.and_then(|row| row.kept_hash.as_deref()));
            if kept[0] != kept[1] {
                push_different(changes, "kept_password", kept.map(|kept| kept.map(|_| HIDDEN)));
            }
            let own = [old, new].map(|row| row.and_then(|row| row.extras().own_hash.as_deref()));
            if own[0] != own[1] {
                push_different(changes, "own_password", own.map(|own| own.map(|_| HIDDEN)));
            }
            limits([old, new].map(|row| row.map(|row| &row.extras().limits)), changes);
        }
    }

    fn group_rows(&mut self, edits: &[Edit]) {
        for edit in edits {
            let Edit::Group { id, old, new } = edit else { continue };
            let (old, new) = (old.as_deref(), new.as_deref());
            let gids = [old, new].map(|row| row.map(|row| number(row.gid.0)));
            let names = [old.map(|row| row.name.as_str()), new.map(|row| row.name.as_str())];
            if let Some(user) = self.user_of_private(names) {
                names.iter().flatten().for_each(|name| _ = self.private.insert((*name).to_owned()));
                let Some(account) = self.all.get_mut(user) else { continue };
                push(&mut account.changes, "private_group", gids);
                continue;
            }
            let index = self.enter(Grantee::Group(*id), names);
            let Some(account) = self.all.get_mut(index) else { continue };
            renamed(names, &mut account.changes);
            push(&mut account.changes, "gid", gids);
            limits([old, new].map(|row| row.map(GroupRow::limits)), &mut account.changes);
        }
    }

    /// The user that is made or goes together with a group of its name.
    fn user_of_private(&self, names: [Option<&str>; 2]) -> Option<usize> {
        let index = *self.users.get(names[0].or(names[1])?)?;
        let life = self.all.get(index)?.life;
        (life != Life::Changed && life == life_of(names)).then_some(index)
    }

    fn enter(&mut self, grantee: Grantee, names: [Option<&str>; 2]) -> usize {
        let (kind, id, by_name) = match grantee {
            Grantee::User(id) => (TargetKind::User, id, &mut self.users),
            Grantee::Group(id) => (TargetKind::Group, id, &mut self.groups),
        };
        let index = *self.by_id.entry(grantee).or_insert(self.all.len());
        if index == self.all.len() {
            let name = names[1].or(names[0]).unwrap_or_default().to_owned();
            let target = Target { kind, id: Some(id), name };
            self.all.push(Account { target, life: life_of(names), changes: Vec::new(), groups: Default::default() });
        }
        for name in names.into_iter().flatten() {
            by_name.insert(name.to_owned(), index);
        }
        index
    }

    fn user(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.users.get(name) {
            return Some(*index);
        }
        let id = self.view.user_named(name)?.id;
        Some(self.enter(Grantee::User(id), [Some(name), Some(name)]))
    }

    fn group(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.groups.get(name) {
            return Some(*index);
        }
        let id = self.view.group_named(name)?.id;
        Some(self.enter(Grantee::Group(id), [Some(name), Some(name)]))
    }

    /// Rows first, then lines of users, then those of groups.
    pub fn line(&mut self, line: Changed<'_>) {
        let Some(name) = [line.new, line.old].into_iter().flatten().find_map(|text| line.kind.key(text)) else {
            return;
        };
        match line.kind {
            FileKind::Passwd | FileKind::Shadow | FileKind::Smbpasswd => {
                let account = self.user(name).and_then(|index| self.all.get_mut(index));
                if let Some(account) = account {
                    line.fields(&mut account.changes);
                }
            }
            FileKind::Group => self.members(name, line),
            FileKind::Gshadow => self.administrators(name, line),
            FileKind::UsernameMap | FileKind::Aliases => {}
        }
    }

    /// Who has come into a group or left it: in the record of a user that is changed anyway, else in
    /// the group's.
    fn members(&mut self, name: &str, line: Changed<'_>) {
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
    fn administrators(&mut self, name: &str, line: Changed<'_>) {
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

    fn grants(&mut self, edits: &[Edit]) {
        for edit in edits {
            let Edit::Sudo { grantee, old, new } = edit else { continue };
            self.granted(*grantee, [old, new]);
        }
    }

    /// What somebody may do by sudo, before and now.
    pub fn granted(&mut self, grantee: Grantee, sudo: [&Sudo; 2]) {
        let [old, new] = sudo.map(|sudo| Some(shown_up_to(LONGEST_SUDO, sudo.in_words().as_bytes())));
        let change = FieldChange::new("sudo", old, new);
        self.remark(Remark { of: grantee, change });
    }

    fn remark(&mut self, Remark { of, change }: Remark) {
        let name = match of {
            Grantee::User(id) => self.view.user(id).map(|row| row.name.clone()),
            Grantee::Group(id) => self.view.group(id).map(|row| row.name.clone()),
        };
        let index = match (self.by_id.get(&of), name) {
            (Some(index), _) => *index,
            (None, Some(name)) => self.enter(of, [Some(&name), Some(&name)]),
            (None, None) => return,
        };
        self.all.get_mut(index).into_iter().for_each(|account| account.changes.push(change.clone()));
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The records; accounts of which nothing differs have none.
    fn finish(self, by: impl Fn(TargetKind, Life) -> (Actor, AuditAction)) -> Vec<AuditEvent> {
        let event = |account: Account| {
            let Account { target, life, mut changes, groups } = account;
            push(&mut changes, "groups", groups.map(|names| (!names.is_empty()).then(|| names.join(",").into())));
            let (actor, action) = by(target.kind, life);
            (life != Life::Changed || !changes.is_empty())
                .then(|| AuditEvent::done(actor, action, Some(target), changes))
        };
        self.all.into_iter().filter_map(event).collect()
    }

    /// The records of what another program has done.
    pub fn finish_outside(self) -> Vec<AuditEvent> {
        self.finish(|kind, life| (Actor::Outside, action_of(kind, life)))
    }

    /// The records of accounts that gave way.
    pub fn finish_taken_back(self) -> Vec<AuditEvent> {
        self.finish(|_, _| (Actor::Agent, AuditAction::TakeBack))
    }
}

fn action_of(kind: TargetKind, life: Life) -> AuditAction {
    match (kind, life) {
        (TargetKind::User, Life::Made) => AuditAction::CreateUser,
        (TargetKind::User, Life::Changed) => AuditAction::UpdateUser,
        (TargetKind::User, Life::Gone) => AuditAction::DeleteUser,
        (TargetKind::Group, Life::Made) => AuditAction::CreateGroup,
        (TargetKind::Group, Life::Changed) => AuditAction::UpdateGroup,
        (TargetKind::Group, Life::Gone) => AuditAction::DeleteGroup,
    }
}

fn life_of(names: [Option<&str>; 2]) -> Life {
    match names {
        [None, _] => Life::Made,
        [Some(_), Some(_)] => Life::Changed,
        [Some(_), None] => Life::Gone,
    }
}

fn renamed(names: [Option<&str>; 2], changes: &mut Vec<FieldChange>) {
    if let [Some(old), Some(new)] = names {
        push(changes, "name", [old, new].map(|name| Some(shown(name.as_bytes()))));
    }
}

fn number(number: impl Into<u64>) -> Word {
    Word::Owned(number.into().to_string())
}

fn yes(is_so: bool) -> Option<Word> {
    Some(Word::Borrowed(if is_so { "true" } else { "false" }))
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
