//! Whether the front answers: its loop, and each thread that connections live in.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(10);

/// Whoever gets one says so on it.
pub type Beat = Sender<()>;

/// Asks from a thread that has no part in the work.
#[derive(Debug)]
pub struct Pulse {
    server: mpsc::Sender<Beat>,
    workers: Vec<Handle>,
}

impl Pulse {
    pub fn new(workers: Vec<Handle>) -> (Self, mpsc::Receiver<Beat>) {
        let (server, asked) = mpsc::channel(1);
        (Self { server, workers }, asked)
    }

    /// Whether all of them have answered within the limit.
    pub fn beats(&self) -> bool {
        let (beat, beats) = channel();
        for worker in &self.workers {
            let beat = beat.clone();
            worker.spawn(async move { beat.send(()) });
        }
        // Where there is no room, the one before was not taken.
        if self.server.try_send(beat).is_err() {
            return false;
        }
        let deadline = Instant::now() + LIMIT;
        let next = || beats.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        (0..=self.workers.len()).all(|_| next().is_ok())
    }
}

/// Answers for ever.
pub async fn answer(asked: &mut mpsc::Receiver<Beat>) {
    while let Some(beat) = asked.recv().await {
        // Whoever has waited too long has gone.
        let _ = beat.send(());
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_that_of_the_loop_and_of_every_worker() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (pulse, mut asked) = Pulse::new(vec![runtime.handle().clone(), runtime.handle().clone()]);
        runtime.spawn(async move { answer(&mut asked).await });
        assert!(pulse.beats() && pulse.beats());
        let (pulse, asked) = Pulse::new(Vec::new());
        drop(asked);
        assert!(!pulse.beats());
    }
}
