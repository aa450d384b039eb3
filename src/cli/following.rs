//! A request that takes longer than an answer: the job that it has become is followed to its end.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::output::{Format, plain};
use crate::problem::{Flags, Problem, Refused};
use crate::session::Session;
use crate::terminal;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// What came of a request, as if it had been waited for.
pub fn settled(session: &Session, answer: Answer, (doing, flags): (&str, Flags)) -> Result<Answer, Error> {
    let mut job = answer.value();
    if job["state"].is_null() || job["progress"].is_null() {
        return Ok(answer);
    }
    let request = Request::get(format!("/jobs/{}", plain(&job["id"])), doing);
    while matches!(job["state"].as_str(), Some("waiting" | "running")) {
        show(session, &job["progress"]);
        std::thread::sleep(LOOK);
        job = session.client.send(&request)?.value();
    }
    show(session, &Value::Null);
    if let Ok(problem) = serde_json::from_value::<Problem>(job["problem"].clone()) {
        return Err(Error::Refused(Box::new(Refused { doing: doing.to_owned(), problem, flags })));
    }
    match job["state"].as_str() {
        Some("done") => Ok(Answer { text: job["result"].to_string(), tag: None }),
        _ => Err(Error::Cancelled),
    }
}

/// For people: a line that is written over, and taken away in the end.
fn show(session: &Session, progress: &Value) {
    let Format::Columns(_) = session.output.format else { return };
    if terminal::is_attended() {
        let text = match (progress["done"].as_u64(), progress["total"].as_u64()) {
            (Some(done), Some(total)) => format!("\r{done} of {total}"),
            _ => "\r\u{1b}[K".to_owned(),
        };
        // Nobody misses a progress that can't be shown.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
