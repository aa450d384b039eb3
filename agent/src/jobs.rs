//! Jobs: requests that are worked on while nobody waits, and what came of them for a day.
//!
//! They are kept in memory: after a restart of the agent there are none. What a job has changed is
//! in the audit trail, and one that was interrupted has changed nothing or all.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::batch::{Batch, Effect, ItemOutcome};
use accountd_protocol::id::AccountId;
use accountd_protocol::import::Import;
use accountd_protocol::job::{Job, JobId, JobKind, JobResult, JobState, MadePassword, Passwords};
use accountd_protocol::refusal::{InvalidItem, Refusal};
use accountd_protocol::repository::RepositoryId;

use crate::agent::Agent;
use crate::audit::{Subject, moment};
use crate::error::Error;
use crate::identity::handles::Caller;
use crate::job_passwords::KeptPasswords;

#[cfg(test)]
mod tests;

/// So many are worked on at a time; each takes both of its turns at hashing and at the lock.
const WORKERS: usize = 2;
/// The same of pulls, each of which waits for others most of its time.
const PULLERS: usize = 4;
/// More requests than this do not wait: they are refused.
const MOST_WAITING: usize = 64;
/// The same by their accounts: whoever has begun some must not fill the memory with more.
const MOST_ITEMS_WAITING: u64 = 40_000;
/// The most jobs that are remembered; those that are over give way, the oldest first.
const MOST: usize = 1024;
/// The same by their accounts, each of which has its outcome.
const MOST_ITEMS: u64 = 200_000;
/// How long a job is remembered that is over.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to be done, and in whose name.
#[derive(Debug)]
pub struct Work {
    pub by: Actor,
    pub caller: Caller,
    pub task: Task,
}

#[derive(Debug)]
pub enum Task {
    Batch(Batch),
    Import(Import),
    Pull(RepositoryId),
}

/// Jobs of one line do not wait for those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Accounts,
    Pulls,
}

/// What came of a job.
#[derive(Debug)]
pub enum Ending {
    Done(JobResult),
    /// With the passwords that were made for items of it.
    DoneWith(JobResult, Vec<MadePassword>),
    /// Nothing was changed.
    Failed(JobResult),
    Cancelled,
}

/// How far a job is, for whoever works on it.
#[derive(Debug)]
pub struct Progress<'a> {
    jobs: &'a Jobs,
    id: JobId,
}

#[derive(Debug, Default)]
pub struct Jobs {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<JobId, Entry>,
    waiting: VecDeque<(JobId, Work)>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    passwords: KeptPasswords,
    is_cancelled: bool,
    over: Option<Instant>,
}

impl Task {
    fn kind(&self) -> JobKind {
        match self {
            Task::Batch(_) => JobKind::Batch,
            Task::Import(_) => JobKind::Import,
            Task::Pull(_) => JobKind::Pull,
        }
    }

    fn action(&self) -> AuditAction {
        match self {
            Task::Batch(_) => AuditAction::Batch,
            Task::Import(_) => AuditAction::Import,
            Task::Pull(_) => AuditAction::PullRepository,
        }
    }

    fn line(&self) -> Line {
        match self {
            Task::Batch(_) | Task::Import(_) => Line::Accounts,
            Task::Pull(_) => Line::Pulls,
        }
    }

    fn effect(&self) -> Effect {
        match self {
            Task::Batch(batch) => batch.effect,
            Task::Import(import) => import.effect,
            Task::Pull(_) => Effect::Made,
        }
    }

    fn items(&self) -> u64 {
        let items = match self {
            Task::Batch(batch) => batch.items.len(),
            Task::Import(import) => import.backup.users.len(),
            Task::Pull(_) => 1,
        };
        items as u64
    }
}

impl Ending {
    fn failed() -> Self {
        Ending::Failed(JobResult::Refused(Refusal::Internal("internal error".into())))
    }
}

impl Agent {
    /// To be called once.
    pub(crate) fn start_jobs(self: &Arc<Self>) -> Result<(), Error> {
        let kinds = [(Line::Accounts, WORKERS), (Line::Pulls, PULLERS)];
        for line in kinds.into_iter().flat_map(|(line, count)| std::iter::repeat_n(line, count)) {
            let agent = self.clone();
            let work = move || {
                loop {
                    let (id, work) = agent.jobs.next(line);
                    let progress = Progress { jobs: &agent.jobs, id };
                    // One that panics leaves the worker to the others.
                    let ending = catch_unwind(AssertUnwindSafe(|| agent.work_on(work, &progress)));
                    agent.jobs.end(id, ending.unwrap_or_else(|_| Ending::failed()));
                }
            };
            std::thread::Builder::new().name("job".into()).spawn(work).map_err(Error::Jobs)?;
        }
        Ok(())
    }
}

