//! Becoming another user: the one function of accountd that changes identity.
//!
//! Supplementary groups, then gid, then uid, each for real, effective and saved id; then proof
//! that root can not be had back (setresuid(2), credentials(7)). glibc's wrappers change every
//! thread of the process; callers are single-threaded all the same.

use nix::errno::Errno;
use nix::unistd::{Gid as NixGid, Uid as NixUid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};

use crate::id::{Gid, Uid};

/// Whom to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: Uid,
    pub gid: Gid,
    /// Supplementary groups; the primary one need not be among them.
    pub groups: Vec<Gid>,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot set the supplementary groups: {0}")]
    Groups(Errno),
    #[error("cannot set the group id: {0}")]
    Gid(Errno),
    #[error("cannot set the user id: {0}")]
    Uid(Errno),
    #[error("the identity is not the one that was asked for")]
    NotAssumed,
    #[error("root could be had back")]
    Revocable,
}

impl Identity {
    /// Becomes this user for good. After an error the process must exit: it may have changed
    /// half of its identity.
    pub fn assume(&self) -> Result<(), IdentityError> {
        let (uid, gid) = (NixUid::from_raw(self.uid.0), NixGid::from_raw(self.gid.0));
        let groups: Vec<NixGid> = self.groups.iter().map(|group| NixGid::from_raw(group.0)).collect();
        setgroups(&groups).map_err(IdentityError::Groups)?;
        setresgid(gid, gid, gid).map_err(IdentityError::Gid)?;
        setresuid(uid, uid, uid).map_err(IdentityError::Uid)?;
        self.prove(uid, gid, groups)
    }

    fn prove(&self, uid: NixUid, gid: NixGid, mut groups: Vec<NixGid>) -> Result<(), IdentityError> {
        let users = getresuid().map_err(IdentityError::Uid)?;
        let groups_of = getresgid().map_err(IdentityError::Gid)?;
        let mut supplementary = getgroups().map_err(IdentityError::Groups)?;
        groups.sort_unstable_by_key(|group| group.as_raw());
        supplementary.sort_unstable_by_key(|group| group.as_raw());
        let all_uid = [users.real, users.effective, users.saved].iter().all(|id| *id == uid);
        let all_gid = [groups_of.real, groups_of.effective, groups_of.saved].iter().all(|id| *id == gid);
        if !(all_uid && all_gid && supplementary == groups) {
            return Err(IdentityError::NotAssumed);
        }
        if self.uid != Uid::ROOT && root_can_be_had_back() {
            return Err(IdentityError::Revocable);
        }
        Ok(())
    }
}

fn root_can_be_had_back() -> bool {
    let root = NixUid::from_raw(0);
    setresuid(root, root, root).is_ok()
        || nix::unistd::setuid(root).is_ok()
        || nix::unistd::seteuid(root).is_ok()
        || setgroups(&[NixGid::from_raw(0)]).is_ok()
}
