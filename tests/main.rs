//! accountd through its real programs and real clients, each test in a sandbox of its own.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on has failed")]

mod authentication;
mod concurrency;
mod crash;
mod faults;
mod freenas;
mod leftovers;
mod login;
mod openssh;
mod outside_edits;
mod privileges;
mod refusals;
mod rest;
mod sandbox;
mod sandbox_root;
mod sftp;
mod unauthenticated;
mod world;
