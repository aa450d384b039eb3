//! The member list of a group, replaced as a whole.

use std::collections::HashSet;

use accountd_protocol::agent::Group;
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};

use super::check::MAX_GROUPS;
use super::find::user_called;
use super::memberships;
use super::state::group_is;
use crate::agent::Agent;
use crate::database::entry::{group, passwd};
use crate::database::{Draft, FileKind, GroupRow, Purpose, View};

/// The most members of one group: a line that every program has to read.
const MAX_MEMBERS: usize = 10_000;

/// A member list as it is to be.
struct Wanted {
    /// Those that are in it already come first, in their order.
    names: Vec<String>,
    added: Vec<String>,
}

impl Agent {
    pub(crate) fn set_members(
        &self,
        by: &Actor,
        (id, caller): (AccountId, AccountId),
        members: &[AccountRef],
        only_if: Precondition,
    ) -> Result<Group, Refusal> {
        let wanted = {
            let view = self.database.view();
            group_is(&view, id, &only_if)?;
            let row = view.group(id).ok_or(Refusal::NotFound)?;
            self.wanted(&view, row, (members, caller))?
        };
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateGroup, user: None };
        let ((), generation) = self.change(purpose, move |draft| {
            group_is(draft, id, &only_if)?;
            enter(draft, id, wanted)
        })?;
        self.settle(generation);
        self.get_group(id)
    }

    fn wanted(
        &self,
        view: &View,
        row: &GroupRow,
        (members, caller): (&[AccountRef], AccountId),
    ) -> Result<Wanted, Refusal> {
        let faulty = |problem| Err(Refusal::invalid(Field::Members, problem));
        if members.len() > MAX_MEMBERS {
            return faulty(Problem::TooMany { max: MAX_MEMBERS, actual: members.len() });
        }
        let present = view.entry(FileKind::Group, &row.name).map(|entry| entry.names(group::MEMBERS));
        let present = present.unwrap_or_default();
        let known: HashSet<&String> = present.iter().collect();
        let (mut kept, mut coming, mut added) = (HashSet::new(), HashSet::new(), Vec::new());
        for member in members {
            match (user_called(view, member, caller), member) {
                (Some(user), _) if known.contains(&user.name) => drop(kept.insert(user.name.clone())),
                // In it anyway.
                (Some(user), _) if primary_gid(view, &user.name) == Some(row.gid.0) => {}
                (Some(user), _) if !coming.insert(user.id) => {}
                (Some(user), _) => added.push(user.name.clone()),
                (None, AccountRef::Name(name)) if known.contains(name) => drop(kept.insert(name.clone())),
                (None, _) => return faulty(Problem::NoSuch(called(member))),
            }
        }
        if !added.is_empty() && self.is_service_gid(view, row.gid.0) {
            return faulty(Problem::ServiceAccount);
        }
        let has_most = |name: &&String| view.groups_of_member(name).len() >= MAX_GROUPS;
        if added.iter().any(|name| has_most(&name)) {
            return Err(Refusal::invalid(Field::Groups, Problem::TooMany { max: MAX_GROUPS, actual: MAX_GROUPS + 1 }));
        }
        let staying = present.iter().filter(|name| kept.contains(*name)).cloned();
        Ok(Wanted { names: staying.chain(added.iter().cloned()).collect(), added })
    }
}

/// Under the lock: who is to come has to be there still.
fn enter(draft: &mut Draft<'_>, id: AccountId, wanted: Wanted) -> Result<(), Refusal> {
    if let Some(gone) = wanted.added.iter().find(|name| draft.user_named(name).is_none()) {
        return Err(Refusal::invalid(Field::Members, Problem::NoSuch(gone.clone())));
    }
    let name = draft.group(id).ok_or(Refusal::NotFound)?.name.clone();
    memberships::edit(draft, &name, |members| members.clone_from(&wanted.names));
    Ok(())
}

fn primary_gid(view: &View, name: &str) -> Option<u32> {
    view.entry(FileKind::Passwd, name)?.number(passwd::GID)
}

fn called(member: &AccountRef) -> String {
    match member {
        AccountRef::Id(id) => id.to_string(),
        AccountRef::Name(name) => name.clone(),
        AccountRef::Number(uid) => uid.to_string(),
        AccountRef::Caller => "~".into(),
    }
}
