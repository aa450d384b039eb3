//! The bytes of one session: from the channel to its socket and back.
//!
//! What arrives is written to the socket at once. Only when that is full it waits in a queue:
//! the connection must go on meanwhile, or a client that sends without reading, a session that
//! answers without being read, and the front between them would wait for each other for ever.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use accountd_protocol::login::Ending;
use bytes::{Bytes, BytesMut};
use nix::sys::socket::{Shutdown, shutdown};
use russh::server::Handle;
use russh::{ChannelId, Disconnect, Sig};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tracing::debug;

use crate::error::Error;
use crate::login::Opened;
use crate::stream::Line;

/// How much of one channel may wait; then the whole connection does. A client may have asked for
/// much that it doesn't read before it has written this much and more.
const QUEUE_BYTES: usize = 24 * 1024 * 1024;
/// How much of all channels of a connection together may wait.
const CONNECTION_BYTES: usize = 32 * 1024 * 1024;
/// How long the whole connection may wait for a session that takes nothing at all.
const STALL_LIMIT: Duration = Duration::from_secs(30);
/// One read from the session.
const READ_BYTES: usize = 64 * 1024;
/// How long after its last byte a session may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Of a session whose end nobody has heard of.
const LOST: Ending = Ending::Killed(9);

/// The way in.
#[derive(Debug)]
pub struct Input {
    stream: Arc<UnixStream>,
    queue: mpsc::UnboundedSender<Queued>,
    waiting: Waiting,
    /// Set once the session has ended, before the channel is closed.
    over: Arc<AtomicBool>,
}

/// Bytes in the queue, the piece that is being written included.
#[derive(Clone, Debug)]
struct Waiting {
    channel: Arc<Count>,
    connection: Arc<Count>,
}

impl Waiting {
    fn add(&self, bytes: usize) {
        self.channel.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.connection.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn take(&self, bytes: usize) {
        for count in [&self.channel, &self.connection] {
            count.bytes.fetch_sub(bytes, Ordering::AcqRel);
            count.less.notify_waiters();
        }
    }

    fn is_empty(&self) -> bool {
        self.channel.bytes.load(Ordering::Acquire) == 0
    }

    async fn room(&self) {
        self.channel.at_most(QUEUE_BYTES).await;
        self.connection.at_most(CONNECTION_BYTES).await;
    }
}

/// How many bytes wait somewhere.
#[derive(Debug, Default)]
pub struct Count {
    bytes: AtomicUsize,
    less: Notify,
}

impl Count {
    async fn at_most(&self, limit: usize) {
        loop {
            let changed = self.less.notified();
            if self.bytes.load(Ordering::Acquire) <= limit {
                return;
            }
            changed.await;
        }
    }
}

#[derive(Debug)]
enum Queued {
    Data(Bytes),
    End,
}

impl Input {
    /// Passes data on. An error means that the session is not reading any more.
    pub async fn write(&self, mut data: &[u8]) -> Result<(), Error> {
        if self.waiting.is_empty() {
            while !data.is_empty() {
                match self.stream.try_write(data) {
                    Ok(count) => data = data.get(count..).unwrap_or_default(),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    // The session has ended; its last words are on their way to the client.
                    Err(_) => return Ok(()),
                }
            }
        }
        if data.is_empty() {
            return Ok(());
        }
        self.waiting.add(data.len());
        // Without a reader the session has ended.
        let _ = self.queue.send(Queued::Data(Bytes::copy_from_slice(data)));
        timeout(STALL_LIMIT, self.waiting.room()).await.map_err(|_| Error::Stalled)
    }

    /// Whether the session has ended; its channel is closed or is about to be.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The client sends no more.
    pub fn end(&self) {
        let _ = self.queue.send(Queued::End);
    }
}

/// What the channels of one connection share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What waits in all of them.
    pub waiting: Arc<Count>,
    pub line: Line,
}

