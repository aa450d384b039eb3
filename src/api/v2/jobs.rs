//! `/jobs`: work that takes longer than an answer is waited for.

use accountd_protocol::batch::ItemOutcome;
use accountd_protocol::job::{Job, JobId, JobResult, JobState, MadePassword, Passwords};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::Pulled;
use accountd_protocol::secret::Secret;
use rocket::http::Status;
use rocket::request::FromParam;
use rocket::response::stream::{Event, EventStream};
use rocket::tokio::time::{Duration, sleep};
use rocket::{delete, get};
use serde_json::{Value, json};

use super::error::Error;
use super::faults::{Fault, Kind};
use super::idempotency::Made;
use super::listing::{Query, boolean};
use super::sent::Bare;
use super::users::{Signed, failed};
use super::{BASE, answers, backups, day};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// Between two looks at a job whose events are listened to.
const LOOK: Duration = Duration::from_millis(200);

/// A job as a path has it: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub struct Called(JobId);

impl<'a> FromParam<'a> for Called {
    type Error = ();

    fn from_param(text: &'a str) -> Result<Self, ()> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(|id| Called(JobId(id))).ok_or(())
    }
}

/// The caller's own, the newest first.
#[get("/jobs")]
pub async fn list(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let jobs = caller.jobs().await.map_err(job_failed)?;
    let items: Vec<Value> = jobs.iter().map(job).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

/// `?passwords=true` takes those that were made, once.
#[get("/jobs/<id>")]
pub async fn show(caller: Signed, id: Result<Called, ()>, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let Called(id) = id.map_err(|()| Error::NotFound("job"))?;
    let passwords = passwords(&query)?;
    Ok(answers::json(Status::Ok, &job(&caller.job(id, passwords).await.map_err(job_failed)?)))
}

fn passwords(query: &Query) -> Result<Passwords, Error> {
    let mut passwords = Passwords::Left;
    for (name, value) in query.pairs() {
        let fault = |code, message| Err(Error::Query(vec![Fault::new(name.escape_debug().to_string(), code, message)]));
        passwords = match (name, boolean(value)) {
            ("passwords", Some(true)) => Passwords::Taken,
            ("passwords", Some(false)) => Passwords::Left,
            ("passwords", None) => return fault("wrong_type", "has to be true or false"),
            _ => return fault("unknown_parameter", "is not known here"),
        };
    }
    Ok(passwords)
}

/// It ends at once where it waits, and soon where it is under way; one that is over stays as it is.
#[delete("/jobs/<id>")]
pub async fn cancel(bare: Result<Bare, Error>, id: Result<Called, ()>) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let Called(id) = id.map_err(|()| Error::NotFound("job"))?;
    Ok(answers::json(Status::Ok, &job(&caller.cancel_job(id).await.map_err(job_failed)?)))
}

/// The job each time that it is further, until it is over.
#[get("/jobs/<id>/events")]
pub async fn events(caller: Signed, id: Result<Called, ()>) -> Result<EventStream![], Error> {
    let Authenticated(caller) = caller?;
    let Called(id) = id.map_err(|()| Error::NotFound("job"))?;
    caller.job(id, Passwords::Left).await.map_err(job_failed)?;
    Ok(EventStream! {
        let mut last = None;
        loop {
            // Who may not know any more hears no more.
            let Ok(now) = caller.job(id, Passwords::Left).await else { break };
            let is_over = now.state.is_over();
            let shown = (now.state, now.done);
            if last.replace(shown) != Some(shown) {
                yield Event::data(job(&now).to_string()).event("job");
            }
            if is_over {
                break;
            }
            sleep(LOOK).await;
        }
    })
}

fn job_failed(error: accountd_core::Error) -> Error {
    match failed(error) {
        Error::NotFound(_) => Error::NotFound("job"),
        error => error,
    }
}

/// The answer to a request that has begun a job: what came of it where it is over. Passwords are said in the
/// first one only.
pub fn begun(begun: &Job) -> Result<Made, Error> {
    let again = Job { passwords: begun.passwords.iter().map(unsaid).collect(), ..begun.clone() };
    Ok(Made { first: answer(begun)?, again: answer(&again)? })
}

