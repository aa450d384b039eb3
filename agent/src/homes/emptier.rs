//! The thread that empties the trash: what a request has put there, and at start what a crash has
//! left.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use tracing::{info, warn};

use super::retirement::{Retirement, open_trusted};
use super::{Homes, directory, trash};

/// Whoever keeps making deeper directories gets no more of the thread than they spend themselves.
const BETWEEN_GOES: Duration = Duration::from_secs(1);

/// Tells the thread what there is to do. It ends when this is dropped.
#[derive(Debug)]
pub struct Emptier(Sender<Due>);

/// What there is to be removed.
#[derive(Debug)]
enum Due {
    Home(Retirement),
    /// What is in the trash of this directory.
    Trash(FieldPath),
}

impl Emptier {
    /// Starts the thread, which looks first for a trash in each pool and in `places`.
    pub fn start(homes: &Homes, places: Vec<String>) -> io::Result<Self> {
        let (sender, retired) = channel();
        let thread = Thread { root: directory::open_directory(homes.root(), c".")? };
        let mut places: BTreeSet<String> = places.into_iter().collect();
        for roots in homes.roots_of_pools() {
            places.extend(thread.pools(roots));
        }
        std::thread::Builder::new().name("emptier".into()).spawn(move || thread.run(&places, &retired))?;
        Ok(Self(sender))
    }

    /// A home has been retired: what is left of it is removed soon.
    pub fn remove(&self, retirement: Retirement) {
        self.tell(Due::Home(retirement));
    }

    /// Something has been put into the trash of a directory.
    pub fn empty(&self, place: FieldPath) {
        self.tell(Due::Trash(place));
    }

    fn tell(&self, due: Due) {
        if self.0.send(due).is_err() {
            warn!("the trash is emptied at the next start only");
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Emptied {
    /// What is left stays until the next start.
    AsFarAsPossible,
    AsDeepAsOneGo,
}

struct Thread {
    root: OwnedFd,
}

impl Thread {
    fn pools(&self, roots: &FieldPath) -> Vec<String> {
        let listed = directory::open_directory(&self.root, roots.as_str().trim_start_matches('/'))
            .and_then(|directory| directory::entries(&directory));
        let names = listed.unwrap_or_default().into_iter().filter_map(|name| name.into_string().ok());
        names.map(|name| format!("{roots}/{name}")).collect()
    }

    /// Until nobody can ask for more.
    fn run(&self, places: &BTreeSet<String>, retired: &Receiver<Due>) {
        let places = places.iter().filter_map(|place| FieldPath::new(place.as_str()).ok());
        let mut due: BTreeMap<FieldPath, Vec<Retirement>> = places.map(|place| (place, Vec::new())).collect();
        loop {
            due.retain(|place, homes| {
                let emptied = self.empty(place, homes);
                homes.clear();
                emptied == Emptied::AsDeepAsOneGo
            });
            let next = if due.is_empty() {
                retired.recv().map_err(RecvTimeoutError::from)
            } else {
                retired.recv_timeout(BETWEEN_GOES)
            };
            match next {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(first) => {
                    for one in std::iter::once(first).chain(retired.try_iter()) {
                        match one {
                            Due::Home(home) => due.entry(home.place().clone()).or_default().push(home),
                            Due::Trash(place) => drop(due.entry(place).or_default()),
                        }
                    }
                }
            }
        }
    }

    /// Empties the trash of one place and the homes that stay where they are: those of its notes,
    /// and `retired`.
    fn empty(&self, place: &FieldPath, retired: &[Retirement]) -> Emptied {
        match self.try_to_empty(place, retired) {
            Ok(emptied) => emptied,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Emptied::AsFarAsPossible,
            Err(error) => {
                warn!(%place, %error, "the trash can not be emptied");
                Emptied::AsFarAsPossible
            }
        }
    }

    fn try_to_empty(&self, place: &FieldPath, retired: &[Retirement]) -> nix::Result<Emptied> {
        let trash = trash::open(&open_trusted(&self.root, place)?)?;
        let mut in_place = trash::notes(&trash)?;
        in_place
            .extend(retired.iter().filter(|retirement| !in_place.contains(retirement)).cloned().collect::<Vec<_>>());
        let mut is_deep = false;
        for retirement in in_place {
            match retirement.empty_in_place(&self.root) {
                Ok(None) => {}
                Ok(Some(leftovers)) if leftovers.is_none() => {
                    info!(home = %retirement.home(), "a home has been emptied where it is");
                }
                Ok(Some(leftovers)) if leftovers.is_deep => is_deep = true,
                Ok(Some(leftovers)) => warn!(home = %retirement.home(), %leftovers, "not all of a home can be removed"),
                Err(error) => warn!(home = %retirement.home(), %error, "a home can not be removed"),
            }
        }
        let leftovers = trash::empty(&trash)?;
        is_deep |= leftovers.is_deep;
        if !leftovers.is_none() && !leftovers.is_deep {
            warn!(%place, %leftovers, "not all that is in the trash can be removed");
        }
        Ok(if is_deep { Emptied::AsDeepAsOneGo } else { Emptied::AsFarAsPossible })
    }
}
