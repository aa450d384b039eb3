//! The only unsafe code of the agent's own: libcrypt, per-thread file system identity, the heap, NSS
//! sources, raw directories, processes by descriptor, signals, the time zone, quotas, priorities.

pub mod btrfs;
pub mod crypt;
pub mod directory_entries;
pub mod filesystem_identity;
pub mod heap;
pub mod local_time;
pub mod nss;
pub mod pidfd;
pub mod priority;
pub mod quotactl;
pub mod termination;
