//! The one thread that changes the accounts: takes what is waiting, all under one lock and in
//! one commit, each change with its own answer.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError, Sender};
use std::time::Duration;

use accountd_config::Audit;
use accountd_protocol::agent::{Generation, Revocation};
use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::audit::AuditEvent;
use accountd_protocol::refusal::Refusal;

use super::changed::Purpose;
use super::commit::Place;
use super::copier::Copier;
use super::copies::{Copies, Step};
use super::credentials::CredentialWrite;
use super::disk::{Disk, Fingerprints};
use super::draft::{Batch, Draft};
use super::error::DatabaseError;
use super::lock::{self, PasswordLock};
use super::quota_counts::QuotaWrite;
use super::quota_store::Touched;
use super::repositories::RepositoryWrite;
use super::revoked::{revoked, touched};
use super::row::Origin;
use super::ssh_key_store::KeyJob;
use super::state::{Note, State};
use super::transfers::TransferRow;
use crate::sys::heap;

/// The most changes in one commit.
const MOST_AT_ONCE: usize = 256;
/// Between two commits when more is waiting, so that other programs get the lock.
const GAP: Duration = Duration::from_millis(2);
/// So many changed lines and rows leave memory free that is worth giving back.
const MUCH: usize = 4_000;
/// With so many files' records in the state store they are moved although somebody waits.
const MUCH_AUDIT: u64 = 4;
/// How long nobody has asked for anything when it is.
const QUIET: Duration = Duration::from_millis(500);
/// Whoever only wants to read waits this long for a program that holds the lock. Each file is
/// whole at any time; waiting only makes it likelier that they fit together.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// What the writer is asked for.
pub(super) enum Job {
    Change(Box<dyn Change>),
    /// Read again what others have changed.
    Refresh(Sender<Result<(), Refusal>>),
    Note(Note, Sender<Result<(), Refusal>>),
    /// Store how far a transfer is.
    Transfer(Box<TransferRow>, Sender<Result<(), Refusal>>),
    /// Store when an API key was used.
    KeyUse(ApiKeyId, u64),
    /// Store what quotas have counted or set; whoever waits for it is told.
    Quota(QuotaWrite, Option<Sender<Result<(), Refusal>>>),
    /// Store what of credentials is beside the accounts; whoever waits for it is told.
    Credential(CredentialWrite, Option<Sender<Result<(), Refusal>>>),
    /// Make the good copy now; said when that is over.
    CopyNow(Sender<()>),
    /// Store that the key file in this home is in its place, or will not be.
    KeyFile(String),
    /// Store what has become of a repository, with its records.
    Repository(RepositoryWrite, Vec<AuditEvent>, Sender<Result<(), Refusal>>),
    /// Rows of SSH keys.
    SshKeys(KeyJob),
    /// Store records of what is no change.
    Record(Vec<AuditEvent>, Sender<Result<(), Refusal>>),
}

/// One request's change and the way back to it.
pub(super) trait Change: Send {
    /// Edits the draft; on a refusal the edits are undone.
    fn apply(&mut self, draft: &mut Draft<'_>) -> Result<(), ()>;
    /// In whose name it is made.
    fn purpose(&self) -> &Purpose;
    /// Tells the request what came of it; `generation` is the one that its change is in.
    fn answer(self: Box<Self>, committed: Result<Generation, Refusal>);
}

/// Called once, after everybody has been answered: with a damaged state store nothing more can be
/// done, and the agent has to be started again.
pub type OnDamaged = Box<dyn FnOnce() + Send>;

/// Called after each commit with the users whose sessions and handles are void now.
pub type OnRevoked = Box<dyn Fn(&[Revocation]) + Send>;

pub(super) struct Writer {
    pub root: PathBuf,
    pub disk: Disk,
    pub state: State,
    pub copies: Copies,
    pub next_user: u64,
    pub next_group: u64,
    /// Until the first reading is stored, accounts that appear are built in.
    pub origin: Origin,
    pub on_revoked: OnRevoked,
    pub touched: Touched,
    pub copier: Copier,
    /// The state store has been found damaged.
    pub is_damaged: bool,
    /// How many lines and rows have changed since free memory was given back.
    pub left_free: usize,
    pub audit: Audit,
    /// Homes whose key files are in their places, where that is not stored yet.
    pub placed: Vec<String>,
}

/// Why the writer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    NobodyAsks,
    Damaged,
}

