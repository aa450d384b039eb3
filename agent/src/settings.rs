//! The settings, and how they are read again (SIGHUP): the whole file, or nothing of it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use accountd_config::Config;
use accountd_protocol::notify::{State, notify};
use tracing::{error, info, warn};

#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    now: RwLock<Arc<Config>>,
}

impl Settings {
    pub fn new(path: PathBuf, config: Config) -> Self {
        Self { path, now: RwLock::new(Arc::new(config)) }
    }

    pub fn now(&self) -> Arc<Config> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A file with an error changes nothing. Sessions that are open go on as they have begun.
    pub fn reload(&self) {
        notify(State::Reloading);
        match Config::read(&self.path) {
            Ok(read) => self.take(read),
            Err(error) => error!(%error, "the settings stay as they were"),
        }
        notify(State::Ready);
    }

    /// What the parts of the agent were made with stays until it is started again.
    fn take(&self, read: Config) {
        let was = self.now();
        let mut next = read.clone();
        next.ids = was.ids.clone();
        next.audit = was.audit.clone();
        next.bans = was.bans.clone();
        next.homes.roots = was.homes.roots.clone();
        let late: Vec<&str> = [
            (read.ids != next.ids, "[ids]"),
            (read.audit != next.audit, "[audit]"),
            (read.bans != next.bans, "[bans]"),
            (read.homes.roots != next.homes.roots, "roots of [homes]"),
        ]
        .into_iter()
        .filter_map(|(differs, name)| differs.then_some(name))
        .collect();
        let changed = next != *was;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        info!(changed, "the settings have been read again");
        if !late.is_empty() {
            warn!(settings = late.join(", "), "these have changed, and count when the agent is started again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_again(first: &str, second: &str) -> (Arc<Config>, Arc<Config>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accountd.toml");
        std::fs::write(&path, first).unwrap();
        let settings = Settings::new(path.clone(), Config::read(&path).unwrap());
        let before = settings.now();
        std::fs::write(&path, second).unwrap();
        settings.reload();
        (before, settings.now())
    }

    #[test]
    fn a_file_with_an_error_changes_nothing() {
        let (before, after) = read_again("[homes]\nmode = \"0750\"\n", "[homes]\nmode = \"0700\"\n[nonsense]\n");
        assert_eq!(before, after);
    }

    #[test]
    fn what_can_be_read_again_counts_and_the_rest_stays() {
        let again = "[homes]\nmode = \"0700\"\nroots = [\"/srv\"]\n[ids]\nusers = { first = 5000, last = 5999 }\n\
            [bans]\nban_after = 99\n[audit]\nkeep_files = 7\n[accounts]\nshow_hashes = \"masked\"\n";
        let (before, after) = read_again("[homes]\nmode = \"0750\"\n", again);
        assert_eq!((before.homes.mode.bits(), after.homes.mode.bits()), (0o750, 0o700));
        assert_ne!(after.accounts, before.accounts);
        assert_eq!(after.homes.roots, before.homes.roots);
        assert_eq!((&after.ids, &after.bans, &after.audit), (&before.ids, &before.bans, &before.audit));
    }
}
