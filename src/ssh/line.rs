//! What the rest of a connection tells the TCP stream of its client, and hears of it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// How long after it a client that has gone is noticed, at most.
const NOTICE: Duration = Duration::from_millis(250);
/// RFC 4253 §4.2.
const LONGEST_VERSION: usize = 253;

/// What the rest of a connection tells its stream.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<Told>);

#[derive(Debug)]
struct Told {
    authenticated: AtomicBool,
    cut: Notify,
    begun: Instant,
    /// When something last happened, in milliseconds since the beginning.
    used: AtomicU64,
    /// For how many milliseconds nothing may happen, where an account has a limit of its own; 0: as
    /// everybody.
    idle: AtomicU64,
    /// What the client calls itself (RFC 4253 §4.2), without its line's end.
    version: OnceLock<String>,
    /// The client's connection once more, until it has authenticated: nobody reads what comes while a login is
    /// being decided.
    client: Mutex<Option<Arc<TcpStream>>>,
}

impl Default for Told {
    fn default() -> Self {
        let (authenticated, cut) = (AtomicBool::default(), Notify::default());
        let (used, idle, version) = Default::default();
        Self { authenticated, cut, begun: Instant::now(), used, idle, version, client: Mutex::default() }
    }
}

impl Line {
    /// The client has authenticated: its time to do so is over.
    pub fn set_authenticated(&self) {
        self.0.authenticated.store(true, Ordering::Release);
        self.let_go();
    }

    /// The client can be seen to go. Where that can't be had, it is noticed later.
    pub fn watch(&self, client: &TcpStream) {
        let again = client.as_fd().try_clone_to_owned().map(OwnedFd::into);
        *self.client() = again.and_then(TcpStream::from_std).ok().map(Arc::new);
    }

    /// From now on the connection is open in one place alone.
    pub fn let_go(&self) {
        self.client().take();
    }

    fn client(&self) -> std::sync::MutexGuard<'_, Option<Arc<TcpStream>>> {
        self.0.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until a client that has not authenticated has gone.
    pub async fn until_gone(&self) {
        let Some(client) = self.client().as_ref().map(Arc::downgrade) else { return std::future::pending().await };
        loop {
            // What it has sent before it went is still there to be read.
            let seen = match client.upgrade() {
                Some(client) => tokio::time::timeout(NOTICE, client.ready(Interest::READABLE)).await,
                None => return,
            };
            match seen {
                Ok(Ok(ready)) if !ready.is_read_closed() => tokio::time::sleep(NOTICE).await,
                Ok(_) => return,
                Err(_) => {}
            }
        }
    }

    /// From now on the client is gone sooner when nothing happens.
    pub fn limit_idle(&self, limit: Duration) {
        self.0.idle.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// What the client calls itself; empty before it has said so.
    pub fn version(&self) -> String {
        self.0.version.get().cloned().unwrap_or_default()
    }

    /// The beginning of what a client sends, as far as it has come at once: its first line.
    pub fn identify(&self, bytes: &[u8]) {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.get(..line.len().min(LONGEST_VERSION)).unwrap_or_default();
        // Only the first counts.
        let _ = self.0.version.set(String::from_utf8_lossy(line).trim_end().to_owned());
    }

    /// Something happens on a channel.
    pub fn touch(&self) {
        self.0.used.store(self.age(), Ordering::Relaxed);
    }

    fn age(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// For how long nothing has happened.
    pub fn unused(&self) -> Duration {
        Duration::from_millis(self.age().saturating_sub(self.0.used.load(Ordering::Relaxed)))
    }

    pub fn is_authenticated(&self) -> bool {
        self.0.authenticated.load(Ordering::Acquire)
    }

    pub fn is_identified(&self) -> bool {
        self.0.version.get().is_some()
    }

    /// The limit of [`Line::limit_idle`], once.
    pub fn take_idle(&self) -> Option<Duration> {
        let own = self.0.idle.swap(0, Ordering::AcqRel);
        (own > 0).then(|| Duration::from_millis(own))
    }

    /// Until [`Line::cut`].
    pub async fn until_cut(&self) {
        self.0.cut.notified().await;
    }

    /// The client is to be gone in a moment, whether it listens or not.
    pub fn cut(&self) {
        self.0.cut.notify_one();
    }
}
