//! `accountctl job`: work that takes longer than an answer is waited for.

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::follow::{self, path};
use crate::outcome;
use crate::output::{Format, Shape};
use crate::session::Session;

const COLUMNS: &[&str] = &["id", "kind", "state", "progress", "created", "ended"];
const FIELDS: &[&str] = &["id", "kind", "state", "progress", "created", "ended", "done", "refused", "problem"];
const SHAPE: Shape = Shape { id: "id", columns: COLUMNS, fields: FIELDS, present };

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The jobs of whoever asks, newest first
    List,
    /// How far a job is, and what came of it
    Show(Job),
    /// Follow a job to its end; exit status 1 unless all of it was done
    Watch(Job),
    /// End a job that has not changed anything yet
    Cancel(Job),
}

#[derive(Debug, clap::Args)]
pub struct Job {
    /// The id of a job
    #[arg(value_name = "ID")]
    id: String,
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let (request, Job { id }) = match self {
            Verb::List => {
                let answer = session.client.send(&Request::get("/jobs", "list jobs"))?;
                return session.output.items(&SHAPE, &answer, "items");
            }
            Verb::Watch(Job { id }) => return watch(session, &id),
            Verb::Show(job) => (Request::get(path(&job.id), format!("show job {}", job.id)), job),
            Verb::Cancel(job) => (Request::delete(path(&job.id), format!("cancel job {}", job.id)), job),
        };
        let answer = session.client.send(&request)?;
        session.output.object(&SHAPE, &answer)?;
        if answer.value()["state"] == "running" {
            session.output.note(&format!("It is under way: accountctl job watch {id} follows it."));
        }
        Ok(())
    }
}

fn watch(session: &Session, id: &str) -> Result<(), Error> {
    let answer = follow::to_its_end(session, id)?;
    if session.output.format == Format::Json {
        session.output.json(&answer)?;
    } else {
        outcome::show(session, &answer.value()["result"], &[])?;
    }
    follow::judged(&answer.value(), format!("do all of job {id}"))
}

fn present(job: &Value) -> Option<Value> {
    let (progress, result) = (&job["progress"], &job["result"]);
    let count = |field: &str| progress[field].as_u64().unwrap_or_default();
    Some(json!({
        "id": job["id"],
        "kind": job["kind"],
        "state": job["state"],
        "progress": format!("{}/{} {}", count("done"), count("total"), progress["unit"].as_str().unwrap_or_default()),
        "created": job["created"],
        "ended": job["ended"],
        "done": result["done"],
        "refused": result["refused"],
        "problem": job["problem"]["title"],
    }))
}
