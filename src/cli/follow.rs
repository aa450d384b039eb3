//! Follows a job to its end: its events, and a bar for whoever looks at a terminal.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::output::{Format, plain};
use crate::path::{query, segment};
use crate::problem::{Flags, Problem, Refused};
use crate::session::Session;

/// Characters of the bar itself.
const WIDTH: u64 = 30;

pub fn path(id: &str) -> String {
    format!("/jobs/{}", segment(id))
}

/// The job when it is over, with passwords that were made unless ids alone are printed: they are said once.
/// Its events end early where who asks has to say so again, or the connection
/// breaks: then it is asked for, and followed further.
pub fn to_its_end(session: &Session, id: &str) -> Result<Answer, Error> {
    let mut bar = Bar::new(session);
    let said = session.output.format != Format::Ids;
    let show = format!("{}{}", path(id), query(&[("passwords", said.to_string())]));
    let show = Request::get(show, format!("follow job {id}"));
    loop {
        let answer = session.client.send(&show)?;
        if is_over(&answer.value()) {
            return Ok(answer);
        }
        bar.draw(&answer.value());
        let events = Request::get(format!("{}/events", path(id)), format!("follow job {id}"));
        session.client.follow(&events, |job| bar.draw(job))?;
    }
}

fn is_over(job: &Value) -> bool {
    !matches!(job["state"].as_str(), Some("waiting" | "running"))
}

/// What came of a request, as if it had been waited for.
pub fn settled(session: &Session, answer: Answer, (doing, flags): (&str, Flags)) -> Result<Answer, Error> {
    let begun = answer.value();
    if begun["state"].is_null() || begun["progress"].is_null() {
        return Ok(answer);
    }
    let job = to_its_end(session, &plain(&begun["id"]))?.value();
    if let Ok(problem) = serde_json::from_value::<Problem>(job["problem"].clone()) {
        return Err(Error::Refused(Box::new(Refused { doing: doing.to_owned(), problem, flags })));
    }
    match job["state"].as_str() {
        Some("done") => Ok(Answer { text: job["result"].to_string(), tag: None }),
        _ => Err(Error::Cancelled),
    }
}

/// Whether all of a job that is over was done.
pub fn judged(job: &Value, doing: String) -> Result<(), Error> {
    if let Ok(problem) = serde_json::from_value::<Problem>(job["problem"].clone()) {
        return Err(Error::Refused(Box::new(Refused { doing, problem, flags: &[] })));
    }
    if job["state"] == "cancelled" {
        return Err(Error::Cancelled);
    }
    if job["result"]["refused"].as_u64().unwrap_or_default() > 0 { Err(Error::NotAllDone) } else { Ok(()) }
}

/// One line of standard error, written over again and again.
#[derive(Debug)]
struct Bar {
    is_shown: bool,
    is_drawn: bool,
}

impl Bar {
    fn new(session: &Session) -> Self {
        let is_for_people = !matches!(session.output.format, Format::Json | Format::Ids);
        Self { is_shown: is_for_people && io::stderr().is_terminal(), is_drawn: false }
    }

    fn draw(&mut self, job: &Value) {
        if self.is_shown {
            self.is_drawn = true;
            // Where standard error is gone, the job goes on.
            let _ = write!(io::stderr(), "\r{}", line(job));
        }
    }
}

/// Takes the line away.
impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

fn line(job: &Value) -> String {
    let count = |field: &str| job["progress"][field].as_u64().unwrap_or_default();
    let (done, total) = (count("done"), count("total"));
    let filled = (done.min(total) * WIDTH).checked_div(total).unwrap_or_default();
    let marks = |mark: &str, number: u64| mark.repeat(number as usize);
    format!("[{}{}] {done}/{total}", marks("#", filled), marks(" ", WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bar_is_as_long_as_the_work_that_is_done() {
        let job = |done: u64, total: u64| json!({"progress": {"done": done, "total": total, "unit": "items"}});
        assert_eq!(line(&job(0, 4)), format!("[{}] 0/4", " ".repeat(30)));
        assert_eq!(line(&job(1, 2)), format!("[{}{}] 1/2", "#".repeat(15), " ".repeat(15)));
        assert_eq!(line(&job(9, 9)), format!("[{}] 9/9", "#".repeat(30)));
        assert_eq!(line(&job(0, 0)), format!("[{}] 0/0", " ".repeat(30)));
    }

    #[test]
    fn a_job_is_all_done_only_without_refusals() {
        let refused = |job: Value| judged(&job, "x".into()).map_err(|error| error.to_string());
        assert_eq!(refused(json!({"state": "done", "problem": null, "result": {"refused": 0}})), Ok(()));
        assert!(refused(json!({"state": "done", "problem": null, "result": {"refused": 1}})).is_err());
        assert!(refused(json!({"state": "cancelled", "problem": null, "result": null})).is_err());
        let problem = json!({"type": "t", "title": "No", "status": 422, "detail": "d", "errors": []});
        assert_eq!(refused(json!({"state": "failed", "problem": problem})), Err("cannot x: No".into()));
    }
}
