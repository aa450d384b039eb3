//! One connection of the front: first where the client is, then who it is, then sessions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use accountd_protocol::agent::{Decision, Grant};
use accountd_protocol::frame::{self, LOGIN_CAP};
use accountd_protocol::login::{Admission, Ending, LoginEvent, LoginRequest, Proof, Service, SessionId};
use accountd_protocol::socket;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
use tracing::{info, warn};

use crate::agent::Agent;
use crate::control::Control;
use crate::error::Error;
use crate::order::{Farewell, Order, Report};
use crate::registry::{Period, Place, Registration, Registry, Seat};
use crate::spawner::Spawner;

/// The most sessions of one connection at a time.
const MOST_SESSIONS: usize = 16;
/// Kernel buffer of a session's stream, each way.
const STREAM_BUFFER: usize = 1024 * 1024;
const START_DEADLINE: Duration = Duration::from_secs(20);
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a login waits for an agent that is being started again.
const RESTART_PATIENCE: Duration = Duration::from_secs(5);
const STACK_BYTES: usize = 128 * 1024;

/// What all connections share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub agent: Arc<Agent>,
    pub registry: Arc<Registry>,
    pub spawner: Arc<Spawner>,
}

/// A connection as far as it has come.
enum State {
    New,
    Greeted { source: IpAddr },
    Authenticated { source: IpAddr, grant: Box<Grant>, asked: Period, _seat: Seat },
}

struct Connection {
    shared: Shared,
    state: State,
    events: Arc<Events>,
    sessions: HashMap<SessionId, Arc<Control>>,
    next: u64,
}

/// The way back to the front, for this thread and those that wait for sessions to end.
struct Events {
    stream: Mutex<UnixStream>,
    ended: Mutex<Vec<SessionId>>,
}

impl Events {
    fn send(&self, event: &LoginEvent, descriptor: Option<&OwnedFd>) -> Result<(), Error> {
        let bytes = frame::encode(event, LOGIN_CAP)?;
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(socket::send_all(&*stream, &bytes, descriptor).map_err(frame::FrameError::Io)?)
    }
}

/// Serves a connection until it closes; its sessions end with it.
pub fn serve(stream: UnixStream, shared: Shared) {
    let reader = stream.try_clone().and_then(|reader| {
        reader.set_write_timeout(Some(WRITE_DEADLINE))?;
        Ok(reader)
    });
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return warn!(%error, "a connection can not be served"),
    };
    let events = Arc::new(Events { stream: Mutex::new(stream), ended: Mutex::default() });
    let mut connection = Connection { shared, state: State::New, events, sessions: HashMap::new(), next: 0 };
    loop {
        let result = match frame::read::<LoginRequest>(&mut reader, LOGIN_CAP) {
            Ok(Some(request)) => connection.answer(request),
            Ok(None) => break,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = result {
            warn!(%error, "a connection of the front is ended");
            break;
        }
    }
    connection.sessions.values().for_each(|control| control.tell(Farewell::Closed));
}

impl Connection {
    fn answer(&mut self, request: LoginRequest) -> Result<(), Error> {
        match request {
            LoginRequest::Hello { source, port: _ } => self.hello(source),
            LoginRequest::OfferKey { user, key } => {
                let source = self.source()?;
                let heard = self.shared.registry.period(RESTART_PATIENCE).is_some();
                let acceptable = heard && self.shared.agent.key_acceptable(user, key, source);
                self.events.send(&LoginEvent::KeyAcceptable(acceptable), None)
            }
            LoginRequest::Authenticate { user, proof } => self.authenticate(user, proof),
            LoginRequest::Open { service } => self.open(service),
            LoginRequest::Close { session } => {
                if let Some(control) = self.sessions.get(&session) {
                    control.tell(Farewell::Closed);
                }
                self.events.send(&LoginEvent::Closed, None)
            }
        }
    }

    fn hello(&mut self, source: IpAddr) -> Result<(), Error> {
        let State::New = self.state else { return Err(Error::OutOfTurn) };
        self.state = State::Greeted { source };
        self.events.send(&LoginEvent::Welcome, None)
    }

    fn source(&self) -> Result<IpAddr, Error> {
        match &self.state {
            State::New => Err(Error::OutOfTurn),
            State::Greeted { source } | State::Authenticated { source, .. } => Ok(*source),
        }
    }

    fn authenticate(&mut self, user: String, proof: Proof) -> Result<(), Error> {
        let State::Greeted { source } = self.state else { return Err(Error::OutOfTurn) };
        let method = match &proof {
            Proof::Password(_) => "password",
            Proof::PasswordChange { .. } => "password change",
            Proof::PublicKey(_) => "publickey",
        };
        let shown = user.escape_debug().to_string();
        // The period comes first: a revocation during the decision must not fall in between.
        let period = self.shared.registry.period(RESTART_PATIENCE);
        let decision = match period {
            Some(_) => self.shared.agent.decide(user, proof, source),
            None => Decision::Refused,
        };
        let admission = self.admission(decision, period, (&shown, source, method));
        self.events.send(&LoginEvent::Authenticated(admission), None)
    }

