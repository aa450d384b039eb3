//! Who is logged in over SSH.

use accountd_protocol::agent::Operation;
use accountd_protocol::id::AccountId;
use accountd_protocol::open_session::{ConnectionId, OpenConnection};

use super::{Caller, open};
use crate::error::Error;

impl Caller {
    /// The SSH connections of a user, or of all.
    pub async fn connections(&self, of: Option<AccountId>) -> Result<Vec<OpenConnection>, Error> {
        open!(self.operate(Operation::ListConnections(of)).await?, Connections)
    }

    pub async fn close_connection(&self, id: ConnectionId) -> Result<(), Error> {
        self.operate(Operation::CloseConnection(id)).await.map(drop)
    }

    pub async fn close_session(&self, number: u64) -> Result<(), Error> {
        self.operate(Operation::CloseSession(number)).await.map(drop)
    }
}
