//! The kinds of transactions. A new one is an entry in one of the lists.

mod groups;
mod many;
mod signs;
mod users;

use super::stage::{Stage, Subject};
use crate::rest::Answer;

const POOL: &str = "/mnt/tank/home";
const NO_HOME: &str = "/nonexistent";

/// What is visible of a change, and whether it is there. All of them are or none.
pub type Signs = Vec<(String, bool)>;

pub struct Kind {
    pub name: &'static str,
    /// Makes what the request is about.
    pub prepare: fn(&Stage, &mut Subject),
    pub request: fn(&Stage, &Subject) -> Answer,
    pub signs: fn(&Stage, &Subject) -> Signs,
}

pub fn all() -> Vec<&'static Kind> {
    [users::KINDS, many::KINDS, groups::KINDS].into_iter().flatten().collect()
}
