//! Pulls: `accountd-login` runs them as the owner, because the agent has no network, and is asked how far
//! they are.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use accountd_protocol::agent::{SessionQuestion, SessionReply};
use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use accountd_protocol::job::JobResult;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{
    PullEnd, PullOrder, PullSource, PullState, PullTicket, Pulled, RepositoryFault, RepositoryId, RepositoryRef,
};

use super::create::target;
use super::sight::Seer;
use crate::agent::{Agent, now};
use crate::database::RepositoryRow;
use crate::error::Error;
use crate::identity::handles::Caller;
use crate::jobs::{Ending, Progress};

/// Between two looks at a pull.
const LOOK: Duration = Duration::from_millis(100);
/// Login is not believed to be running a pull of which it has known nothing for so many looks.
const MOST_SILENCES: u32 = 20;

/// Those that login has not taken yet.
#[derive(Debug, Default)]
pub struct Pulls(Mutex<HashMap<PullTicket, RepositoryId>>);

impl Pulls {
    fn lock(&self) -> MutexGuard<'_, HashMap<PullTicket, RepositoryId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    /// One that the caller may pull into, and that there is something to pull for.
    pub(crate) fn pullable(&self, caller: Caller, which: &RepositoryRef) -> Result<RepositoryId, Refusal> {
        let view = self.database.certain_view()?;
        let seer = Seer::new(self, &view, caller.account)?;
        let row = self.administered(&seer, which)?.row;
        let uri = row.clone_uri.as_ref().ok_or(RepositoryFault::NoCloneUri)?;
        if !self.config().repositories.pull_schemes.contains(&uri.scheme()) {
            return Err(RepositoryFault::SchemeNotAllowed(uri.scheme().name().into()).into());
        }
        match self.repositories.book.is_pulling(row.id) {
            true => Err(RepositoryFault::Pulling.into()),
            false => Ok(row.id),
        }
    }

    /// Whoever has asked for it has to be permitted it still.
    pub(crate) fn run_pull(
        &self,
        (by, caller): (Actor, Caller),
        id: RepositoryId,
        progress: &Progress<'_>,
    ) -> Result<Ending, Refusal> {
        self.pullable(caller, &RepositoryRef::Id(id))?;
        let _pulling = self.repositories.book.begin_pull(id)?;
        let row = self.repositories.book.find(&RepositoryRef::Id(id)).ok_or(RepositoryFault::NotFound)?;
        let ticket = PullTicket(random()?);
        self.repositories.pulls.lock().insert(ticket, id);
        let begun = self.open_sessions.ask_one(&SessionQuestion::BeginPull(ticket));
        let end = begun.map(|_| self.watch_pull(ticket, progress));
        self.repositories.pulls.lock().remove(&ticket);
        self.pulled(&by, &row, end?)
    }

    fn watch_pull(&self, ticket: PullTicket, progress: &Progress<'_>) -> PullEnd {
        let (mut silences, mut is_told) = (0, false);
        loop {
            std::thread::sleep(LOOK);
            if !is_told && progress.is_cancelled() {
                is_told = self.open_sessions.ask(&SessionQuestion::EndPull(ticket)).is_ok();
            }
            let said = self.open_sessions.ask(&SessionQuestion::LookAtPull(ticket)).unwrap_or_default();
            let state = said.into_iter().find_map(|reply| match reply {
                SessionReply::Pull(state) => Some(state),
                SessionReply::Connections(_)
                | SessionReply::Closed
                | SessionReply::NotFound
                | SessionReply::PullBegun => None,
            });
            match state {
                Some(PullState::Over(end)) => return end,
                Some(PullState::Running { done, total }) => {
                    silences = 0;
                    progress.set(done, total);
                }
                None if silences >= MOST_SILENCES => return PullEnd::NotRun("accountd-login was restarted".into()),
                None => silences += 1,
            }
        }
    }

    /// What came of it, recorded.
    fn pulled(&self, by: &Actor, row: &RepositoryRow, end: PullEnd) -> Result<Ending, Refusal> {
        let uri = row.clone_uri.as_ref();
        let redacted = |text: String| uri.map_or(text.clone(), |uri| uri.redact(&text));
        match end {
            PullEnd::Done(output) => {
                let from = uri.map(|uri| FieldChange::new("pulled_from", None, Some(uri.shown().into())));
                let (action, changes) = (AuditAction::PullRepository, from.into_iter().collect());
                let event = AuditEvent::done(by.clone(), action, Some(target(&row.name)), changes);
                self.database.record(vec![event])?;
                let pulled = Pulled { repository: row.id, name: row.name.clone(), output: redacted(output) };
                Ok(Ending::Done(JobResult::Pulled(pulled)))
            }
            PullEnd::Failed(output) => Err(RepositoryFault::PullFailed(redacted(output)).into()),
            PullEnd::TooLong => {
                Err(RepositoryFault::PullTooLong(self.config().repositories.pull_seconds.into()).into())
            }
            PullEnd::NotRun(why) => Err(RepositoryFault::PullNotRun(why).into()),
            PullEnd::Ended => Ok(Ending::Cancelled),
        }
    }

    /// What login runs for a ticket, as the owner is now.
    pub(crate) fn take_pull(&self, ticket: PullTicket) -> Result<PullOrder, Refusal> {
        let id = self.repositories.pulls.lock().remove(&ticket).ok_or(RepositoryFault::NotFound)?;
        let row = self.repositories.book.find(&RepositoryRef::Id(id)).ok_or(RepositoryFault::NotFound)?;
        let uri = row.clone_uri.ok_or(RepositoryFault::NoCloneUri)?;
        let not_run = |why: &str| RepositoryFault::PullNotRun(why.to_owned());
        let grant = self.grant_without_login(row.owner, now()).map_err(not_run)?;
        let config = self.config();
        let settings = &config.repositories;
        Ok(PullOrder {
            grant,
            kind: row.kind,
            root: settings.root.as_str().to_owned(),
            name: row.name,
            source: PullSource { uri, schemes: settings.pull_schemes.iter().copied().collect() },
            seconds: settings.pull_seconds,
        })
    }
}

fn random() -> Result<u64, Refusal> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error).into_refusal())?;
    Ok(u64::from_le_bytes(bytes))
}
