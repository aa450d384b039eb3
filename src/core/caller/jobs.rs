//! Many changes at once, and backups.

use accountd_protocol::agent::Operation;
use accountd_protocol::backup::Backup;
use accountd_protocol::batch::Batch;
use accountd_protocol::import::Import;
use accountd_protocol::job::{Job, JobId, Passwords};

use super::{Caller, open};
use crate::error::Error;

impl Caller {
    /// Many changes at once; a job that may not be at its end yet.
    pub async fn batch(&self, batch: Batch) -> Result<Job, Error> {
        open!(self.operate(Operation::Batch(batch)).await?, Job).map(|job| *job)
    }

    /// Everything about all accounts that are not built in.
    pub async fn export(&self) -> Result<Box<Backup>, Error> {
        open!(self.operate(Operation::Export).await?, Backup)
    }

    /// A backup is taken over; a job that may not be at its end yet.
    pub async fn import(&self, import: Import) -> Result<Job, Error> {
        open!(self.operate(Operation::Import(import)).await?, Job).map(|job| *job)
    }

    /// A job of the caller's, with passwords that were made if they are taken.
    pub async fn job(&self, id: JobId, passwords: Passwords) -> Result<Job, Error> {
        open!(self.operate(Operation::GetJob(id, passwords)).await?, Job).map(|job| *job)
    }

    /// The newest first, without what came of them.
    pub async fn jobs(&self) -> Result<Vec<Job>, Error> {
        open!(self.operate(Operation::ListJobs).await?, Jobs)
    }

    pub async fn cancel_job(&self, id: JobId) -> Result<Job, Error> {
        open!(self.operate(Operation::CancelJob(id)).await?, Job).map(|job| *job)
    }
}
