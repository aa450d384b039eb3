//! The threads that connections live in: one for each processor, with a runtime of its own.
//!
//! A connection and its sessions stay in one thread, so that nothing of what one task hands to the
//! next has to wake another thread: a request of a small file passes through four tasks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};

/// Where connections are put.
#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

/// A connection's place in a thread; given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Workers {
    /// They end with the process.
    pub fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        (0..count).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    pub fn runtimes(&self) -> Vec<Handle> {
        self.0.iter().map(|worker| worker.runtime.clone()).collect()
    }

    /// The runtime that has the fewest connections, with one more now.
    pub fn place(&self) -> (Handle, Place) {
        let fewest = self.0.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        match fewest {
            Some(worker) => {
                worker.connections.fetch_add(1, Ordering::Relaxed);
                (worker.runtime.clone(), Place(worker.connections.clone()))
            }
            None => (Handle::current(), Place(Arc::new(AtomicUsize::new(1)))),
        }
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let named = std::thread::Builder::new().name(format!("connections-{number}"));
        named.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(Self { runtime: handle, connections: Arc::default() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_comes_to_the_thread_that_has_the_fewest() {
        let workers = Workers((0..2).map(|number| Worker::start(number).unwrap()).collect());
        let of = |handle: &Handle| workers.0.iter().position(|worker| worker.runtime.id() == handle.id()).unwrap();
        let (first, held) = workers.place();
        let (second, _other) = workers.place();
        assert_ne!(of(&first), of(&second));
        drop(held);
        let (third, _held) = workers.place();
        assert_eq!(of(&third), of(&first));
    }
}