fn unsaid(made: &MadePassword) -> MadePassword {
    MadePassword { index: made.index, password: None }
}

fn answer(begun: &Job) -> Result<Reply, Error> {
    match (begun.state, &begun.result) {
        (JobState::Waiting | JobState::Running, _) => {
            let location = format!("{BASE}/jobs/{}", name(begun.id));
            Ok(answers::json(Status::Accepted, &job(begun)).with("Location", location))
        }
        (JobState::Done, Some(JobResult::Batch(outcomes))) => {
            Ok(answers::json(Status::Ok, &batch(outcomes, &begun.passwords)))
        }
        (JobState::Done, Some(JobResult::Import(report))) => Ok(answers::json(Status::Ok, &backups::report(report))),
        (_, Some(JobResult::Pulled(result))) => Ok(answers::json(Status::Ok, &pulled(result))),
        (_, Some(JobResult::Import(report))) => Err(Error::Fields(backups::faults(report))),
        (_, Some(JobResult::Batch(outcomes))) => Err(Error::Fields(faults(outcomes))),
        (_, Some(JobResult::Refused(refusal))) => Err(refused(refusal)),
        (JobState::Done | JobState::Failed | JobState::Cancelled, None) => Err(Error::Internal),
    }
}

fn job(job: &Job) -> Value {
    let (result, problem) = match &job.result {
        Some(JobResult::Batch(outcomes)) => {
            let is_failed = job.state == JobState::Failed;
            (Some(batch(outcomes, &job.passwords)), is_failed.then(|| Error::Fields(faults(outcomes)).problem()))
        }
        Some(JobResult::Import(report)) => {
            let is_failed = job.state == JobState::Failed;
            let problem = is_failed.then(|| Error::Fields(backups::faults(report)).problem());
            (Some(backups::report(report)), problem)
        }
        Some(JobResult::Pulled(result)) => (Some(pulled(result)), None),
        Some(JobResult::Refused(refusal)) => (None, Some(refused(refusal).problem())),
        None => (None, None),
    };
    json!({
        "id": name(job.id),
        "kind": job.kind,
        "state": job.state,
        "progress": {"done": job.done, "total": job.total, "unit": "items"},
        "created": day::moment(job.begun),
        "ended": job.ended.and_then(day::moment),
        "result": result,
        "problem": problem,
    })
}

fn pulled(Pulled { repository, name, output }: &Pulled) -> Value {
    json!({"repository": repository, "name": name, "output": output})
}

fn name(JobId(id): JobId) -> String {
    format!("{id:016x}")
}

fn batch(outcomes: &[ItemOutcome], passwords: &[MadePassword]) -> Value {
    let count = |wanted: fn(&ItemOutcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let mut items: Vec<Value> = outcomes.iter().enumerate().map(|(index, outcome)| item(index, outcome)).collect();
    for MadePassword { index, password } in passwords {
        if let Some(Value::Object(item)) = items.get_mut(*index) {
            item.insert("password".to_owned(), json!(password.as_ref().map(Secret::reveal)));
        }
    }
    json!({
        "done": count(|outcome| matches!(outcome, ItemOutcome::Done(_))),
        "refused": count(|outcome| matches!(outcome, ItemOutcome::Refused(_))),
        "items": items,
    })
}

fn item(index: usize, outcome: &ItemOutcome) -> Value {
    match outcome {
        ItemOutcome::Done(id) => json!({"index": index, "outcome": "done", "id": id}),
        ItemOutcome::Refused(refusal) => {
            json!({"index": index, "outcome": "refused", "problem": refused(refusal).problem()})
        }
        ItemOutcome::NotDone => json!({"index": index, "outcome": "not_done"}),
    }
}

fn faults(outcomes: &[ItemOutcome]) -> Vec<Fault> {
    let faults = outcomes.iter().enumerate().map(|(index, outcome)| match outcome {
        ItemOutcome::Refused(refusal) => refused(refusal).in_item(index),
        ItemOutcome::Done(_) | ItemOutcome::NotDone => Vec::new(),
    });
    faults.flatten().collect()
}

fn refused(refusal: &Refusal) -> Error {
    Error::refused(Kind::User, refusal.clone())
}
