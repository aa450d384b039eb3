//! The TCP stream of a client, and how long it may keep the server waiting: until it has
//! authenticated, while it takes nothing, and once it has been told goodbye. russh alone would
//! wait for ever.
//!
//! Reads are buffered: russh reads a packet's length and its body one by one. Until a client has
//! authenticated, each read re-arms TCP_QUICKACK (tcp(7)), without which OpenSSH's client waits
//! 40 ms for a delayed acknowledgement.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use accountd_protocol::metrics::CutOff;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::counters::Counters;
use crate::line::Line;

const BUFFER: usize = 64 * 1024;
/// What a client may send until it has authenticated. OpenSSH sends some 5 KiB for a key exchange, and
/// 2 KiB for a key that it offers.
const MOST_BEFORE: usize = 256 * 1024;

/// How long a client may keep the server waiting.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until it has authenticated.
    pub grace: Duration,
    /// While it takes nothing of what is sent.
    pub stall: Duration,
    /// Until it has closed its side, once the server has closed its own.
    pub farewell: Duration,
    /// Until it has taken the message that says why it is cut off.
    pub cut: Duration,
    /// While nothing happens on its channels; `None`: for ever. Answers to keepalives are nothing.
    pub idle: Option<Duration>,
}

impl Limits {
    pub fn new(grace: Duration, idle: Option<Duration>) -> Self {
        let (stall, farewell, cut) = (Duration::from_secs(300), Duration::from_secs(10), Duration::from_secs(3));
        Self { grace, stall, farewell, cut, idle }
    }
}

pub struct Stream {
    tcp: TcpStream,
    limits: Limits,
    line: Line,
    deadline: Option<Pin<Box<Sleep>>>,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    farewell: Option<Pin<Box<Sleep>>>,
    /// When it is to be seen next whether anything happens.
    idle: Option<Pin<Box<Sleep>>>,
    /// There while a write waits.
    stall: Option<Pin<Box<Sleep>>>,
    buffer: Box<[u8]>,
    filled: std::ops::Range<usize>,
    /// Bytes from a client that has not authenticated.
    received: usize,
    counters: Arc<Counters>,
    /// Why it has been cut off.
    over: Option<CutOff>,
}

impl Stream {
    pub fn new(tcp: TcpStream, limits: Limits, counters: Arc<Counters>) -> (Self, Line) {
        let line = Line::default();
        line.watch(&tcp);
        let told = line.clone();
        let cut = Box::pin(async move {
            told.until_cut().await;
            sleep(limits.cut).await;
        });
        let stream = Self {
            tcp,
            limits,
            line: line.clone(),
            deadline: Some(Box::pin(sleep(limits.grace))),
            cut,
            farewell: None,
            idle: limits.idle.map(|limit| Box::pin(sleep(limit))),
            stall: None,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            filled: 0..0,
            received: 0,
            counters,
            over: None,
        };
        (stream, line)
    }

    /// An error once the client's time is over.
    fn check_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.cut.as_mut().poll(context).is_ready() {
            // A future that has ended must not be polled again.
            self.cut = Box::pin(std::future::ready(()));
            return Err(self.cut_off(CutOff::Revoked, "cut off"));
        }
        if is_over(&mut self.farewell, context) {
            return Err(self.cut_off(CutOff::NotClosed, "not closed in time"));
        }
        self.take_own_idle();
        if is_over(&mut self.idle, context)
            && let Some(limit) = self.limits.idle
        {
            let left = limit.saturating_sub(self.line.unused());
            if left.is_zero() {
                return Err(self.cut_off(CutOff::Idle, "nothing has happened for too long"));
            }
            let mut next = Box::pin(sleep(left));
            // Asked once, so that it wakes whoever waits for this stream.
            let _ = next.as_mut().poll(context);
            self.idle = Some(next);
        }
        if self.line.is_authenticated() {
            self.deadline = None;
        }
        if is_over(&mut self.deadline, context) {
            return Err(self.cut_off(CutOff::LoginGrace, "not authenticated in time"));
        }
        if self.deadline.is_some() {
            // Only costs time if it fails.
            let _ = SockRef::from(&self.tcp).set_tcp_quickack(true);
        }
        Ok(())
    }
}

impl Stream {
    /// Takes over the limit of the account, if it is a shorter one.
    fn take_own_idle(&mut self) {
        if let Some(own) = self.line.take_idle().filter(|own| self.limits.idle.is_none_or(|limit| *own < limit)) {
            self.limits.idle = Some(own);
            self.idle = Some(Box::pin(sleep(own)));
        }
    }

    /// An error once a client has sent too much for nothing.
    fn count(&mut self, bytes: usize) -> io::Result<()> {
        if self.deadline.is_none() {
            return Ok(());
        }
        self.received += bytes;
        if self.received <= MOST_BEFORE {
            return Ok(());
        }
        Err(self.cut_off(CutOff::TooMuchBeforeLogin, "too much before it has authenticated"))
    }

    /// Counted for its first reason: what goes on with it meets the next.
    fn cut_off(&mut self, why: CutOff, what: &'static str) -> io::Error {
        if self.over.is_none() {
            self.over = Some(why);
            self.counters.cut_off.one(why);
        }
        let kind = if why == CutOff::TooMuchBeforeLogin { io::ErrorKind::InvalidData } else { io::ErrorKind::TimedOut };
        io::Error::new(kind, what)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.line.let_go();
    }
}

