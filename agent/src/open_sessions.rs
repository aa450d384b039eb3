//! The SSH connections that are open: `accountd-login` has them, and is asked. Sessions of PAM (`pam`) are listed and
//! closed with them.

use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::{Answer, Operation, Reply, SessionQuestion, SessionReply};
use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP, FrameError};
use accountd_protocol::id::AccountId;
use accountd_protocol::open_session::{ConnectionId, OpenConnection};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use tracing::debug;

use crate::agent::Agent;
use crate::identity::handles::Caller;
use crate::pam::Which;

#[cfg(test)]
mod tests;

/// How long an answer of login is waited for.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long login is waited for when it is just being started.
const START_PATIENCE: Duration = Duration::from_secs(2);

/// The ways to whoever answers.
#[derive(Debug, Default)]
pub struct OpenSessions {
    /// Taken out while somebody asks.
    streams: Mutex<Streams>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Streams {
    idle: Vec<UnixStream>,
    asking: usize,
}

impl OpenSessions {
    /// Keeps a connection on which questions are answered.
    pub fn keep(&self, mut stream: UnixStream) -> Result<(), FrameError> {
        frame::write(&mut stream, &Reply::Ok(Answer::Watching), AGENT_ANSWER_CAP)?;
        stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
        stream.set_write_timeout(Some(ANSWER_DEADLINE))?;
        self.lock().idle.push(stream);
        self.changed.notify_all();
        Ok(())
    }

    /// Every answer; those that have gone meanwhile are forgotten.
    pub fn ask(&self, question: &SessionQuestion) -> Result<Vec<SessionReply>, Refusal> {
        let streams = self.take().ok_or(Refusal::NoSessions)?;
        let (mut answers, mut good) = (Vec::new(), Vec::new());
        for mut stream in streams {
            match exchange(&mut stream, question) {
                Ok(answer) => {
                    answers.push(answer);
                    good.push(stream);
                }
                Err(error) => debug!(%error, "login does not answer"),
            }
        }
        let mut kept = self.lock();
        kept.idle.extend(good);
        kept.asking = 0;
        drop(kept);
        self.changed.notify_all();
        if answers.is_empty() { Err(Refusal::NoSessions) } else { Ok(answers) }
    }

    /// The answer of one of them, where only one may take something up.
    pub fn ask_one(&self, question: &SessionQuestion) -> Result<SessionReply, Refusal> {
        let mut streams = self.take().ok_or(Refusal::NoSessions)?;
        let mut answer = None;
        // The newest is the likeliest to be there still.
        while answer.is_none()
            && let Some(mut stream) = streams.pop()
        {
            match exchange(&mut stream, question) {
                Ok(said) => {
                    answer = Some(said);
                    streams.push(stream);
                }
                Err(error) => debug!(%error, "login does not answer"),
            }
        }
        let mut kept = self.lock();
        kept.idle.extend(streams);
        kept.asking = 0;
        drop(kept);
        self.changed.notify_all();
        answer.ok_or(Refusal::NoSessions)
    }

    /// All of them, when nobody else asks.
    fn take(&self) -> Option<Vec<UnixStream>> {
        let deadline = Instant::now() + START_PATIENCE + ANSWER_DEADLINE;
        let mut started = Instant::now() + START_PATIENCE;
        let mut streams = self.lock();
        loop {
            if streams.asking == 0 && !streams.idle.is_empty() {
                streams.asking = streams.idle.len();
                return Some(std::mem::take(&mut streams.idle));
            }
            if streams.asking > 0 {
                started = deadline;
            }
            let left = started.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            streams = self.changed.wait_timeout(streams, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exchange(stream: &mut UnixStream, question: &SessionQuestion) -> Result<SessionReply, FrameError> {
    frame::write(stream, question, AGENT_ANSWER_CAP)?;
    let gone = || FrameError::Io(std::io::ErrorKind::UnexpectedEof.into());
    frame::read(stream, AGENT_REQUEST_CAP)?.ok_or_else(gone)
}

impl Agent {
    pub(crate) fn list_connections(&self, of: Option<AccountId>) -> Result<Vec<OpenConnection>, Refusal> {
        if let Some(id) = of {
            self.database.known_view().user(id).ok_or(Refusal::NotFound)?;
        }
        let answers = self.open_sessions.ask(&SessionQuestion::List(of))?;
        let lists = answers.into_iter().map(|answer| match answer {
            SessionReply::Connections(connections) => connections,
            SessionReply::Closed | SessionReply::NotFound | SessionReply::PullBegun | SessionReply::Pull(_) => {
                Vec::new()
            }
        });
        Ok(lists.flatten().chain(self.pam_sessions.list(of)).collect())
    }

    /// Recorded before it is done.
    pub(crate) fn close_connection(&self, by: &Actor, caller: Caller, id: &ConnectionId) -> Result<(), Refusal> {
        let open = self.list_connections(None)?.into_iter().find(|one| one.id == *id).ok_or(Refusal::NotFound)?;
        self.may_close(caller, open.account)?;
        self.record_close(by, &open, FieldChange::new("connection", None, Some(id.0.clone().into())))?;
        if self.pam_sessions.close(Which::Connection(id)) {
            return Ok(());
        }
        self.close(SessionQuestion::CloseConnection(id.clone()))
    }

    pub(crate) fn close_session(&self, by: &Actor, caller: Caller, number: u64) -> Result<(), Refusal> {
        let has_it = |one: &OpenConnection| one.sessions.iter().any(|session| session.number == number);
        let open = self.list_connections(None)?.into_iter().find(has_it).ok_or(Refusal::NotFound)?;
        self.may_close(caller, open.account)?;
        self.record_close(by, &open, FieldChange::new("session", None, Some(number.to_string().into())))?;
        if self.pam_sessions.close(Which::Number(number)) {
            return Ok(());
        }
        self.close(SessionQuestion::CloseSession(number))
    }

    fn record_close(&self, by: &Actor, open: &OpenConnection, what: FieldChange) -> Result<(), Refusal> {
        let target = Target { kind: TargetKind::User, id: Some(open.account), name: open.user.clone() };
        let event = AuditEvent::done(by.clone(), AuditAction::CloseConnection, Some(target), vec![what]);
        self.database.record(vec![event])
    }

    /// Everybody closes their own; whoever could not disable an account does not close its sessions.
    fn may_close(&self, caller: Caller, account: AccountId) -> Result<(), Refusal> {
        if caller.account == account {
            return Ok(());
        }
        let view = self.database.certain_view()?;
        let disable =
            Operation::DisableUser { id: account, processes: OtherProcesses::Left, only_if: Precondition::None };
        self.permit(&view, caller, &disable)
    }

    fn close(&self, question: SessionQuestion) -> Result<(), Refusal> {
        match self.open_sessions.ask(&question)?.contains(&SessionReply::Closed) {
            true => Ok(()),
            false => Err(Refusal::NotFound),
        }
    }
}