impl Agent {
    /// Works on a job to its end; whoever asked for it has to be permitted it still.
    fn work_on(&self, Work { by, caller, task }: Work, progress: &Progress<'_>) -> Ending {
        let (who, action, effect) = (by.clone(), task.action(), task.effect());
        let ended = match task {
            Task::Batch(batch) => self.run_batch((by, caller), batch, progress),
            Task::Import(import) => self.run_import((by, caller), import, progress),
            Task::Pull(id) => self.run_pull((by, caller), id, progress),
        };
        let ending = ended.unwrap_or_else(|refusal| Ending::Failed(JobResult::Refused(refusal)));
        // Whoever only tries is not refused anything, but what it may not do.
        if let Ending::Failed(result) = &ending
            && let Some(refusal) = refusal_of(result)
            && (effect == Effect::Made || refusal == Refusal::NotPermitted)
        {
            self.record_refused_operation(who, (action, &Subject::Nobody), &refusal);
        }
        ending
    }
}

impl Jobs {
    /// Enters a job, and waits for its end for so long.
    pub fn begin(&self, work: Work, patience: Duration) -> Result<Job, Refusal> {
        let id = JobId(random()?);
        let job = Job {
            id,
            kind: work.task.kind(),
            account: work.caller.account,
            state: JobState::Waiting,
            done: 0,
            total: work.task.items(),
            begun: moment(),
            ended: None,
            result: None,
            passwords: Vec::new(),
        };
        let (caller, passwords) = (work.caller, KeptPasswords::of(work.caller));
        let mut inner = self.lock();
        inner.forget(Instant::now());
        if !inner.has_room(job.total) {
            return Err(Refusal::Busy);
        }
        inner.entries.insert(id, Entry { job, passwords, is_cancelled: false, over: None });
        inner.waiting.push_back((id, work));
        self.changed.notify_all();
        let is_under_way = |inner: &mut Inner| inner.entries.get(&id).is_some_and(|entry| !entry.job.state.is_over());
        let waited = self.changed.wait_timeout_while(inner, patience, is_under_way);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inner.entries.get_mut(&id).map(|entry| entry.said(caller, Passwords::Taken)).ok_or(Refusal::NotFound)
    }

    /// A job that this account has begun.
    pub fn get(&self, id: JobId, caller: Caller, passwords: Passwords) -> Result<Job, Refusal> {
        let mut inner = self.lock();
        inner.drop_passwords(Instant::now());
        let entry = inner.entries.get_mut(&id).filter(|entry| entry.job.account == caller.account);
        entry.map(|entry| entry.said(caller, passwords)).ok_or(Refusal::NotFound)
    }

