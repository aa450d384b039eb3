//! Between a session and the agent: what the session leases of its account's quota.
//!
//! The session's program runs as the user, and only its own account and its own number are passed on.

use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use accountd_protocol::agent::QuotaEnd;
use accountd_protocol::frame::{self, QUOTA_CAP};
use accountd_protocol::id::AccountId;
use accountd_protocol::login::Ending;
use accountd_protocol::quota::{QuotaAnswer, QuotaRequest, QuotaUse};
use tracing::debug;

use crate::agent::Agent;
use crate::error::Error;

const STACK_BYTES: usize = 128 * 1024;

/// A thread that passes questions on until the session has closed its end.
#[derive(Debug)]
pub struct Relay {
    agent: Arc<Agent>,
    of: (AccountId, u64),
    asked_on: UnixStream,
    thread: JoinHandle<Leasing>,
    leases: Arc<Leases>,
}

/// What a session has leased and not returned; and the largest of its leases.
#[derive(Debug, Default)]
pub struct Leases(Mutex<(QuotaUse, QuotaUse)>);

impl Leases {
    pub fn held(&self) -> (QuotaUse, QuotaUse) {
        *self.lock()
    }

    fn note(&self, request: QuotaRequest, answer: Option<QuotaAnswer>) {
        let mut held = self.lock();
        let (kept, largest) = &mut *held;
        match (request, answer) {
            (QuotaRequest::Lease(_), Some(QuotaAnswer::Leased(leased))) => {
                kept.bytes = kept.bytes.saturating_add(leased.bytes);
                kept.files = kept.files.saturating_add(leased.files);
                largest.bytes = largest.bytes.max(leased.bytes);
                largest.files = largest.files.max(leased.files);
            }
            (QuotaRequest::Return { unused, .. }, Some(_)) => {
                kept.bytes = kept.bytes.saturating_sub(unused.bytes);
                kept.files = kept.files.saturating_sub(unused.files);
            }
            (QuotaRequest::Lease(_) | QuotaRequest::Return { .. } | QuotaRequest::Use, _) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, (QuotaUse, QuotaUse)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has become of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leasing {
    NothingAsked,
    /// Only how much there is, or for what was refused.
    Looked,
    /// Nothing is leased, or everything that was not used has been returned.
    Returned,
    Leased,
    /// The agent did not answer: it may have leased something that the session knows nothing of.
    Uncertain,
}

impl Relay {
    /// Gives the session's end too.
    pub fn start(agent: Arc<Agent>, of: (AccountId, u64)) -> Result<(Self, OwnedFd), Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Spawner)?;
        let asked_on = ours.try_clone().map_err(Error::Spawner)?;
        let (asked, leases) = (agent.clone(), Arc::new(Leases::default()));
        let counted = leases.clone();
        let named = std::thread::Builder::new().name("quota".into()).stack_size(STACK_BYTES);
        let thread = named.spawn(move || {
            let leasing = pass_on(&ours, |request| {
                let answer = asked.quota(of, request);
                counted.note(request, answer);
                answer
            });
            // Whoever asks once more hears that nobody answers.
            let _ = ours.shutdown(Shutdown::Both);
            leasing
        });
        Ok((Self { agent, of, asked_on, thread: thread.map_err(Error::Thread)?, leases }, theirs.into()))
    }

    pub fn leases(&self) -> Arc<Leases> {
        self.leases.clone()
    }

    /// The session has ended: what it has leased and not returned is not its own any more. What it has said
    /// is heard still; a process that has got at its end of the connection is not.
    pub fn ended(self, how: &Ending) {
        let _ = self.asked_on.shutdown(Shutdown::Read);
        let leasing = self.thread.join().unwrap_or(Leasing::Uncertain);
        if let Some(end) = end(leasing, how) {
            self.agent.quota_ended(self.of, end);
        }
    }
}

/// What the agent is told; `None`: nothing, because it was asked for nothing.
fn end(leasing: Leasing, how: &Ending) -> Option<QuotaEnd> {
    match (leasing, how) {
        (Leasing::NothingAsked, _) => None,
        (Leasing::Looked, _) | (Leasing::Returned, Ending::Exited(_)) => Some(QuotaEnd::Settled),
        (Leasing::Returned, Ending::Killed(_) | Ending::Revoked | Ending::Interrupted)
        | (Leasing::Leased | Leasing::Uncertain, _) => Some(QuotaEnd::Lost),
    }
}

fn pass_on(mut session: &UnixStream, ask: impl Fn(QuotaRequest) -> Option<QuotaAnswer>) -> Leasing {
    let mut leasing = Leasing::NothingAsked;
    loop {
        let request = match frame::read::<QuotaRequest>(&mut session, QUOTA_CAP) {
            Ok(Some(request)) => request,
            Ok(None) => return leasing,
            Err(error) => {
                debug!(%error, "what a session asks for quota is not passed on any more");
                return leasing;
            }
        };
        let answer = ask(request);
        leasing = leasing.after(request, answer);
        let answer = answer.unwrap_or(QuotaAnswer::Unavailable);
        if frame::write(&mut session, &answer, QUOTA_CAP).is_err() {
            return leasing;
        }
    }
}

impl Leasing {
    fn after(self, request: QuotaRequest, answer: Option<QuotaAnswer>) -> Self {
        match (self, request, answer) {
            (Leasing::Uncertain, ..) | (_, QuotaRequest::Lease(_) | QuotaRequest::Return { .. }, None) => {
                Leasing::Uncertain
            }
            // What is refused is not leased.
            (Leasing::NothingAsked, QuotaRequest::Use, _)
            | (Leasing::NothingAsked, QuotaRequest::Lease(_), Some(QuotaAnswer::Exceeded(_))) => Leasing::Looked,
            (leasing, QuotaRequest::Use, _) | (leasing, QuotaRequest::Lease(_), Some(QuotaAnswer::Exceeded(_))) => {
                leasing
            }
            (_, QuotaRequest::Lease(_), Some(_)) => Leasing::Leased,
            (_, QuotaRequest::Return { .. }, Some(_)) => Leasing::Returned,
        }
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::quota::{QuotaExceeded, QuotaUse};

    use super::*;

    const SOME: QuotaUse = QuotaUse { bytes: 10, files: 1 };
    const RETURN: QuotaRequest = QuotaRequest::Return { unused: SOME, freed: SOME };

    /// What comes of a session that asks for these and goes.
    fn relayed(requests: &[QuotaRequest], answer: Option<QuotaAnswer>) -> (Vec<QuotaAnswer>, Leasing) {
        let (mut session, ours) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || pass_on(&ours, |_| answer));
        let answers = requests.iter().map(|request| {
            frame::write(&mut session, request, QUOTA_CAP).unwrap();
            frame::read(&mut session, QUOTA_CAP).unwrap().unwrap()
        });
        let answers = answers.collect();
        drop(session);
        (answers, thread.join().unwrap())
    }

