//! What the sessions of an account are held to, beside what the kernel holds its user to.

use crate::pace::Rates;
use crate::permissions::Permissions;
use crate::quota::Quota;

/// By default nothing is limited.
#[derive(Debug, Default)]
pub struct Limits {
    pub permissions: Permissions,
    pub rates: Rates,
    pub quota: Quota,
}
