//! Which names and numbers a new account may have, beyond what the account files say.
//!
//! A number is chosen for a request, or the request names one. The choice is stricter: it passes
//! over everything that anybody else may count on.

mod held;
mod nss;
mod outside;
mod parsed_file;
mod ranges;
mod subordinate;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_config as config;
use accountd_protocol::refusal::Refusal;

pub use self::held::Number;
pub use self::nss::{LOOK_UP_ARGUMENT, NssError, Question, run_look_up};
pub use self::outside::Outside;
pub use self::parsed_file::ReadError;

use self::held::Held;
use self::nss::{Answers, OtherSources};
use self::parsed_file::ParsedFile;
use self::subordinate::Subordinate;
use crate::database::{Database, Numbers, View, first_outside};
use crate::error::Error;

/// The most numbers that the other sources are asked about at once: a slow one has to answer all
/// of them in time.
const MOST_AT_ONCE: u32 = 16;
/// One request looks no longer than this for a number that no other source has. What it has
/// learnt stays known to the next.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every request looks at that wants a name or a number.
#[derive(Debug)]
pub struct Ids {
    ranges: config::Ids,
    held: Held,
    subuid: ParsedFile<Subordinate>,
    subgid: ParsedFile<Subordinate>,
    others: OtherSources,
    /// Numbers that another source was seen to have. A source that gives one up again does not
    /// bring it back: its files may still lie around.
    elsewhere: Mutex<Numbers>,
}

/// What a number is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Free as a gid too, so that a private group can have the same number.
    User,
    Group,
}

impl Ids {
    /// `root` is the machine's root directory.
    pub fn new(root: &Path, ranges: config::Ids) -> Self {
        let etc = root.join("etc");
        Self {
            ranges,
            held: Held::default(),
            subuid: ParsedFile::new(etc.join("subuid"), Subordinate::parse),
            subgid: ParsedFile::new(etc.join("subgid"), Subordinate::parse),
            others: OtherSources::new(&etc),
            elsewhere: Mutex::default(),
        }
    }

    /// Keeps a number that a request names from being chosen for another one.
    pub fn hold(&self, number: u32) -> Number {
        self.held.hold(number)
    }

    /// Whether another request has a number that this one holds, be it for a uid or a gid.
    pub fn is_contended(&self, number: u32) -> bool {
        self.held.is_contended(number)
    }

    /// What is said outside of the account files, where the other sources are asked `questions`.
    /// A source that gives no answer is a refusal.
    pub fn outside(&self, questions: &[Question]) -> Result<Outside, Refusal> {
        let (subuid, subgid) = self.subordinate()?;
        Ok(Outside { subuid, subgid, answers: self.ask(questions)? })
    }

    /// The first uid of the configured range that nobody has, had or may become; `None` when
    /// there is none.
    pub fn choose_uid(&self, database: &Database) -> Result<Option<Number>, Refusal> {
        self.choose(database, Purpose::User)
    }

    pub fn choose_gid(&self, database: &Database) -> Result<Option<Number>, Refusal> {
        self.choose(database, Purpose::Group)
    }

    fn choose(&self, database: &Database, purpose: Purpose) -> Result<Option<Number>, Refusal> {
        let (subuid, subgid) = self.subordinate()?;
        let (mut at_once, end) = (1, Instant::now() + PATIENCE);
        while Instant::now() < end {
            // The accounts are looked at while nothing is let go: what another request has just
            // entered is either held still or in them.
            let chosen = self.held.choose(|held| {
                let view = database.known_view();
                let elsewhere = self.elsewhere();
                first_outside(
                    self.range(purpose),
                    &[purpose.taken(&view), held, &subuid.numbers, &subgid.numbers, &elsewhere, ranges::never_chosen()],
                )
            });
            let Some(chosen) = chosen else { return Ok(None) };
            if self.is_in_no_other_source(chosen.number, at_once, purpose)? {
                return Ok(Some(chosen));
            }
            at_once = MOST_AT_ONCE.min(at_once * 2);
        }
        tracing::warn!("other sources of NSS have too many numbers of the configured range");
        Err(Refusal::Busy)
    }

    /// Asks about `count` numbers from `first` on, and remembers those that are somebody's: where
    /// a source has one it has many.
    fn is_in_no_other_source(&self, first: u32, count: u32, purpose: Purpose) -> Result<bool, Refusal> {
        let numbers: Vec<u32> = (first..first.saturating_add(count)).collect();
        let answers = self.ask(&numbers.iter().flat_map(|number| purpose.questions(*number)).collect::<Vec<_>>())?;
        let is_taken = |number: u32| purpose.questions(number).any(|question| answers.existing(&question).is_some());
        let mut elsewhere = self.elsewhere();
        numbers.into_iter().filter(|number| is_taken(*number)).for_each(|number| elsewhere.insert(number));
        Ok(!elsewhere.has(first))
    }

    /// Those of `questions` that another source has an answer to.
    pub fn elsewhere_of<'a>(&self, questions: &'a [Question]) -> Result<Vec<&'a Question>, NssError> {
        let answers = self.others.ask(questions)?;
        Ok(questions.iter().filter(|question| answers.existing(question).is_some()).collect())
    }

    fn ask(&self, questions: &[Question]) -> Result<Answers, Refusal> {
        self.others.ask(questions).map_err(|error| Error::OtherSource(error).into_refusal())
    }

    fn subordinate(&self) -> Result<(Arc<Subordinate>, Arc<Subordinate>), Refusal> {
        let read = |file: &ParsedFile<Subordinate>| file.get().map_err(|error| Error::Ids(error).into_refusal());
        Ok((read(&self.subuid)?, read(&self.subgid)?))
    }

    fn range(&self, purpose: Purpose) -> std::ops::RangeInclusive<u32> {
        match purpose {
            Purpose::User => self.ranges.users.numbers(),
            Purpose::Group => self.ranges.groups.numbers(),
        }
    }

    fn elsewhere(&self) -> MutexGuard<'_, Numbers> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purpose {
    fn taken(self, view: &View) -> &Numbers {
        match self {
            Purpose::User => view.taken_uids(),
            Purpose::Group => view.taken_gids(),
        }
    }

    fn questions(self, number: u32) -> impl Iterator<Item = Question> {
        let uid = (self == Purpose::User).then_some(Question::Uid(number));
        uid.into_iter().chain([Question::Gid(number)])
    }
}

/// Whether systemd gives this number out by itself.
pub fn is_dynamic(number: u32) -> bool {
    ranges::DYNAMIC_USERS.contains(&number)
}
