//! Home directories: where they may lie, how they come to be, the keys in them.
//!
//! Everything is done through directory descriptors from the root directory down, and no
//! component may be a symbolic link (openat2(2)): whoever owns a part of the path can not lead
//! root elsewhere.

mod build;
mod child;
mod directory;
mod keys;
mod place;
mod relocation;
pub mod transfer;
mod worker;

pub use build::{BuildError, Filling, Owner, Prepared, Skeleton, sweep};
pub use child::Ender;
pub use directory::{open_directory, rename_to_free};
pub use keys::{Strictness, read_authorized_keys};
pub use place::{HomeKind, Homes};
pub use relocation::Relocation;
pub use worker::{Keys, NO_HOME, WORKER_ARGUMENT, WorkError, Worker, run_worker};
