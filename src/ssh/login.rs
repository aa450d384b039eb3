//! The connection to `accountd-login`: one for each SSH connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use accountd_protocol::frame::{self, LOGIN_CAP};
use accountd_protocol::login::{Admission, Ending, LoginEvent, LoginRequest, Opening, Proof, SessionId, Turn};
use accountd_protocol::metrics::SshNumbers;
use accountd_protocol::secret::Secret;
use accountd_protocol::socket;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::connection::Ends;
use crate::error::Error;
use crate::line::Line;
use crate::streams::Opened;

/// A session that has been opened.
#[derive(Debug)]
pub struct Session {
    pub id: SessionId,
    pub streams: Opened,
    /// Says how it ended.
    pub ended: oneshot::Receiver<Ending>,
}

/// An answer, with what came with it.
#[derive(Debug)]
enum Answer {
    Plain(LoginEvent),
    Opened(Session),
}

#[derive(Debug)]
pub struct Login {
    stream: Arc<UnixStream>,
    answers: mpsc::Receiver<Answer>,
}

impl Login {
    /// `line` is cut when the connection is to be closed.
    pub async fn connect(path: &Path, ends: Ends, line: &Line) -> Result<Self, Error> {
        let (mut login, version) = (Self::open_to(path, line.clone()).await?, line.version());
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (client, server) = (plain(ends.client), plain(ends.server));
        match login.ask(&LoginRequest::Hello { client, server, version }).await? {
            Answer::Plain(LoginEvent::Welcome) => Ok(login),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    /// A connection that is about no client, for [`Self::report`].
    pub async fn without_client(path: &Path) -> Result<Self, Error> {
        Self::open_to(path, Line::default()).await
    }

    async fn open_to(path: &Path, line: Line) -> Result<Self, Error> {
        let failed = |source| Error::Login { path: path.to_owned(), source };
        let stream = Arc::new(UnixStream::connect(path).await.map_err(failed)?);
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(listen(stream.clone(), sender, line));
        Ok(Self { stream, answers })
    }

    pub async fn report(&mut self, numbers: SshNumbers) -> Result<(), Error> {
        match self.ask(&LoginRequest::ReportNumbers(Box::new(numbers))).await? {
            Answer::Plain(LoginEvent::NumbersTaken) => Ok(()),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    pub async fn key_acceptable(&mut self, user: &str, key: Vec<u8>) -> Result<bool, Error> {
        match self.ask(&LoginRequest::OfferKey { user: user.to_owned(), key }).await? {
            Answer::Plain(LoginEvent::KeyAcceptable(acceptable)) => Ok(acceptable),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    pub async fn authenticate(&mut self, user: &str, proof: Proof) -> Result<Admission, Error> {
        match self.ask(&LoginRequest::Authenticate { user: user.to_owned(), proof }).await? {
            Answer::Plain(LoginEvent::Authenticated(admission)) => Ok(admission),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    /// Begins a dialogue, if login leads one.
    pub async fn converse(&mut self, user: &str) -> Result<Turn, Error> {
        self.turn(&LoginRequest::Converse { user: user.to_owned() }).await
    }

    pub async fn respond(&mut self, answers: Vec<Secret>) -> Result<Turn, Error> {
        self.turn(&LoginRequest::Respond(answers)).await
    }

    async fn turn(&mut self, request: &LoginRequest) -> Result<Turn, Error> {
        match self.ask(request).await? {
            Answer::Plain(LoginEvent::Dialogue(turn)) => Ok(turn),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    /// The session, or why there is none, in words for the user.
    pub async fn open(&mut self, opening: Opening) -> Result<Result<Session, String>, Error> {
        match self.ask(&LoginRequest::Open(opening)).await? {
            Answer::Opened(session) => Ok(Ok(session)),
            Answer::Plain(LoginEvent::NotOpened(reason)) => Ok(Err(reason)),
            Answer::Plain(_) => Err(Error::LoginGone),
        }
    }

    pub async fn signal(&mut self, session: SessionId, number: i32) -> Result<(), Error> {
        match self.ask(&LoginRequest::Signal { session, number }).await? {
            Answer::Plain(LoginEvent::Signalled) => Ok(()),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    pub async fn close(&mut self, session: SessionId) -> Result<(), Error> {
        match self.ask(&LoginRequest::Close { session }).await? {
            Answer::Plain(LoginEvent::Closed) => Ok(()),
            Answer::Plain(_) | Answer::Opened(_) => Err(Error::LoginGone),
        }
    }

    async fn ask(&mut self, request: &LoginRequest) -> Result<Answer, Error> {
        let frame = frame::encode(request, LOGIN_CAP)?;
        let mut rest: &[u8] = &frame;
        while !rest.is_empty() {
            let send = || socket::send(&*self.stream, rest, &[]);
            let count = self.stream.async_io(Interest::WRITABLE, send).await.map_err(frame::FrameError::Io)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        self.answers.recv().await.ok_or(Error::LoginGone)
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // The listening task holds the stream too; this is what tells login that it is over.
        let _ = nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&*self.stream),
            nix::sys::socket::Shutdown::Both,
        );
    }
}

/// Passes answers on and keeps the ends of sessions apart from them. Ends with the connection.
async fn listen(stream: Arc<UnixStream>, answers: mpsc::Sender<Answer>, line: Line) {
    let mut events = Events { stream, bytes: Vec::new(), descriptors: Vec::new() };
    let mut running: HashMap<SessionId, oneshot::Sender<Ending>> = HashMap::new();
    while let Ok(event) = events.next().await {
        let answer = match event {
            LoginEvent::Ended { session, how } => {
                if let Some(waiting) = running.remove(&session) {
                    // Whoever waited may have gone.
                    let _ = waiting.send(how);
                }
                continue;
            }
            LoginEvent::Disconnect => {
                line.cut();
                continue;
            }
            LoginEvent::Opened { session: id, streams } => {
                let Ok(Some(streams)) = Opened::new(streams, events.take_descriptors(streams.count())) else { return };
                let (sender, ended) = oneshot::channel();
                running.insert(id, sender);
                Answer::Opened(Session { id, streams, ended })
            }
            LoginEvent::Welcome
            | LoginEvent::KeyAcceptable(_)
            | LoginEvent::Authenticated(_)
            | LoginEvent::NotOpened(_)
            | LoginEvent::Signalled
            | LoginEvent::Closed
            | LoginEvent::NumbersTaken
            | LoginEvent::Dialogue(_) => Answer::Plain(event),
        };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

/// Frames as they arrive, and the descriptors that came with them, in order.
struct Events {
    stream: Arc<UnixStream>,
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Events {
    async fn next(&mut self) -> Result<LoginEvent, Error> {
        loop {
            if let Some((prefix, rest)) = self.bytes.split_first_chunk::<4>() {
                let length = frame::announced_length(*prefix, LOGIN_CAP)?;
                if let Some(body) = rest.get(..length) {
                    let event = frame::decode(body)?;
                    self.bytes.drain(..length + 4);
                    return Ok(event);
                }
            }
            let mut buffer = [0; 4096];
            let receive = || match socket::receive(&*self.stream, &mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok((0, Vec::new(), true)),
                received => received.map(|(count, descriptors)| (count, descriptors, false)),
            };
            let received = self.stream.async_io(Interest::READABLE, receive).await;
            let (count, descriptors, again) = received.map_err(frame::FrameError::Io)?;
            if count == 0 && !again {
                return Err(Error::LoginGone);
            }
            self.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
            self.descriptors.extend(descriptors);
        }
    }

    fn take_descriptors(&mut self, count: usize) -> Vec<OwnedFd> {
        self.descriptors.drain(..count.min(self.descriptors.len())).collect()
    }
}
