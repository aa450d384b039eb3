//! Key files whose change is committed and that are not in their places: the agent was ended in between, or
//! the home took them in none of several tries. They are tried again until they are in place.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use accountd_protocol::id::AccountId;
use accountd_protocol::text::FieldPath;
use tracing::{debug, info, warn};

use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{Becomes, FileKind, KeyFileRow, View};
use crate::error::Error;
use crate::homes::{Keys, WorkError};

/// How long the start waits for them: a home may be on a file system that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(2);

/// By the homes that they are in.
#[derive(Debug, Default)]
pub struct WaitingKeys {
    rows: Mutex<HashMap<String, KeyFileRow>>,
    added: Condvar,
}

impl WaitingKeys {
    pub fn add(&self, row: KeyFileRow) {
        self.lock().insert(row.home.clone(), row);
        self.added.notify_all();
    }

    /// Another change of the keys in this home has begun, or nobody has it any more.
    pub fn forget(&self, home: &str) {
        self.lock().remove(home);
    }

    fn has(&self, row: &KeyFileRow) -> bool {
        self.lock().get(&row.home) == Some(row)
    }

    pub(super) fn has_home(&self, home: &str) -> bool {
        self.lock().contains_key(home)
    }

    fn all(&self) -> Vec<KeyFileRow> {
        self.lock().values().cloned().collect()
    }

    fn wait_for_some(&self) {
        let _some = self.added.wait_while(self.lock(), |rows| rows.is_empty()).unwrap_or_else(PoisonError::into_inner);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KeyFileRow>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    /// Begins with those that the last agent has left, if possible before anybody asks for something. To be
    /// called once.
    pub(crate) fn place_waiting_keys(self: &Arc<Self>) -> Result<(), Error> {
        self.database.stored_key_files().iter().for_each(|row| self.waiting_keys.add(row.clone()));
        let (agent, (done, is_done)) = (self.clone(), channel());
        let work = move || {
            agent.try_waiting_keys();
            // Whoever starts may have gone on without.
            let _ = done.send(());
            loop {
                agent.waiting_keys.wait_for_some();
                std::thread::sleep(PAUSE);
                agent.try_waiting_keys();
            }
        };
        std::thread::Builder::new().name("keys".into()).spawn(work).map_err(Error::WaitingKeys)?;
        if is_done.recv_timeout(PATIENCE).is_err() {
            warn!("key files that wait for their places take long; the start goes on");
        }
        Ok(())
    }

    fn try_waiting_keys(&self) {
        for row in self.waiting_keys.all() {
            let owners = owners(&self.database.known_view(), &row.home);
            // Whoever changes the keys again is done sooner or later.
            let Ok(alone) = self.key_writers.alone_with(owners.iter().copied()) else { continue };
            if self.waiting_keys.has(&row) && (owners.is_empty() || self.is_placed(&row)) {
                self.waiting_keys.forget(&row.home);
                self.database.key_file_is_over(row.home);
            }
            drop(alone);
        }
    }

    fn is_placed(&self, KeyFileRow { home, identity, becomes }: &KeyFileRow) -> bool {
        let keys = match becomes {
            Becomes::Written => Keys::Write(String::new()),
            Becomes::Removed => Keys::Remove,
        };
        match self.worker.place_keys(identity, Path::new(home), &keys) {
            Ok(()) => {
                info!(home, "a key file is in its place that was changed before");
                true
            }
            Err(WorkError::NoHome) => true,
            Err(error) => {
                debug!(%error, home, "a key file still can not be put in its place");
                false
            }
        }
    }
}

/// Whose home it is.
fn owners(view: &View, home: &str) -> Vec<AccountId> {
    // Others may have written it another way, as with a slash at its end.
    let home_of = |name: &str| FieldPath::new(view.entry(FileKind::Passwd, name)?.text(passwd::HOME)).ok();
    let is_theirs = |name: &str| home_of(name).is_some_and(|theirs| theirs.as_str() == home);
    view.users().iter().filter(|row| is_theirs(&row.name)).map(|row| row.id).collect()
}