/// Joins a channel and a session; both directions go on by themselves until the session ends.
pub fn join(channel: ChannelId, opened: Opened, handle: Handle, shared: Shared) -> Input {
    let stream = Arc::new(opened.stream);
    let (queue, queued) = mpsc::unbounded_channel();
    let waiting = Waiting { channel: Arc::default(), connection: shared.waiting };
    tokio::spawn(drain(stream.clone(), queued, waiting.clone()));
    let ended = opened.ended;
    let over = Arc::new(AtomicBool::new(false));
    let (reader, is_over) = (stream.clone(), over.clone());
    tokio::spawn(async move {
        let how = until_end(channel, &reader, &handle, ended).await;
        debug!(?how, "a session has ended");
        is_over.store(true, Ordering::Release);
        if how == Ending::Revoked {
            // A client that takes nothing more would not take the goodbye either.
            shared.line.cut();
        }
        if finish(channel, &handle, how).await.is_err() {
            debug!("the client had gone already");
        }
    });
    Input { stream, queue, waiting, over }
}

/// Writes what had to wait.
async fn drain(stream: Arc<UnixStream>, mut queued: mpsc::UnboundedReceiver<Queued>, waiting: Waiting) {
    let mut broken = false;
    while let Some(item) = queued.recv().await {
        match item {
            Queued::Data(data) => {
                broken = broken || write_all(&stream, &data).await.is_err();
                waiting.take(data.len());
            }
            Queued::End => {
                // Closed already is as good.
                let _ = shutdown(stream.as_raw_fd(), Shutdown::Write);
            }
        }
    }
    // The channel is gone: so is the client.
    let _ = shutdown(stream.as_raw_fd(), Shutdown::Write);
}

async fn write_all(stream: &UnixStream, mut data: &[u8]) -> std::io::Result<()> {
    while !data.is_empty() {
        stream.writable().await?;
        match stream.try_write(data) {
            Ok(count) => data = data.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Forwards what the session says, and says how it has ended. Of one that has ended first the
/// rest is still in the socket: it is forwarded, but no end is waited for that may never come.
/// Whoever is revoked gets nothing more.
async fn until_end(
    channel: ChannelId,
    stream: &UnixStream,
    handle: &Handle,
    mut ended: oneshot::Receiver<Ending>,
) -> Ending {
    let forwarding = forward(channel, stream, handle);
    tokio::pin!(forwarding);
    let how = tokio::select! {
        how = &mut ended => how.ok(),
        // An error means that the client has gone, and nobody is left to be told.
        _ = &mut forwarding => return timeout(END_LIMIT, ended).await.ok().and_then(Result::ok).unwrap_or(LOST),
    };
    let how = how.unwrap_or(LOST);
    if how != Ending::Revoked {
        // After what is in it, the socket says that there is no more (shutdown(2)).
        let _ = shutdown(stream.as_raw_fd(), Shutdown::Read);
        let _ = forwarding.await;
    }
    how
}

/// Sends what the session says until it says no more. [`Handle::data`] waits while the client
/// takes nothing.
async fn forward(channel: ChannelId, stream: &UnixStream, handle: &Handle) -> Result<(), Bytes> {
    let mut buffer = BytesMut::new();
    loop {
        if stream.readable().await.is_err() {
            return Ok(());
        }
        buffer.reserve(READ_BYTES);
        match stream.try_read_buf(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => handle.data(channel, buffer.split().freeze()).await?,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return Ok(()),
        }
    }
}

async fn finish(channel: ChannelId, handle: &Handle, how: Ending) -> Result<(), ()> {
    match how {
        Ending::Exited(code) => handle.exit_status_request(channel, u32::try_from(code).unwrap_or(255)).await?,
        Ending::Killed(signal) => {
            let message = format!("the session was ended by signal {signal}");
            handle.exit_signal_request(channel, signal_name(signal), false, message, String::new()).await?;
        }
        Ending::Revoked => {
            let reason = "the account has been changed, locked or deleted".to_owned();
            return handle.disconnect(Disconnect::ByApplication, reason, String::new()).await.map_err(|_| ());
        }
    }
    handle.eof(channel).await?;
    handle.close(channel).await
}

/// RFC 4254 §6.10, by the numbers of signal(7).
fn signal_name(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        2 => Sig::INT,
        3 => Sig::QUIT,
        4 => Sig::ILL,
        6 => Sig::ABRT,
        8 => Sig::FPE,
        9 => Sig::KILL,
        11 => Sig::SEGV,
        13 => Sig::PIPE,
        14 => Sig::ALRM,
        15 => Sig::TERM,
        other => Sig::Custom(format!("{other}@accountd")),
    }
}
