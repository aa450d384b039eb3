//! The way out of a home that is no account's any more, after a deletion or a move.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use accountd_protocol::id::Uid;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;

use crate::agent::Agent;
use crate::database::entry::{Entry, passwd};
use crate::database::{Action, FileKind, Line, View, unclaimed};
use crate::error::Error;
use crate::homes::{Emptier, Retirement, RetirementError};
use crate::reserved;

/// A home that has been found fit to go. Nothing has happened to it yet.
#[derive(Debug)]
pub struct LeavingHome {
    retirement: Retirement,
    _held: reserved::Home,
}

impl Agent {
    /// Finds out whether the home of the account `name` with this `uid` can go; refuses where it
    /// can not, and gives `None` where there is none. What comes of it is put into the same change
    /// as the account's with [`LeavingHome::action`], after [`unclaimed`] has been asked again,
    /// and is finished with [`LeavingHome::remove`].
    pub(super) fn retire_home(&self, name: &str, home: &FieldPath, uid: Uid) -> Result<Option<LeavingHome>, Refusal> {
        let held = self.reserved.home(home.as_str()).ok_or(Refusal::Busy)?;
        let stays = |reason| Refusal::invalid(Field::Home, Problem::HomeStays(reason));
        let failed = |error| match error {
            RetirementError::Stays(reason) => stays(reason),
            RetirementError::Io(Errno::ENOSPC | Errno::EDQUOT) => Refusal::NoSpace,
            RetirementError::Io(error) => Error::Retire { home: home.to_string(), source: error.into() }.into_refusal(),
        };
        let Some(retirement) = self.homes.plan_retirement(home, uid).map_err(failed)? else { return Ok(None) };
        let view = self.database.view();
        unclaimed(view.file(FileKind::Passwd), home, Some(name)).map_err(stays)?;
        let others = others(&view, name);
        drop(view);
        self.unreached(home, &others).map_err(stays)?;
        self.database.remember_home_parent(retirement.place().as_str())?;
        self.homes.make_trash(&retirement).map_err(|error| failed(error.into()))?;
        Ok(Some(LeavingHome { retirement, _held: held }))
    }

    /// No other account's home leads into this one over symbolic links.
    fn unreached(&self, home: &FieldPath, others: &[(String, Vec<u8>)]) -> Result<(), HomeStays> {
        let Some(own) = self.homes.resolved(Path::new(home.as_str())) else { return Ok(()) };
        for (name, path) in others {
            match self.homes.resolved(Path::new(OsStr::from_bytes(path))) {
                Some(other) if other == own => return Err(HomeStays::SharedWith(name.clone())),
                Some(other) if other.starts_with(&own) => return Err(HomeStays::Holds(name.clone())),
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

impl LeavingHome {
    /// What takes the home out of its place with the commit.
    pub fn action(&self) -> Action {
        Action::RetireHome(self.retirement.clone())
    }

    /// The commit is done: the content is removed in the background.
    pub fn remove(self, emptier: &Emptier) {
        emptier.remove(self.retirement);
    }
}

/// Names and homes of all other accounts that have a path.
fn others(view: &View, but: &str) -> Vec<(String, Vec<u8>)> {
    let entries = view.file(FileKind::Passwd).entries(FileKind::Passwd).filter(|(name, _)| *name != but);
    let home = |(name, line): (&str, &Line)| {
        let home = Entry::parse(line).bytes(passwd::HOME).to_vec();
        home.starts_with(b"/").then(|| (name.to_owned(), home))
    };
    entries.filter_map(home).collect()
}
