//! User quotas of a file system (quotactl(2)), by a descriptor of something that lies on it: no device has
//! to be found for that.

use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

/// USRQUOTA of linux/quota.h: the low byte of a command.
const USER: u32 = 0;
const GET: u32 = 0x80_0007;
const SET: u32 = 0x80_0008;
/// Q_XGETQSTAT of linux/dqblk_xfs.h, which ext4 and tmpfs answer too.
const STATE: u32 = ((b'X' as u32) << 8) + 5;
/// QIF_LIMITS: of what is set, the limits count.
pub const LIMITS: u32 = 1 | 4;
const ACCOUNTED: u16 = 1;
const ENFORCED: u16 = 2;

/// Whether users are counted, and held to what they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    Off,
    CountedOnly,
    Enforced,
}

/// fs_qfilestat of linux/dqblk_xfs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct QuotaFile {
    inode: u64,
    blocks: u64,
    extents: u32,
}

/// fs_quota_stat of linux/dqblk_xfs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct State {
    version: i8,
    flags: u16,
    pad: i8,
    files: [QuotaFile; 2],
    incore: u32,
    times: [i32; 3],
    warnings: [u16; 2],
}

pub fn enforcement(on: &impl AsFd) -> nix::Result<Enforcement> {
    let mut state = State::default();
    call(on, STATE, 0, &mut state)?;
    Ok(match state.flags & (ACCOUNTED | ENFORCED) {
        flags if flags == ACCOUNTED | ENFORCED => Enforcement::Enforced,
        ACCOUNTED => Enforcement::CountedOnly,
        _ => Enforcement::Off,
    })
}

/// Limits in blocks of 1 KiB, the space that is used in bytes.
pub fn get(on: &impl AsFd, uid: u32) -> nix::Result<libc::dqblk> {
    let mut quota = empty();
    call(on, GET, uid, &mut quota)?;
    Ok(quota)
}

/// Sets what `quota` says is valid in it.
pub fn set(on: &impl AsFd, uid: u32, mut quota: libc::dqblk) -> nix::Result<()> {
    call(on, SET, uid, &mut quota)
}

pub fn empty() -> libc::dqblk {
    libc::dqblk {
        dqb_bhardlimit: 0,
        dqb_bsoftlimit: 0,
        dqb_curspace: 0,
        dqb_ihardlimit: 0,
        dqb_isoftlimit: 0,
        dqb_curinodes: 0,
        dqb_btime: 0,
        dqb_itime: 0,
        dqb_valid: 0,
    }
}

/// `argument` is the structure that the command is documented with.
fn call<T>(on: &impl AsFd, command: u32, id: u32, argument: &mut T) -> nix::Result<()> {
    let (fd, address) = (on.as_fd().as_raw_fd(), std::ptr::from_mut(argument).cast::<c_void>());
    let command = (command << 8) | USER;
    // SAFETY: false if `T` were not the structure of this command: State for STATE, dqblk for GET and SET.
    // The kernel reads or writes no more than that, while `argument` is borrowed.
    let result = unsafe { libc::syscall(libc::SYS_quotactl_fd, fd, command, id, address) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_has_the_shape_that_the_kernel_writes() {
        assert_eq!((size_of::<QuotaFile>(), size_of::<State>()), (24, 80));
        assert_eq!((std::mem::offset_of!(State, flags), std::mem::offset_of!(State, incore)), (2, 56));
    }

    #[test]
    fn a_file_system_without_quotas_is_told_from_one_with_them() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert!(!matches!(enforcement(&proc), Ok(Enforcement::Enforced | Enforcement::CountedOnly)));
        assert!(get(&proc, 0).is_err());
    }
}
