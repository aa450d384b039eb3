//! The thread that empties the trash: what a request has put there, and at start what a crash has
//! left.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};

use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use tracing::{info, warn};

use super::retirement::{Retirement, open_trusted};
use super::{Homes, directory, trash};

/// Tells the thread what there is to do. It ends when this is dropped.
#[derive(Debug)]
pub struct Emptier(Sender<Retirement>);

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
        if self.0.send(retirement).is_err() {
            warn!("the trash is emptied at the next start only");
        }
    }
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

    fn run(&self, places: &BTreeSet<String>, retired: &Receiver<Retirement>) {
        for place in places.iter().filter_map(|place| FieldPath::new(place.as_str()).ok()) {
            self.empty(&place, &[]);
        }
        while let Ok(first) = retired.recv() {
            let mut waiting: Vec<Retirement> = retired.try_iter().collect();
            waiting.push(first);
            while let Some(place) = waiting.first().map(|retirement| retirement.place().clone()) {
                let (here, elsewhere) = waiting.into_iter().partition(|other| *other.place() == place);
                waiting = elsewhere;
                self.empty(&place, &here);
            }
        }
    }

    /// Empties the trash of one place and the homes that stay where they are: those of its notes,
    /// and `retired`.
    fn empty(&self, place: &FieldPath, retired: &[Retirement]) {
        match self.try_to_empty(place, retired) {
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
            Err(error) => warn!(%place, %error, "the trash can not be emptied"),
        }
    }

    fn try_to_empty(&self, place: &FieldPath, retired: &[Retirement]) -> nix::Result<()> {
        let trash = trash::open(&open_trusted(&self.root, place)?)?;
        let mut in_place = trash::notes(&trash)?;
        in_place
            .extend(retired.iter().filter(|retirement| !in_place.contains(retirement)).cloned().collect::<Vec<_>>());
        for retirement in in_place {
            match retirement.empty_in_place(&self.root) {
                Ok(None) => {}
                Ok(Some(leftovers)) if leftovers.is_none() => {
                    info!(home = %retirement.home(), "a home has been emptied where it is");
                }
                Ok(Some(leftovers)) => warn!(home = %retirement.home(), %leftovers, "not all of a home can be removed"),
                Err(error) => warn!(home = %retirement.home(), %error, "a home can not be removed"),
            }
        }
        let leftovers = trash::empty(&trash)?;
        if !leftovers.is_none() {
            warn!(%place, %leftovers, "not all that is in the trash can be removed");
        }
        Ok(())
    }
}
