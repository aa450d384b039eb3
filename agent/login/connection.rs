//! One connection of the front: first where the client is, then who it is, then sessions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use accountd_protocol::agent::{Decision, Grant, KeyOffer};
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::frame::{self, LOGIN_CAP};
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::limits::{Bandwidth, Limits};
use accountd_protocol::login::{
    Admission, Admitted, Ending, LoginEvent, LoginRequest, Opening, Proof, Service, SessionId, Streams,
};
use accountd_protocol::metrics::{LoginResult, NotOpened, ProofKind, SessionService};
use accountd_protocol::socket;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, ttyname};
use tracing::{info, warn};

use crate::agent::{Agent, Recorded};
use crate::control::Control;
use crate::counters::{self, Counters};
use crate::environment::Ends;
use crate::error::Error;
use crate::events::Events;
use crate::order::Report;
use crate::pam::Modules;
use crate::plan::{self, Plan};
use crate::quota;
use crate::records;
use crate::registry::{self, HangUp, Period, Place, Registration, Registry, Seat, Seating};
use crate::session_streams;
use crate::spawner::{Given, Handover, Spawner};
use crate::word::Farewell;

mod pam;
#[cfg(test)]
mod tests;

/// The most sessions of one connection at a time.
const MOST_SESSIONS: usize = 64;
const CHANGED: &str = "the account has changed, or the service was restarted: log in again";
const TOO_MANY: &str = "too many sessions of this account";
/// The longest command, and the longest name, that the log shows whole.
const MAX_SHOWN: usize = 1000;
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
    pub counters: Arc<Counters>,
}

/// A connection as far as it has come.
enum State {
    New,
    Greeted { ends: Ends, version: String },
    Authenticated { ends: Ends, grant: Box<Grant>, seat: Seat },
}

struct Connection {
    shared: Shared,
    /// Who the front runs as.
    front: Uid,
    state: State,
    events: Arc<Events>,
    sessions: HashMap<SessionId, Arc<Control>>,
    /// Which of its keys the client offers next.
    offer: KeyOffer,
    /// What the client is asked, where PAM asks.
    dialogue: Option<pam::Dialogue>,
    /// Of PAM, for whoever is logging in or has.
    modules: Option<Modules>,
}

