//! What a session may still use, and what it has used: numbers alone.

use accountd_protocol::quota::QuotaUse;

/// What is asked for at a time where there is so much.
const STEP: QuotaUse = QuotaUse { bytes: 8 * 1024 * 1024, files: 64 };

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Leased and not yet used.
    pub left: QuotaUse,
    /// Used by this session, less what it has freed since.
    pub consumed: QuotaUse,
    /// Freed beyond that: of what others have used, which a scan has to find. Not yet told.
    pub freed: QuotaUse,
    /// Something was leased since the last return.
    is_open: bool,
}

impl Lease {
    /// What is to be asked for before so much can be used; `None`: nothing.
    pub fn missing(&self, need: QuotaUse) -> Option<QuotaUse> {
        let missing = each(need, self.left, u64::saturating_sub);
        (missing != QuotaUse::default()).then_some(missing)
    }

    pub fn grow(&mut self, granted: QuotaUse) {
        self.is_open = true;
        self.left = each(self.left, granted, u64::saturating_add);
    }

    /// Whether there is something to be told, and be it that all of the lease was used.
    pub fn is_due(&self) -> bool {
        self.is_open || (self.left, self.freed) != Default::default()
    }

    /// What is left has been returned, and what was freed told.
    pub fn returned(&mut self) {
        (self.left, self.freed) = Default::default();
        self.is_open = false;
    }

    /// Only what is not missing.
    pub fn consume(&mut self, used: QuotaUse) {
        self.left = each(self.left, used, u64::saturating_sub);
        self.consumed = each(self.consumed, used, u64::saturating_add);
    }

    /// Room has come back. What this session has used may be used again; what others have is theirs.
    pub fn free(&mut self, room: QuotaUse) {
        let own = each(room, self.consumed, u64::min);
        self.consumed = each(self.consumed, own, u64::saturating_sub);
        self.left = each(self.left, own, u64::saturating_add);
        self.freed = each(self.freed, each(room, own, u64::saturating_sub), u64::saturating_add);
    }
}

/// As much of each as is missing, or as a step where any is.
pub fn stepped(missing: QuotaUse) -> QuotaUse {
    each(missing, STEP, |missing, step| if missing == 0 { 0 } else { missing.max(step) })
}

fn each(one: QuotaUse, other: QuotaUse, of: impl Fn(u64, u64) -> u64) -> QuotaUse {
    QuotaUse { bytes: of(one.bytes, other.bytes), files: of(one.files, other.files) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: u64) -> QuotaUse {
        QuotaUse { bytes, files: 0 }
    }

    #[test]
    fn only_what_is_missing_is_asked_for_in_steps() {
        let mut lease = Lease::default();
        let need = QuotaUse { bytes: 10, files: 1 };
        assert_eq!(lease.missing(need), Some(need));
        assert_eq!(stepped(need), STEP);
        assert_eq!(stepped(bytes(u64::MAX)), bytes(u64::MAX));
        lease.grow(bytes(15));
        assert_eq!(lease.missing(need), Some(QuotaUse { bytes: 0, files: 1 }));
        assert_eq!(stepped(QuotaUse { bytes: 0, files: 1 }), QuotaUse { bytes: 0, files: 64 });
        assert_eq!(lease.missing(bytes(15)), None);
    }

    #[test]
    fn a_session_gets_back_what_it_has_used_and_no_more() {
        let mut lease = Lease::default();
        lease.grow(bytes(100));
        lease.consume(bytes(60));
        lease.free(bytes(50));
        assert_eq!((lease.left, lease.consumed, lease.freed), (bytes(90), bytes(10), bytes(0)));
        lease.free(bytes(1000));
        assert_eq!((lease.left, lease.consumed, lease.freed), (bytes(100), bytes(0), bytes(990)));
    }
}
