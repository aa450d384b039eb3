//! `connection`: the SSH connections on which files are served, by SFTP or scp. Those on which nothing
//! but a shell or a command runs are not seen here, nor closed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use accountd_core::Caller;
use accountd_protocol::agent::User;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::open_session::{ConnectionId, OpenConnection, OpenTransfer, TransferDirection};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::text::FieldPath;
use rocket::http::Status;
use rocket::{delete, get};
use serde::Serialize;

use super::error::Error;
use super::reply::Reply;
use super::users::Signed;
use crate::caller::Authenticated;

/// Services that serve files, and what they are called here.
const SERVICES: [(&str, &str); 2] = [("sftp", "SFTP"), ("scp", "SCP")];

#[derive(Debug, Serialize)]
struct Shown {
    username: String,
    connection_id: String,
    client_version: String,
    remote_address: String,
    /// Times in milliseconds of Unix time.
    connection_time: u64,
    last_activity: u64,
    protocol: &'static str,
    active_transfers: Vec<Transfer>,
}

#[derive(Debug, Serialize)]
struct Transfer {
    operation_type: &'static str,
    start_time: u64,
    size: u64,
    last_activity: u64,
    path: String,
}

#[get("/connection")]
pub async fn list(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let open = caller.connections(None).await.map_err(Error::of)?;
    let (mut shown, mut homes) = (Vec::new(), HashMap::new());
    for connection in open {
        let Some(protocol) = protocol(&connection) else { continue };
        let account = connection.account;
        let home = match homes.entry(account) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(visible_home(&caller, account).await),
        };
        shown.push(Shown::of(connection, protocol, home.as_ref()));
    }
    Ok(Reply::object(&shown))
}

#[delete("/connection/<id>")]
pub async fn close(caller: Signed, id: &str) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let open = caller.connections(None).await.map_err(Error::of)?;
    if !open.iter().any(|one| one.id.0 == id && protocol(one).is_some()) {
        return Err(Error::NoSuchConnection);
    }
    caller.close_connection(ConnectionId(id.to_owned())).await.map_err(|error| match error {
        accountd_core::Error::Refused(Refusal::NotFound) => Error::NoSuchConnection,
        error => Error::of(error),
    })?;
    Ok(Reply::message(Status::Ok, "Connection closed"))
}

/// By the first session that serves files.
fn protocol(connection: &OpenConnection) -> Option<&'static str> {
    let named = |service: &str| SERVICES.iter().find(|(known, _)| *known == service).map(|(_, protocol)| *protocol);
    connection.sessions.iter().find_map(|session| named(&session.service))
}

/// The home of an account whose sessions see all of the machine, so that their paths lead from there.
async fn visible_home(caller: &Caller, id: AccountId) -> Option<FieldPath> {
    let User { home, effective_limits, .. } = caller.find_user(AccountRef::Id(id)).await.ok()?;
    FieldPath::new(home).ok().filter(|_| effective_limits.root.is_none())
}

impl Shown {
    fn of(connection: OpenConnection, protocol: &'static str, home: Option<&FieldPath>) -> Self {
        let transfers = connection.sessions.into_iter().flat_map(|session| session.transfers);
        let active_transfers: Vec<Transfer> = transfers.map(|transfer| Transfer::of(transfer, home)).collect();
        let latest = active_transfers.iter().map(|transfer| transfer.last_activity).max().unwrap_or_default();
        Self {
            username: connection.user,
            connection_id: connection.id.0,
            client_version: connection.client_version,
            remote_address: connection.source.to_string(),
            connection_time: connection.connected,
            last_activity: connection.last_activity.max(latest),
            protocol,
            active_transfers,
        }
    }
}

impl Transfer {
    fn of(transfer: OpenTransfer, home: Option<&FieldPath>) -> Self {
        Self {
            operation_type: match transfer.direction {
                TransferDirection::Upload => "upload",
                TransferDirection::Download => "download",
            },
            start_time: transfer.started,
            size: transfer.size,
            last_activity: transfer.last_activity,
            path: from_home(&transfer.path, home),
        }
    }
}

/// A path as the client has written it, from its home on, where it is below that.
fn from_home(path: &str, home: Option<&FieldPath>) -> String {
    let below = home.and_then(|home| path.strip_prefix(home.as_str())).filter(|below| below.starts_with('/'));
    let parts: Vec<&str> = below.unwrap_or(path).split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_home_on() {
        let home = FieldPath::new("/mnt/tank/anna").unwrap();
        for (path, expected) in [
            ("f", "/f"),
            ("./a//b", "/a/b"),
            ("/mnt/tank/anna/f", "/f"),
            ("/mnt/tank/annabel/f", "/mnt/tank/annabel/f"),
            ("/srv/f", "/srv/f"),
        ] {
            assert_eq!(from_home(path, Some(&home)), expected, "{path}");
        }
        assert_eq!(from_home("/mnt/tank/anna/f", None), "/mnt/tank/anna/f", "inside a root");
    }
}
