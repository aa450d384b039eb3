//! The bytes of one session: from the channel to its socket and back.
//!
//! What arrives is written to the socket at once. Only when that is full it waits in a queue:
//! the connection must go on meanwhile, or a client that sends without reading, a session that
//! answers without being read, and the front between them would wait for each other for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use accountd_protocol::login::{Ending, WindowSize};
use accountd_protocol::metrics::Direction;
use bytes::{Bytes, BytesMut};
use russh::server::{ChannelOpenHandle, Handle};
use russh::{ChannelId, Disconnect};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::debug;

use crate::counters::Counters;
use crate::error::Error;
use crate::forward;
use crate::line::Line;
use crate::login::Session;
use crate::pace::Both;
use crate::signals;
use crate::streams::{Inward, Opened, Reader, Terminal, Writer};

/// SSH_EXTENDED_DATA_STDERR (RFC 4254 §5.2).
pub const STDERR: u32 = 1;
/// How much of one channel may wait; then the whole connection does. A client may have asked for
/// much that it doesn't read before it has written this much and more.
const QUEUE_BYTES: usize = 24 * 1024 * 1024;
/// How much of all channels of a connection together may wait.
const CONNECTION_BYTES: usize = 32 * 1024 * 1024;
/// How long the whole connection may wait for a session that takes nothing at all.
const STALL_LIMIT: Duration = Duration::from_secs(30);
/// How long after its last byte a session of files may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Of a session that does not say that it has ended.
const LOST: Ending = Ending::Killed(9);

const REVOKED: &str =
    "ended here: the account has been changed, locked or deleted, or somebody has closed the connection";
const INTERRUPTED: &str = "ended here: the service is being restarted; log in again in a moment";

/// The way in.
#[derive(Debug)]
pub struct Input {
    writer: Arc<Writer>,
    terminal: Option<Terminal>,
    queue: mpsc::UnboundedSender<Queued>,
    waiting: Waiting,
    counters: Arc<Counters>,
    pace: Arc<Both>,
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
        let Some(inward) = self.writer.get() else { return Ok(()) };
        self.pace.upload.pass(data.len()).await;
        self.counters.bytes.add(Direction::ToSessions, data.len() as u64);
        if self.waiting.is_empty() {
            while !data.is_empty() {
                match inward.try_write(data) {
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

    /// The client's window has another size now.
    pub fn resize(&self, size: WindowSize) {
        if let Some(terminal) = &self.terminal
            && let Err(error) = terminal.set_size(size)
        {
            debug!(%error, "a terminal keeps its size");
        }
    }
}

/// What the channels of one connection share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What waits in all of them.
    pub waiting: Arc<Count>,
    pub line: Line,
    pub counters: Arc<Counters>,
    /// Of the account that has logged in.
    pub pace: Arc<Both>,
}

/// Joins a channel and a session; both directions go on by themselves until the session ends. With
/// a `reply` there is a channel only once the session has said that it has what it is for.
pub fn join(channel: ChannelId, opened: Session, with: (Handle, Shared), reply: Option<ChannelOpenHandle>) -> Input {
    let Session { id: _, streams: Opened { writer, output, errors, terminal }, ended } = opened;
    let (handle, shared) = with;
    let writer = Arc::new(writer);
    let (queue, queued) = mpsc::unbounded_channel();
    let waiting = Waiting { channel: Arc::default(), connection: shared.waiting.clone() };
    tokio::spawn(drain(writer.clone(), queued, waiting.clone()));
    let over = Arc::new(AtomicBool::new(false));
    let is_over = over.clone();
    let (counters, pace) = (shared.counters.clone(), shared.pace.clone());
    tokio::spawn(async move {
        let outward = Outward { channel, handle: &handle, shared: &shared, output, errors };
        let how = match reply {
            None => Some(outward.until_end(Bytes::new(), ended).await),
            Some(reply) => match forward::confirm(reply, &outward.output).await {
                Some(first) => Some(outward.until_end(first, ended).await),
                None => None,
            },
        };
        is_over.store(true, Ordering::Release);
        if let Some(how) = how {
            say_goodbye(channel, &handle, &shared.line, how).await;
        }
    });
    Input { writer, terminal, queue, waiting, counters, pace, over }
}

async fn say_goodbye(channel: ChannelId, handle: &Handle, line: &Line, how: Ending) {
    debug!(how = how.to_string(), "a session has ended");
    if how.is_cut_short() {
        // A client that takes nothing more would not take the goodbye either.
        line.cut();
    }
    if finish(channel, handle, how).await.is_err() {
        debug!("the client had gone already");
    }
}

/// Writes what had to wait.
async fn drain(writer: Arc<Writer>, mut queued: mpsc::UnboundedReceiver<Queued>, waiting: Waiting) {
    let mut broken = false;
    while let Some(item) = queued.recv().await {
        match item {
            Queued::Data(data) => {
                broken = broken || !write(writer.get(), &data).await;
                waiting.take(data.len());
            }
            Queued::End => writer.close(),
        }
    }
    // The channel is gone: so is the client.
    writer.close();
}

async fn write(inward: Option<Arc<Inward>>, data: &[u8]) -> bool {
    match inward {
        Some(inward) => inward.write_all(data).await.is_ok(),
        None => false,
    }
}

/// The way out of one session.
struct Outward<'a> {
    channel: ChannelId,
    handle: &'a Handle,
    shared: &'a Shared,
    output: Reader,
    errors: Option<Reader>,
}

impl Outward<'_> {
    /// Forwards what the session says, and says how it has ended. Of one that has ended first the
    /// rest is still on its way: it is forwarded, but no end is waited for that may never come.
    /// Of one that was cut short nothing more comes.
    async fn until_end(&self, first: Bytes, mut ended: oneshot::Receiver<Ending>) -> Ending {
        let (over, is_over) = watch::channel(());
        let errors = async {
            match &self.errors {
                Some(errors) => self.forward(errors, Some(STDERR), is_over.clone()).await,
                None => Ok(()),
            }
        };
        let output = async {
            self.send(first, None).await?;
            self.forward(&self.output, None, is_over.clone()).await
        };
        // An error means that the client has gone, and nobody is left to be told.
        let forwarding = async { drop(tokio::join!(output, errors)) };
        tokio::pin!(forwarding);
        let how = tokio::select! {
            how = &mut ended => how.ok(),
            () = &mut forwarding => return self.end_without_output(ended).await,
        };
        // Without a word about its end, accountd-login has gone.
        let how = how.unwrap_or(Ending::Interrupted);
        if !how.is_cut_short() {
            drop(over);
            forwarding.await;
        }
        how
    }

