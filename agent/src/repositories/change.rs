//! A repository changed: its description, where it is pulled from, and who may do what with it.
//!
//! What is to be done in its directory is in the state store before it is begun, together with its record:
//! a change that was interrupted is completed at the next start.

use std::collections::BTreeSet;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::repository::{
    Access, CloneUri, Grantee, GranteeRef, MOST_GRANTS, Repository, RepositoryChange, RepositoryFault, RepositoryField,
    RepositoryId, RepositoryProblem, RepositoryRef,
};

use super::acl::Tag;
use super::create::{called_as, check_description, refusal, target};
use super::sight::{Seen, Seer};
use super::work::{Edit, Handover, Rights, Work};
use crate::accounts::check::Faults;
use crate::accounts::find::{group_called, user_called};
use crate::agent::Agent;
use crate::database::{Given, GrantRow, RepositoryRow, View};
use crate::identity::handles::Caller;

/// What a change does: to the row, and to the directory.
struct Change {
    row: RepositoryRow,
    work: Option<Work>,
    action: AuditAction,
    fields: Vec<FieldChange>,
}

impl Agent {
    pub(crate) fn update_repository(
        &self,
        (by, caller): (&Actor, Caller),
        which: &RepositoryRef,
        change: RepositoryChange,
    ) -> Result<Repository, Refusal> {
        let id = self.changeable(caller, which)?;
        let mut faults = Faults::default();
        change.description.iter().for_each(|text| check_description(text, &mut faults));
        let (_claim, row) = self.repositories.book.claim(id)?;
        let uri = change.clone_uri.map(|uri| as_stored(uri, row.clone_uri.as_ref()));
        self.check_clone_uri(row.kind, uri.as_ref().and_then(Option::as_ref), &mut faults);
        faults.none()?;
        let seen = self.look_at_repository(row);
        let mut row = seen.row.clone();
        let mut fields = Vec::new();
        if let Some(text) = change.description
            && text != row.description
        {
            let old = std::mem::replace(&mut row.description, text.clone());
            fields.push(FieldChange::new("description", Some(old.into()), Some(text.into())));
        }
        if let Some(uri) = uri {
            let shown = |uri: &Option<CloneUri>| uri.as_ref().map(|uri| uri.shown().into());
            fields.push(FieldChange::new("clone_uri", shown(&row.clone_uri), shown(&uri)));
            row.clone_uri = uri;
        }
        let mut work = None;
        if let Some(private) = change.private
            && private != seen.is_private()
        {
            let (old, new) = (seen.is_private().to_string(), private.to_string());
            fields.push(FieldChange::new("private", Some(old.into()), Some(new.into())));
            work = Some(Work::give(Tag::Others, if private { Rights::None } else { Rights::Read }));
        }
        let row = self.carry_out(by, &seen, Change { row, work, action: AuditAction::UpdateRepository, fields })?;
        self.show_again(caller, row)
    }

    pub(crate) fn grant_repository(
        &self,
        (by, caller): (&Actor, Caller),
        which: &RepositoryRef,
        (grantee, access): (Grantee, Access),
    ) -> Result<Repository, Refusal> {
        let id = self.changeable(caller, which)?;
        let view = self.database.certain_view()?;
        let (tag, given, name) = entry(&view, grantee)?;
        let (_claim, row) = self.repositories.book.claim(id)?;
        let seen = self.look_at_repository(row);
        let is_owner = tag == Tag::User(seen.uid()) || given == Some(Given::User(seen.row.owner));
        match (is_owner, access) {
            (true, Access::Admin) => return self.show_again(caller, seen.row),
            (true, Access::None | Access::Read | Access::Write) => return wrong(RepositoryProblem::IsOwner.into()),
            (false, _) => {}
        }
        if grantee == Grantee::Others && access > Access::Read {
            return wrong(RepositoryProblem::OthersOnlyRead.into());
        }
        if access > Access::None && seen.rights(tag) == Rights::None && seen.entries() >= MOST_GRANTS {
            return wrong(Problem::TooMany { max: MOST_GRANTS, actual: seen.entries() + 1 });
        }
        let rights = match access {
            Access::None => Rights::None,
            Access::Read => Rights::Read,
            Access::Write | Access::Admin => Rights::Write,
        };
        let fields = vec![FieldChange::new(
            "access",
            Some(said(&name, access_of(&seen, (tag, given))).into()),
            Some(said(&name, access).into()),
        )];
        let row = RepositoryRow { grants: granted(&seen.row, given, (tag, access)), ..seen.row.clone() };
        let handover = lowered(&seen, &view, (tag, rights));
        let work = Work { handover, ..Work::give(tag, rights) };
        let change = Change { row, work: Some(work), action: AuditAction::GrantRepository, fields };
        let row = self.carry_out(by, &seen, change)?;
        self.show_again(caller, row)
    }

