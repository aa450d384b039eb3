//! Groups and who is in them.

use accountd_protocol::agent::{Group, GroupChange, NewGroup, Operation, Page, Window};
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::precondition::Precondition;

use super::{Caller, done, open};
use crate::error::Error;
use crate::parts::Parts;

impl Caller {
    /// Got in parts, whatever the window's size.
    pub async fn groups(&self, window: Window) -> Result<Page<Group>, Error> {
        let mut parts = Parts::of(window);
        while let Some(part) = parts.missing() {
            let page = open!(self.operate(Operation::ListGroups(part.clone())).await?, Groups)?;
            parts.add(&part, page);
        }
        Ok(parts.into_page())
    }

    pub async fn group(&self, id: AccountId) -> Result<Group, Error> {
        open!(self.operate(Operation::GetGroup(id)).await?, Group).map(|group| *group)
    }

    pub async fn find_groups(&self, window: Window) -> Result<Page<Group>, Error> {
        open!(self.operate(Operation::ListGroups(window)).await?, Groups)
    }

    pub async fn find_group(&self, which: AccountRef) -> Result<Group, Error> {
        open!(self.operate(Operation::FindGroup(which)).await?, Group).map(|group| *group)
    }

    /// The ids of groups, in the same order.
    pub async fn resolve_groups(&self, which: Vec<AccountRef>) -> Result<Vec<Option<AccountId>>, Error> {
        open!(self.operate(Operation::ResolveGroups(which)).await?, Resolved)
    }

    /// Replaces the member list of a group.
    pub async fn set_members(
        &self,
        id: AccountId,
        members: Vec<AccountRef>,
        only_if: Precondition,
    ) -> Result<Group, Error> {
        open!(self.operate(Operation::SetMembers { id, members, only_if }).await?, Group).map(|group| *group)
    }

    pub async fn create_group(&self, new: NewGroup) -> Result<Group, Error> {
        open!(self.operate(Operation::CreateGroup(new)).await?, Group).map(|group| *group)
    }

    pub async fn update_group(
        &self,
        id: AccountId,
        change: GroupChange,
        only_if: Precondition,
    ) -> Result<Group, Error> {
        open!(self.operate(Operation::UpdateGroup { id, change, only_if }).await?, Group).map(|group| *group)
    }

    pub async fn delete_group(&self, id: AccountId, only_if: Precondition) -> Result<(), Error> {
        self.operate(Operation::DeleteGroup { id, only_if }).await.and_then(done)
    }
}
