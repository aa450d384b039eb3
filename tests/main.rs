//! accountd through its real programs and real clients, each test in a sandbox of its own.
#![forbid(unsafe_code)]

mod freenas;
mod refusals;
mod rest;
mod world;
