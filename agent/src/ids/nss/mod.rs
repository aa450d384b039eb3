//! Accounts that are not in the account files: what the other sources of NSS have (nss(5)).
//!
//! The files themselves are in memory and are not looked at again. Each other source is asked by
//! a helper process of its own: its library, and whatever that does, stays out of the agent; one
//! that hangs can be ended; and it is known which one it was.

mod helper;
mod look_up;
mod switch;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::look_up::{LOOK_UP_ARGUMENT, run_look_up};

use self::helper::{Helper, HelperError};
use self::switch::Switch;
use super::parsed_file::{ParsedFile, ReadError};

/// How long all sources together may take to answer one request.
const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum NssError {
    #[error(transparent)]
    Switch(#[from] ReadError),
    #[error("the NSS source {name} gives no answer: {error}")]
    Source { name: String, error: HelperError },
}

/// What a source is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    UserNamed(String),
    Uid(u32),
    GroupNamed(String),
    Gid(u32),
}

/// What one source says to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Absent,
    /// The name of the user or the group.
    Present(String),
    /// errno(3)
    Failed(i32),
}

/// The existing account by each question that found one.
#[derive(Debug, Default)]
pub struct Answers(HashMap<Question, String>);

impl Answers {
    pub fn existing(&self, question: &Question) -> Option<&str> {
        self.0.get(question).map(String::as_str)
    }
}

/// The sources and the helper that asks each.
#[derive(Debug)]
pub struct OtherSources {
    switch: ParsedFile<Switch>,
    helpers: Mutex<Helpers>,
}

#[derive(Debug, Default)]
struct Helpers {
    /// The configuration that they were started under: its change may mean that of a source's.
    of: Option<Arc<Switch>>,
    by_source: HashMap<String, Arc<Helper>>,
}

impl OtherSources {
    pub fn new(etc: &Path) -> Self {
        Self { switch: ParsedFile::new(etc.join("nsswitch.conf"), Switch::parse), helpers: Mutex::default() }
    }

    /// Asks every source each question that it can answer. One that gives no answer is an error:
    /// it may have what was asked for.
    pub fn ask(&self, questions: &[Question]) -> Result<Answers, NssError> {
        let switch = self.switch.get()?;
        let mut answers = Answers::default();
        let end = Instant::now() + DEADLINE;
        for name in switch.sources() {
            let asked: Vec<&Question> = questions.iter().filter(|question| switch.answers(name, question)).collect();
            if asked.is_empty() {
                continue;
            }
            let failed = |error| NssError::Source { name: name.to_owned(), error };
            let said = self.helper(&switch, name).ask(&asked, end).map_err(failed)?;
            for (question, answer) in asked.into_iter().zip(said) {
                match answer {
                    Answer::Absent => {}
                    Answer::Present(existing) => drop(answers.0.insert(question.clone(), existing)),
                    Answer::Failed(errno) => return Err(failed(HelperError::Source(errno))),
                }
            }
        }
        Ok(answers)
    }

    fn helper(&self, switch: &Arc<Switch>, name: &str) -> Arc<Helper> {
        let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
        if !helpers.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, switch)) {
            // Those that are asked just now end with their last question.
            *helpers = Helpers { of: Some(switch.clone()), by_source: HashMap::new() };
        }
        helpers.by_source.entry(name.to_owned()).or_insert_with(|| Arc::new(Helper::new(name))).clone()
    }
}
