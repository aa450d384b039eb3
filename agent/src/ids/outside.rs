//! What stands outside of the account files and speaks against a name or a number.

use std::sync::Arc;

use accountd_protocol::refusal::Problem;

use super::nss::{Answers, Question};
use super::subordinate::Subordinate;

/// As it was when the request came.
#[derive(Debug)]
pub struct Outside {
    pub(super) subuid: Arc<Subordinate>,
    pub(super) subgid: Arc<Subordinate>,
    pub(super) answers: Answers,
}

impl Outside {
    /// Another source of NSS has nothing by this name or number. What was not asked is not known
    /// to be anywhere.
    pub fn lacks(&self, question: &Question) -> Result<(), Problem> {
        match self.answers.existing(question) {
            Some(existing) => Err(Problem::Duplicate(existing.to_owned())),
            None => Ok(()),
        }
    }

    /// Whoever has a uid in its subordinate range can become that uid (CVE-2024-56433).
    pub fn nobody_becomes_uid(&self, uid: u32) -> Result<(), Problem> {
        unowned(&self.subuid, uid)
    }

    pub fn nobody_becomes_gid(&self, gid: u32) -> Result<(), Problem> {
        unowned(&self.subgid, gid)
    }
}

fn unowned(file: &Subordinate, number: u32) -> Result<(), Problem> {
    match file.owner(number) {
        Some(owner) => Err(Problem::Subordinate(owner.to_owned())),
        None => Ok(()),
    }
}
