//! A new place for a home that a request has made ready, and that is given up again unless kept.

use accountd_protocol::id::Uid;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::{Action, Adoption};
use crate::error::Error;
use crate::homes::{BuildError, Filling, Owner, Prepared, Relocation};
use crate::reserved;

#[derive(Debug)]
pub struct NewHome<'a> {
    ready: Ready,
    /// Goes when the directory is a home, or is empty again.
    _adoption: Option<Adoption<'a>>,
    _held: reserved::Home,
}

#[derive(Debug)]
enum Ready {
    /// A directory of its own, in this parent.
    Made(Prepared, String),
    /// The way for the old one.
    Moved { way: Relocation, from: String, to: String },
}

impl Agent {
    /// Makes a home ready; faults are worded for the home field.
    pub(super) fn make_home(
        &self,
        home: &FieldPath,
        owner: Owner,
        filling: Filling<'_>,
    ) -> Result<NewHome<'_>, Refusal> {
        let held = self.hold_home(home)?;
        let parent = parent_of(home.as_str()).to_owned();
        self.database.remember_home_parent(&parent)?;
        let mut prepared = self.homes.prepare(home, owner, filling).map_err(|error| refusal(home, error))?;
        let adoption = match prepared.is_adoptable() {
            true => Some(self.database.adopt(home.as_str())?),
            false => None,
        };
        if adoption.is_some() {
            self.homes.adopt(&mut prepared, owner, filling).map_err(|error| refusal(home, error))?;
        }
        Ok(NewHome { ready: Ready::Made(prepared, parent), _adoption: adoption, _held: held })
    }

    /// Makes the way for a move of the home `from` of `uid` by one rename, where that can be done.
    pub(super) fn make_way(&self, from: &FieldPath, to: &FieldPath, uid: Uid) -> Result<Option<NewHome<'_>>, Refusal> {
        let held = self.hold_home(to)?;
        let way = self.homes.prepare_move(from, to, uid).map_err(|error| refusal(to, error))?;
        Ok(way.map(|way| {
            let ready = Ready::Moved { way, from: from.to_string(), to: to.to_string() };
            NewHome { ready, _adoption: None, _held: held }
        }))
    }

    fn hold_home(&self, home: &FieldPath) -> Result<reserved::Home, Refusal> {
        self.reserved.home(home.as_str()).ok_or_else(taken)
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
        let account = account.to_owned();
        match &self.ready {
            Ready::Made(prepared, parent) => {
                let (hidden, name) = prepared.hidden()?;
                let (parent, hidden, name) = (parent.clone(), hidden.to_owned(), name.to_owned());
                Some(Action::PublishHome { account, parent, hidden, name })
            }
            Ready::Moved { from, to, .. } => Some(Action::MoveHome { account, from: from.clone(), to: to.clone() }),
        }
    }

    /// Whether the home was the owner's before; its content has been left alone.
    pub fn existed(&self) -> bool {
        match &self.ready {
            Ready::Made(prepared, _) => prepared.existed(),
            Ready::Moved { .. } => false,
        }
    }

    /// Whether it is the old one, renamed.
    pub fn is_moved(&self) -> bool {
        match &self.ready {
            Ready::Made(..) => false,
            Ready::Moved { .. } => true,
        }
    }

    /// The account exists now.
    pub fn keep(self) {
        match self.ready {
            Ready::Made(prepared, _) => prepared.keep(),
            Ready::Moved { way, .. } => way.keep(),
        }
    }
}

fn parent_of(home: &str) -> &str {
    home.rsplit_once('/').map_or("/", |(parent, _)| parent)
}
