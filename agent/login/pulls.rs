//! Pulls into repositories: each is a session of the repository's owner that nobody has logged in for, held to
//! a time, and ended with everything else of the account when that changes.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::login::Ending;
use accountd_protocol::metrics::SessionService;
use accountd_protocol::repository::{PullEnd, PullOrder, PullState, PullTicket};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::{info, warn};

use crate::connection::{self, Shared, Started};
use crate::control::Control;
use crate::error::Error;
use crate::plan;
use crate::registry::Registration;
use crate::word::Farewell;

/// The end of what a program says, in bytes.
const LONGEST_OUTPUT: usize = 8 * 1024;
/// How long what came of a pull is known here: the agent asks all the time.
const LIFETIME: Duration = Duration::from_secs(600);
/// Between two looks at the clock.
const LOOK: u16 = 200;
const PERIOD_PATIENCE: Duration = Duration::from_secs(5);
const STACK_BYTES: usize = 128 * 1024;

/// Those that are under way, and those that were a moment ago.
#[derive(Debug, Default)]
pub struct Pulls(Mutex<HashMap<PullTicket, Entry>>);

#[derive(Debug)]
struct Entry {
    state: PullState,
    control: Option<Arc<Control>>,
    /// Whoever wanted it wants it no more.
    is_unwanted: bool,
    over: Option<Instant>,
}