/// Serves a connection until it closes; its sessions end with it.
pub fn serve(stream: UnixStream, shared: Shared) {
    let reader = stream.try_clone().and_then(|reader| {
        reader.set_write_timeout(Some(WRITE_DEADLINE))?;
        let front = socket::peer(&reader)?;
        Ok((reader, front.uid))
    });
    let (mut reader, front) = match reader {
        Ok(reader) => reader,
        Err(error) => return warn!(%error, "a connection can not be served"),
    };
    let events = Arc::new(Events::new(stream));
    let (state, sessions, offer) = (State::New, HashMap::new(), KeyOffer::First);
    let mut connection = Connection { shared, front, state, events, sessions, offer, dialogue: None, modules: None };
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
            LoginRequest::Hello { client, server, version } => self.hello(Ends { client, server }, version),
            LoginRequest::OfferKey { user, key } => {
                let source = self.source()?;
                let heard = self.shared.registry.period(RESTART_PATIENCE).is_some();
                let offer = std::mem::replace(&mut self.offer, KeyOffer::Another);
                let acceptable = heard && self.shared.agent.key_acceptable(user, key, source, offer);
                self.events.send(&LoginEvent::KeyAcceptable(acceptable), &[])
            }
            LoginRequest::Authenticate { user, proof } => self.authenticate(user, proof),
            LoginRequest::Open(opening) => self.open(opening),
            LoginRequest::Signal { session, number } => {
                if let (Some(control), Ok(number)) = (self.sessions.get(&session), u8::try_from(number)) {
                    control.signal(number);
                }
                self.events.send(&LoginEvent::Signalled, &[])
            }
            LoginRequest::Close { session } => {
                if let Some(control) = self.sessions.get(&session) {
                    control.tell(Farewell::Closed);
                }
                self.events.send(&LoginEvent::Closed, &[])
            }
            LoginRequest::ReportNumbers(numbers) => {
                let State::New = self.state else { return Err(Error::OutOfTurn) };
                self.shared.counters.hear(*numbers, Instant::now());
                self.events.send(&LoginEvent::NumbersTaken, &[])
            }
            LoginRequest::Converse { user } => self.converse(user),
            LoginRequest::Respond(answers) => self.respond(answers),
        }
    }

    fn hello(&mut self, ends: Ends, version: String) -> Result<(), Error> {
        let State::New = self.state else { return Err(Error::OutOfTurn) };
        self.state = State::Greeted { ends, version };
        self.events.send(&LoginEvent::Welcome, &[])
    }

    fn source(&self) -> Result<IpAddr, Error> {
        match &self.state {
            State::New => Err(Error::OutOfTurn),
            State::Greeted { ends, .. } | State::Authenticated { ends, .. } => Ok(ends.client.ip()),
        }
    }

    fn authenticate(&mut self, user: String, proof: Proof) -> Result<(), Error> {
        let State::Greeted { ends, version } = &self.state else { return Err(Error::OutOfTurn) };
        let (ends, version) = (*ends, version.clone());
        // Whoever was asked something shows something else instead.
        (self.dialogue, self.modules) = (None, None);
        let source = ends.client.ip();
        let (method, key) = (ProofKind::of(&proof), key_of(&proof));
        let shown = cut(&user.escape_debug().to_string());
        // The period comes first: a revocation during the decision must not fall in between.
        let period = self.shared.registry.period(RESTART_PATIENCE);
        let mut decided = period.map(|asked| (self.shared.agent.decide(user.clone(), proof.clone(), source), asked));
        if let (Some((Decision::ByPam(task), _)), Proof::Password(password)) = (&decided, proof) {
            decided = self.by_password(&user, password, task.clone());
        }
        let attempt = Attempt { shown: &shown, version: &version, ends, method: method.name(), key };
        let (admission, result) = self.admission(decided, attempt);
        self.shared.counters.logins.one((method, result));
        self.let_modules_go(&admission);
        self.events.send(&LoginEvent::Authenticated(admission), &[])
    }

    /// What a decision comes to here, with the period of before it was asked for. `None`: nobody decides now.
    fn admission(&mut self, decided: Option<(Decision, Period)>, attempt: Attempt<'_>) -> (Admission, LoginResult) {
        let (shown, method, source) = (attempt.shown, attempt.method, attempt.ends.client.ip());
        let Some((decision, asked)) = decided else {
            info!(user = shown, %source, method, "login refused: the agent is not heard");
            return (Admission::Refused, LoginResult::Undecided);
        };
        match decision {
            Decision::Granted(grant) => self.admit(grant, asked, attempt),
            Decision::Refused { wait_milliseconds } => {
                info!(user = shown, %source, method, wait_milliseconds, "login refused");
                self.events.wait(Duration::from_millis(wait_milliseconds));
                (Admission::Refused, LoginResult::Refused)
            }
            Decision::PasswordExpired => {
                info!(user = shown, %source, method, "login refused: the password has to be changed first");
                (Admission::PasswordExpired, LoginResult::PasswordExpired)
            }
            Decision::NotChanged(refusal) => {
                info!(user = shown, %source, method, "login refused: the password was not changed");
                (Admission::NotChanged(refusal), LoginResult::PasswordNotChanged)
            }
            Decision::CodeRequired => {
                info!(user = shown, %source, method, "no login yet: a code is needed");
                (Admission::CodeRequired, LoginResult::CodeRequired)
            }
            Decision::ByPam(_) => {
                info!(user = shown, %source, method, "login refused: PAM is not asked that way");
                (Admission::Refused, LoginResult::Undecided)
            }
        }
    }

    /// Whoever the agent lets in is logged in as soon as they have a place, and that is recorded.
    fn admit(&mut self, grant: Box<Grant>, asked: Period, attempt: Attempt<'_>) -> (Admission, LoginResult) {
        if let Some(refused) = self.refused_by_account(&grant, &attempt) {
            return refused;
        }
        let Attempt { shown, version, ends, method, key } = attempt;
        let (source, seating) = (ends.client.ip(), self.seat((&grant, asked), ends, version));
        let (account, name, outcome) = (grant.account, grant.name.as_str().to_owned(), concluded(&seating));
        let recorded = self.shared.agent.conclude(Conclusion { account, name, source, key, outcome });
        match (seating, recorded) {
            (Seating::Seated(seat), Recorded::Yes) => {
                info!(user = shown, uid = grant.uid.0, %source, method, "logged in");
                let admitted = admitted(&grant);
                self.state = State::Authenticated { ends, grant, seat };
                (Admission::Granted(admitted), LoginResult::Granted)
            }
            (Seating::Seated(_), Recorded::No) => {
                warn!(user = shown, %source, "login refused: it can not be recorded");
                (Admission::Refused, LoginResult::Undecided)
            }
            (Seating::Full, Recorded::Yes | Recorded::No) => {
                warn!(user = shown, %source, "login refused: the account has too many connections");
                (Admission::Refused, LoginResult::TooManyConnections)
            }
            (Seating::Void, Recorded::Yes | Recorded::No) => {
                info!(user = shown, %source, "login refused: the account has changed meanwhile");
                (Admission::Refused, LoginResult::Refused)
            }
        }
    }

    fn seat(&self, (grant, asked): (&Grant, Period), ends: Ends, version: &str) -> Seating {
        let events = Arc::downgrade(&self.events);
        let hang_up = HangUp(Arc::new(move || {
            if let Some(events) = events.upgrade() {
                events.hang_up();
            }
        }));
        self.shared.registry.seat(grant, asked, registry::Login { client: ends.client, version, hang_up })
    }

    fn open(&mut self, opening: Opening) -> Result<(), Error> {
        self.forget_ended();
        // An agent that is being started again is waited for.
        let _ = self.shared.registry.period(RESTART_PATIENCE);
        let State::Authenticated { grant, ends, seat } = &self.state else { return Err(Error::OutOfTurn) };
        if self.sessions.len() >= MOST_SESSIONS {
            return self.not_opened(NotOpened::TooManyOfConnection, "too many sessions on this connection");
        }
        if let Some(why) = plan::no_login(grant.uid) {
            return self.not_opened(NotOpened::Nologin, &why);
        }
        let (user, source, wanted) = (grant.name.as_str().to_owned(), ends.client.ip(), shown(&opening.service));
        let plan = match plan::plan(grant, opening, *ends, self.front) {
            Ok(plan) => plan,
            Err(why) => {
                info!(user, %source, wanted, "no session: {why}");
                return self.not_opened(NotOpened::NotAllowed, why);
            }
        };
        let place = match self.shared.registry.register(seat, plan.service) {
            Registration::Registered(place) => place,
            Registration::Void => return self.not_opened(NotOpened::AccountChanged, CHANGED),
            Registration::Full => return self.not_opened(NotOpened::TooManyOfAccount, TOO_MANY),
        };
        let spawner = match (&grant.pam, &mut self.modules) {
            (None, _) => Ok(self.shared.spawner.clone()),
            (Some(_), Some(modules)) => modules.open_session(&self.events),
            // They have ended with a session that they could not open.
            (Some(_), None) => Err(Error::SessionRefused("log in again".to_owned())),
        };
        let spawner = match spawner {
            Ok(spawner) => spawner,
            Err(error) => {
                warn!(%error, user, "no session");
                self.modules = None;
                return self.not_opened(NotOpened::NotStarted, &pam::said_to_user(&error));
            }
        };
        let shared = Shared { spawner, ..self.shared.clone() };
        match start(&shared, plan, (grant.account, &place)) {
            Ok(started) => {
                let session = SessionId(place.number());
                info!(user, %source, session = session.0, service = started.service.name(), wanted, "a session has begun");
                self.sessions.insert(session, started.control.clone());
                let opened = LoginEvent::Opened { session, streams: started.streams };
                let counted = counters::Running::new(self.shared.counters.clone(), started.service);
                self.events.send(&opened, &started.front)?;
                let Started { control, records, quota, .. } = started;
                self.wait_for_end(session, Running { user, control, records, quota, place, counted })
            }
            Err(error) => {
                warn!(%error, user, "no session");
                self.not_opened(NotOpened::NotStarted, "the session can not be started")
            }
        }
    }

    fn not_opened(&self, why: NotOpened, said: &str) -> Result<(), Error> {
        self.shared.counters.not_opened.one(why);
        self.events.send(&LoginEvent::NotOpened(said.to_owned()), &[])
    }

    fn forget_ended(&mut self) {
        let ended = self.events.take_ended();
        for session in ended {
            self.sessions.remove(&session);
        }
    }

    /// A thread that hears of transfers and of the end, gives the place back, and tells the front.
    fn wait_for_end(&self, session: SessionId, running: Running) -> Result<(), Error> {
        let events = self.events.clone();
        let named = std::thread::Builder::new().name("session".into()).stack_size(STACK_BYTES);
        let spawned = named.spawn(move || {
            let begun = Instant::now();
            records::follow(running.records, (&running.user, session.0), &running.place);
            let how = ending(&running.control);
            info!(
                user = running.user,
                session = session.0,
                how = how.to_string(),
                seconds = begun.elapsed().as_secs(),
                "a session has ended"
            );
            running.counted.ended(&how, running.control.close());
            drop(running.place);
            if let Some(quota) = running.quota {
                quota.ended(&how);
            }
            events.note_end(session);
            // A front that has gone does not need to know.
            let _ = events.send(&LoginEvent::Ended { session, how }, &[]);
        });
        spawned.map(|_| ()).map_err(Error::Thread)
    }
}

