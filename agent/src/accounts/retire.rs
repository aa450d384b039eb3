//! The way out of a home that is no account's any more, after a deletion or a move.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use accountd_protocol::id::Uid;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;

use crate::agent::Agent;
use crate::database::{Action, FileKind, View, home_field, unclaimed};
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
        let parents = parents_of_homes(&view);
        drop(view);
        self.unreached(home, name, &parents).map_err(stays)?;
        self.database.remember_home_parent(retirement.place().as_str())?;
        self.homes.make_trash(&retirement).map_err(|error| failed(error.into()))?;
        Ok(Some(LeavingHome { retirement, _held: held }))
    }

    /// No other account's home leads into this one over symbolic links. Most homes lie in a few
    /// directories, of which each is looked at once for the links in it.
    fn unreached(&self, home: &FieldPath, name: &str, parents: &HashSet<Vec<u8>>) -> Result<(), HomeStays> {
        let Some(own) = self.homes.resolved(Path::new(home.as_str())) else { return Ok(()) };
        let crooked: HashMap<&[u8], Crooked> =
            parents.iter().filter_map(|parent| Some((parent.as_slice(), self.crooked(path_of(parent))?))).collect();
        if crooked.is_empty() {
            return Ok(());
        }
        let view = self.database.view();
        let passwd = view.file(FileKind::Passwd);
        // Neighbours in the file mostly have homes in one directory.
        let mut known: (&[u8], Option<&Crooked>) = (b"", None);
        for line in passwd.lines() {
            let Some((parent, last)) = home_field(line).and_then(split) else { continue };
            if parent != known.0 {
                known = (parent, crooked.get(parent));
            }
            if !known.1.is_some_and(|crooked| crooked.leads_away(last)) {
                continue;
            }
            let counts =
                |other: &&str| *other != name && passwd.find(other).is_some_and(|first| std::ptr::eq(first, line));
            let Some(other) = FileKind::Passwd.key(line).filter(counts) else { continue };
            let led = self.homes.resolved(&path_of(parent).join(path_of(last)));
            match led {
                Some(led) if led == own => return Err(HomeStays::SharedWith(other.to_owned())),
                Some(led) if led.starts_with(&own) => return Err(HomeStays::Holds(other.to_owned())),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// What of a directory is not what its name says; `None` for one that is straight.
    fn crooked(&self, directory: &Path) -> Option<Crooked> {
        if self.homes.resolved(directory)? != directory {
            return Some(Crooked::All);
        }
        let links = self.homes.links_in(directory);
        (!links.is_empty()).then_some(Crooked::Links(links))
    }
}

/// Names that lead elsewhere than they say.
enum Crooked {
    /// The directory itself is reached over a link.
    All,
    Links(HashSet<Vec<u8>>),
}

impl Crooked {
    fn leads_away(&self, name: &[u8]) -> bool {
        match self {
            Crooked::All => true,
            Crooked::Links(links) => links.contains(name),
        }
    }
}

/// The directories that homes lie in.
fn parents_of_homes(view: &View) -> HashSet<Vec<u8>> {
    let (mut parents, mut last): (HashSet<Vec<u8>>, &[u8]) = (HashSet::new(), b"");
    for (parent, _) in view.file(FileKind::Passwd).lines().filter_map(|line| home_field(line).and_then(split)) {
        if parent != last && !parents.contains(parent) {
            parents.insert(parent.to_vec());
        }
        last = parent;
    }
    parents
}

/// A path as its directory and its last name.
fn split(home: &[u8]) -> Option<(&[u8], &[u8])> {
    let trimmed = home.strip_suffix(b"/").unwrap_or(home);
    let slash = trimmed.iter().rposition(|byte| *byte == b'/')?;
    Some((trimmed.get(..slash.max(1))?, trimmed.get(slash + 1..)?)).filter(|_| home.starts_with(b"/"))
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
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
