//! What an account administrator may not touch: whoever or whatever has, or gives, more than that.

use std::collections::{BTreeSet, HashSet};

use accountd_config::Roles;
use accountd_protocol::agent::{GroupChange, NewGroup, NewUser, Operation, PrimaryGroup, SortBy, UserChange};
use accountd_protocol::batch::BatchItem;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::role::Role;
use accountd_protocol::sudo::SudoChange;

use super::permission::Permission;
use super::roles::{is_in_privileged, is_privileged, is_privileged_gid, is_privileged_name, roles_of};
use crate::accounts::find::user_called;
use crate::database::entry::{group, passwd};
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::sudoers::Grantee;

/// The accounts as an account administrator sees them.
pub struct Guarded<'a> {
    pub view: &'a View,
    pub config: &'a Roles,
    pub caller: AccountId,
    /// Of the caller.
    pub roles: &'a BTreeSet<Role>,
}

impl Guarded<'_> {
    pub fn allow(&self, operation: &Operation) -> Permission {
        let open = match operation {
            // The order of hashes that are not shown says something about them.
            Operation::ListUsers(window) => {
                !window.sort.iter().any(|key| matches!(key.by, SortBy::UnixHash | SortBy::SmbHash))
            }
            Operation::GetUser(_)
            | Operation::GetHome(_)
            | Operation::ListMemberships(_)
            | Operation::ListGroups(_)
            | Operation::GetGroup(_)
            | Operation::FindUser(_)
            | Operation::FindGroup(_)
            | Operation::ResolveGroups(_)
            | Operation::ListKeys(_)
            | Operation::GetSystem
            | Operation::ListShells
            | Operation::ChangeOwnPassword { .. }
            | Operation::Check { .. }
            | Operation::GetJob(..)
            | Operation::ListJobs
            | Operation::CancelJob(_)
            | Operation::ListAudit(_)
            | Operation::GetPolicy
            | Operation::ListApiKeys(_)
            | Operation::ListBans
            | Operation::ShowMetrics
            | Operation::ListConnections(_)
            // Whose it is, is asked when that is known.
            | Operation::CloseConnection(_)
            | Operation::CloseSession(_)
            | Operation::GetQuota(_)
            | Operation::ListQuotas(_)
            | Operation::ListQuotaFileSystems
            | Operation::ListScans
            // It counts what is there.
            | Operation::StartScan(_)
            | Operation::CancelScan(_)
            // It gives nothing but further tries.
            | Operation::LiftBan(_)
            | Operation::GetTwoFactor(_)
            | Operation::VerifyAudit => true,
            // Whose a repository is, is asked when that is known.
            Operation::ListRepositories
            | Operation::GetRepository(_)
            | Operation::CreateRepository(_)
            | Operation::UpdateRepository { .. }
            | Operation::DeleteRepository(_)
            | Operation::GrantRepository { .. }
            | Operation::PullRepository(_)
            | Operation::FindGrantee { .. } => true,
            // Only administrators get so far.
            Operation::RepairChecks(_)
            | Operation::SetPolicy { .. }
            | Operation::SetRoles { .. }
            | Operation::Export
            | Operation::Import(_) => false,
            // Nobody gets so far.
            Operation::CreateApiKey { .. } => false,
            Operation::DeleteApiKey { user, .. } => self.is_open_user(*user),
            Operation::BeginTwoFactor(_) | Operation::ConfirmTwoFactor { .. } => false,
            Operation::CancelTwoFactor { user, .. } => self.is_open_user(*user),
            // Of the caller.
            Operation::CreateToken { .. } | Operation::RevokeToken(_) => true,
            Operation::ListSshKeys(_) | Operation::FindSshKey(_) | Operation::ChangeOwnProfile { .. } => true,
            Operation::AddSshKey { user, .. } | Operation::DeleteSshKey { user, .. } => self.is_open_user(*user),
            Operation::CreateUser(new) => self.may_create(new),
            Operation::CreateUsers(new) => new.iter().all(|new| self.may_create(new)),
            Operation::Batch(batch) => batch.items.iter().all(|item| self.may_do(item)),
            Operation::UpdateUser { id, change, .. } => self.is_open_user(*id) && self.may_become(*id, change),
            Operation::DeleteUser { id, .. }
            | Operation::DisableUser { id, .. }
            | Operation::SetPassword { id, .. } => self.is_open_user(*id),
            Operation::RepairKeys(id) => self.is_open_user(*id),
            Operation::SetMemberships { id, groups } => {
                let known = groups.iter().filter_map(|name| self.view.group_named(name));
                self.is_open_user(*id) && known.into_iter().all(|group| self.may_join(Some(*id), group.id))
            }
            Operation::CreateGroup(NewGroup { name, gid, shared_gid: _, sudo, limits: _ }) => {
                sudo.is_empty() && !self.is_privileged_name(name.as_str()) && self.is_open_gid(*gid)
            }
            Operation::UpdateGroup { id, change, .. } => self.is_own_group(*id) && self.may_be(change),
            Operation::DeleteGroup { id, .. } => self.is_own_group(*id),
            Operation::SetKeys { id, .. } => self.is_open_user(*id),
            Operation::SetMembers { id, members, .. } => self.is_open_group(*id) && self.may_gather(*id, members),
        };
        if open { Permission::Granted } else { Permission::Denied }
    }

    fn may_do(&self, item: &BatchItem) -> bool {
        // Who is not there is told as that.
        let id = |who| user_called(self.view, who, self.caller).map(|row| row.id);
        match item {
            BatchItem::Create(new) => self.may_create(new),
            BatchItem::Update { who, change, .. } => {
                id(who).is_none_or(|id| self.is_open_user(id) && self.may_become(id, change))
            }
            BatchItem::Unread(_) => true,
            BatchItem::Delete { who, .. } => id(who).is_none_or(|id| self.is_open_user(id)),
        }
    }

    /// A user that has no more than the caller. One that does not exist is told as that.
    fn is_open_user(&self, id: AccountId) -> bool {
        self.view.user(id).is_none_or(|row| self.is_open(row))
    }

    fn is_open(&self, row: &UserRow) -> bool {
        !row.is_builtin()
            && roles_of(self.view, self.config, row).is_subset(self.roles)
            && !self.view.sudo(Grantee::User(row.id)).is_granted()
            && !is_in_privileged_beside_roles(self, row)
    }

    /// A group that anybody may be put into.
    fn is_open_group(&self, id: AccountId) -> bool {
        let is_open =
            |row: &GroupRow| !is_privileged(self.view, self.config, row) && !self.is_private_gid_of_others(row.gid.0);
        self.view.group(id).is_none_or(is_open)
    }

    /// Whether it is the private group of somebody who has more than the caller. What such an account has made
    /// for its group is its own still: whoever came into it could change that.
    fn is_private_gid_of_others(&self, gid: u32) -> bool {
        let is_primary = |row: &&UserRow| {
            let entry = self.view.entry(FileKind::Passwd, &row.name);
            entry.and_then(|entry| entry.number(passwd::GID)) == Some(gid)
        };
        let namesakes = self.view.names_of_gid(gid).into_iter().filter_map(|name| self.view.user_named(name));
        namesakes.filter(is_primary).any(|row| !row.is_builtin() && !self.is_open(row))
    }

    /// Whoever is in a group already may stay.
    fn may_join(&self, user: Option<AccountId>, group: AccountId) -> bool {
        let is_in = || {
            let (user, group) = (self.view.user(user?)?, self.view.group(group)?);
            Some(self.view.groups_of_member(&user.name).iter().any(|name| **name == *group.name))
        };
        self.is_open_group(group) || is_in() == Some(true)
    }

    /// Whoever comes into a group or leaves it has no more than the caller.
    fn may_gather(&self, id: AccountId, members: &[AccountRef]) -> bool {
        let group = self.view.group(id).and_then(|row| self.view.entry(FileKind::Group, &row.name));
        let before: HashSet<String> =
            group.map(|entry| entry.names(group::MEMBERS)).unwrap_or_default().into_iter().collect();
        let wanted = members.iter().filter_map(|member| user_called(self.view, member, self.caller));
        let after: HashSet<String> = wanted.map(|row| row.name.clone()).collect();
        let moving = before.symmetric_difference(&after).filter_map(|name| self.view.user_named(name));
        moving.into_iter().all(|row| self.is_open(row))
    }

    /// A group that may be changed: those of the system are not.
    fn is_own_group(&self, id: AccountId) -> bool {
        self.view.group(id).is_none_or(|row| !row.is_builtin()) && self.is_open_group(id)
    }

    fn is_privileged_name(&self, name: &str) -> bool {
        is_privileged_name(self.config, name)
    }

    fn is_open_gid(&self, gid: Option<u32>) -> bool {
        let is_open = |gid| !is_privileged_gid(self.view, self.config, gid) && !self.is_private_gid_of_others(gid);
        gid.is_none_or(is_open)
    }

    /// Whose uid an account would share.
    fn is_open_uid(&self, uid: Option<u32>) -> bool {
        let names = uid.map(|uid| self.view.names_of_uid(uid)).unwrap_or_default();
        uid != Some(0) && names.into_iter().filter_map(|name| self.view.user_named(name)).all(|row| self.is_open(row))
    }

    fn may_create(&self, new: &NewUser) -> bool {
        let private = self.view.group_named(new.name.as_str()).map(|group| group.id);
        let primary = match new.primary_group {
            PrimaryGroup::Existing(id) => self.is_open_group(id),
            PrimaryGroup::Private => {
                !self.is_privileged_name(new.name.as_str()) && private.is_none_or(|id| self.is_open_group(id))
            }
        };
        new.sudo.is_empty()
            && primary
            && self.is_open_uid(new.uid)
            && new.groups.iter().all(|id| self.is_open_group(*id))
    }

    fn may_become(&self, id: AccountId, change: &UserChange) -> bool {
        let mut groups = change.groups.iter().flatten();
        !change.sudo.as_ref().is_some_and(SudoChange::may_grant)
            && self.is_open_uid(change.uid)
            && change.primary_group.is_none_or(|group| self.is_open_group(group))
            && groups.all(|group| self.may_join(Some(id), *group))
    }

    fn may_be(&self, change: &GroupChange) -> bool {
        let named = change.name.as_ref().is_some_and(|name| self.is_privileged_name(name.as_str()));
        !change.sudo.as_ref().is_some_and(SudoChange::may_grant) && !named && self.is_open_gid(change.gid)
    }
}

/// The groups that give a role are judged by the role.
fn is_in_privileged_beside_roles(guarded: &Guarded<'_>, row: &UserRow) -> bool {
    let Guarded { view, config, .. } = guarded;
    let without_roles = Roles {
        administrators: Vec::new(),
        account_administrators: Vec::new(),
        auditors: Vec::new(),
        privileged_groups: config.privileged_groups.clone(),
    };
    is_in_privileged(view, &without_roles, row)
}
