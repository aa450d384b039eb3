//! Files that grow and shrink.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;

use super::{Quota, StoreError, bytes, size};

/// Bytes that are about to be written.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// `None`: at the end of the file, wherever that is (O_APPEND).
    pub offset: Option<u64>,
    pub length: u64,
}

/// What a write has been charged with.
#[must_use]
#[derive(Clone, Copy, Debug, Default)]
pub struct Charge {
    begin: u64,
    size: u64,
    cost: u64,
}

impl Quota {
    /// Charges the growth that a write means.
    pub fn before_write(&mut self, file: &impl AsFd, span: Span) -> Result<Charge, StoreError> {
        if !self.is_counted() {
            return Ok(Charge::default());
        }
        let status = fstat(file)?;
        if !self.counts(&status) {
            return Ok(Charge::default());
        }
        let size = size(&status);
        let begin = span.offset.unwrap_or(size);
        let end = begin.checked_add(span.length).filter(|end| i64::try_from(*end).is_ok()).ok_or(Errno::EFBIG)?;
        let cost = if span.length == 0 { 0 } else { end.saturating_sub(size) };
        self.consume(bytes(cost))?;
        Ok(Charge { begin, size, cost })
    }

    /// What was not written is given back.
    pub fn after_write(&mut self, charge: Charge, written: u64) {
        let Charge { begin, size, cost } = charge;
        let grown = if written == 0 { 0 } else { (begin + written).saturating_sub(size) };
        if grown < cost {
            self.free(bytes(cost - grown));
        }
    }

    /// Charges what is added, and gives back what goes.
    pub fn truncate(&mut self, file: &impl AsFd, new_size: u64) -> Result<(), StoreError> {
        let end = i64::try_from(new_size).map_err(|_| Errno::EFBIG)?;
        if !self.is_counted() {
            return Ok(ftruncate(file, end)?);
        }
        let status = fstat(file)?;
        let old = size(&status);
        let growth = if self.counts(&status) { bytes(new_size.saturating_sub(old)) } else { bytes(0) };
        self.consume(growth)?;
        if let Err(error) = ftruncate(file, end) {
            self.free(growth);
            return Err(error.into());
        }
        if self.is_own(&status) {
            self.free(bytes(old.saturating_sub(new_size)));
        }
        Ok(())
    }
}
