//! The only unsafe code of the agent's own: libcrypt, per-thread file system identity, NSS sources.

pub mod crypt;
pub mod filesystem_identity;
pub mod nss;