    #[test]
    fn what_is_asked_is_answered_and_remembered() {
        let leased = Some(QuotaAnswer::Leased(SOME));
        assert_eq!(relayed(&[], leased), (Vec::new(), Leasing::NothingAsked));
        assert_eq!(relayed(&[QuotaRequest::Use], None).1, Leasing::Looked);
        let (answers, leasing) = relayed(&[QuotaRequest::Lease(SOME), QuotaRequest::Use], leased);
        assert_eq!((answers, leasing), (vec![QuotaAnswer::Leased(SOME); 2], Leasing::Leased));
        assert_eq!(relayed(&[QuotaRequest::Lease(SOME), RETURN], leased).1, Leasing::Returned);
        let (answers, leasing) = relayed(&[QuotaRequest::Lease(SOME), RETURN], None);
        assert_eq!((answers, leasing), (vec![QuotaAnswer::Unavailable; 2], Leasing::Uncertain));
    }

    #[test]
    fn what_was_leased_to_a_session_that_goes_before_the_answer_is_remembered() {
        let (mut session, ours) = UnixStream::pair().unwrap();
        frame::write(&mut session, &QuotaRequest::Lease(SOME), QUOTA_CAP).unwrap();
        let session = std::cell::Cell::new(Some(session));
        let leasing = pass_on(&ours, |_| {
            drop(session.take());
            Some(QuotaAnswer::Leased(SOME))
        });
        assert_eq!(leasing, Leasing::Leased);
    }

    #[test]
    fn a_lease_that_is_refused_changes_nothing() {
        let refused = Some(QuotaAnswer::Exceeded(QuotaExceeded::Bytes(10)));
        assert_eq!(relayed(&[QuotaRequest::Lease(SOME)], refused).1, Leasing::Looked);
        for leasing in [Leasing::Looked, Leasing::Returned, Leasing::Leased, Leasing::Uncertain] {
            assert_eq!(leasing.after(QuotaRequest::Lease(SOME), refused), leasing);
        }
    }

    #[test]
    fn only_who_has_returned_and_exited_is_believed() {
        let (exited, killed) = (Ending::Exited(0), Ending::Killed(9));
        assert_eq!(end(Leasing::NothingAsked, &killed), None);
        assert_eq!(end(Leasing::Looked, &killed), Some(QuotaEnd::Settled));
        assert_eq!(end(Leasing::Returned, &exited), Some(QuotaEnd::Settled));
        for (leasing, how) in [
            (Leasing::Returned, &killed),
            (Leasing::Returned, &Ending::Revoked),
            (Leasing::Returned, &Ending::Interrupted),
            (Leasing::Leased, &exited),
            (Leasing::Uncertain, &exited),
        ] {
            assert_eq!(end(leasing, how), Some(QuotaEnd::Lost), "{leasing:?} {how:?}");
        }
    }

    #[test]
    fn whoever_keeps_the_sessions_end_is_not_waited_for_when_the_session_has_ended() {
        let agent = Arc::new(Agent::new("/nonexistent".into()));
        let (relay, kept) = Relay::start(agent, (AccountId(1), 1)).unwrap();
        relay.ended(&Ending::Exited(0));
        let mut kept = UnixStream::from(kept);
        assert!(frame::write(&mut kept, &QuotaRequest::Use, QUOTA_CAP).is_err());
    }

    #[test]
    fn what_was_said_before_the_end_is_heard() {
        let (mut session, ours) = UnixStream::pair().unwrap();
        let ended = ours.try_clone().unwrap();
        frame::write(&mut session, &QuotaRequest::Lease(SOME), QUOTA_CAP).unwrap();
        frame::write(&mut session, &RETURN, QUOTA_CAP).unwrap();
        ended.shutdown(Shutdown::Read).unwrap();
        assert_eq!(pass_on(&ours, |_| Some(QuotaAnswer::Taken)), Leasing::Returned);
    }

    #[test]
    fn a_frame_that_is_none_ends_the_relay() {
        let (session, ours) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut &session, &u32::MAX.to_be_bytes()).unwrap();
        assert_eq!(pass_on(&ours, |_| None), Leasing::NothingAsked);
    }
}
