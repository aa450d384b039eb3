//! Takes ownership of descriptors that the kernel has just put into this process.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The owner of a descriptor that recvmsg(2) returned in an SCM_RIGHTS message.
pub(crate) fn own_received(descriptor: RawFd) -> OwnedFd {
    // SAFETY: false if `descriptor` did not come out of an SCM_RIGHTS message of this very
    // recvmsg call, or if somebody else had already taken it over. The one caller passes each
    // number of the message once.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
