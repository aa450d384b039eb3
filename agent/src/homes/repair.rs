//! Making home, `.ssh` and `authorized_keys` such that keys count: the modes as the user, what is
//! not the user's as root, by descriptor and only where nobody can lead it elsewhere.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use accountd_protocol::id::Uid;
use accountd_protocol::key_advice::{KeyAdvice, KeyFault, RepairFault};
use accountd_protocol::refusal::Problem;
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, fchmodat, fstat};
use nix::unistd::fchownat;

use super::key_advice::{KEY_FILE, KEY_FILE_MODE, SSH, SSH_MODE};
use super::retirement::open_trusted;
use super::{Homes, Owner, directory};

/// What root has to do, checked and open. Nothing has happened yet.
#[derive(Debug, Default)]
pub struct RootsPart(Vec<Step>);

#[derive(Debug)]
struct Step {
    /// O_PATH
    file: OwnedFd,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// To the user: it is nobody's.
    Owner(Owner),
    /// Of what is root's.
    Mode(u32),
}

/// Why nothing is done.
#[derive(Debug)]
pub enum RepairError {
    Refused(Problem),
    Io(Errno),
}

impl From<Errno> for RepairError {
    fn from(error: Errno) -> Self {
        RepairError::Io(error)
    }
}

/// Home, `.ssh` or key file, found by name in the one before.
struct Found {
    path: String,
    /// O_PATH
    file: OwnedFd,
    status: FileStat,
}

impl Homes {
    /// Looks at `home`, which should be `owner`'s. `account_of` names the account that has a uid.
    pub fn plan_repair(
        &self,
        home: &FieldPath,
        owner: Owner,
        account_of: impl Fn(Uid) -> Option<String>,
    ) -> Result<RootsPart, RepairError> {
        let mut part = RootsPart::default();
        for found in self.find(home)? {
            let Some(change) = found.change(owner) else { continue };
            let refused = |fault| RepairError::Refused(Problem::NotRepairable { path: found.path.clone(), fault });
            let holder = Uid(found.status.st_uid);
            if let Some(name) = account_of(holder).filter(|_| holder != Uid::ROOT) {
                return Err(refused(RepairFault::OwnedBy(name)));
            }
            if directory::kind(&found.status) == libc::S_IFREG && found.status.st_nlink != 1 {
                return Err(refused(RepairFault::OtherNames));
            }
            if !self.is_parent_trusted(home) {
                return Err(refused(RepairFault::Exposed));
            }
            part.0.push(Step { file: found.file, change });
        }
        Ok(part)
    }

    /// What there is of home, `.ssh` and key file. Each has to be what it should be.
    fn find(&self, home: &FieldPath) -> Result<Vec<Found>, RepairError> {
        let refused = |path: &str, fault| {
            let path = path.to_owned();
            RepairError::Refused(Problem::Keys(KeyAdvice { path, fault }))
        };
        let (mut found, mut directory): (Vec<Found>, _) = (Vec::new(), None);
        let mut path = String::new();
        for (name, kind) in [(home.as_str(), libc::S_IFDIR), (SSH, libc::S_IFDIR), (KEY_FILE, libc::S_IFREG)] {
            path = format!("{}{}{name}", path.trim_end_matches('/'), if name.starts_with('/') { "" } else { "/" });
            let opened = directory::open_below(
                directory.as_ref().unwrap_or(self.root()),
                name.trim_start_matches('/'),
                OFlag::O_PATH,
            );
            let file = match opened {
                Err(Errno::ENOENT) if found.is_empty() => return Err(refused(&path, KeyFault::NoHome)),
                Err(Errno::ENOENT) => break,
                Err(Errno::ELOOP) => return Err(refused(&path, KeyFault::Linked)),
                opened => opened?,
            };
            let status = fstat(&file)?;
            match (directory::kind(&status), kind) {
                (found, wanted) if found == wanted => {}
                (libc::S_IFLNK, _) => return Err(refused(&path, KeyFault::Linked)),
                (_, libc::S_IFDIR) => return Err(refused(&path, KeyFault::NotADirectory)),
                _ => return Err(refused(&path, KeyFault::NotAFile)),
            }
            directory = Some(file.try_clone().map_err(|_| Errno::EMFILE)?);
            found.push(Found { path: path.clone(), file, status });
        }
        Ok(found)
    }

    fn is_parent_trusted(&self, home: &FieldPath) -> bool {
        let above = home.as_str().rsplit_once('/').map_or("/", |(above, _)| above);
        FieldPath::new(format!("/{above}")).is_ok_and(|above| open_trusted(self.root(), &above).is_ok())
    }
}

impl Found {
    /// What root has to do. What is the user's is the user's to change.
    fn change(&self, owner: Owner) -> Option<Change> {
        let mode = self.status.st_mode & 0o7777;
        match Uid(self.status.st_uid) {
            holder if holder == owner.uid => None,
            Uid::ROOT if mode & 0o022 == 0 => None,
            Uid::ROOT => Some(Change::Mode(mode & !0o022)),
            _ => Some(Change::Owner(owner)),
        }
    }
}

impl RootsPart {
    pub fn perform(self) -> nix::Result<()> {
        for Step { file, change } in self.0 {
            match change {
                Change::Owner(Owner { uid, gid }) => {
                    let (uid, gid) = (nix::unistd::Uid::from_raw(uid.0), nix::unistd::Gid::from_raw(gid.0));
                    fchownat(&file, c"", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)?;
                }
                Change::Mode(mode) => set_mode(&file, mode)?,
            }
        }
        Ok(())
    }
}

/// As the user: lets nobody else write what is the user's.
pub fn repair_modes(root: &Path, home: &Path, user: Uid) -> nix::Result<()> {
    let root = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let home = home.strip_prefix("/").map_err(|_| Errno::EINVAL)?;
    let mut directory = directory::open_below(&root, home, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    repair_mode(&directory, user, |mode| (mode | 0o500) & !0o022)?;
    for (name, wanted) in [(SSH, SSH_MODE), (KEY_FILE, KEY_FILE_MODE)] {
        directory = match directory::open_below(&directory, name, OFlag::O_PATH) {
            Err(Errno::ENOENT) => return Ok(()),
            opened => opened?,
        };
        repair_mode(&directory, user, |_| wanted)?;
    }
    Ok(())
}

fn repair_mode(file: &OwnedFd, user: Uid, wanted: impl Fn(u32) -> u32) -> nix::Result<()> {
    let status = fstat(file)?;
    let (mode, is_link) = (status.st_mode & 0o7777, directory::kind(&status) == libc::S_IFLNK);
    if status.st_uid != user.0 || is_link || mode == wanted(mode) {
        return Ok(());
    }
    set_mode(file, wanted(mode))
}

/// Of a file that may be open with O_PATH only, which fchmod(2) does not take.
fn set_mode(file: &OwnedFd, mode: u32) -> nix::Result<()> {
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    fchmodat(AT_FDCWD, link.as_str(), Mode::from_bits_truncate(mode), FchmodatFlags::FollowSymlink)
}
