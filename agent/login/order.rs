//! What the spawner and the keepers are told and tell.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::login::{Ending, Streams};
use accountd_protocol::octets;
use accountd_protocol::pam::PamService;
use accountd_protocol::quota::QuotaBackend;
use accountd_protocol::session_policy::Leftovers;
use serde::{Deserialize, Serialize};

use crate::sys::resources::ResourceLimit;

/// Longest order: names, paths, a command line and the supplementary groups of one user.
pub const MAX_ORDER: usize = 512 * 1024;

/// What the spawner is to start, by what it takes.
#[derive(Debug, Serialize, Deserialize)]
pub enum Wanted<S = Box<Order>, M = ModulesOrder> {
    /// A keeper, and a session below it.
    Session(S),
    /// A process for the modules of PAM, and for all sessions of one login. Its control socket comes with it.
    Modules(M),
}

/// A login to bring before PAM.
#[derive(Debug, Serialize, Deserialize)]
pub struct ModulesOrder {
    pub service: PamService,
    pub user: String,
    /// Where the client is.
    pub source: IpAddr,
    pub asked: ModulesTask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModulesTask {
    /// Who is it, and may they?
    Authenticate,
    /// May they? Who it is has been shown.
    CheckAccount,
}

/// A session to start. Its descriptors come with it: its keeper's control socket, where its
/// records go, where it asks for quota, and its side of the streams.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub user: String,
    pub uid: Uid,
    pub gid: Gid,
    pub groups: Vec<Gid>,
    pub umask: u32,
    #[serde(with = "octets")]
    pub home: Vec<u8>,
    /// Behind the program's own name.
    #[serde(with = "octets::list")]
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=VALUE`.
    #[serde(with = "octets::list")]
    pub environment: Vec<Vec<u8>>,
    pub privileges: NewPrivileges,
    pub streams: Streams,
    pub leftovers: Leftovers,
    /// Who counts what the session stores. Then a socket comes with the order on which it asks.
    pub quota: Option<QuotaBackend>,
    /// Where the client is.
    pub source: IpAddr,
    /// What PAM has set.
    pub limits: Vec<ResourceLimit>,
}

/// Whether a program of the session may have more than its user's rights (sudo(8), execve(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NewPrivileges {
    Never,
    /// By programs that are set-user-ID.
    Possible,
}

/// What a keeper says on its control socket.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// The program runs.
    Started,
    /// It does not, and nothing of it is left.
    NotStarted(String),
    /// It has ended, and so has everything that it left behind.
    Ended(Ending),
}

impl Order {
    pub fn identity(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }

    pub fn home(&self) -> OsString {
        OsString::from_vec(self.home.clone())
    }
}
