//! How much an account may store, as far as this program has to hold it to that.
//!
//! Where the kernel counts, it refuses by itself, and only what the limit is has to be asked for. In
//! the ledger, a session leases what it is about to use: bytes by which files grow (their sizes,
//! holes counted) and regular files that are made, both before it happens, and only on the file
//! system where the session's files are. What can't be asked for is refused.

mod growth;
mod lease;
mod names;
mod refusal;
mod relay;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::os::fd::AsFd;

use accountd_protocol::quota::{QuotaAnswer, QuotaBackend, QuotaLimits, QuotaRequest, QuotaUse};
use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::unistd::geteuid;

pub use self::growth::Span;
use self::lease::{Lease, stepped};
use self::names::Held;
pub use self::refusal::{OverQuota, StoreError};
pub use self::relay::Relay;
use crate::path::Tree;

/// By default nothing is counted and nothing refused.
#[derive(Debug, Default)]
pub struct Quota {
    relay: Option<Relay>,
    /// Only where the ledger counts.
    ledger: Option<Ledger>,
    /// The file system that is meant (st_dev of stat(2)).
    device: u64,
}

#[derive(Debug)]
struct Ledger {
    lease: Lease,
    /// Whose files count.
    uid: u32,
    /// Files that this session has open.
    held: HashMap<Identity, Held>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Quota {
    /// Of the file system where the session's files are.
    pub fn of(relay: Relay, backend: QuotaBackend, tree: &Tree) -> nix::Result<Self> {
        let ledger = || Ledger { lease: Lease::default(), uid: geteuid().as_raw(), held: HashMap::new() };
        let ledger = match backend {
            QuotaBackend::Kernel | QuotaBackend::Btrfs => None,
            QuotaBackend::Ledger => Some(ledger()),
        };
        Ok(Self { relay: Some(relay), ledger, device: tree.status()?.st_dev })
    }

    /// Whether this program has to count.
    pub fn is_counted(&self) -> bool {
        self.ledger.is_some()
    }

    /// What an error of the kernel means to whoever stores something.
    pub fn named(&mut self, error: StoreError) -> StoreError {
        match error {
            StoreError::Kernel(Errno::EDQUOT) => self.reached().into(),
            error => error,
        }
    }

    /// Which limit the kernel has met. It says only that there is one; who is told of several is told
    /// of the one that is nearer.
    fn reached(&mut self) -> OverQuota {
        let Some((limits, used)) = self.in_use() else { return OverQuota::Unknown };
        let left = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
        match (limits.bytes, limits.files, left(limits.files, used.files)) {
            (_, Some(files), Some(0)) => OverQuota::Files(files),
            (Some(bytes), _, _) => OverQuota::Bytes(bytes),
            (None, Some(files), _) => OverQuota::Files(files),
            (None, None, _) => OverQuota::Unknown,
        }
    }

    /// What the account may store where a file is, and what it does; `None`: nobody says.
    pub fn report(&mut self, file: &impl AsFd) -> Option<(QuotaLimits, QuotaUse)> {
        self.relay.as_ref()?;
        if fstat(file).ok()?.st_dev == self.device { self.in_use() } else { None }
    }

    fn in_use(&mut self) -> Option<(QuotaLimits, QuotaUse)> {
        match self.relay.as_mut()?.ask(QuotaRequest::Use) {
            Ok(QuotaAnswer::Use { limits, used }) => Some((limits, used)),
            Ok(_) | Err(_) => None,
        }
    }

    /// Gives back what is leased and not needed now. Where that is nothing, this is said: who says
    /// nothing was killed.
    pub fn settle(&mut self) {
        let (Some(relay), Some(ledger)) = (&mut self.relay, &mut self.ledger) else { return };
        if !ledger.lease.is_due() {
            return;
        }
        let Lease { left, freed, .. } = ledger.lease;
        // Where nobody takes it, the lease ends with the session.
        if relay.ask(QuotaRequest::Return { unused: left, freed }) == Ok(QuotaAnswer::Taken) {
            ledger.lease.returned();
        }
    }

    /// Leases and uses so much. Nothing is used where it is refused.
    fn consume(&mut self, need: QuotaUse) -> Result<(), OverQuota> {
        let (Some(relay), Some(ledger)) = (&mut self.relay, &mut self.ledger) else { return Ok(()) };
        if let Some(missing) = ledger.lease.missing(need) {
            lease(relay, &mut ledger.lease, missing)?;
        }
        ledger.lease.consume(need);
        Ok(())
    }

    fn free(&mut self, room: QuotaUse) {
        if let Some(ledger) = &mut self.ledger {
            ledger.lease.free(room);
        }
    }

    /// Whether this file is one that counts.
    fn counts(&self, status: &FileStat) -> bool {
        self.ledger.is_some() && status.st_dev == self.device && is_file(status)
    }

    /// Whether what it holds is this account's to free.
    fn is_own(&self, status: &FileStat) -> bool {
        self.counts(status) && self.ledger.as_ref().is_some_and(|ledger| ledger.uid == status.st_uid)
    }
}

/// A step where there is one; otherwise just what is missing, so that the last bytes can be used.
fn lease(relay: &mut Relay, lease: &mut Lease, missing: QuotaUse) -> Result<(), OverQuota> {
    let step = stepped(missing);
    let refused = match ask_for(relay, lease, step)? {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    let freed = lease.freed;
    if freed != QuotaUse::default() {
        let unused = QuotaUse::default();
        if relay.ask(QuotaRequest::Return { unused, freed })? == QuotaAnswer::Taken {
            lease.freed = QuotaUse::default();
        }
    } else if step == missing {
        return Err(refused);
    }
    ask_for(relay, lease, missing)?
}

/// Outside is what can't be asked, inside what is refused.
fn ask_for(relay: &mut Relay, lease: &mut Lease, wanted: QuotaUse) -> Result<Result<(), OverQuota>, OverQuota> {
    match relay.ask(QuotaRequest::Lease(wanted))? {
        QuotaAnswer::Leased(granted) if granted.bytes >= wanted.bytes && granted.files >= wanted.files => {
            lease.grow(granted);
            Ok(Ok(()))
        }
        QuotaAnswer::Exceeded(limit) => Ok(Err(limit.into())),
        QuotaAnswer::Leased(_) | QuotaAnswer::Taken | QuotaAnswer::Use { .. } | QuotaAnswer::Unavailable => {
            Err(OverQuota::Unavailable)
        }
    }
}

fn is_file(status: &FileStat) -> bool {
    status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits()
}

fn identity(status: &FileStat) -> Identity {
    (status.st_dev, status.st_ino)
}

fn size(status: &FileStat) -> u64 {
    u64::try_from(status.st_size).unwrap_or_default()
}

fn bytes(bytes: u64) -> QuotaUse {
    QuotaUse { bytes, files: 0 }
}
