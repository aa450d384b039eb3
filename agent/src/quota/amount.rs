//! What is used, added up and compared, bytes and files each for themselves.

use accountd_protocol::quota::QuotaUse;

pub fn plus(one: QuotaUse, other: QuotaUse) -> QuotaUse {
    QuotaUse { bytes: one.bytes.saturating_add(other.bytes), files: one.files.saturating_add(other.files) }
}

/// `None` where the sum can't be held.
pub fn checked_plus(one: QuotaUse, other: QuotaUse) -> Option<QuotaUse> {
    Some(QuotaUse { bytes: one.bytes.checked_add(other.bytes)?, files: one.files.checked_add(other.files)? })
}

pub fn minus(one: QuotaUse, other: QuotaUse) -> QuotaUse {
    QuotaUse { bytes: one.bytes.saturating_sub(other.bytes), files: one.files.saturating_sub(other.files) }
}

pub fn least(one: QuotaUse, other: QuotaUse) -> QuotaUse {
    QuotaUse { bytes: one.bytes.min(other.bytes), files: one.files.min(other.files) }
}

pub fn most(one: QuotaUse, other: QuotaUse) -> QuotaUse {
    QuotaUse { bytes: one.bytes.max(other.bytes), files: one.files.max(other.files) }
}
