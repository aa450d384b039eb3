//! The TCP stream of a client, with a deadline until it has authenticated.
//!
//! Reads are buffered: russh reads a packet's length and its body one by one. Until a client has
//! authenticated, each read re-arms TCP_QUICKACK (tcp(7)), without which OpenSSH's client waits
//! 40 ms for a delayed acknowledgement.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

const BUFFER: usize = 64 * 1024;

/// Set once the client has authenticated: the deadline is off.
#[derive(Clone, Debug)]
pub struct Authenticated(Arc<AtomicBool>);

impl Authenticated {
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    deadline: Option<Pin<Box<Sleep>>>,
    authenticated: Authenticated,
    buffer: Box<[u8]>,
    filled: std::ops::Range<usize>,
}

impl Stream {
    pub fn new(tcp: TcpStream, grace: Duration) -> (Self, Authenticated) {
        let authenticated = Authenticated(Arc::new(AtomicBool::new(false)));
        let deadline = Some(Box::pin(sleep(grace)));
        let buffer = vec![0; BUFFER].into_boxed_slice();
        (Self { tcp, deadline, authenticated: authenticated.clone(), buffer, filled: 0..0 }, authenticated)
    }

    /// An error once the time is over.
    fn check_deadline(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.authenticated.get() {
            self.deadline = None;
        }
        let Some(deadline) = &mut self.deadline else { return Ok(()) };
        if deadline.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "not authenticated in time"));
        }
        // Only costs time if it fails.
        let _ = SockRef::from(&self.tcp).set_tcp_quickack(true);
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        let this = &mut *self;
        if this.filled.is_empty() {
            let mut fresh = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.tcp).poll_read(context, &mut fresh))?;
            this.filled = 0..fresh.filled().len();
        }
        let count = this.filled.len().min(into.remaining());
        into.put_slice(this.buffer.get(this.filled.start..this.filled.start + count).unwrap_or_default());
        this.filled.start += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_deadline(context)?;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
