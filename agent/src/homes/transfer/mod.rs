//! What becomes of the content of a home when its account gets another home or another uid:
//! copied by a child that has become the user, or handed over by root, entry by entry.

mod attributes;
mod copy;
mod entries;
mod file;
mod measure;
mod own;
mod report;
mod staging;
pub mod walk;
mod work;

#[cfg(test)]
mod tests;

use std::io;

use nix::errno::Errno;

pub use report::Report;
pub use work::{Attributes, Passes, Transfer, TransferWork, run};

/// Why a transfer has ended early. What it has done so far stays, and it can be started again.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("cannot {doing}: {source}")]
    File { doing: &'static str, source: io::Error },
    #[error("a directory was moved away while it was read")]
    Moved,
    #[error("the home is not the account's own")]
    NotOwned,
    #[error("nobody listens any more")]
    Unheard,
}

/// Fits [`Fault::File`] for an error of a system call.
fn failed(doing: &'static str) -> impl FnOnce(Errno) -> Fault {
    move |error| Fault::File { doing, source: error.into() }
}
