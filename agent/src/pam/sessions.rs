//! Sessions that other programs have begun: counted with those over SSH against an account's limit, listed with them,
//! and ended when they are closed here, or when their account is locked, expired or gone.
//!
//! A session is there as long as the process that leads it. A new password does not end it: who has changed it with
//! passwd(1) sits in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use accountd_protocol::agent::{Revocation, SessionQuestion, SessionReply};
use accountd_protocol::id::AccountId;
use accountd_protocol::open_session::{ConnectionId, OpenConnection, OpenSession};
use accountd_protocol::pam_module::{PamAnswer, cut};
use accountd_protocol::refusal::Refusal;
use tracing::{info, warn};

use super::leader::{self, Leader};
use super::records::{self, Record};
use super::{Asked, HERE};
use crate::agent::{Agent, now};
use crate::error::Error;
use crate::hexadecimal::hexadecimal;
use crate::identity::candidate::{Standing, standing};

/// Numbers of sessions begin here, so that none is one of accountd-login's.
const FIRST: u64 = 1 << 40;
/// The most sessions at a time, so that whoever begins some does not fill the agent's memory and descriptors.
const MOST: usize = 4096;

#[derive(Debug)]
pub struct PamSessions {
    path: PathBuf,
    all: Mutex<Vec<Session>>,
    /// The number of the next.
    next: AtomicU64,
}

#[derive(Debug)]
struct Session {
    record: Record,
    leader: Leader,
}

/// Which sessions are to end.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    Connection(&'a ConnectionId),
    Number(u64),
}

impl PamSessions {
    /// With those that go on of what an agent before this one has noted.
    pub fn open(beside: &Path) -> Self {
        let path = beside.with_file_name(records::FILE);
        let again = |record: Record| Some(Session { leader: Leader::again(record.pid, record.started)?, record });
        let before = records::read(&path);
        let next = before.iter().map(|record| record.number + 1).fold(FIRST, u64::max).into();
        let all = before.into_iter().filter_map(again).collect();
        Self { path, all: Mutex::new(all), next }
    }

    pub fn list(&self, of: Option<AccountId>) -> Vec<OpenConnection> {
        let all = self.living();
        all.iter().filter(|one| of.is_none_or(|of| one.record.account == of)).map(|one| one.record.shown()).collect()
    }

    pub fn count(&self, of: AccountId) -> usize {
        self.living().iter().filter(|one| one.record.account == of).count()
    }

    /// Ends it; `false` where there is none.
    pub fn close(&self, which: Which<'_>) -> bool {
        self.end(|record| match which {
            Which::Connection(id) => record.connection == id.0,
            Which::Number(number) => record.number == number,
        }) > 0
    }

    /// Takes those out that are meant, ends them, and gives how many there were.
    fn end(&self, is_meant: impl Fn(&Record) -> bool) -> u64 {
        let mut all = self.living();
        let (meant, others): (Vec<Session>, Vec<Session>) = all.drain(..).partition(|one| is_meant(&one.record));
        *all = others;
        if meant.is_empty() {
            return 0;
        }
        self.note(&all);
        // Others need not wait for that.
        drop(all);
        for Session { record, .. } in &meant {
            info!(user = record.user, service = record.service, session = record.number, "a session of PAM is ended");
        }
        leader::end_all(&meant.iter().map(|one| &one.leader).collect::<Vec<_>>());
        meant.len() as u64
    }

    /// Without those whose leaders have ended.
    fn living(&self) -> MutexGuard<'_, Vec<Session>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| !one.leader.has_ended());
        all
    }

    fn note(&self, all: &[Session]) {
        let records: Vec<Record> = all.iter().map(|one| one.record.clone()).collect();
        if let Err(error) = records::write(&self.path, &records) {
            warn!(%error, path = %self.path.display(), "sessions of PAM can not be noted; a restart forgets them");
        }
    }
}

impl Record {
    fn new(asked: &Asked<'_>, leader: &Leader, number: u64) -> Result<Self, Refusal> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(error).into_refusal())?;
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let text = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(cut);
        Ok(Self {
            number,
            connection: hexadecimal(&bytes),
            account: asked.account,
            uid: asked.uid,
            user: asked.user().to_owned(),
            service: cut(&asked.request.service),
            terminal: text(&asked.request.terminal),
            host: text(&asked.request.host),
            began: u64::try_from(began).unwrap_or_default(),
            pid: leader.pid,
            started: leader.started,
        })
    }

