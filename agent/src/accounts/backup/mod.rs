//! Backups: all accounts that are not built in as one document, and that document taken over on another
//! machine (docs/backup.md).
//!
//! Accounts get the names that they are to have here ([`rename`]). Then taking over has the same three steps as every
//! change: [`judge`] holds the document against the
//! accounts as they are, [`ready`] does what can fail without the lock, [`enter`] puts all of it into one
//! change.

mod enter;
mod export;
mod group;
mod import;
mod judge;
mod numbers;
mod ready;
mod record;
mod rename;
mod secrets;
mod sudo;
#[cfg(test)]
mod tests;
mod user;
