//! A home that a request has made ready, and that is taken away again unless it is kept.

use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::Action;
use crate::error::Error;
use crate::homes::{BuildError, Owner, Prepared};
use crate::reserved;

#[derive(Debug)]
pub struct NewHome {
    prepared: Prepared,
    parent: String,
    _held: reserved::Home,
}

impl Agent {
    /// Makes a home ready; faults are worded for the home field.
    pub(super) fn make_home(&self, home: &FieldPath, owner: Owner, mode: u32, keys: &str) -> Result<NewHome, Refusal> {
        let taken = || Refusal::invalid(Field::Home, Problem::NotOwned);
        let held = self.reserved.home(home.as_str()).ok_or_else(taken)?;
        let parent = parent_of(home.as_str()).to_owned();
        self.database.remember_home_parent(&parent)?;
        let prepared = self.homes.prepare(home, owner, mode, keys).map_err(|error| match error {
            BuildError::NotADirectory => Refusal::invalid(Field::Home, Problem::NotADirectory),
            BuildError::NotOwned => taken(),
            BuildError::NoSpace => Refusal::NoSpace,
            BuildError::Io(_) => Error::Home { home: home.to_string(), source: error }.into_refusal(),
        })?;
        Ok(NewHome { prepared, parent, _held: held })
    }
}

impl NewHome {
    /// What gives the home its name with the commit.
    pub fn action(&self, account: &str) -> Option<Action> {
        let (hidden, name) = self.prepared.hidden()?;
        let (account, parent) = (account.to_owned(), self.parent.clone());
        Some(Action::PublishHome { account, parent, hidden: hidden.to_owned(), name: name.to_owned() })
    }

    /// Whether the home was the owner's before; its content has been left alone.
    pub fn existed(&self) -> bool {
        self.prepared.existed()
    }

    /// The account exists now.
    pub fn keep(self) {
        self.prepared.keep();
    }
}

fn parent_of(home: &str) -> &str {
    home.rsplit_once('/').map_or("/", |(parent, _)| parent)
}