fn is_over(timer: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>) -> bool {
    timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready())
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_time(context)?;
        let this = &mut *self;
        if this.filled.is_empty() {
            let mut fresh = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.tcp).poll_read(context, &mut fresh))?;
            if !this.line.is_identified() {
                this.line.identify(fresh.filled());
            }
            this.filled = 0..fresh.filled().len();
            this.count(this.filled.end)?;
        }
        let count = this.filled.len().min(into.remaining());
        into.put_slice(this.buffer.get(this.filled.start..this.filled.start + count).unwrap_or_default());
        this.filled.start += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_time(context)?;
        if let Poll::Ready(result) = Pin::new(&mut self.tcp).poll_write(context, bytes) {
            self.stall = None;
            return Poll::Ready(result);
        }
        let limit = self.limits.stall;
        self.stall.get_or_insert_with(|| Box::pin(sleep(limit)));
        if is_over(&mut self.stall, context) {
            Poll::Ready(Err(self.cut_off(CutOff::Stalled, "nothing taken for too long")))
        } else {
            Poll::Pending
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limit = self.limits.farewell;
        self.farewell.get_or_insert_with(|| Box::pin(sleep(limit)));
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    /// A stream whose limits are long but for the one that a test shortens, and its client.
    async fn pair(change: impl FnOnce(&mut Limits)) -> (Stream, Line, TcpStream) {
        let mut limits = Limits { grace: LONG, stall: LONG, farewell: LONG, cut: LONG, idle: None };
        change(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, line) = Stream::new(listener.accept().await.unwrap().0, limits, Arc::default());
        (stream, line, client)
    }

    /// What has been counted of a stream.
    fn counted(stream: &Stream) -> Vec<(CutOff, u64)> {
        stream.counters.cut_off.numbers().rows().into_iter().filter(|(_, count)| *count > 0).collect()
    }

    #[tokio::test]
    async fn a_client_that_does_not_authenticate_in_time_is_cut_off_and_one_that_has_is_not() {
        let (mut stream, line, mut client) = pair(|limits| limits.grace = SHORT).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(counted(&stream), [(CutOff::LoginGrace, 1)]);
        line.set_authenticated();
        client.write_all(b"y").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'y');
    }

    #[tokio::test]
    async fn a_client_sends_so_much_before_it_has_authenticated_and_as_much_as_it_likes_afterwards() {
        let piece = vec![0; MOST_BEFORE / 2 + 1];
        for authenticated in [false, true] {
            let (mut stream, line, mut client) = pair(|_| ()).await;
            if authenticated {
                line.set_authenticated();
            }
            let (one, two) = (piece.clone(), piece.clone());
            let sending = tokio::spawn(async move {
                client.write_all(&one).await.unwrap();
                // A server that has had enough takes no more.
                let _ = client.write_all(&two).await;
                client
            });
            let mut read = vec![0; piece.len()];
            stream.read_exact(&mut read).await.unwrap();
            let more = stream.read_exact(&mut read).await;
            assert_eq!(more.is_ok(), authenticated, "{more:?}");
            let too_much = if authenticated { vec![] } else { vec![(CutOff::TooMuchBeforeLogin, 1)] };
            assert_eq!(counted(&stream), too_much);
            drop(stream);
            sending.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_client_on_whose_channels_nothing_happens_is_cut_off_whatever_else_it_says() {
        let (mut stream, line, mut client) = pair(|limits| limits.idle = Some(SHORT * 20)).await;
        line.set_authenticated();
        let begun = Instant::now();
        for _ in 0..4 {
            tokio::time::sleep(SHORT).await;
            line.touch();
            client.write_all(b"x").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'x');
        }
        let error = loop {
            // A keepalive's answer is no use of it.
            if client.write_all(b"k").await.is_err() {
                panic!("the server has closed first");
            }
            match stream.read_u8().await {
                Ok(_) => tokio::time::sleep(SHORT).await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= SHORT * 23, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn the_limit_of_an_account_is_taken_over_where_it_is_shorter() {
        let (mut stream, line, mut client) = pair(|limits| limits.idle = Some(LONG)).await;
        client.write_all(b"SSH-2.0-Test_1 x\r\nrest").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        assert_eq!(line.version(), "SSH-2.0-Test_1 x");
        line.set_authenticated();
        line.limit_idle(SHORT);
        let mut rest = Vec::new();
        let error = stream.read_to_end(&mut rest).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(counted(&stream), [(CutOff::Idle, 1)]);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut stream, _line, _client) = pair(|limits| limits.stall = SHORT).await;
        let piece = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = stream.write_all(&piece).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(counted(&stream), [(CutOff::Stalled, 1)]);
    }

    #[tokio::test]
    async fn a_client_that_does_not_close_after_a_goodbye_is_left() {
        let (mut stream, _line, _client) = pair(|limits| limits.farewell = SHORT).await;
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(counted(&stream), [(CutOff::NotClosed, 1)]);
    }

    #[tokio::test]
    async fn a_client_that_is_cut_is_gone_whatever_the_server_waits_for() {
        let (mut stream, line, _client) = pair(|limits| limits.cut = SHORT).await;
        let waiting = tokio::spawn(async move {
            let error = stream.read_u8().await.unwrap_err();
            let again = stream.write(b"x").await.unwrap_err();
            (error.kind(), again.kind(), counted(&stream))
        });
        line.cut();
        let once = vec![(CutOff::Revoked, 1)];
        assert_eq!(waiting.await.unwrap(), (io::ErrorKind::TimedOut, io::ErrorKind::TimedOut, once));
    }
}
