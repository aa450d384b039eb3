//! The accounts that a change is about, and what has become of each.

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind, Word};
use hashbrown::{HashMap, HashSet};

use super::Remark;
use super::fields::{Changed, HIDDEN, number, push, push_different, shown, shown_up_to};
use super::limits::limits;
use crate::database::edit::Edit;
use crate::database::file::FileKind;
use crate::database::row::GroupRow;
use crate::database::view::View;
use crate::sudoers::{Grantee, Sudo};

/// Which commands somebody may run matters more than most.
const LONGEST_SUDO: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Made,
    Changed,
    Gone,
}

/// One account and what has become of it.
#[derive(Debug)]
pub(super) struct Account {
    target: Target,
    life: Life,
    pub(super) changes: Vec<FieldChange>,
    /// Groups that a user has left, and those that it has come into.
    pub(super) groups: [Vec<String>; 2],
}

/// All accounts that a change is about, in the order in which they come up.
pub struct Accounts<'a> {
    view: &'a View,
    pub(super) all: Vec<Account>,
    pub(super) users: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    by_id: HashMap<Grantee, usize>,
    /// Groups whose making or end is a part of their user's.
    pub(super) private: HashSet<String>,
}

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

    pub(super) fn user(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.users.get(name) {
            return Some(*index);
        }
        let id = self.view.user_named(name)?.id;
        Some(self.enter(Grantee::User(id), [Some(name), Some(name)]))
    }

    pub(super) fn group(&mut self, name: &str) -> Option<usize> {
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

    pub(super) fn grants(&mut self, edits: &[Edit]) {
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

    pub(super) fn remark(&mut self, Remark { of, change }: Remark) {
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
    pub(super) fn finish(self, by: impl Fn(TargetKind, Life) -> (Actor, AuditAction)) -> Vec<AuditEvent> {
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

pub(super) fn action_of(kind: TargetKind, life: Life) -> AuditAction {
    match (kind, life) {
        (TargetKind::User, Life::Made) => AuditAction::CreateUser,
        (TargetKind::User, Life::Changed) => AuditAction::UpdateUser,
        (TargetKind::User, Life::Gone) => AuditAction::DeleteUser,
        (TargetKind::Group, Life::Made) => AuditAction::CreateGroup,
        (TargetKind::Group, Life::Changed) => AuditAction::UpdateGroup,
        (TargetKind::Group, Life::Gone) => AuditAction::DeleteGroup,
        // They are recorded where they are changed.
        (TargetKind::Repository, Life::Made) => AuditAction::CreateRepository,
        (TargetKind::Repository, Life::Changed) => AuditAction::UpdateRepository,
        (TargetKind::Repository, Life::Gone) => AuditAction::DeleteRepository,
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

fn yes(is_so: bool) -> Option<Word> {
    Some(Word::Borrowed(if is_so { "true" } else { "false" }))
}