impl Writer {
    pub fn run(mut self, jobs: &Receiver<Job>) -> End {
        while !self.is_damaged {
            self.copier.tell(self.state.changes());
            let first = match jobs.try_recv() {
                Ok(job) => {
                    std::thread::sleep(GAP);
                    if self.state.audit_records() >= MUCH_AUDIT * self.audit.file_records {
                        self.rotate();
                    }
                    job
                }
                Err(_) => {
                    // Nobody waits: time to make the copy ready that the next change works on.
                    self.copies.work();
                    self.rotate();
                    match self.next(jobs) {
                        Ok(job) => job,
                        Err(_) => return End::NobodyAsks,
                    }
                }
            };
            let mut batch = vec![first];
            batch.extend(jobs.try_iter().take(MOST_AT_ONCE - 1));
            self.serve(batch);
        }
        End::Damaged
    }

    /// The next job, however long that takes. What much work has left free is given back first, once
    /// its requests are at their end too.
    fn next(&mut self, jobs: &Receiver<Job>) -> Result<Job, RecvError> {
        if self.left_free >= MUCH {
            match jobs.recv_timeout(QUIET) {
                Ok(job) => return Ok(job),
                Err(RecvTimeoutError::Disconnected) => return Err(RecvError),
                Err(RecvTimeoutError::Timeout) => {
                    heap::give_back();
                    self.left_free = 0;
                }
            }
        }
        jobs.recv()
    }

    /// Copies the state store as it is at start. Where that can't be done the agent goes on, and it
    /// is tried again.
    pub fn keep_good_copy(&mut self) {
        match self.state.keep_good_copy() {
            Ok(()) => self.copier.copied(self.state.changes()),
            Err(error) => tracing::error!(%error, "no good copy of the state store can be made; the last one stays"),
        }
    }

    /// Moves older records of the audit trail into files. Where that fails they stay where they are,
    /// and it is tried again when there are more.
    fn rotate(&mut self) {
        if let Err(error) = self.state.rotate_audit(&self.audit) {
            tracing::error!(%error, "older records of the audit trail can not be moved into a file");
        }
    }

    pub(super) fn refusal(&mut self, error: DatabaseError) -> Refusal {
        self.is_damaged |= error.ends_the_agent();
        error.into_refusal()
    }

    fn serve(&mut self, batch: Vec<Job>) {
        let (mut changes, mut refreshes) = (Vec::new(), Vec::new());
        for job in batch {
            match job {
                Job::Change(change) => changes.push(change),
                Job::Refresh(answer) => refreshes.push(answer),
                Job::Note(note, answer) => {
                    let stored = self.state.note(&note).map_err(|error| self.refusal(error.into()));
                    // Whoever asked may have given up waiting.
                    let _ = answer.send(stored);
                }
                Job::KeyUse(id, time) => {
                    if let Err(error) = self.state.note_key_use(id, time) {
                        tracing::error!(%error, "it can not be stored that an API key was used");
                        self.is_damaged |= DatabaseError::from(error).ends_the_agent();
                    }
                }
                Job::Quota(write, answer) => self.write_quota(&write, answer),
                Job::Credential(write, answer) => self.write_credential(&write, answer),
                Job::CopyNow(answer) => self.copier.copy_now(self.state.changes(), answer),
                Job::Repository(write, events, answer) => {
                    let stored = self.state.write_repository(&write, &events);
                    let _ = answer.send(stored.map_err(|error| self.refusal(error.into())));
                }
                Job::KeyFile(home) => self.placed.push(home),
                Job::SshKeys(job) => self.serve_ssh_keys(job),
                Job::Record(events, answer) => {
                    let stored = self.state.record(events).map_err(|error| self.refusal(error.into()));
                    let _ = answer.send(stored);
                }
                Job::Transfer(row, answer) => {
                    let stored = self.state.update_transfer(&row).map_err(DatabaseError::from);
                    let _ = answer.send(stored.map_err(DatabaseError::into_refusal));
                }
            }
        }
        self.forget_placed();
        if !refreshes.is_empty() {
            let refreshed = self.catch_up().map_err(|error| self.refusal(error));
            for answer in refreshes {
                // Whoever asked may have given up waiting.
                let _ = answer.send(refreshed.clone());
            }
        }
        if !changes.is_empty() {
            self.change(changes);
        }
    }

    fn write_quota(&mut self, write: &QuotaWrite, answer: Option<Sender<Result<(), Refusal>>>) {
        let written = self.state.write_quota(write).map_err(|error| self.refusal(error.into()));
        match answer {
            // Whoever asked may have given up waiting.
            Some(answer) => drop(answer.send(written)),
            None => {
                if let Err(refusal) = written {
                    tracing::error!(%refusal, "it can not be stored what quotas have counted");
                }
            }
        }
    }

