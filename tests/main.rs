//! accountd through its real programs and real clients, each test in a sandbox of its own.
#![forbid(unsafe_code)]

mod authentication;
mod freenas;
mod openssh;
mod privileges;
mod refusals;
mod rest;
mod sftp;
mod world;