    /// Those that this account has begun, the newest first.
    pub fn list(&self, account: AccountId) -> Vec<Job> {
        let inner = self.lock();
        let own = inner.entries.values().map(|entry| &entry.job).filter(|job| job.account == account);
        let mut jobs: Vec<Job> = own.map(without_result).collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.begun));
        jobs
    }

    /// A job that has not changed anything yet will not; one that is over stays as it is.
    pub fn cancel(&self, id: JobId, account: AccountId) -> Result<Job, Refusal> {
        let mut inner = self.lock();
        let entry = inner.entries.get_mut(&id).filter(|entry| entry.job.account == account).ok_or(Refusal::NotFound)?;
        entry.is_cancelled = true;
        if entry.job.state == JobState::Waiting {
            inner.waiting.retain(|(waiting, _)| *waiting != id);
            inner.end(id, Ending::Cancelled);
            self.changed.notify_all();
        }
        inner.entries.get(&id).map(|entry| entry.job.clone()).ok_or(Refusal::NotFound)
    }

    /// The first that waits in a line.
    fn next(&self, line: Line) -> (JobId, Work) {
        let mut inner = self.lock();
        loop {
            let first = inner.waiting.iter().position(|(_, work)| work.task.line() == line);
            if let Some((id, work)) = first.and_then(|index| inner.waiting.remove(index)) {
                inner.entries.get_mut(&id).into_iter().for_each(|entry| entry.job.state = JobState::Running);
                return (id, work);
            }
            // Whoever has nothing to do looks after what must not be kept for long.
            let next = inner.drop_passwords(Instant::now()).unwrap_or(LIFETIME);
            inner = self.changed.wait_timeout(inner, next).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn end(&self, id: JobId, ending: Ending) {
        self.lock().end(id, ending);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn end(&mut self, id: JobId, ending: Ending) {
        let Some(Entry { job, passwords, over, .. }) = self.entries.get_mut(&id) else { return };
        (job.ended, *over) = (Some(moment()), Some(Instant::now()));
        (job.state, job.result) = match ending {
            Ending::Done(result) => (JobState::Done, Some(result)),
            Ending::DoneWith(result, made) => {
                job.passwords = passwords.keep(made, Instant::now());
                (JobState::Done, Some(result))
            }
            Ending::Failed(result) => (JobState::Failed, Some(result)),
            Ending::Cancelled => (JobState::Cancelled, None),
        };
    }

    /// Whether one more of so many accounts may wait. Where none waits, it may.
    fn has_room(&self, items: u64) -> bool {
        let waiting: u64 = self.waiting.iter().map(|(_, work)| work.task.items()).sum();
        self.waiting.is_empty() || self.waiting.len() < MOST_WAITING && waiting + items <= MOST_ITEMS_WAITING
    }

    fn is_full(&self) -> bool {
        let items: u64 = self.entries.values().map(|entry| entry.job.total).sum();
        self.entries.len() >= MOST || items > MOST_ITEMS
    }

    /// Drops passwords that have waited too long; gives the time until the next have.
    fn drop_passwords(&mut self, now: Instant) -> Option<Duration> {
        self.entries.values_mut().filter_map(|entry| entry.passwords.drop_late(now)).min()
    }

    /// Drops what is over for a day, and the oldest of what is over where there are too many.
    fn forget(&mut self, now: Instant) {
        self.entries.retain(|_, entry| entry.over.is_none_or(|over| now.duration_since(over) < LIFETIME));
        while self.is_full() {
            let over = self.entries.iter().filter_map(|(id, entry)| Some((entry.over?, *id))).min();
            let Some((_, id)) = over else { return };
            self.entries.remove(&id);
        }
    }
}

impl Entry {
    fn said(&mut self, caller: Caller, passwords: Passwords) -> Job {
        let mut job = self.job.clone();
        let taken = match passwords {
            Passwords::Left => None,
            Passwords::Taken => self.passwords.take(caller),
        };
        job.passwords = taken.unwrap_or(job.passwords);
        job
    }
}

impl Progress<'_> {
    /// One more item is ready.
    pub fn step(&self) {
        let mut inner = self.jobs.lock();
        inner.entries.get_mut(&self.id).into_iter().for_each(|entry| entry.job.done += 1);
    }

    /// So many of so many are ready.
    pub fn set(&self, done: u64, total: u64) {
        let mut inner = self.jobs.lock();
        inner.entries.get_mut(&self.id).into_iter().for_each(|entry| {
            (entry.job.done, entry.job.total) = (done, total);
        });
    }

    /// To be asked before anything is changed.
    pub fn is_cancelled(&self) -> bool {
        self.jobs.lock().entries.get(&self.id).is_none_or(|entry| entry.is_cancelled)
    }
}

/// What came of a job is in the job itself, and not in a list of them.
fn without_result(job: &Job) -> Job {
    let Job { id, account, kind, state, done, total, begun, ended, result: _, passwords: _ } = *job;
    Job { id, account, kind, state, done, total, begun, ended, result: None, passwords: Vec::new() }
}

/// Why a job that has failed was refused: of several items the first that was.
fn refusal_of(result: &JobResult) -> Option<Refusal> {
    match result {
        JobResult::Refused(refusal) => Some(refusal.clone()),
        JobResult::Pulled(_) => None,
        JobResult::Batch(outcomes) => outcomes.iter().enumerate().find_map(|(index, outcome)| match outcome {
            ItemOutcome::Refused(Refusal::Invalid(invalid)) => {
                Some(Refusal::InvalidItems(vec![InvalidItem { index, invalid: invalid.clone() }]))
            }
            ItemOutcome::Refused(refusal) => Some(refusal.clone()),
            ItemOutcome::Done(_) | ItemOutcome::NotDone => None,
        }),
        JobResult::Import(report) => {
            let first = report.items.iter().find(|item| !item.open.is_empty());
            first.map(|item| Refusal::InvalidItems(vec![InvalidItem { index: item.index, invalid: item.open.clone() }]))
        }
    }
}

fn random() -> Result<u64, Refusal> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Error::Random(error).into_refusal())?;
    Ok(u64::from_le_bytes(bytes))
}
