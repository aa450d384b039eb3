//! The thread that keeps the good copy of the state store up to date while it is in use.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::error::DatabaseError;
use super::good_copy;

/// From the first change that the copy lacks to the next copy.
const PAUSE: Duration = Duration::from_secs(30);

/// The writer's side. The thread ends when this is dropped.
#[derive(Debug)]
pub struct Copier {
    changed: Sender<()>,
    /// How many changes the copy has, or the thread has been told of; none without a copy.
    told: Option<u64>,
}

impl Copier {
    pub fn start(store: &Path) -> Result<Self, DatabaseError> {
        let (changed, told) = channel();
        let named = std::thread::Builder::new().name("copier".into());
        let copied = store.to_owned();
        named.spawn(move || run(&copied, &told)).map_err(DatabaseError::store(store))?;
        Ok(Self { changed, told: None })
    }

    /// The copy has been made just now.
    pub fn copied(&mut self, changes: u64) {
        self.told = Some(changes);
    }

    /// Says how many changes there have been; cheap.
    pub fn tell(&mut self, changes: u64) {
        if Some(changes) != self.told {
            self.told = Some(changes);
            // Without its thread there is no newer copy; it has logged why.
            let _ = self.changed.send(());
        }
    }
}

fn run(store: &Path, changed: &Receiver<()>) {
    let mut is_owed = false;
    loop {
        if !is_owed && changed.recv().is_err() {
            return;
        }
        let end = Instant::now() + PAUSE;
        loop {
            match changed.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        is_owed = false;
        if let Err(error) = good_copy::keep(store) {
            tracing::error!(%error, "no good copy of the state store can be made; the last one stays");
            is_owed = true;
        }
    }
}
