//! Work in a home that is there already, as its user: the part that can fail is done before the
//! account changes, and taken back when it does not.

use std::path::{Path, PathBuf};

use accountd_protocol::identity::Identity;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::{Becomes, KeyFileRow};
use crate::error::Error;
use crate::homes::{KeyEdit, Keys, KeysWanted, WorkError, look_at_keys};

/// How often keys are put in place before that has failed.
const PLACINGS: usize = 3;

/// What is to be done in a home.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The new text of the key file; empty removes it.
    pub keys: Option<String>,
    /// What makes that text of the present one.
    pub key_edit: Option<KeyEdit>,
    /// The new permission bits of the home.
    pub mode: Option<u32>,
}

/// Work that is done as far as it can be taken back. Dropped without [`InHome::finish`], it is.
#[derive(Debug)]
pub struct InHome<'a> {
    agent: &'a Agent,
    identity: Identity,
    home: PathBuf,
    keys: Option<Keys>,
    /// The permission bits that the home had.
    old_mode: Option<u32>,
}

impl Agent {
    /// Begins the work in `home`, which belongs to `identity`. A home that is not there is left
    /// alone.
    pub(super) fn begin_in_home(
        &self,
        home: &FieldPath,
        identity: Identity,
        wanted: Wanted,
    ) -> Result<InHome<'_>, Refusal> {
        let mut begun =
            InHome { agent: self, identity, home: Path::new(home.as_str()).to_owned(), keys: None, old_mode: None };
        let old_mode = match self.homes.mode_of(home) {
            Ok(Some(mode)) => mode,
            Ok(None) => return Ok(begun),
            Err(_) if wanted.keys.is_none() => return Ok(begun),
            Err(_) => return Err(self.no_place_for_keys(home, &begun.identity)),
        };
        if let Some(text) = wanted.keys {
            let keys = match wanted.key_edit {
                Some(edit) => Keys::Edit(edit),
                None if text.is_empty() => Keys::Remove,
                None => Keys::Write(text),
            };
            self.waiting_keys.forget(home.as_str());
            let prepared = begun.agent.worker.prepare_keys(&begun.identity, &begun.home, &keys);
            // From here on dropped, also where only a part of it was done.
            begun.keys = Some(keys);
            let accepted = begun.accepts(prepared, Field::SshKeys, Problem::HomeNotWritable);
            accepted.map_err(|_| self.no_place_for_keys(home, &begun.identity))?;
        }
        if let Some(mode) = wanted.mode.filter(|mode| *mode != old_mode) {
            let set = begun.agent.worker.set_mode(&begun.identity, &begun.home, mode);
            begun.accepts(set, Field::HomeMode, Problem::NotOwned)?;
            begun.old_mode = Some(old_mode);
        }
        Ok(begun)
    }

    /// Why no keys can be written into a home, with what there is to be seen of the cause.
    fn no_place_for_keys(&self, home: &FieldPath, identity: &Identity) -> Refusal {
        let seen = look_at_keys(self.homes.root(), Path::new(home.as_str()), identity, KeysWanted::Yes);
        let advice = seen.advice.into_iter().map(Problem::Keys);
        let problems = std::iter::once(Problem::HomeNotWritable).chain(advice);
        Refusal::Invalid(problems.map(|problem| Invalid { field: Field::SshKeys, problem }).collect())
    }
}

impl InHome<'_> {
    /// What the commit has to store for the keys to get their place whatever happens; the home is at `moved` then if
    /// that is given.
    pub fn key_file(&self, moved: Option<&FieldPath>) -> Option<KeyFileRow> {
        let becomes = match self.keys.as_ref()? {
            Keys::Write(_) | Keys::Edit(_) => Becomes::Written,
            Keys::Remove => Becomes::Removed,
        };
        let home = moved.map_or_else(|| self.home.display().to_string(), FieldPath::to_string);
        Some(KeyFileRow { home, identity: self.identity.clone(), becomes })
    }

    /// A home that has gone meanwhile is none; any other fault is that of a field.
    fn accepts(&self, result: Result<(), WorkError>, field: Field, problem: Problem) -> Result<(), Refusal> {
        match result {
            Ok(()) | Err(WorkError::NoHome) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, home = %self.home.display(), "a home can not be changed");
                Err(Refusal::invalid(field, problem))
            }
        }
    }

    /// The account has changed, and the home is at `moved` now if that is given: the keys get
    /// their place. Tried more than once, because the account does not change back; where it
    /// fails, that is told, and goes on behind the answer.
    pub fn finish(mut self, moved: Option<&FieldPath>) -> Result<(), Refusal> {
        self.old_mode = None;
        if let Some(home) = moved {
            self.home = Path::new(home.as_str()).to_owned();
        }
        let Some(keys) = self.keys.clone() else { return Ok(()) };
        let row = self.key_file(None);
        let placed = self.place(&keys);
        // Nothing is taken away from here on.
        self.keys = None;
        match (&placed, row) {
            (Err(_), Some(row)) => self.agent.waiting_keys.add(row),
            (Ok(()), _) | (Err(_), None) => {
                self.agent.database.key_file_is_over(self.home.display().to_string());
            }
        }
        placed
    }

    fn place(&self, keys: &Keys) -> Result<(), Refusal> {
        let mut tries = 1;
        loop {
            match self.agent.worker.place_keys(&self.identity, &self.home, keys) {
                Ok(()) | Err(WorkError::NoHome) => return Ok(()),
                Err(error) if tries < PLACINGS => {
                    tracing::warn!(%error, home = %self.home.display(), "keys can not be put in place; trying again");
                    tries += 1;
                }
                Err(source) => {
                    return Err(Error::Keys { home: self.home.display().to_string(), source }.into_refusal());
                }
            }
        }
    }
}

impl Drop for InHome<'_> {
    fn drop(&mut self) {
        let dropped = self.keys.take().map_or(Ok(()), |_| self.agent.worker.drop_keys(&self.identity, &self.home));
        let reset =
            self.old_mode.take().map_or(Ok(()), |mode| self.agent.worker.set_mode(&self.identity, &self.home, mode));
        for error in [dropped, reset].into_iter().filter_map(Result::err) {
            tracing::warn!(%error, home = %self.home.display(), "a home can not be set back");
        }
    }
}
