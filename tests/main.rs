//! accountd through its real programs and real clients, each test in a sandbox of its own.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on has failed")]

mod accountctl;
mod alist;
mod audit;
mod authentication;
mod backup;
mod bans;
mod belongings;
mod checks;
mod clients;
mod commands;
mod concurrency;
mod confined;
mod crash;
mod differential;
mod disable;
mod faults;
mod forwarding;
mod freenas;
mod hand_edits;
mod home_deletion;
mod homes;
mod ids;
mod kernel_quotas;
mod key_advice;
mod key_options;
mod layout;
mod leftovers;
mod limits;
mod login;
mod mail;
mod manuals;
mod metrics;
mod mixed_changes;
mod openssh;
mod outside_edits;
mod pam;
mod pam_login;
mod password_change;
mod payloads;
#[path = "bench/populated.rs"]
#[allow(dead_code, reason = "shared with the benchmark, which needs more of it")]
mod populated;
mod quota;
mod raw;
mod refusals;
mod repositories;
mod rest;
mod rhodecode;
mod roles;
mod running;
mod sandbox;
mod sandbox_root;
mod scp;
mod session;
mod sftp;
mod sftpgo;
mod ssh_server;
#[path = "bench/ssh/sshd.rs"]
#[allow(dead_code, reason = "shared with the benchmark, which needs more of it")]
mod sshd;
mod state_store;
mod sudo;
mod sudo_lists;
mod system;
#[path = "bench/traced.rs"]
mod traced;
mod two_factor;
mod unauthenticated;
mod units;
mod v2;
mod world;
mod written;
