//! What the kernel and the root programs are to hold, against whoever would have more.

mod claims;
mod frames;
mod leases;
mod local;
mod peer;
mod privilege;
mod records;
mod requests;
