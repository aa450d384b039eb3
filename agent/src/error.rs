//! What can go wrong in the agent; each variant names the operation and the thing.

use std::io;
use std::path::PathBuf;

use accountd_protocol::refusal::Refusal;

use crate::homes::BuildError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] accountd_config::ConfigError),
    #[error("cannot listen on {path}: {source}")]
    Listen { path: PathBuf, source: io::Error },
    #[error("cannot open the root directory {path}: {source}")]
    Root { path: PathBuf, source: io::Error },
    #[error("cannot open the account database: {0}")]
    Database(#[from] crate::database::DatabaseError),
    #[error("cannot hash a password: {0}")]
    Hash(#[from] crate::identity::hash::HashError),
    #[error("cannot make a password: {0}")]
    RandomPassword(getrandom::Error),
    #[error("cannot start the transfers of homes: {0}")]
    Transfers(io::Error),
    #[error("cannot start the thread that records logins: {0}")]
    Clerk(io::Error),
    #[error("cannot start a thread for PAM: {0}")]
    Pam(io::Error),
    #[error("cannot start the thread of the watchdog: {0}")]
    Watchdog(io::Error),
    #[error("cannot start the thread that records bans: {0}")]
    Bans(io::Error),
    #[error("cannot start the thread that puts key files in their places: {0}")]
    WaitingKeys(io::Error),
    #[error("cannot start the threads that work on jobs: {0}")]
    Jobs(io::Error),
    #[error("cannot keep the secret of a second factor: {0}")]
    Vault(crate::identity::second_factor::vault::VaultError),
    #[error("cannot get random bytes: {0}")]
    Random(getrandom::Error),
    #[error("cannot wait for the signal to end: {0}")]
    Signals(nix::errno::Errno),
    #[error(transparent)]
    Audit(#[from] crate::audit::AuditError),
    #[error("the audit trail is not whole")]
    AuditNotWhole,
    #[error("cannot make a handle")]
    Handle,
    #[error("cannot write a drop-in of sudo: {0}")]
    DropIn(io::Error),
    #[error("cannot read the drop-ins of sudo: {0}")]
    ReadDropIns(io::Error),
    #[error("a drop-in of sudo can not be checked: {0}")]
    Visudo(crate::sudoers::Unchecked),
    #[error(transparent)]
    Ids(#[from] crate::ids::ReadError),
    /// Whoever asks may try again.
    #[error(transparent)]
    OtherSource(#[from] crate::ids::NssError),
    #[error("cannot make the home {home}: {source}")]
    Home { home: String, source: BuildError },
    #[error("cannot make ready that the home {home} goes: {source}")]
    Retire { home: String, source: io::Error },
    #[error("cannot repair {home}: {source}")]
    Repair { home: String, source: crate::homes::WorkError },
    #[error("cannot start the thread that empties the trash: {0}")]
    Emptier(io::Error),
    #[error("cannot start what sets quotas: {0}")]
    Quotas(io::Error),
    #[error("cannot keep repositories: {0}")]
    Repositories(io::Error),
    #[error("cannot put the keys in {home} in place, which is tried again: {source}")]
    Keys { home: String, source: crate::homes::WorkError },
}

impl Error {
    /// Logs the error and gives what the caller may know of it.
    pub fn into_refusal(self) -> Refusal {
        tracing::error!(error = %self, "a request failed");
        match self {
            Error::DropIn(source) if no_space(&source) => Refusal::NoSpace,
            Error::DropIn(_) | Error::Visudo(_) => Refusal::Internal("sudo's drop-in can not be made".into()),
            Error::Home { source: BuildError::Io(source), .. } if no_space(&source) => Refusal::NoSpace,
            Error::Home { home, .. } => Refusal::Internal(format!("the home {home} can not be made")),
            Error::Keys { home, .. } => Refusal::Internal(format!("the keys in {home} can not be put in place yet")),
            Error::ReadDropIns(_) => Refusal::Internal("the drop-ins of sudo can not be read".into()),
            Error::OtherSource(_) => Refusal::Busy,
            Error::Retire { home, .. } => Refusal::Internal(format!("the home {home} can not be removed")),
            Error::Audit(_) => Refusal::Internal("the audit trail can not be read".into()),
            Error::Repair { home, .. } => Refusal::Internal(format!("{home} can not be repaired")),
            Error::Config(_)
            | Error::AuditNotWhole
            | Error::Clerk(_)
            | Error::Watchdog(_)
            | Error::Pam(_)
            | Error::Bans(_)
            | Error::Emptier(_)
            | Error::Quotas(_)
            | Error::Repositories(_)
            | Error::Listen { .. }
            | Error::Root { .. }
            | Error::Database(_)
            | Error::Hash(_)
            | Error::RandomPassword(_)
            | Error::Ids(_)
            | Error::Jobs(_)
            | Error::WaitingKeys(_)
            | Error::Random(_)
            | Error::Vault(_)
            | Error::Signals(_)
            | Error::Transfers(_)
            | Error::Handle => Refusal::Internal("internal error".into()),
        }
    }
}

/// Whether there was no room for something.
pub fn no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_others_has_no_word_of_the_system() {
        let io = |kind: io::ErrorKind| io::Error::new(kind, "ENOTTOBESAID /etc/shadow");
        let other = || io(io::ErrorKind::Other);
        let home = || "/mnt/tank/anna".to_owned();
        let work = || crate::homes::WorkError::Start(other());
        let said = [
            (Error::DropIn(io(io::ErrorKind::StorageFull)), None),
            (Error::Home { home: home(), source: BuildError::Io(io(io::ErrorKind::StorageFull)) }, None),
            (
                Error::Home { home: home(), source: BuildError::Io(other()) },
                Some("the home /mnt/tank/anna can not be made"),
            ),
            (Error::DropIn(other()), Some("sudo's drop-in can not be made")),
            (Error::ReadDropIns(other()), Some("the drop-ins of sudo can not be read")),
            (
                Error::Keys { home: home(), source: work() },
                Some("the keys in /mnt/tank/anna can not be put in place yet"),
            ),
            (Error::Retire { home: home(), source: other() }, Some("the home /mnt/tank/anna can not be removed")),
            (Error::Repair { home: home(), source: work() }, Some("/mnt/tank/anna can not be repaired")),
            (
                Error::Audit(crate::audit::AuditError::File { path: "/var/lib".into(), source: other() }),
                Some("the audit trail can not be read"),
            ),
            (Error::Handle, Some("internal error")),
            (Error::Jobs(other()), Some("internal error")),
        ];
        for (error, said) in said {
            let expected = said.map_or(Refusal::NoSpace, |said| Refusal::Internal(said.into()));
            assert_eq!(error.into_refusal(), expected);
        }
    }
}
