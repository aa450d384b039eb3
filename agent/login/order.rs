//! What the spawner and the keepers are told and tell, one packet each.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use accountd_protocol::agent::Grant;
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::login::{Ending, LinkOrder, Service};
use serde::{Deserialize, Serialize};

/// Longest order: names, paths and the supplementary groups of one user.
pub const MAX_ORDER: usize = 512 * 1024;

/// A session to start. Two descriptors come with it: its stream and its keeper's control socket.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub uid: Uid,
    pub gid: Gid,
    pub groups: Vec<Gid>,
    pub umask: u32,
    pub home: Vec<u8>,
    /// Behind the program's own name.
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=VALUE`.
    pub environment: Vec<Vec<u8>>,
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

/// Why a session has to end: one byte on its keeper's control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Whoever opened it wants it no more, or has gone.
    Closed,
    /// The account was disabled, changed or deleted.
    Revoked,
}

impl Farewell {
    const REVOKED: u8 = b'r';
    const CLOSED: u8 = b'c';

    pub fn byte(self) -> u8 {
        match self {
            Farewell::Closed => Self::CLOSED,
            Farewell::Revoked => Self::REVOKED,
        }
    }

    /// What a received byte means; `None`: the other end is closed.
    pub fn of(byte: Option<u8>) -> Self {
        match byte {
            Some(Self::REVOKED) => Farewell::Revoked,
            Some(_) | None => Farewell::Closed,
        }
    }
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
const ROOTS_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Order {
    pub fn new(grant: &Grant, service: Service) -> Self {
        let mut arguments = match service {
            Service::Sftp { links: LinkOrder::TargetFirst } => vec![b"sftp".to_vec()],
            Service::Sftp { links: LinkOrder::LinkFirst } => vec![b"sftp".to_vec(), b"--link-first".to_vec()],
        };
        if let Some(root) = &grant.session_root {
            arguments.extend([b"--root".to_vec(), root.clone()]);
        }
        let path = if grant.uid == Uid::ROOT { ROOTS_PATH } else { PATH };
        let variable = |name: &str, value: &[u8]| [name.as_bytes(), b"=", value].concat();
        Self {
            uid: grant.uid,
            gid: grant.gid,
            groups: grant.groups.clone(),
            umask: grant.umask,
            home: grant.home.clone(),
            arguments,
            environment: vec![
                variable("HOME", &grant.home),
                variable("USER", grant.name.as_str().as_bytes()),
                variable("LOGNAME", grant.name.as_str().as_bytes()),
                variable("SHELL", &grant.shell),
                variable("PATH", path.as_bytes()),
                variable("LANG", b"C.UTF-8"),
            ],
        }
    }

    pub fn identity(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }

    pub fn home(&self) -> OsString {
        OsString::from_vec(self.home.clone())
    }
}