    pub(crate) fn find_grantee(
        &self,
        caller: Caller,
        which: &RepositoryRef,
        whom: &GranteeRef,
    ) -> Result<Grantee, Refusal> {
        self.changeable(caller, which)?;
        let view = self.database.certain_view()?;
        let (found, called) = match whom {
            GranteeRef::User(who) => (user_called(&view, who, caller.account).map(|row| Grantee::User(row.id)), who),
            GranteeRef::Group(which) => (group_called(&view, which).map(|row| Grantee::Group(row.id)), which),
        };
        let field = Field::Repository(RepositoryField::Grantee);
        found.ok_or_else(|| Refusal::invalid(field, Problem::NoSuch(called_as(called))))
    }

    /// One that the caller may change.
    fn changeable(&self, caller: Caller, which: &RepositoryRef) -> Result<RepositoryId, Refusal> {
        let view = self.database.certain_view()?;
        let seer = Seer::new(self, &view, caller.account)?;
        self.administered(&seer, which).map(|seen| seen.row.id)
    }

    fn carry_out(&self, by: &Actor, seen: &Seen, change: Change) -> Result<RepositoryRow, Refusal> {
        let Change { mut row, work, action, fields } = change;
        // One that was not completed comes first.
        let left: Option<Work> = seen.row.pending.as_deref().and_then(|text| serde_json::from_str(text).ok());
        if fields.is_empty() && left.is_none() {
            return Ok(row);
        }
        let all: Vec<Work> = left.into_iter().chain(work).collect();
        if seen.opened.is_none() && !all.is_empty() {
            return Err(RepositoryFault::NoRoot(format!("{} is not there", row.name)).into());
        }
        row.pending = all.last().and_then(|work| serde_json::to_string(work).ok());
        let event = AuditEvent::done(by.clone(), action, Some(target(&row.name)), fields);
        self.repositories.book.put(row.clone(), vec![event])?;
        if let Some(opened) = &seen.opened {
            for work in &all {
                if let Err(error) = work.run(opened) {
                    return self.undo(&seen.row, refusal(&row.name, error.into()));
                }
            }
        }
        row.pending = None;
        self.repositories.book.put(row.clone(), Vec::new())?;
        Ok(row)
    }

    /// What could not be done in all of a directory is not tried for ever: the row is as before, and what
    /// the list of the directory says is shown.
    fn undo<T>(&self, before: &RepositoryRow, refusal: Refusal) -> Result<T, Refusal> {
        self.repositories.book.put(RepositoryRow { pending: None, ..before.clone() }, Vec::new())?;
        Err(refusal)
    }
}

fn wrong<T>(problem: Problem) -> Result<T, Refusal> {
    Err(Refusal::invalid(Field::Repository(RepositoryField::Grantee), problem))
}

/// A URI as it is shown stands for the one that is stored.
fn as_stored(uri: Option<CloneUri>, stored: Option<&CloneUri>) -> Option<CloneUri> {
    match (uri, stored) {
        (Some(uri), Some(stored)) if uri.reveal() == stored.shown() => Some(stored.clone()),
        (uri, _) => uri,
    }
}

