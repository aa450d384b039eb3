//! How the database is opened: nobody else has it open, what a crash has interrupted is completed, and the files
//! are read.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::commit::Place;
use super::copier::Copier;
use super::copies::{Copies, Public};
use super::disk::Disk;
use super::error::DatabaseError;
use super::file::FileKind;
use super::lock::{self, PasswordLock};
use super::quota_store::Touched;
use super::row::Origin;
use super::view::View;
use super::writer::{OnRevoked, Writer};
use super::{Keeping, dead_links, restore};

/// Nobody else keeps these accounts: two agents would give out the same ids.
pub(super) fn alone(state: &Path) -> Result<Flock<File>, DatabaseError> {
    let path = state.with_extension("lock");
    let mut options = File::options();
    let file = options.append(true).create(true).mode(0o600).open(&path).map_err(DatabaseError::store(&path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => DatabaseError::NotAlone,
        error => DatabaseError::store(&path)(error.into()),
    })
}

/// The writer of the accounts, who has read them. A damaged store is restored from its good copy.
pub(super) fn recovered(
    Keeping { root, store, audit }: &Keeping<'_>,
    disk: &Disk,
    on_revoked: OnRevoked,
    (public, touched): (&Public, &Touched),
) -> Result<Writer, DatabaseError> {
    let mut state = restore::open(store)?;
    let lock = PasswordLock::wait(disk.etc(), lock::DEADLINE)?;
    FileKind::ALL.into_iter().for_each(|kind| disk.discard(kind));
    disk.drop_ins.sweep();
    dead_links::sweep(disk.etc());
    Place { disk, root, state: &mut state }.recover()?;
    let stored = state.load()?;
    let mut view = View::new(stored.users, stored.groups, stored.quarantine);
    // The high half counts the starts, so that generations go up over restarts too.
    view.generation = stored.starts << 32;
    view.password_rules = stored.password_rules;
    view.api_keys = stored.api_keys;
    view.second_factors = stored.second_factors;
    let mut writer = Writer {
        root: (*root).to_owned(),
        disk: disk.clone(),
        state,
        copies: Copies::new(public.clone(), view),
        next_user: stored.next_user,
        next_group: stored.next_group,
        origin: if stored.fresh { Origin::Builtin } else { Origin::Added },
        on_revoked,
        touched: touched.clone(),
        copier: Copier::start(store)?,
        is_damaged: false,
        left_free: 0,
        audit: (*audit).clone(),
        placed: Vec::new(),
    };
    writer.refresh()?;
    drop(lock);
    Ok(writer)
}
