//! One thread that opens files as another user: setfsuid(2), setfsgid(2), setgroups(2).
//!
//! The raw system calls change the calling thread alone; glibc's setgroups(3) would change the
//! whole process. The thread is made for one piece of work and ends with it.

use std::io;

use accountd_protocol::identity::Identity;

/// Runs `work` in a fresh thread whose file accesses the kernel judges as `identity`'s.
///
/// A non-root file system uid also takes CAP_DAC_OVERRIDE and its kin from the thread
/// (capabilities(7)), so that the permission bits decide.
pub fn with_filesystem_identity<T: Send>(identity: &Identity, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assume(identity)?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread panicked")))
    })
}

fn assume(identity: &Identity) -> io::Result<()> {
    let groups: Vec<libc::gid_t> = identity.groups.iter().map(|group| group.0).collect();
    // SAFETY: false if `groups` were shorter than the count that is passed beside it.
    if unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    set_and_check(libc::SYS_setfsgid, identity.gid.0)?;
    set_and_check(libc::SYS_setfsuid, identity.uid.0)
}

/// Both calls answer with the previous id and no error; a second call shows whether the first
/// one worked.
fn set_and_check(call: libc::c_long, id: u32) -> io::Result<()> {
    // SAFETY: false if `call` were not setfsuid(2) or setfsgid(2), which take one integer.
    unsafe { libc::syscall(call, id) };
    // SAFETY: as above; -1 is never a valid id, so this call changes nothing.
    let now = unsafe { libc::syscall(call, -1i64) };
    if now == i64::from(id) { Ok(()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
}