    /// In the place of a client's words there is what is known of the program, and of a port nothing.
    pub(super) fn shown(&self) -> OpenConnection {
        let Record { number, connection, account, user, service, terminal, host, began, .. } = self;
        let address: Option<IpAddr> = host.as_deref().and_then(|host| host.parse().ok());
        let mut client = format!("PAM {service}");
        if let Some(terminal) = terminal {
            client.push_str(&format!(" {terminal}"));
        }
        if let (Some(host), None) = (host, address) {
            client.push_str(&format!(" from {host}"));
        }
        let sessions =
            vec![OpenSession { number: *number, service: service.clone(), began: *began, transfers: Vec::new() }];
        OpenConnection {
            id: ConnectionId(connection.clone()),
            account: *account,
            user: user.clone(),
            client_version: client,
            source: SocketAddr::new(address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 0),
            connected: *began,
            last_activity: *began,
            sessions,
        }
    }
}

impl Agent {
    /// Starts the thread that ends sessions of accounts that are shut out, beginning with those of before.
    pub fn start_pam_sessions(self: &Arc<Self>) -> Result<(), Error> {
        let agent = self.clone();
        let named = std::thread::Builder::new().name("pam sessions".into());
        let thread = named.spawn(move || {
            loop {
                let number = agent.revocations().subscribe();
                agent.end_pam_sessions(|_| true);
                agent.revocations().follow(number, |Revocation { account, .. }| {
                    agent.end_pam_sessions(|record| record.account == *account)
                });
            }
        });
        thread.map(drop).map_err(Error::Pam)
    }

    /// Of those that are meant, the ones whose account may have none any more.
    fn end_pam_sessions(&self, is_meant: impl Fn(&Record) -> bool) -> u64 {
        let view = self.database.known_view();
        self.pam_sessions.end(|record| {
            is_meant(record)
                && !view.user(record.account).is_some_and(|row| {
                    let good = || matches!(standing(&view, &row.name, HERE, now()), Standing::Good(_));
                    row.uid == record.uid && good()
                })
        })
    }

    /// `Some`: the account has as many as it may, which is so many.
    pub(super) fn pam_room(&self, account: AccountId) -> Option<u32> {
        let view = self.database.known_view();
        let most = view.effective_limits(view.user(account)?).sessions?;
        drop(view);
        let open = self.sessions_over_ssh(account) + self.pam_sessions.count(account);
        (open >= usize::try_from(most).unwrap_or(usize::MAX)).then_some(most)
    }

    fn sessions_over_ssh(&self, account: AccountId) -> usize {
        let answers = self.open_sessions.ask(&SessionQuestion::List(Some(account))).unwrap_or_default();
        let count = |answer: &SessionReply| match answer {
            SessionReply::Connections(connections) => connections.len(),
            SessionReply::Closed | SessionReply::NotFound | SessionReply::PullBegun | SessionReply::Pull(_) => 0,
        };
        answers.iter().map(count).sum()
    }

    pub(super) fn pam_open_session(&self, asked: &Asked<'_>) -> Result<PamAnswer, Refusal> {
        // What has no home now gets one; where that can't be had, the program says so itself.
        if let Err(refusal) = self.make_first_home(asked.account) {
            warn!(user = asked.user(), %refusal, "the home of somebody who logs in is not made");
        }
        let _alone = self.pam_openings.alone(asked.account)?;
        if let Some(most) = self.pam_room(asked.account) {
            info!(user = asked.user(), service = asked.request.service, most, "too many sessions");
            return Ok(PamAnswer::TooManySessions { most });
        }
        let leader = Leader::of(asked.peer.pid).map_err(|error| Refusal::Internal(error.to_string()))?;
        let mut all = self.pam_sessions.living();
        if all.len() >= MOST {
            return Err(Refusal::Busy);
        }
        let number = self.pam_sessions.next.fetch_add(1, Ordering::Relaxed);
        let record = Record::new(asked, &leader, number)?;
        all.push(Session { record, leader });
        self.pam_sessions.note(&all);
        drop(all);
        // A change that came before the session was in the table has not ended it.
        let ended = self.end_pam_sessions(|record| record.number == number);
        Ok(if ended > 0 { PamAnswer::Locked } else { PamAnswer::Done })
    }

    /// Of the process that asks, or of the one whose session it is where another one closes it.
    pub(super) fn pam_close_session(&self, asked: &Asked<'_>) -> PamAnswer {
        let mut all = self.pam_sessions.living();
        let is_it = |one: &Session| one.record.account == asked.account && one.record.pid == asked.peer.pid;
        if let Some(place) = all.iter().rposition(is_it) {
            all.remove(place);
            self.pam_sessions.note(&all);
        }
        PamAnswer::Done
    }
}
