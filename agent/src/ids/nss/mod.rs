//! Accounts that are not in the account files: what the other sources of NSS have (nss(5)).
//!
//! The files themselves are in memory and are not looked at again. Each other source is asked by
//! a process of its own: its library, and whatever that does, stays out of the agent; one
//! that hangs can be ended; and it is known which one it was.

mod look_up;
mod source;
mod switch;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::look_up::{LOOK_UP_ARGUMENT, run_look_up};

use self::source::{Source, SourceError};
use self::switch::Switch;
use super::parsed_file::{ParsedFile, ReadError};

/// How long all sources together may take to answer one request.
const DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum NssError {
    #[error(transparent)]
    Switch(#[from] ReadError),
    #[error("the NSS source {name} gives no answer: {error}")]
    Source { name: String, error: SourceError },
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

/// The sources, each with the process that asks it.
#[derive(Debug)]
pub struct OtherSources {
    switch: ParsedFile<Switch>,
    sources: Mutex<Sources>,
}

#[derive(Debug, Default)]
struct Sources {
    /// The configuration that they were started under: its change may mean that of a source's.
    of: Option<Arc<Switch>>,
    by_name: HashMap<String, Arc<Source>>,
}

impl OtherSources {
    pub fn new(etc: &Path) -> Self {
        Self { switch: ParsedFile::new(etc.join("nsswitch.conf"), Switch::parse), sources: Mutex::default() }
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
            let said = self.source(&switch, name).ask(&asked, end).map_err(failed)?;
            for (question, answer) in asked.into_iter().zip(said) {
                match answer {
                    Answer::Absent => {}
                    Answer::Present(existing) => drop(answers.0.insert(question.clone(), existing)),
                    Answer::Failed(errno) => return Err(failed(SourceError::Failed(errno))),
                }
            }
        }
        Ok(answers)
    }

    fn source(&self, switch: &Arc<Switch>, name: &str) -> Arc<Source> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, switch)) {
            // Those that are asked just now end with their last question.
            *sources = Sources { of: Some(switch.clone()), by_name: HashMap::new() };
        }
        sources.by_name.entry(name.to_owned()).or_insert_with(|| Arc::new(Source::new(name))).clone()
    }
}
