//! A home that a request has made ready, and that is taken away again unless it is kept.

use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::{Action, Adoption};
use crate::error::Error;
use crate::homes::{BuildError, Owner, Prepared};
use crate::reserved;

#[derive(Debug)]
pub struct NewHome<'a> {
    prepared: Prepared,
    /// Goes when the directory is a home, or is empty again.
    adoption: Option<Adoption<'a>>,
    parent: String,
    _held: reserved::Home,
}

impl Agent {
    /// Makes a home ready; faults are worded for the home field.
    pub(super) fn make_home(
        &self,
        home: &FieldPath,
        owner: Owner,
        mode: u32,
        keys: &str,
    ) -> Result<NewHome<'_>, Refusal> {
        let held = self.reserved.home(home.as_str()).ok_or_else(taken)?;
        let parent = parent_of(home.as_str()).to_owned();
        self.database.remember_home_parent(&parent)?;
        let prepared = self.homes.prepare(home, owner, mode, keys).map_err(|error| refusal(home, error))?;
        let mut made = NewHome { prepared, adoption: None, parent, _held: held };
        if made.prepared.is_adoptable() {
            made.adoption = Some(self.database.adopt(home.as_str())?);
            self.homes.adopt(&mut made.prepared, owner, mode, keys).map_err(|error| refusal(home, error))?;
        }
        Ok(made)
    }
}

fn taken() -> Refusal {
    Refusal::invalid(Field::Home, Problem::NotOwned)
}

fn refusal(home: &FieldPath, error: BuildError) -> Refusal {
    match error {
        BuildError::NotADirectory => Refusal::invalid(Field::Home, Problem::NotADirectory),
        BuildError::NotOwned => taken(),
        BuildError::NoSpace => Refusal::NoSpace,
        BuildError::Io(_) => Error::Home { home: home.to_string(), source: error }.into_refusal(),
    }
}

impl NewHome<'_> {
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
