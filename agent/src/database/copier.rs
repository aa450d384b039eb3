//! The thread that keeps the good copy of the state store up to date while it is in use.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::error::DatabaseError;
use super::good_copy;

/// From the first change that the copy lacks to the next copy.
const PAUSE: Duration = Duration::from_secs(30);

/// What the thread is told.
enum Told {
    Changed,
    /// Somebody waits for the copy.
    Now(Sender<()>),
}

/// The writer's side. The thread ends when this is dropped.
#[derive(Debug)]
pub struct Copier {
    changed: Sender<Told>,
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
            let _ = self.changed.send(Told::Changed);
        }
    }

    /// Has it made at once, and `answer` told when that is over.
    pub fn copy_now(&mut self, changes: u64, answer: Sender<()>) {
        self.told = Some(changes);
        let _ = self.changed.send(Told::Now(answer));
    }
}

fn run(store: &Path, changed: &Receiver<Told>) {
    let mut is_owed = false;
    loop {
        let mut waiting = Vec::new();
        if !is_owed {
            match changed.recv() {
                Ok(Told::Changed) => {}
                Ok(Told::Now(answer)) => waiting.push(answer),
                Err(_) => return,
            }
        }
        let end = Instant::now() + PAUSE;
        while waiting.is_empty() {
            match changed.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Told::Changed) => {}
                Ok(Told::Now(answer)) => waiting.push(answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        // Whoever has come meanwhile gets the same copy.
        waiting.extend(changed.try_iter().filter_map(|told| match told {
            Told::Changed => None,
            Told::Now(answer) => Some(answer),
        }));
        is_owed = false;
        if let Err(error) = good_copy::keep(store) {
            tracing::error!(%error, "no good copy of the state store can be made; the last one stays");
            is_owed = true;
        }
        // Whoever waited may have given up.
        waiting.iter().for_each(|answer| _ = answer.send(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_while_another_does_gets_the_same_copy() {
        let directory = tempfile::tempdir().unwrap();
        let (changed, told) = channel();
        let (answer, answered) = channel();
        for word in [Told::Now(answer.clone()), Told::Changed, Told::Now(answer)] {
            changed.send(word).unwrap();
        }
        let store = directory.path().join("state.sqlite");
        let copying = std::thread::spawn(move || run(&store, &told));
        // Also where there is no store, and so no copy: whoever waits is not to wait for ever.
        answered.recv().unwrap();
        answered.recv().unwrap();
        drop(changed);
        copying.join().unwrap();
        assert!(answered.recv().is_err());
    }
}