fn entry(view: &View, grantee: Grantee) -> Result<(Tag, Option<Given>, String), Refusal> {
    let no_such =
        |id: AccountId| Refusal::invalid(Field::Repository(RepositoryField::Grantee), Problem::NoSuch(id.to_string()));
    Ok(match grantee {
        Grantee::User(id) => {
            let row = view.user(id).ok_or_else(|| no_such(id))?;
            (Tag::User(row.uid.0), Some(Given::User(id)), format!("user {}", row.name))
        }
        Grantee::Group(id) => {
            let row = view.group(id).ok_or_else(|| no_such(id))?;
            (Tag::Group(row.gid.0), Some(Given::Group(id)), format!("group {}", row.name))
        }
        Grantee::Others => (Tag::Others, None, "others".to_owned()),
    })
}

fn said(name: &str, access: Access) -> String {
    format!("{name}: {}", access.name())
}

fn access_of(seen: &Seen, (tag, given): (Tag, Option<Given>)) -> Access {
    let is_admin = seen.row.grants.iter().any(|grant| Some(grant.given) == given && grant.is_admin);
    match seen.rights(tag) {
        Rights::None => Access::None,
        Rights::Read => Access::Read,
        Rights::Write if is_admin => Access::Admin,
        Rights::Write => Access::Write,
    }
}

fn granted(row: &RepositoryRow, given: Option<Given>, (tag, access): (Tag, Access)) -> Vec<GrantRow> {
    let mut grants = row.grants.clone();
    if let (Some(given), Tag::User(number) | Tag::Group(number)) = (given, tag) {
        grants.retain(|grant| grant.given != given);
        if access > Access::None {
            grants.push(GrantRow { given, number, is_admin: access == Access::Admin });
        }
    }
    grants
}

/// Where somebody may write no more, what they have made there becomes the owner's: whoever owns a file
/// could write it still.
fn lowered(seen: &Seen, view: &View, (tag, rights): (Tag, Rights)) -> Option<(Handover, u32)> {
    if seen.rights(tag) != Rights::Write || rights == Rights::Write || seen.opened.is_none() {
        return None;
    }
    let gone = match tag {
        Tag::User(uid) => BTreeSet::from([uid]),
        Tag::Owner | Tag::OwningGroup | Tag::Group(_) | Tag::Mask | Tag::Others => BTreeSet::new(),
    };
    let others = seen.without(tag, view);
    let kept = others.filter(|uid| !gone.contains(uid)).chain([seen.uid()]).collect();
    Some((Handover::OfAllBut(kept), seen.uid()))
}

/// What is left of the entry of an account that is gone, and what follows one whose number has changed.
pub(super) fn followed(row: &RepositoryRow, view: &View) -> Option<(RepositoryRow, Work)> {
    let (mut grants, mut edits) = (Vec::new(), Vec::new());
    for grant in &row.grants {
        let number = match grant.given {
            Given::User(id) => view.user(id).map(|row| row.uid.0),
            Given::Group(id) => view.group(id).map(|row| row.gid.0),
        };
        let tag = |number| match grant.given {
            Given::User(_) => Tag::User(number),
            Given::Group(_) => Tag::Group(number),
        };
        match number {
            Some(number) if number == grant.number => grants.push(*grant),
            Some(number) => {
                edits.push(Edit::Move(tag(grant.number), tag(number)));
                grants.push(GrantRow { number, ..*grant });
            }
            None => edits.push(Edit::Give(tag(grant.number), Rights::None)),
        }
    }
    // An entry that somebody else has by now is theirs.
    let is_kept = |tag: &Tag| match tag {
        Tag::User(number) => grants.iter().any(|one| matches!(one.given, Given::User(_)) && one.number == *number),
        Tag::Group(number) => grants.iter().any(|one| matches!(one.given, Given::Group(_)) && one.number == *number),
        Tag::Owner | Tag::OwningGroup | Tag::Mask | Tag::Others => true,
    };
    edits.retain(|edit| !matches!(edit, Edit::Give(tag, _) if is_kept(tag)));
    (grants != row.grants).then(|| (RepositoryRow { grants, ..row.clone() }, Work { edits, handover: None }))
}