impl Pulls {
    /// Returns before it has begun.
    pub fn begin(self: &Arc<Self>, ticket: PullTicket, shared: &Shared) {
        let entry =
            Entry { state: PullState::Running { done: 0, total: 1 }, control: None, is_unwanted: false, over: None };
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.over.is_none_or(|over| over.elapsed() < LIFETIME));
        entries.insert(ticket, entry);
        drop(entries);
        let (pulls, shared) = (self.clone(), shared.clone());
        let named = std::thread::Builder::new().name("pull".into()).stack_size(STACK_BYTES);
        let spawned = named.spawn(move || {
            let end = pulls.run(ticket, &shared).unwrap_or_else(|error| {
                warn!(%error, "a pull is not run");
                PullEnd::NotRun("its session can not be started".into())
            });
            pulls.end(ticket, end);
        });
        if let Err(error) = spawned {
            self.end(ticket, PullEnd::NotRun(error.to_string()));
        }
    }

    pub fn state(&self, ticket: PullTicket) -> Option<PullState> {
        self.lock().get(&ticket).map(|entry| entry.state.clone())
    }

    /// Has it ended, if it is here.
    pub fn cancel(&self, ticket: PullTicket) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&ticket) else { return false };
        entry.is_unwanted = true;
        entry.control.iter().for_each(|control| control.tell(Farewell::Closed));
        true
    }

    fn run(&self, ticket: PullTicket, shared: &Shared) -> Result<PullEnd, Error> {
        // The period comes first, as for a login.
        let Some(asked) = shared.registry.period(PERIOD_PATIENCE) else {
            return Ok(PullEnd::NotRun("it is not known whether accounts have changed".into()));
        };
        let order = match shared.agent.take_pull(ticket) {
            Ok(order) => order,
            Err(why) => return Ok(PullEnd::NotRun(why)),
        };
        let place = match shared.registry.register_alone(&order.grant, asked, SessionService::Command) {
            Registration::Registered(place) => place,
            Registration::Void => return Ok(PullEnd::NotRun("its owner's account has changed".into())),
            Registration::Full => return Ok(PullEnd::NotRun("its owner has too many sessions".into())),
        };
        let (user, repository) = (order.grant.name.as_str().to_owned(), order.name.clone());
        let started = connection::start(shared, plan::pull(&order), (order.grant.account, &place))?;
        info!(user, repository, session = place.number(), "a pull has begun");
        self.set_control(ticket, &started.control);
        let end = self.follow(ticket, &order, started);
        info!(user, repository, session = place.number(), how = how(&end), "a pull has ended");
        Ok(end)
    }

    /// If it is unwanted meanwhile, that is told at once.
    fn set_control(&self, ticket: PullTicket, control: &Arc<Control>) {
        if let Some(entry) = self.lock().get_mut(&ticket) {
            if entry.is_unwanted {
                control.tell(Farewell::Closed);
            }
            entry.control = Some(control.clone());
        }
    }

    fn follow(&self, ticket: PullTicket, order: &PullOrder, started: Started) -> PullEnd {
        // It stores nothing by itself that there is a record of, and is held to no quota of this program's.
        let Started { control, front, .. } = started;
        let deadline = Instant::now() + Duration::from_secs(order.seconds.into());
        let mut front = front.into_iter();
        let (Some(input), Some(output)) = (front.next(), front.next()) else {
            control.tell(Farewell::Closed);
            return PullEnd::NotRun("its streams are not whole".into());
        };
        if let Ok(source) = serde_json::to_vec(&order.source) {
            // One that reads nothing has ended, and says so.
            let _ = std::fs::File::from(input).write_all(&source);
        }
        let said = self.listen(ticket, output, deadline);
        let is_late = said.is_none();
        if is_late {
            control.tell(Farewell::Closed);
        }
        let how = connection::ending(&control);
        let is_unwanted = self.lock().get(&ticket).is_some_and(|entry| entry.is_unwanted);
        match (how, said) {
            (Ending::Exited(0), Some(said)) => PullEnd::Done(said),
            (Ending::Revoked | Ending::Interrupted, _) => PullEnd::Ended,
            _ if is_unwanted => PullEnd::Ended,
            (Ending::Exited(_) | Ending::Killed(_), Some(said)) => PullEnd::Failed(said),
            (Ending::Exited(_) | Ending::Killed(_), None) => PullEnd::TooLong,
        }
    }

    /// The end of what the program says; `None` where it is still there when its time is over.
    fn listen(&self, ticket: PullTicket, output: OwnedFd, deadline: Instant) -> Option<String> {
        let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
        let mut output = std::fs::File::from(output);
        loop {
            if Instant::now() >= deadline {
                return None;
            }
            let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::from(LOOK)) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(_) => break,
            }
            match output.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => said.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
            if let Some((done, total)) = progress(&said) {
                self.set(ticket, PullState::Running { done, total });
            }
            let much = said.len().saturating_sub(LONGEST_OUTPUT);
            said.drain(..much);
        }
        Some(readable(&said))
    }

    fn set(&self, ticket: PullTicket, state: PullState) {
        self.lock().get_mut(&ticket).into_iter().for_each(|entry| entry.state = state.clone());
    }

    fn end(&self, ticket: PullTicket, end: PullEnd) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&ticket) else { return };
        (entry.state, entry.control, entry.over) = (PullState::Over(end), None, Some(Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PullTicket, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn how(end: &PullEnd) -> &'static str {
    match end {
        PullEnd::Done(_) => "done",
        PullEnd::Failed(_) => "failed",
        PullEnd::TooLong => "it has taken too long",
        PullEnd::Ended => "it was ended",
        PullEnd::NotRun(_) => "not run",
    }
}

/// What git says last of how many objects it has: `Receiving objects:  45% (9/20)`.
fn progress(said: &[u8]) -> Option<(u64, u64)> {
    let text = String::from_utf8_lossy(said);
    let (_, after) = text.rsplit_once("Receiving objects:")?;
    let numbers = after.split_once('(')?.1.split_once(')')?.0;
    let (done, total) = numbers.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok().filter(|total| *total > 0)?))
}

/// As it stands on a terminal at the end: of a line that was written over, the last.
fn readable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default().trim_end().to_owned();
    let lines: Vec<String> = text.lines().map(last).filter(|line| !line.is_empty()).collect();
    lines.join("\n").chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect()
}
