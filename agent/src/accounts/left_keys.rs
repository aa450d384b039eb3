//! Key files that were made ready beside the present ones by an agent that ended before it could commit. They count
//! for nothing, but they are in somebody's home and nobody asked for them: they are removed.

use std::path::Path;
use std::sync::Arc;

use accountd_protocol::id::Gid;
use accountd_protocol::text::FieldPath;
use tracing::{info, warn};

use super::show::identity_of;
use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{FileKind, UserRow, View};
use crate::error::Error;
use crate::homes::has_prepared_keys;

impl Agent {
    /// Looks into the homes of all accounts, behind the start: one of them may be on a file system that does not
    /// answer. To be called once, when the keys that wait for their places are known.
    pub(crate) fn drop_left_keys(self: &Arc<Self>) -> Result<(), Error> {
        let agent = self.clone();
        let work = move || {
            let view = agent.database.known_view();
            view.users().iter().for_each(|row| agent.drop_left_keys_of(&view, row));
        };
        std::thread::Builder::new().name("left-keys".into()).spawn(work).map_err(Error::WaitingKeys)?;
        Ok(())
    }

    fn drop_left_keys_of(&self, view: &View, row: &UserRow) {
        let Some(entry) = view.entry(FileKind::Passwd, &row.name) else { return };
        let (Ok(home), Some(gid)) = (FieldPath::new(entry.text(passwd::HOME)), entry.number(passwd::GID)) else {
            return;
        };
        let (path, identity) = (Path::new(home.as_str()), identity_of(view, &row.name, row.uid, Gid(gid)));
        if !has_prepared_keys(self.homes.root(), path, &identity) {
            return;
        }
        // What is ready because somebody changes the keys right now is over as soon as nobody else does.
        let Ok(alone) = self.key_writers.alone(row.id) else { return };
        if !self.waiting_keys.has_home(home.as_str()) {
            match self.worker.drop_keys(&identity, path) {
                Ok(()) => info!(%home, "a key file is removed that was made ready for a change that never was"),
                Err(error) => warn!(%error, %home, "a key file that was made ready can not be removed"),
            }
        }
        drop(alone);
    }
}