/// Somebody who wants to be let in.
struct Attempt<'a> {
    /// The name, as the log shows it.
    shown: &'a str,
    version: &'a str,
    ends: Ends,
    method: &'static str,
    /// The key that they have shown.
    key: Option<Vec<u8>>,
}

/// What a thread needs that waits for the end of a session.
struct Running {
    user: String,
    control: Arc<Control>,
    records: OwnedFd,
    quota: Option<quota::Relay>,
    place: Place,
    counted: counters::Running,
}

/// A session whose keeper has said that it runs.
pub struct Started {
    pub control: Arc<Control>,
    pub records: OwnedFd,
    pub quota: Option<quota::Relay>,
    streams: Streams,
    /// The front's ends.
    pub front: Vec<OwnedFd>,
    service: SessionService,
}

fn key_of(proof: &Proof) -> Option<Vec<u8>> {
    match proof {
        Proof::PublicKey(key) | Proof::PublicKeyAndCode { key, .. } => Some(key.clone()),
        Proof::Password(_) | Proof::PasswordChange { .. } | Proof::PasswordAndCode { .. } => None,
    }
}

fn concluded(seating: &Seating) -> Concluded {
    match seating {
        Seating::Seated(_) => Concluded::LoggedIn,
        Seating::Full => Concluded::TooManyConnections,
        Seating::Void => Concluded::AccountChanged,
    }
}

