//! Groups: create, change, delete.

use accountd_protocol::agent::{Group, GroupChange, NewGroup, SharedGid};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::limits::Limits;
use accountd_protocol::name::NewGroupName;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};

use super::check::{Faults, free_group_name};
use super::create::write_group;
use super::delete::remove_group;
use super::limits;
use super::state::group_is;
use crate::agent::Agent;
use crate::database::entry::{group, gshadow, passwd};
use crate::database::{Draft, FileKind, GroupRow, Purpose, View, kept};
use crate::ids::{Outside, Question};
use crate::sudoers::{Grantee, Kind};

/// Where users go whose primary group is deleted.
const LAST_RESORT: [&str; 2] = ["nobody", "nogroup"];

impl Agent {
    pub(crate) fn create_group(&self, by: &Actor, request: NewGroup) -> Result<Group, Refusal> {
        let view = self.database.view();
        let named = Question::GroupNamed(request.name.as_str().to_owned());
        let questions: Vec<_> = [named.clone()].into_iter().chain(request.gid.map(Question::Gid)).collect();
        let outside = self.ids.outside(&questions)?;
        let mut faults = Faults::default();
        let free = free_group_name(&view, request.name.as_str());
        faults.take(Field::GroupName, free.and_then(|()| outside.lacks(&named)));
        let held = match request.gid {
            Some(gid) => {
                let usable = self.usable_gid(&view, &outside, gid);
                let usable = usable.and_then(|()| unshared_anywhere(&view, &outside, gid, request.shared_gid));
                faults.take(Field::Gid, usable.map(|()| self.ids.hold(gid)))
            }
            None => faults.take(Field::Gid, self.ids.choose_gid(&self.database)?.ok_or(Problem::NoneFree)),
        };
        limits::check(&Limits::default(), &request.limits, &mut faults);
        drop(view);
        faults.none()?;
        let gid = held.as_ref().map_or(u32::MAX, |held| held.number);
        let sudo = self.plan_new_sudo(Kind::Group, request.name.as_str(), &request.sudo)?;
        let edit = sudo.edit();
        let purpose = Purpose { actor: by.clone(), action: AuditAction::CreateGroup, user: None };
        let (id, _) = self.change(purpose, move |draft| {
            let taken = |problem| Refusal::invalid(Field::GroupName, problem);
            free_group_name(draft, request.name.as_str()).map_err(taken)?;
            let taken = |problem| Refusal::invalid(Field::Gid, problem);
            unshared(draft, gid, request.shared_gid).map_err(taken)?;
            let id = write_group(draft, request.name.as_str(), Gid(gid));
            limits::enter(draft, id, Limits::default().changed(request.limits));
            edit.enter_new(draft, Grantee::Group(id));
            Ok(id)
        })?;
        self.get_group(id)
    }

    pub(crate) fn update_group(
        &self,
        by: &Actor,
        id: AccountId,
        change: GroupChange,
        only_if: Precondition,
    ) -> Result<Group, Refusal> {
        let view = self.database.view();
        group_is(&view, id, &only_if)?;
        let row = view.group(id).cloned().ok_or(Refusal::NotFound)?;
        let mut faults = Faults::default();
        let new_name = change.name.as_ref().filter(|name| name.as_str() != row.name);
        let named = new_name.map(|name| Question::GroupNamed(name.as_str().to_owned()));
        let new_gid = change.gid.filter(|gid| *gid != row.gid.0);
        let questions: Vec<_> = named.clone().into_iter().chain(new_gid.map(Question::Gid)).collect();
        let outside = self.ids.outside(&questions)?;
        let _held = new_gid.map(|gid| self.ids.hold(gid));
        if let Some((name, question)) = new_name.zip(named) {
            let usable = renamable(&view, &row, name.as_str()).and_then(|()| outside.lacks(&question));
            faults.take(Field::GroupName, usable);
        }
        let shares = view.names_of_gid(row.gid.0).len() > 1;
        if let Some(gid) = change.gid.filter(|gid| *gid != row.gid.0 || shares) {
            let usable = match (gid == row.gid.0, row.is_builtin()) {
                (true, _) => Ok(()),
                (false, true) => Err(Problem::Builtin),
                (false, false) => self.usable_gid(&view, &outside, gid),
            };
            let unshared = || unshared_anywhere(&view, &outside, gid, change.shared_gid);
            faults.take(Field::Gid, usable.and_then(|()| unshared()));
        }
        limits::check(row.limits(), &change.limits, &mut faults);
        drop(view);
        faults.none()?;
        let name = change.name.as_ref().map_or(&*row.name, NewGroupName::as_str);
        let sudo = self.plan_sudo(Grantee::Group(id), (&row.name, name), change.sudo.as_ref())?;
        let edit = sudo.edit();
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateGroup, user: None };
        let ((), generation) = self.change(purpose, move |draft| {
            group_is(draft, id, &only_if)?;
            enter(draft, id, &change)?;
            edit.enter(draft, Grantee::Group(id))
        })?;
        self.settle(generation);
        self.get_group(id)
    }

    pub(crate) fn delete_group(&self, by: &Actor, id: AccountId, only_if: Precondition) -> Result<(), Refusal> {
        let purpose = Purpose { actor: by.clone(), action: AuditAction::DeleteGroup, user: None };
        let ((), generation) = self.change(purpose, move |draft| {
            group_is(draft, id, &only_if)?;
            let row = draft.group(id).cloned().ok_or(Refusal::NotFound)?;
            if row.is_builtin() {
                return Err(Refusal::BuiltinDelete);
            }
            remove_group(draft, id, &row.name);
            if draft.names_of_gid(row.gid.0).is_empty() {
                move_primary_users(draft, row.gid)?;
            }
            Ok(())
        })?;
        self.settle(generation);
        Ok(())
    }
}

