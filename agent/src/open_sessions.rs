//! The SSH connections that are open, as `accountd-login` has them.

use accountd_protocol::audit::Actor;
use accountd_protocol::id::AccountId;
use accountd_protocol::open_session::{ConnectionId, OpenConnection};
use accountd_protocol::refusal::Refusal;

use crate::agent::Agent;
use crate::identity::handles::Caller;

impl Agent {
    pub(crate) fn list_connections(&self, _of: Option<AccountId>) -> Result<Vec<OpenConnection>, Refusal> {
        Err(Refusal::NoSessions)
    }

    pub(crate) fn close_connection(&self, _by: &Actor, _caller: Caller, _id: &ConnectionId) -> Result<(), Refusal> {
        Err(Refusal::NoSessions)
    }

    pub(crate) fn close_session(&self, _by: &Actor, _caller: Caller, _number: u64) -> Result<(), Refusal> {
        Err(Refusal::NoSessions)
    }
}