    /// A command may go on without saying anything; a session of files has nothing else to do.
    async fn end_without_output(&self, ended: oneshot::Receiver<Ending>) -> Ending {
        let limit = match self.output {
            Reader::Socket(_) => END_LIMIT,
            Reader::Pipe(_) => Duration::MAX,
        };
        timeout(limit, ended).await.map_or(LOST, |how| how.unwrap_or(Ending::Interrupted))
    }

    /// Sends what one stream says until it says no more, or the session is over and there is no
    /// more of it. [`Handle::data`] waits while the client takes nothing.
    async fn forward(&self, from: &Reader, kind: Option<u32>, mut is_over: watch::Receiver<()>) -> Result<(), Bytes> {
        let mut buffer = BytesMut::new();
        loop {
            let piece = tokio::select! {
                piece = from.next(&mut buffer) => piece.unwrap_or_default(),
                _ = is_over.changed() => break,
            };
            if piece.is_empty() {
                return Ok(());
            }
            self.send(piece, kind).await?;
        }
        // A piece that was being read is whole in the buffer, or not read at all.
        loop {
            let piece = from.rest();
            if piece.is_empty() {
                return Ok(());
            }
            self.send(piece, kind).await?;
        }
    }

    async fn send(&self, piece: Bytes, kind: Option<u32>) -> Result<(), Bytes> {
        self.shared.line.touch();
        self.shared.pace.download.pass(piece.len()).await;
        self.shared.counters.bytes.add(Direction::FromSessions, piece.len() as u64);
        match kind {
            _ if piece.is_empty() => Ok(()),
            Some(kind) => self.handle.extended_data(self.channel, kind, piece).await,
            None => self.handle.data(self.channel, piece).await,
        }
    }
}

async fn hang_up(handle: &Handle, reason: &str) -> Result<(), ()> {
    handle.disconnect(Disconnect::ByApplication, reason.to_owned(), String::new()).await.map_err(|_| ())
}

async fn finish(channel: ChannelId, handle: &Handle, how: Ending) -> Result<(), ()> {
    match how {
        Ending::Exited(code) => handle.exit_status_request(channel, u32::try_from(code).unwrap_or(255)).await?,
        Ending::Killed(signal) => {
            let message = format!("the session was ended by signal {signal}");
            handle.exit_signal_request(channel, signals::name(signal), false, message, String::new()).await?;
        }
        Ending::Revoked => return hang_up(handle, REVOKED).await,
        Ending::Interrupted => return hang_up(handle, INTERRUPTED).await,
    }
    handle.eof(channel).await?;
    handle.close(channel).await
}
