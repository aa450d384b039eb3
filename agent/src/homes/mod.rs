//! Home directories: where they may lie, how they come to be, the keys in them.
//!
//! Everything is done through directory descriptors from the root directory down, and no
//! component may be a symbolic link (openat2(2)): whoever owns a part of the path can not lead
//! root elsewhere.

mod adopted;
mod build;
mod directory;
mod keys;
mod place;
mod worker;

pub use adopted::give_back;
pub use build::{BuildError, Owner, Prepared, sweep};
pub use directory::open_directory;
pub use keys::{Strictness, read_authorized_keys};
pub use place::{HomeKind, Homes};
pub use worker::{Keys, NO_HOME, WORKER_ARGUMENT, WorkError, Worker, run_worker};