/// What the front is to keep to. Each transfer keeps to its own rate where that is its own.
fn admitted(grant: &Grant) -> Admitted {
    let Limits { upload, download, bandwidth, idle, .. } = &grant.limits;
    let shared = |rate: &Option<u32>| rate.filter(|_| *bandwidth == Bandwidth::Account);
    let (account, terminal) = (grant.account, grant.policy.terminal);
    Admitted { account, terminal, idle: *idle, upload: shared(upload), download: shared(download) }
}

/// What a client asks for, as the log shows it.
fn shown(service: &Service) -> String {
    match service {
        Service::Sftp { .. } => "sftp".to_owned(),
        Service::Shell => "shell".to_owned(),
        Service::Connect { host, port } => format!("{}:{port}", cut(&host.escape_debug().to_string())),
        Service::Command(command) => cut(&command.escape_ascii().to_string()),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// Has the session started and waits for its keeper's word.
pub fn start(shared: &Shared, plan: Plan, (account, place): (AccountId, &Place)) -> Result<Started, Error> {
    let Plan { mut order, terminal, service } = plan;
    let session_streams::Ends { front, session } = session_streams::make(order.streams, terminal.as_ref(), order.uid)?;
    if let (Some(terminal), [ours]) = (&terminal, session.as_slice()) {
        order.environment.push([b"TERM=", terminal.kind.as_bytes()].concat());
        let path = ttyname(ours).map_err(Error::kernel("name a terminal"))?;
        order.environment.push([b"SSH_TTY=", path.as_os_str().as_bytes()].concat());
    }
    let (control, keeper) = UnixStream::pair().map_err(Error::Spawner)?;
    let (records, written) = pipe2(OFlag::O_CLOEXEC).map_err(Error::kernel("make a pipe for records"))?;
    let (quota, asking) = match order.quota {
        Some(_) => {
            let (relay, end) = quota::Relay::start(shared.agent.clone(), (account, place.number()))?;
            place.set_leases(relay.leases());
            (Some(relay), Some(end))
        }
        None => (None, None),
    };
    let given = Given { records: written, quota: asking, streams: session };
    shared.spawner.spawn(&order, &Handover { control: keeper.into(), given })?;
    let control = Arc::new(Control::new(control));
    place.set_control(control.clone());
    match control.report(Some(START_DEADLINE))? {
        Some(Report::Started) => Ok(Started { control, records, quota, streams: order.streams, front, service }),
        Some(Report::NotStarted(reason)) => Err(Error::Start(reason)),
        Some(Report::Ended(_)) | None => Err(Error::Start("its keeper has ended".into())),
    }
}

/// How the session ended; a keeper that says nothing was killed.
pub fn ending(control: &Control) -> Ending {
    match control.report(None) {
        Ok(Some(Report::Ended(how))) => how,
        Ok(Some(Report::Started | Report::NotStarted(_)) | None) | Err(_) => Ending::Killed(9),
    }
}
