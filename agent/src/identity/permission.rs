//! Which peer may send which request, and which caller may ask for which operation.
//!
//! The two tables of the agent. A new request or operation does not compile until it has its
//! line here.

use accountd_protocol::agent::{AgentRequest, Operation};
use accountd_protocol::id::Uid;
use accountd_protocol::socket::Peer;

/// Has to be opened: only `Granted` lets a request go on.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Granted,
    Denied,
}

/// What a process at the other end of the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRole {
    /// `accountd-login`, or root's own commands.
    Root,
    /// The REST front.
    Api,
    Stranger,
}

impl PeerRole {
    pub fn of(peer: Peer, api: Option<Uid>) -> Self {
        if peer.uid == Uid::ROOT {
            PeerRole::Root
        } else if api == Some(peer.uid) {
            PeerRole::Api
        } else {
            PeerRole::Stranger
        }
    }

    pub fn may_send(self, request: &AgentRequest) -> Permission {
        let allowed = match request {
            AgentRequest::OpenHandle { .. } | AgentRequest::Operate { .. } | AgentRequest::Ping => {
                matches!(self, PeerRole::Root | PeerRole::Api)
            }
            AgentRequest::OfferKey { .. } | AgentRequest::Decide { .. } | AgentRequest::Watch => self == PeerRole::Root,
        };
        if allowed { Permission::Granted } else { Permission::Denied }
    }
}

/// What a caller is allowed to ask for. Only the superuser has a role so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerRole {
    Administrator,
    None,
}

impl CallerRole {
    pub fn of(uid: Uid) -> Self {
        if uid == Uid::ROOT { CallerRole::Administrator } else { CallerRole::None }
    }

    pub fn may(self, operation: &Operation) -> Permission {
        let needed = match operation {
            Operation::ListUsers(_)
            | Operation::GetUser(_)
            | Operation::FindUser(_)
            | Operation::GetHome(_)
            | Operation::CreateUser(_)
            | Operation::CreateUsers(_)
            | Operation::UpdateUser { .. }
            | Operation::DeleteUser { .. }
            | Operation::RepairKeys(_)
            | Operation::SetPassword { .. }
            | Operation::ListKeys(_)
            | Operation::SetKeys { .. }
            | Operation::ListMemberships(_)
            | Operation::SetMemberships { .. }
            | Operation::ListGroups(_)
            | Operation::GetGroup(_)
            | Operation::FindGroup(_)
            | Operation::ResolveGroups(_)
            | Operation::CreateGroup(_)
            | Operation::UpdateGroup { .. }
            | Operation::DeleteGroup { .. }
            | Operation::SetMembers { .. }
            | Operation::ListShells
            | Operation::GetSystem => CallerRole::Administrator,
        };
        if self == needed { Permission::Granted } else { Permission::Denied }
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::Gid;
    use accountd_protocol::secret::Secret;

    use super::*;

    fn role(uid: u32) -> PeerRole {
        PeerRole::of(Peer { uid: Uid(uid), gid: Gid(uid), pid: 1 }, Some(Uid(990)))
    }

    #[test]
    fn the_rest_front_may_not_decide_logins_and_a_stranger_may_nothing() {
        let operate =
            AgentRequest::Operate { caller: Secret::new("x".into()), operation: Box::new(Operation::ListShells) };
        assert_eq!(role(990).may_send(&operate), Permission::Granted);
        assert_eq!(role(990).may_send(&AgentRequest::Watch), Permission::Denied);
        assert_eq!(role(0).may_send(&AgentRequest::Watch), Permission::Granted);
        assert_eq!(role(991).may_send(&operate), Permission::Denied);
        assert_eq!(role(1000).may_send(&AgentRequest::Watch), Permission::Denied);
    }

    #[test]
    fn only_the_superuser_may_operate() {
        assert_eq!(CallerRole::of(Uid(0)).may(&Operation::ListShells), Permission::Granted);
        assert_eq!(CallerRole::of(Uid(1000)).may(&Operation::ListShells), Permission::Denied);
    }
}
