//! A thread that completes what was interrupted, and has repositories follow accounts: files and entries of
//! whoever has got another number, and entries of whoever is gone.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use accountd_protocol::repository::RepositoryId;
use tracing::{error, info, warn};

use super::acl::Tag;
use super::change::followed;
use super::sight::Seen;
use super::work::{Edit, Handover, Work};
use crate::agent::Agent;
use crate::database::{RepositoryRow, Stage, View};
use crate::error::Error;

/// Without being woken it looks so often whether accounts have changed.
const LOOK: Duration = Duration::from_secs(10);

/// Wakes the thread, once there is one.
#[derive(Debug, Default)]
pub struct Upkeep(OnceLock<SyncSender<()>>);

impl Upkeep {
    pub fn wake(&self) {
        // One that has been woken already looks in any case.
        self.0.get().into_iter().for_each(|waker| {
            let _ = waker.try_send(());
        });
    }
}

impl Agent {
    /// To be called once, before anybody asks for anything.
    pub(crate) fn start_repositories(self: &Arc<Self>) -> Result<(), Error> {
        self.recover_repositories();
        let (waker, woken) = sync_channel(1);
        // There is one thread.
        let _ = self.repositories.upkeep.0.set(waker);
        let agent = self.clone();
        let named = std::thread::Builder::new().name("repositories".into());
        named.spawn(move || agent.keep_repositories(&woken)).map(drop).map_err(Error::Repositories)
    }

    /// What was being made is not there, and what was going is gone.
    pub(super) fn recover_repositories(&self) {
        let half = self.repositories.book.all().into_iter().filter(|row| row.stage != Stage::Kept);
        for row in half {
            let gone = self.repositories.ground.uproot(&row.name, row.inode).map_err(|error| error.to_string());
            let forgotten = gone.and_then(|()| {
                self.repositories.book.remove(row.id, Vec::new()).map_err(|refusal| refusal.to_string())
            });
            match forgotten {
                Ok(()) => info!(name = row.name, "what was left of a repository was removed"),
                Err(error) => warn!(name = row.name, error, "what is left of a repository can not be removed"),
            }
        }
        if let Err(error) = self.repositories.ground.sweep() {
            warn!(%error, "what was begun of repositories can not be removed");
        }
    }

    fn keep_repositories(&self, woken: &Receiver<()>) {
        let mut looked = None;
        loop {
            let view = self.database.view();
            if looked != Some(view.generation()) {
                self.follow_accounts(&view);
                looked = Some(view.generation());
            }
            drop(view);
            match woken.recv_timeout(LOOK) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    pub(super) fn follow_accounts(&self, view: &View) {
        for row in self.repositories.book.kept() {
            let name = row.name.clone();
            if let Err(failed) = self.mend(row.id, view) {
                error!(name, error = failed, "a repository does not follow its accounts yet");
            }
        }
    }

    /// Looked at again with nobody else at work on it.
    fn mend(&self, id: RepositoryId, view: &View) -> Result<(), String> {
        let plain = self.repositories.book.all().into_iter().find(|row| row.id == id);
        if !plain.is_some_and(|row| row.pending.is_some() || !self.mendings(row, view).is_empty()) {
            return Ok(());
        }
        // One that has gone meanwhile needs nothing.
        let Ok((_claim, row)) = self.repositories.book.claim(id) else { return Ok(()) };
        let seen = self.look_at_repository(row.clone());
        let mut row = row;
        let left = row.pending.take().and_then(|text| serde_json::from_str(&text).ok());
        for work in left.into_iter().chain(self.mendings(row.clone(), view)) {
            if let Some(opened) = &seen.opened {
                work.run(opened).map_err(|error| error.to_string())?;
            }
        }
        if let Some((followed, _)) = followed(&row, view) {
            row = followed;
        }
        info!(name = row.name, "a repository was mended");
        self.repositories.book.put(row, Vec::new()).map_err(|refusal| refusal.to_string())
    }

    /// What there is to be done because accounts have changed.
    fn mendings(&self, row: RepositoryRow, view: &View) -> Vec<Work> {
        let grants = followed(&row, view).map(|(_, work)| work);
        grants.into_iter().chain(new_owner(&self.look_at_repository(row), view)).collect()
    }
}

/// The owner has another uid than the directory.
fn new_owner(seen: &Seen, view: &View) -> Option<Work> {
    let (new, old) = (view.user(seen.row.owner)?.uid.0, seen.uid());
    if seen.opened.is_none() || new == old {
        return None;
    }
    let edits = vec![Edit::Move(Tag::User(old), Tag::User(new))];
    Some(Work { edits, handover: Some((Handover::Of(old), new)) })
}
