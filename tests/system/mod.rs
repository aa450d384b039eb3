//! What the kernel and the root programs are to hold, against whoever would have more.

mod frames;
mod leases;
mod peer;
mod privilege;
mod requests;
