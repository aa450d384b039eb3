//! accountd through its real programs and real clients, each test in a sandbox of its own.
#![forbid(unsafe_code)]

mod authentication;
mod concurrency;
mod crash;
mod freenas;
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
