//! The two copies of the accounts: the public one, and the one that the writer works on.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::disk::{Disk, Fingerprints};
use super::edit::Edit;
use super::file::{FileKind, LineFile};
use super::view::{Grants, View};

/// How long a reader of the copy that was public before is waited for; then it is left to that
/// reader, and the public one is copied.
const READER_PATIENCE: Duration = Duration::from_millis(10);

/// The accounts as every reader sees them.
#[derive(Clone, Debug, Default)]
pub struct Public(Arc<RwLock<Arc<View>>>);

impl Public {
    /// The accounts as they are now; a later change does not touch what was got here.
    pub fn get(&self) -> Arc<View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether some file is not as these accounts know it.
    pub fn is_stale(&self, disk: &Disk) -> bool {
        disk.fingerprints().ok() != Some(self.get().fingerprints)
    }

    fn set(&self, view: Arc<View>) -> Arc<View> {
        std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), view)
    }
}

/// A step from one state of the accounts to the next.
#[derive(Clone, Debug)]
pub enum Step {
    Edit(Edit),
    /// A file as another program has left it, and the names whose lines differ.
    File {
        kind: FileKind,
        file: Box<LineFile>,
        names: HashSet<String>,
    },
    /// The drop-ins as they are in their directory now.
    Grants(Grants),
}

impl Step {
    /// About how many lines and rows it is about.
    pub fn size(&self) -> usize {
        match self {
            Step::Edit(_) => 1,
            Step::File { names, .. } => names.len(),
            Step::Grants(grants) => grants.len(),
        }
    }
}

/// The writer's side.
#[derive(Debug)]
pub struct Copies {
    public: Public,
    work: Arc<View>,
    /// What the public copy has and the other does not have yet.
    missing: Vec<Step>,
}

impl Copies {
    pub fn new(public: Public, first: View) -> Self {
        let work = Arc::new(first);
        public.set(work.clone());
        Self { public, work, missing: Vec::new() }
    }

    pub fn public(&self) -> Arc<View> {
        self.public.get()
    }

    /// The copy to work on, which nobody else sees, as the public one is now.
    pub fn work(&mut self) -> &mut View {
        let end = Instant::now() + READER_PATIENCE;
        while !self.missing.is_empty() && Arc::strong_count(&self.work) > 1 && Instant::now() < end {
            std::thread::yield_now();
        }
        if Arc::strong_count(&self.work) > 1 {
            self.work = self.public.get();
            self.missing = Vec::new();
        }
        let public = self.public.get();
        let (generation, fingerprints) = (public.generation, public.fingerprints);
        drop(public);
        let work = Arc::make_mut(&mut self.work);
        std::mem::take(&mut self.missing).into_iter().for_each(|step| work.take(step));
        (work.generation, work.fingerprints) = (generation, fingerprints);
        work
    }

    /// Forgets what was worked and not published.
    pub fn abandon(&mut self) {
        self.work = self.public.get();
        self.missing = Vec::new();
    }

    /// Shows the worked-on copy, in which `steps` have been made, to the readers.
    pub fn publish(&mut self, steps: Vec<Step>, fingerprints: Fingerprints) {
        let work = Arc::make_mut(&mut self.work);
        work.generation += 1;
        work.fingerprints = fingerprints;
        let generation = work.generation;
        // A whole file is quicker copied than changed line by line, and then shares its lines.
        let is_copied = work.gather() || steps.iter().any(|step| matches!(step, Step::File { .. }));
        let before = self.public.set(self.work.clone());
        if !is_copied {
            self.work = before;
            self.missing = steps;
        }
        tracing::debug!(generation, "the accounts have changed");
    }
}

impl View {
    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Edit(edit) => self.apply(&edit),
            Step::File { kind, file, names } => self.replace_file(kind, *file, &names),
            Step::Grants(grants) => self.replace_grants(grants),
        }
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::id::{AccountId, Uid};

    use super::*;
    use crate::database::row::{Origin, UserRow};

    fn added(id: u64, name: &str) -> Edit {
        let row = UserRow {
            id: AccountId(id),
            name: name.into(),
            uid: Uid(1000),
            origin: Origin::Added,
            email: String::new(),
            microsoft_account: false,
            kept_hash: None,
            extras: None,
        };
        Edit::User { id: AccountId(id), old: None, new: Some(Arc::new(row)) }
    }

    fn add(copies: &mut Copies, id: u64, name: &str) {
        let edit = added(id, name);
        copies.work().apply(&edit);
        copies.publish(vec![Step::Edit(edit)], Fingerprints::default());
    }

    #[test]
    fn what_is_abandoned_is_in_no_copy() {
        let public = Public::default();
        let mut copies = Copies::new(public.clone(), View::default());
        add(&mut copies, 1, "a");
        copies.work().apply(&added(2, "b"));
        copies.abandon();
        assert!(copies.work().user_named("a").is_some() && copies.work().user_named("b").is_none());
        add(&mut copies, 3, "c");
        assert_eq!(public.get().users().iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn readers_keep_what_they_got_and_see_every_change_when_they_ask_again() {
        let public = Public::default();
        let mut copies = Copies::new(public.clone(), View::default());
        let before = public.get();
        for (id, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
            add(&mut copies, id, name);
            assert_eq!(public.get().users().len() as u64, id);
            assert!(public.get().user_named(name).is_some());
        }
        assert_eq!(before.users().len(), 0);
        assert_eq!(public.get().generation().0, 4);
    }

    #[test]
    fn work_that_is_not_published_is_not_seen() {
        let public = Public::default();
        let mut copies = Copies::new(public.clone(), View::default());
        add(&mut copies, 1, "a");
        copies.work().apply(&added(2, "b"));
        assert!(public.get().user_named("b").is_none());
        copies.work().undo(&added(2, "b"));
        add(&mut copies, 2, "c");
        assert!(public.get().user_named("b").is_none() && public.get().user_named("a").is_some());
    }
}