    /// What a decision comes to here; `period` is of before it was asked for.
    fn admission(
        &mut self,
        decision: Decision,
        period: Option<Period>,
        (shown, source, method): (&str, IpAddr, &str),
    ) -> Admission {
        match (decision, period) {
            (Decision::Granted(grant), Some(asked)) => match self.shared.registry.seat(grant.account) {
                Some(seat) => {
                    info!(user = shown, uid = grant.uid.0, %source, method, "logged in");
                    self.state = State::Authenticated { source, grant, asked, _seat: seat };
                    Admission::Granted
                }
                None => {
                    warn!(user = shown, %source, "login refused: the account has too many connections");
                    Admission::Refused
                }
            },
            (Decision::Granted(_) | Decision::Refused, _) => {
                info!(user = shown, %source, method, "login refused");
                Admission::Refused
            }
            (Decision::PasswordExpired, _) => {
                info!(user = shown, %source, method, "login refused: the password has to be changed first");
                Admission::PasswordExpired
            }
            (Decision::NotChanged(refusal), _) => {
                info!(user = shown, %source, method, "login refused: the password was not changed");
                Admission::NotChanged(refusal)
            }
        }
    }

    fn open(&mut self, service: Service) -> Result<(), Error> {
        self.forget_ended();
        let State::Authenticated { grant, asked, .. } = &self.state else { return Err(Error::OutOfTurn) };
        if self.sessions.len() >= MOST_SESSIONS {
            return self.not_opened("too many sessions on this connection");
        }
        let place = match self.shared.registry.register(grant, *asked) {
            Registration::Registered(place) => place,
            Registration::Void => return self.not_opened("the account has changed: log in again"),
            Registration::Full => return self.not_opened("too many sessions of this account"),
        };
        match start(&self.shared.spawner, &Order::new(grant, service), &place) {
            Ok((stream, control)) => {
                self.next += 1;
                let session = SessionId(self.next);
                self.sessions.insert(session, control.clone());
                self.events.send(&LoginEvent::Opened(session), Some(&stream))?;
                self.wait_for_end(session, control, place)
            }
            Err(error) => {
                warn!(%error, user = grant.name.as_str(), "no session");
                self.not_opened("the session can not be started")
            }
        }
    }

    fn not_opened(&self, reason: &str) -> Result<(), Error> {
        self.events.send(&LoginEvent::NotOpened(reason.to_owned()), None)
    }

    fn forget_ended(&mut self) {
        let ended = std::mem::take(&mut *self.events.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for session in ended {
            self.sessions.remove(&session);
        }
    }

    /// A thread that hears of the end, gives the place back, and tells the front.
    fn wait_for_end(&self, session: SessionId, control: Arc<Control>, place: Place) -> Result<(), Error> {
        let events = self.events.clone();
        let named = std::thread::Builder::new().name("session".into()).stack_size(STACK_BYTES);
        let spawned = named.spawn(move || {
            let how = ending(&control);
            drop(place);
            events.ended.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            // A front that has gone does not need to know.
            let _ = events.send(&LoginEvent::Ended { session, how }, None);
        });
        spawned.map(|_| ()).map_err(Error::Thread)
    }
}

/// Has the session started and waits for its keeper's word.
fn start(spawner: &Spawner, order: &Order, place: &Place) -> Result<(OwnedFd, Arc<Control>), Error> {
    let (front, session) = stream_pair()?;
    let (control, keeper) = UnixStream::pair().map_err(Error::Spawner)?;
    spawner.spawn(order, &session, &keeper.into())?;
    drop(session);
    let control = Arc::new(Control::new(control));
    place.set_control(control.clone());
    match control.report(Some(START_DEADLINE))? {
        Some(Report::Started) => Ok((front, control)),
        Some(Report::NotStarted(reason)) => Err(Error::Start(reason)),
        Some(Report::Ended(_)) | None => Err(Error::Start("its keeper has ended".into())),
    }
}

fn stream_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let pair = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(Error::kernel("make a stream"))?;
    for end in [&pair.0, &pair.1] {
        // Smaller buffers only cost speed.
        let _ = setsockopt(end, sockopt::SndBuf, &STREAM_BUFFER);
        let _ = setsockopt(end, sockopt::RcvBuf, &STREAM_BUFFER);
    }
    Ok(pair)
}

/// How the session ended; a keeper that says nothing was killed.
fn ending(control: &Control) -> Ending {
    match control.report(None) {
        Ok(Some(Report::Ended(how))) => how,
        Ok(Some(Report::Started | Report::NotStarted(_)) | None) | Err(_) => Ending::Killed(9),
    }
}
