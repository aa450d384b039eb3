//! Roles of an account, given and taken: they come with groups (`[roles]` in accountd.toml(5)).

use std::collections::BTreeSet;

use accountd_config::Roles;
use accountd_protocol::agent::{NewGroup, SharedGid, User, UserChange};
use accountd_protocol::audit::Actor;
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::name::NewGroupName;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::role::Role;
use accountd_protocol::sudo::SudoCommands;

use super::state::user_is;
use crate::agent::Agent;
use crate::database::View;
use crate::identity::roles::roles_of;

impl Agent {
    /// Puts a user into the first group of each role that is to be given, which is made where it is
    /// missing, and out of every group of a role that is to be taken.
    pub(crate) fn set_roles(
        &self,
        by: &Actor,
        id: AccountId,
        roles: &BTreeSet<Role>,
        only_if: &Precondition,
    ) -> Result<User, Refusal> {
        let user = self.get_user(id)?;
        let joined = {
            let view = self.database.view();
            user_is(&view, id, only_if)?;
            let present = roles_of(&view, &self.config().roles, view.user(id).ok_or(Refusal::NotFound)?);
            if user.uid == Uid::ROOT && *roles != present {
                return Err(refused(Problem::Builtin));
            }
            self.groups_to_join(&view, &user, (&present, roles))?
        };
        let mut groups = self.without(&user, roles);
        for name in joined {
            groups.push(self.group_or_new(by, &name)?);
        }
        if groups == user.groups {
            return Ok(user);
        }
        // What the groups were read from.
        let read = user.tag.map_or(Precondition::None, |tag| Precondition::OneOf(vec![tag]));
        let change = UserChange { groups: Some(groups), ..UserChange::default() };
        self.update_user(by, id, change, &read).map(|(user, _)| user)
    }

    /// The groups to come into; refuses what they would not come to.
    fn groups_to_join(
        &self,
        view: &View,
        user: &User,
        (present, wanted): (&BTreeSet<Role>, &BTreeSet<Role>),
    ) -> Result<Vec<String>, Refusal> {
        let config = &self.config().roles;
        let mut joined = Vec::new();
        for role in wanted.difference(present) {
            let first = config.groups(*role).first();
            let none = || Problem::NoSuch(format!("a group for {} in the configuration", role.name()));
            joined.push(first.ok_or_else(none).map_err(refused)?.clone());
        }
        let primary = view.names_of_gid(user.gid.0).into_iter().map(str::to_owned);
        let staying = user.group_names.iter().filter(|name| !gives(config, name).any(|role| !wanted.contains(&role)));
        let after = primary.chain(staying.cloned()).chain(joined.iter().cloned());
        for group in after {
            if gives(config, &group).any(|role| !wanted.contains(&role)) {
                return Err(refused(Problem::GivenBy(group)));
            }
        }
        Ok(joined)
    }

    /// The groups of a user but for those that give a role which is not wanted.
    fn without(&self, user: &User, wanted: &BTreeSet<Role>) -> Vec<AccountId> {
        let stays = |name: &String| !gives(&self.config().roles, name).any(|role| !wanted.contains(&role));
        let groups = user.groups.iter().zip(&user.group_names);
        groups.filter(|(_, name)| stays(name)).map(|(id, _)| *id).collect()
    }

    fn group_or_new(&self, by: &Actor, name: &str) -> Result<AccountId, Refusal> {
        if let Some(group) = self.database.view().group_named(name) {
            return Ok(group.id);
        }
        self.new_group_of_role(by, name, None)
    }

    pub(super) fn new_group_of_role(&self, by: &Actor, name: &str, gid: Option<u32>) -> Result<AccountId, Refusal> {
        let name = NewGroupName::new(name).map_err(|error| refused(Problem::Name(error)))?;
        let (sudo, limits) = (SudoCommands::default(), LimitsChange::default());
        let new = NewGroup { name, gid, shared_gid: SharedGid::Refused, sudo, limits };
        self.create_group(by, new).map(|group| group.id)
    }
}

/// The roles that a group gives.
fn gives(config: &Roles, group: &str) -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(move |role| config.groups(*role).iter().any(|name| name == group))
}

fn refused(problem: Problem) -> Refusal {
    Refusal::invalid(Field::Roles, problem)
}
