//! accountd-agent: the root program that decides who is who and makes accounts real.

pub mod homes;
pub mod identity;
pub mod samba;

#[allow(unsafe_code, reason = "libcrypt and per-thread file system identity have no safe wrappers")]
mod sys;
