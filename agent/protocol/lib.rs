//! What the programs of accountd say to each other.
//!
//! Two root programs listen on Unix sockets: `accountd-agent` (accounts, decisions) and
//! `accountd-login` (sessions). Each has one request enum, in [`agent`] and [`login`]. Requests
//! carry names, ids and secrets, never paths that root would follow.

pub mod ageing;
pub mod agent;
pub mod alist;
pub mod api_key;
pub mod audit;
pub mod backup;
pub mod ban;
pub mod batch;
pub mod checks;
pub mod client;
pub mod conclusion;
pub mod dialects;
pub mod ended;
pub mod file_permission;
pub mod frame;
pub mod home;
pub mod id;
pub mod identity;
pub mod import;
pub mod job;
pub mod kept_clients;
pub mod key_advice;
pub mod limits;
pub mod list;
pub mod login;
pub mod metrics;
pub mod name;
pub mod network;
pub mod notify;
pub mod octets;
pub mod open_session;
pub mod pam;
pub mod pam_module;
pub mod pattern;
pub mod policy;
pub mod precondition;
pub mod quota;
pub mod refusal;
pub mod removal;
pub mod repository;
pub mod resume;
pub mod role;
pub mod secret;
pub mod session_policy;
pub mod socket;
pub mod ssh_key;
pub mod sudo;
pub mod text;
pub mod token;
pub mod two_factor;

mod decision;
mod group;
mod key_file;
mod operation;
mod revocation;
mod system;
mod user;
