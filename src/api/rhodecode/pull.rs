//! `pull`: a job of the core, waited for.

use std::time::{Duration, Instant};

use accountd_core::Caller;
use accountd_protocol::job::{Job, JobResult, JobState, Passwords};
use accountd_protocol::repository::{RepositoryId, RepositoryRef};
use rocket::tokio::time::sleep;
use serde_json::Value;

use super::call::Call;
use super::error::Error;
use super::parameter::Argument;

/// Whoever waits for an answer waits no longer; the job goes on.
const LONGEST: Duration = Duration::from_secs(600);
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// What a pull has brought until now.
pub enum Came {
    All,
    /// It is not at its end.
    NotYet,
    Nothing,
}

pub async fn pull(call: &Call) -> Result<Value, Error> {
    let (words, called) = (call.words, call.arguments.shown(Argument::Repository));
    let failed = || words.not_pulled(&called);
    let found = call.repository().await.map_err(Error::or_said(failed()))?;
    let repository = found.ok_or_else(|| Error::Said(words.nothing_to_pull_into(&called)))?;
    match fetch(&call.caller, repository.id).await.map_err(Error::or_said(failed()))? {
        Came::All => Ok(words.pulled(&called)),
        Came::NotYet | Came::Nothing => Err(Error::Said(failed())),
    }
}

pub async fn fetch(caller: &Caller, id: RepositoryId) -> Result<Came, accountd_core::Error> {
    let mut job = caller.pull_repository(RepositoryRef::Id(id)).await?;
    let begun = Instant::now();
    while !job.state.is_over() && begun.elapsed() < LONGEST {
        sleep(BETWEEN_LOOKS).await;
        job = caller.job(job.id, Passwords::Left).await?;
    }
    Ok(came(&job))
}

/// Why nothing has come is not said: so the log does.
fn came(job: &Job) -> Came {
    match job.state {
        JobState::Waiting | JobState::Running => Came::NotYet,
        JobState::Done => Came::All,
        JobState::Failed | JobState::Cancelled => {
            if let Some(JobResult::Refused(refusal)) = &job.result {
                tracing::info!(%refusal, "a pull has brought nothing");
            }
            Came::Nothing
        }
    }
}
