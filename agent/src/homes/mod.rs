//! Home directories: where they may lie, how they come to be, the keys in them.
//!
//! Everything is done through directory descriptors from the root directory down, and no
//! component may be a symbolic link (openat2(2)): whoever owns a part of the path can not lead
//! root elsewhere.

mod adopted;
mod build;
mod child;
pub mod directory;
mod emptier;
mod emptying;
mod key_advice;
mod key_edit;
mod keys;
mod look;
mod mounts;
mod place;
mod relocation;
mod repair;
mod retirement;
mod subvolume;
pub mod transfer;
pub mod trash;
mod worker;

pub use adopted::give_back;
pub use build::{BuildError, Filling, Owner, Prepared, Skeleton, sweep};
pub use child::Ender;
pub use directory::{open_directory, rename_to_free};
pub use emptier::Emptier;
pub use emptying::random_name;
pub use key_advice::{KeysWanted, LookedAt, look_at_keys};
pub use key_edit::{EditFault, KeyEdit};
pub use keys::{Strictness, has_prepared_keys, read_authorized_keys, read_keys_to_keep};
pub use look::{Form, Looking, Seen, Status, look_at_homes};
pub use place::{HomeKind, Homes};
pub use relocation::Relocation;
pub use repair::RepairError;
pub use retirement::{Retirement, RetirementError};
pub use worker::{Keys, NO_HOME, WORKER_ARGUMENT, WorkError, Worker, run_worker};
