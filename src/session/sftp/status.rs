//! Status replies (section 7): the kernel's error as a code and as words for the user.

use std::borrow::Cow;

use nix::errno::Errno;

use crate::permissions::NotPermitted;
use crate::quota::{OverQuota, StoreError};

pub const OK: u32 = 0;
pub const EOF: u32 = 1;
pub const NO_SUCH_FILE: u32 = 2;
pub const PERMISSION_DENIED: u32 = 3;
pub const FAILURE: u32 = 4;
pub const BAD_MESSAGE: u32 = 5;
pub const OP_UNSUPPORTED: u32 = 8;

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The kernel said no.
    Kernel(Errno),
    Quota(OverQuota),
    NotPermitted(NotPermitted),
    EndOfFile,
    BadHandle,
    TooManyHandles,
    /// Neither a file nor a directory: a pipe, socket or device.
    NotAFile,
    IsADirectory,
    NoSuchUser,
    /// What is read would be overwritten (copy-data).
    Overlap,
    Unsupported,
    /// A field of the packet is missing: the session ends.
    Malformed,
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Failure::Kernel(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Kernel(error) => Failure::Kernel(error),
            StoreError::Quota(refused) => Failure::Quota(refused),
        }
    }
}

impl From<NotPermitted> for Failure {
    fn from(missing: NotPermitted) -> Self {
        Failure::NotPermitted(missing)
    }
}

impl From<super::wire::Truncated> for Failure {
    fn from(_: super::wire::Truncated) -> Self {
        Failure::Malformed
    }
}

impl Failure {
    pub fn code(self) -> u32 {
        match self {
            Failure::Kernel(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => NO_SUCH_FILE,
            Failure::Kernel(Errno::EACCES | Errno::EPERM | Errno::EROFS) | Failure::NotPermitted(_) => {
                PERMISSION_DENIED
            }
            Failure::Kernel(Errno::ENOSYS | Errno::EOPNOTSUPP) | Failure::Unsupported => OP_UNSUPPORTED,
            Failure::EndOfFile => EOF,
            Failure::Malformed => BAD_MESSAGE,
            Failure::Kernel(_)
            | Failure::Quota(_)
            | Failure::BadHandle
            | Failure::TooManyHandles
            | Failure::NotAFile
            | Failure::NoSuchUser
            | Failure::Overlap
            | Failure::IsADirectory => FAILURE,
        }
    }

    pub fn message(self) -> Cow<'static, str> {
        match self {
            Failure::Quota(refused) => refused.to_string().into(),
            Failure::NotPermitted(missing) => missing.to_string().into(),
            Failure::Kernel(Errno::EDQUOT) => OverQuota::Unknown.to_string().into(),
            Failure::Kernel(Errno::ENOSPC) => "No space left on the file system".into(),
            Failure::Kernel(error) => error.desc().into(),
            Failure::EndOfFile => "End of file".into(),
            Failure::BadHandle => "No such handle".into(),
            Failure::TooManyHandles => "Too many open files and directories in this session".into(),
            Failure::NotAFile => "Not a regular file".into(),
            Failure::IsADirectory => "Is a directory".into(),
            Failure::NoSuchUser => "No such user".into(),
            Failure::Overlap => "The ranges overlap".into(),
            Failure::Unsupported => "Not supported".into(),
            Failure::Malformed => "Malformed packet".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_of_room_and_of_quota_is_said_in_words_of_its_own() {
        let said = |failure: Failure| (failure.code(), failure.message().into_owned());
        let over = OverQuota::Unknown.to_string();
        assert_eq!(said(Errno::EDQUOT.into()), (FAILURE, over));
        assert_eq!(said(Errno::ENOSPC.into()), (FAILURE, "No space left on the file system".into()));
        assert_eq!(said(Failure::NotAFile), (FAILURE, "Not a regular file".into()));
        assert_eq!(said(Failure::from(super::super::wire::Truncated)), (BAD_MESSAGE, "Malformed packet".into()));
    }
}
