//! The only unsafe code of the agent's own: libcrypt and per-thread file system identity.

pub mod crypt;
pub mod filesystem_identity;
