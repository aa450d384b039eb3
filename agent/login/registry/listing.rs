//! The connections and sessions as they are listed, what is on its way, and how one is closed.

use std::time::SystemTime;

use accountd_protocol::id::AccountId;
use accountd_protocol::open_session::{ConnectionId, OpenConnection, OpenSession, OpenTransfer, TransferNote};

use super::{Connected, Entry, Inner, Place, Registry};
use crate::word::Farewell;

/// The most transfers that are shown of one session.
const MOST_TRANSFERS: usize = 64;

impl Registry {
    /// The connections of an account, or of all, in the order in which they came.
    pub fn connections(&self, of: Option<AccountId>) -> Vec<OpenConnection> {
        let inner = self.lock();
        let wanted = inner.connections.iter().filter(|(_, one)| of.is_none_or(|of| one.basis.account == of));
        wanted.map(|(number, one)| one.shown(inner.sessions_on(*number))).collect()
    }

    /// Ends a connection with everything that runs on it; `None` where there is none of that id.
    pub fn close_connection(&self, id: &ConnectionId) -> Option<()> {
        let mut inner = self.lock();
        let (number, hang_up) = inner
            .connections
            .iter()
            .find(|(_, one)| one.id == *id)
            .map(|(number, one)| (*number, one.hang_up.clone()))?;
        inner.end(Farewell::Revoked, |entry| entry.connection == number);
        drop(inner);
        (hang_up.0)();
        Some(())
    }

    /// Ends one session, and nothing else of its connection.
    pub fn close_session(&self, number: u64) -> Option<()> {
        let mut inner = self.lock();
        let entry = inner.sessions.get_mut(&number)?;
        let why = *entry.unwanted.get_or_insert(Farewell::Closed);
        if let Some(control) = &entry.control {
            control.tell(why);
        }
        Some(())
    }
}

impl Inner {
    fn sessions_on(&self, connection: u64) -> Vec<(u64, &Entry)> {
        let entries = self.sessions.iter().filter(|(_, entry)| entry.connection == connection);
        let mut entries: Vec<_> = entries.map(|(number, entry)| (*number, entry)).collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        entries
    }
}

impl Connected {
    fn shown(&self, sessions: Vec<(u64, &Entry)>) -> OpenConnection {
        let Self { id, basis, user, client, version, since, period: _, hang_up: _ } = self;
        let active = sessions.iter().map(|(_, entry)| entry.active).max().unwrap_or(*since);
        OpenConnection {
            id: id.clone(),
            account: basis.account,
            user: user.clone(),
            client_version: version.clone(),
            source: *client,
            connected: milliseconds(*since),
            last_activity: milliseconds(active.max(*since)),
            sessions: sessions.into_iter().map(|(number, entry)| entry.shown(number)).collect(),
        }
    }
}

impl Entry {
    fn shown(&self, number: u64) -> OpenSession {
        OpenSession {
            number,
            service: self.service.name().to_owned(),
            began: milliseconds(self.began),
            transfers: self.transfers.values().cloned().collect(),
        }
    }
}

/// Of Unix time.
fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Place {
    /// What the session has said of its transfers.
    pub fn note(&self, note: TransferNote) {
        let (mut inner, now) = (self.registry.lock(), SystemTime::now());
        let Some(entry) = inner.sessions.get_mut(&self.number) else { return };
        entry.active = now;
        let last_activity = milliseconds(now);
        match note {
            TransferNote::Begun { id, path, direction, size, for_milliseconds } => {
                if entry.transfers.len() < MOST_TRANSFERS {
                    let started = last_activity.saturating_sub(for_milliseconds);
                    entry.transfers.insert(id, OpenTransfer { path, direction, started, last_activity, size });
                }
            }
            TransferNote::At { id, size } => {
                if let Some(transfer) = entry.transfers.get_mut(&id) {
                    (transfer.size, transfer.last_activity) = (size, last_activity);
                }
            }
            TransferNote::Ended { id } => drop(entry.transfers.remove(&id)),
        }
    }
}
