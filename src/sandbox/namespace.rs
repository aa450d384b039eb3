//! The mount namespace of a sandbox.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::error::SandboxError;
use super::sys;

/// What the sandbox has of its own.
pub const OWN: [&str; 7] = ["etc", "home", "mnt", "root", "run", "tmp", "var"];

/// Directories below those that are the machine's, read-only: many small files that nothing in a
/// sandbox changes. Copied, they were 700 of its 850 files, and 0.55 of the 0.63 s of processor time
/// of a start (`perf stat`, ext4 on which many files had just been deleted).
pub const OF_THE_MACHINE: [&str; 2] = ["etc/alternatives", "etc/ssl"];

/// Capabilities by number (capabilities(7)) that nothing in a sandbox needs and that reach beyond
/// it: modules, raw I/O, reboot, time, tracing of the kernel log.
const NOT_NEEDED: [u32; 6] = [16, 17, 22, 25, 34, 35];

/// Puts this process, which has one thread, into a namespace of its own in which `root`'s
/// directories lie over the machine's and the rest is read-only.
pub fn enter(root: &Path) -> Result<(), SandboxError> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(SandboxError::kernel("make a mount namespace"))?;
    change(None, "/", None, MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    // All are opened before any is attached: `root` may lie below one of them.
    let mut trees = Vec::new();
    for name in OWN {
        let path = root.join(name);
        let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| SandboxError::NotRunning(path.clone()))?;
        trees.push((name, sys::clone_tree(&c_path).map_err(SandboxError::file("open", &path))?));
    }
    sys::make_read_only(c"/").map_err(SandboxError::file("make read-only", "/"))?;
    // Copies of what is read-only by now are so too.
    for name in OF_THE_MACHINE.iter().filter(|name| root.join(name).is_dir()) {
        let path = Path::new("/").join(name);
        let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|_| SandboxError::NotReady("a directory"))?;
        if path.is_dir() {
            trees.push((name, sys::clone_tree(&c_path).map_err(SandboxError::file("open", &path))?));
        }
    }
    for (name, tree) in trees {
        let target = CString::new(format!("/{name}")).map_err(|_| SandboxError::NotReady("a directory"))?;
        sys::attach_tree(&tree, &target).map_err(SandboxError::file("attach", format!("/{name}")))?;
    }
    fresh_devices()?;
    for capability in NOT_NEEDED {
        sys::drop_from_bounding_set(capability).map_err(SandboxError::file("bound", "capabilities"))?;
    }
    nix::unistd::chdir("/").map_err(SandboxError::kernel("change to the root directory"))
}

/// Shared memory and terminals of the sandbox's own.
fn fresh_devices() -> Result<(), SandboxError> {
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    change(Some("tmpfs"), "/dev/shm", Some("mode=1777"), plain)?;
    change(Some("devpts"), "/dev/pts", Some("newinstance,ptmxmode=0666,mode=0620,gid=5"), MsFlags::MS_NOSUID)?;
    if std::fs::symlink_metadata("/dev/ptmx").is_ok_and(|status| !status.is_symlink()) {
        mount(Some("/dev/pts/ptmx"), "/dev/ptmx", None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(SandboxError::kernel("bind /dev/ptmx"))?;
    }
    Ok(())
}

fn change(kind: Option<&str>, target: &str, options: Option<&str>, flags: MsFlags) -> Result<(), SandboxError> {
    mount(kind, target, kind, flags, options).map_err(SandboxError::kernel("mount"))
}