    fn write_credential(&mut self, write: &CredentialWrite, answer: Option<Sender<Result<(), Refusal>>>) {
        let written = self.state.write_credential(write).map_err(|error| self.refusal(error.into()));
        match answer {
            // Whoever asked may have given up waiting.
            Some(answer) => drop(answer.send(written)),
            None => {
                if let Err(refusal) = written {
                    tracing::error!(%refusal, "what belongs to a credential can not be stored");
                }
            }
        }
    }

    /// All of them at once. Where that fails, it is tried again with the next job.
    fn forget_placed(&mut self) {
        if self.placed.is_empty() {
            return;
        }
        match self.state.forget_key_files(&self.placed) {
            Ok(()) => self.placed.clear(),
            Err(error) => {
                tracing::error!(%error, "it can not be stored that key files are in their places");
                self.is_damaged |= DatabaseError::from(error).ends_the_agent();
            }
        }
    }

    /// Reads what others have changed; nothing is written into the files, so a lock that
    /// somebody keeps for long does not keep this from happening.
    fn catch_up(&mut self) -> Result<(), DatabaseError> {
        if self.is_known()? {
            return Ok(());
        }
        let lock = match PasswordLock::wait(self.disk.etc(), READ_PATIENCE) {
            Err(lock::LockError::Busy) => None,
            lock => Some(lock?),
        };
        self.refresh()?;
        drop(lock);
        Ok(())
    }

    /// Takes the lock, completes what was interrupted, reads what others changed, then commits.
    fn change(&mut self, changes: Vec<Box<dyn Change>>) {
        let ready = PasswordLock::wait(self.disk.etc(), lock::DEADLINE).map_err(DatabaseError::from).and_then(|lock| {
            Place { disk: &self.disk, root: &self.root, state: &mut self.state }.recover()?;
            self.refresh()?;
            Ok(lock)
        });
        match ready {
            Ok(lock) => {
                let answers = self.commit(changes);
                drop(lock);
                answers.into_iter().for_each(|(change, committed)| change.answer(committed));
            }
            Err(error) => {
                let refusal = self.refusal(error);
                changes.into_iter().for_each(|change| change.answer(Err(refusal.clone())));
            }
        }
    }

    fn commit(&mut self, changes: Vec<Box<dyn Change>>) -> Vec<Answered> {
        let before = self.copies.public().generation();
        let mut draft = Draft::new(self.copies.work(), self.next_user, self.next_group);
        let (mut accepted, mut answers) = (Vec::new(), Vec::new());
        for mut change in changes {
            let savepoint = draft.savepoint();
            match change.apply(&mut draft) {
                Ok(()) => {
                    draft.accept(savepoint, change.purpose());
                    accepted.push(change);
                }
                Err(()) => {
                    draft.roll_back(savepoint);
                    answers.push((change, Ok(before)));
                }
            }
        }
        let batch = draft.finish();
        let written = self.write(batch).map_err(|error| self.refusal(error));
        answers.extend(accepted.into_iter().map(|change| (change, written.clone())));
        answers
    }

    /// Makes what the changes did in memory true on disk, or undoes it.
    fn write(&mut self, mut batch: Batch) -> Result<Generation, DatabaseError> {
        if batch.edits.is_empty() && batch.actions.is_empty() && batch.events.is_empty() {
            return Ok(self.copies.public().generation());
        }
        let mut place = Place { disk: &self.disk, root: &self.root, state: &mut self.state };
        match place.commit(self.copies.work(), &mut batch) {
            Ok(fingerprints) => {
                (self.next_user, self.next_group) = (batch.next_user, batch.next_group);
                Ok(self.publish(batch.edits.into_iter().map(Step::Edit).collect(), fingerprints))
            }
            Err(error) => {
                let work = self.copies.work();
                batch.edits.iter().rev().for_each(|edit| work.undo(edit));
                Err(error)
            }
        }
    }

    /// Shows the readers what has been worked, and tells whose sessions are void.
    pub(super) fn publish(&mut self, steps: Vec<Step>, fingerprints: Fingerprints) -> Generation {
        let (before, work) = (self.copies.public(), self.copies.work());
        self.left_free += steps.iter().map(Step::size).sum::<usize>();
        let names = touched(&steps, &before, work);
        self.copies.publish(steps, fingerprints);
        let revoked = revoked(&before, &self.copies.public(), &names);
        if !revoked.is_empty() {
            (self.on_revoked)(&revoked);
        }
        self.touched.tell(&before, &self.copies.public(), &names);
        self.copies.public().generation()
    }
}

type Answered = (Box<dyn Change>, Result<Generation, Refusal>);