/// A gid that no group has, unless sharing it was asked for.
fn unshared(view: &View, gid: u32, shared: SharedGid) -> Result<(), Problem> {
    match (view.names_of_gid(gid).first(), shared) {
        (Some(owner), SharedGid::Refused) => Err(Problem::Duplicate((*owner).to_owned())),
        (Some(_), SharedGid::Allowed) | (None, _) => Ok(()),
    }
}

/// The same for groups of every source.
fn unshared_anywhere(view: &View, outside: &Outside, gid: u32, shared: SharedGid) -> Result<(), Problem> {
    unshared(view, gid, shared)?;
    match shared {
        SharedGid::Refused => outside.lacks(&Question::Gid(gid)),
        SharedGid::Allowed => Ok(()),
    }
}

fn renamable(view: &View, row: &GroupRow, name: &str) -> Result<(), Problem> {
    if row.is_builtin() {
        return Err(Problem::Builtin);
    }
    match free_group_name(view, name) {
        Err(Problem::CaseDuplicate(own)) if own == row.name => Ok(()),
        result => result,
    }
}

fn enter(draft: &mut Draft<'_>, id: AccountId, change: &GroupChange) -> Result<(), Refusal> {
    let row = draft.group(id).cloned().ok_or(Refusal::NotFound)?;
    let name = change.name.as_ref().map_or(row.name.clone(), |name| name.as_str().to_owned());
    if name != row.name && draft.group_name_like(&name).is_some_and(|other| other != row.name) {
        return Err(Refusal::invalid(Field::GroupName, Problem::Duplicate(name)));
    }
    let gid = change.gid.map_or(row.gid, Gid);
    if gid != row.gid {
        unshared(draft, gid.0, change.shared_gid).map_err(|problem| Refusal::invalid(Field::Gid, problem))?;
    }
    let mut entry = draft.entry(FileKind::Group, &row.name).ok_or(Refusal::NotFound)?;
    if name != row.name {
        // What a killed groupdel has left of another group of this name.
        draft.set_line(FileKind::Gshadow, &name, None);
    }
    entry.set(group::NAME, &name);
    entry.set(group::GID, &gid.to_string());
    draft.set_line(FileKind::Group, &row.name, Some(entry.line()));
    if let Some(mut entry) = draft.entry(FileKind::Gshadow, &row.name) {
        entry.set(gshadow::NAME, &name);
        draft.set_line(FileKind::Gshadow, &row.name, Some(entry.line()));
    }
    if gid != row.gid && draft.names_of_gid(row.gid.0).is_empty() {
        repoint(draft, row.gid, gid);
    }
    let limits = kept(row.limits().clone().changed(change.limits.clone()));
    draft.set_group(id, Some(GroupRow { name, gid, limits, ..row }));
    Ok(())
}

/// Users of a deleted primary group get the group of nobody.
fn move_primary_users(draft: &mut Draft<'_>, gid: Gid) -> Result<(), Refusal> {
    if draft.users_with_primary_gid(gid.0) == 0 {
        return Ok(());
    }
    let resort = LAST_RESORT.iter().find_map(|name| draft.group_named(name)).map(|row| row.gid);
    let resort = resort
        .ok_or_else(|| Refusal::invalid(Field::GroupName, Problem::InUse("users whose primary group it is".into())))?;
    repoint(draft, gid, resort);
    Ok(())
}

fn repoint(draft: &mut Draft<'_>, from: Gid, to: Gid) {
    if draft.users_with_primary_gid(from.0) == 0 {
        return;
    }
    let entries = draft.file(FileKind::Passwd).entries();
    let users: Vec<String> = entries
        .filter(|(_, line)| crate::database::entry::ids(line).is_some_and(|(_, gid)| gid == from.0))
        .map(|(name, _)| name.to_owned())
        .collect();
    for user in users {
        let Some(mut entry) = draft.entry(FileKind::Passwd, &user) else { continue };
        entry.set(passwd::GID, &to.to_string());
        draft.set_line(FileKind::Passwd, &user, Some(entry.line()));
    }
}
