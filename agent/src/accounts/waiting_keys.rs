//! Key files whose change was committed before the agent was ended, and which are not in their places.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use tracing::{info, warn};

use crate::agent::Agent;
use crate::database::{Becomes, KeyFileRow};
use crate::error::Error;
use crate::homes::{Keys, WorkError};

/// How long the start waits for them: a home may be on a file system that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Agent {
    /// Puts them in their places, if possible before anybody asks for something. To be called once.
    pub(crate) fn place_waiting_keys(self: &Arc<Self>) -> Result<(), Error> {
        let rows = self.database.stored_key_files().to_vec();
        if rows.is_empty() {
            return Ok(());
        }
        let (agent, (done, is_done)) = (self.clone(), channel());
        let work = move || {
            let view = agent.database.known_view();
            let names = rows.iter().flat_map(|row| view.names_of_uid(row.identity.uid.0));
            let alone = agent.key_writers.alone_with(names.filter_map(|name| Some(view.user_named(name)?.id)));
            rows.iter().for_each(|row| agent.place_keys(row));
            drop(alone);
            // Whoever starts may have gone on without.
            let _ = done.send(());
        };
        std::thread::Builder::new().name("keys".into()).spawn(work).map_err(Error::WaitingKeys)?;
        if is_done.recv_timeout(PATIENCE).is_err() {
            warn!("key files that wait for their places take long; the start goes on");
        }
        Ok(())
    }

    fn place_keys(&self, KeyFileRow { home, identity, becomes }: &KeyFileRow) {
        let keys = match becomes {
            Becomes::Written => Keys::Write(String::new()),
            Becomes::Removed => Keys::Remove,
        };
        match self.worker.place_keys(identity, Path::new(home), &keys) {
            Ok(()) => info!(home, "a key file is in its place that was changed before the start"),
            Err(WorkError::NoHome) => {}
            Err(error) => {
                warn!(%error, home, "a key file that was changed before the start can not be put in its place")
            }
        }
        self.database.key_file_is_over(home.clone());
    }
}
