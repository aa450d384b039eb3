//! What accountd-login counts, and the last that the SSH front has said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::login::Ending;
use accountd_protocol::metrics::{
    LoginNumbers, LoginReport, LoginResult, MAX_AGE_SECONDS, NotOpened, ProofKind, SessionEnd, SessionService,
    SshNumbers, SshReport, Tally,
};

use crate::agent::Agent;
use crate::error::Error;

const PERIOD: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub struct Counters {
    pub logins: Tally<(ProofKind, LoginResult)>,
    begun: Tally<SessionService>,
    ended: Tally<SessionEnd>,
    running: Tally<SessionService>,
    pub not_opened: Tally<NotOpened>,
    front: Mutex<Option<(Instant, SshNumbers)>>,
}

/// A session that runs; counted as that until it is dropped.
#[derive(Debug)]
pub struct Running {
    counters: Arc<Counters>,
    service: SessionService,
    end: SessionEnd,
}

/// Whether its client has had a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    Wanted,
    NotWanted,
}

impl Running {
    pub fn new(counters: Arc<Counters>, service: SessionService) -> Self {
        counters.begun.one(service);
        counters.running.one(service);
        // Without anybody left who waits for its end.
        Self { counters, service, end: SessionEnd::Closed }
    }

    pub fn ended(mut self, how: &Ending, close: Close) {
        self.end = match (how, close) {
            (Ending::Revoked, _) => SessionEnd::Revoked,
            (Ending::Interrupted, _) => SessionEnd::Interrupted,
            (Ending::Exited(0), _) => SessionEnd::ExitedOk,
            (Ending::Exited(_) | Ending::Killed(_), Close::Wanted) => SessionEnd::Closed,
            (Ending::Exited(_), Close::NotWanted) => SessionEnd::ExitedError,
            (Ending::Killed(_), Close::NotWanted) => SessionEnd::Killed,
        };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counters.running.less(self.service);
        self.counters.ended.one(self.end);
    }
}

impl Counters {
    /// The front has counted this.
    pub fn hear(&self, numbers: SshNumbers, now: Instant) {
        *self.front() = Some((now, numbers));
    }

    fn report(&self, now: Instant) -> LoginReport {
        let login = LoginNumbers {
            logins: self.logins.numbers(),
            begun: self.begun.numbers(),
            ended: self.ended.numbers(),
            running: self.running.numbers(),
            not_opened: self.not_opened.numbers(),
        };
        let ssh = self.front().as_ref().and_then(|(heard, numbers)| {
            let age_seconds = now.saturating_duration_since(*heard).as_secs();
            (age_seconds <= MAX_AGE_SECONDS).then(|| SshReport { numbers: numbers.clone(), age_seconds })
        });
        LoginReport { login, ssh }
    }

    fn front(&self) -> MutexGuard<'_, Option<(Instant, SshNumbers)>> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread that tells the agent, for as long as the program runs. What can't be told now
/// is in the numbers that come next.
pub fn tell(agent: Arc<Agent>, counters: Arc<Counters>) -> Result<(), Error> {
    let named = std::thread::Builder::new().name("numbers".into());
    let thread = named.spawn(move || {
        loop {
            agent.report(counters.report(Instant::now()));
            std::thread::sleep(PERIOD);
        }
    });
    thread.map(drop).map_err(Error::Thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_in_one_way_and_runs_no_more() {
        let counters = Arc::new(Counters::default());
        let ends = [
            (Ending::Exited(0), Close::NotWanted, SessionEnd::ExitedOk),
            (Ending::Exited(0), Close::Wanted, SessionEnd::ExitedOk),
            (Ending::Exited(1), Close::NotWanted, SessionEnd::ExitedError),
            (Ending::Exited(1), Close::Wanted, SessionEnd::Closed),
            (Ending::Killed(9), Close::NotWanted, SessionEnd::Killed),
            (Ending::Killed(15), Close::Wanted, SessionEnd::Closed),
            (Ending::Revoked, Close::NotWanted, SessionEnd::Revoked),
            (Ending::Interrupted, Close::NotWanted, SessionEnd::Interrupted),
        ];
        for (how, close, end) in ends {
            let before = counters.ended.numbers().rows();
            let running = Running::new(counters.clone(), SessionService::Sftp);
            assert_eq!(counters.running.numbers().rows()[0], (SessionService::Sftp, 1));
            running.ended(&how, close);
            let moved = counters.ended.numbers().rows().into_iter().zip(before).filter(|(now, then)| now != then);
            assert_eq!(moved.map(|((end, _), _)| end).collect::<Vec<_>>(), [end], "{how:?} {close:?}");
            assert_eq!(counters.running.numbers().rows()[0], (SessionService::Sftp, 0));
        }
        assert_eq!(counters.begun.numbers().rows()[0], (SessionService::Sftp, 8));
    }

    #[test]
    fn numbers_of_a_front_that_says_no_more_are_told_with_their_age_and_then_no_more() {
        let (counters, now) = (Counters::default(), Instant::now());
        assert_eq!(counters.report(now).ssh, None);
        let numbers = SshNumbers { open: 3.into(), ..SshNumbers::default() };
        counters.hear(numbers.clone(), now);
        let report = |seconds| counters.report(now + Duration::from_secs(seconds)).ssh;
        assert_eq!(report(7), Some(SshReport { numbers, age_seconds: 7 }));
        assert!(report(60).is_some() && report(61).is_none());
    }
}
