//! Quotas of the kernel (quotactl(2)) on ext4 and xfs, on a machine of their own: hardly a kernel that tests run
//! on has them. `tests/appliance/machine` makes and starts it, `tests/appliance/checks` is what it does; by hand,
//! with what it prints:
//!
//! ```text
//! tests/appliance/machine target/debug
//! ```
//!
//! It takes about a minute, because qemu translates every instruction. Nobody in there who writes or looks is
//! ours: dd, touch, OpenSSH's sftp, repquota(8), setquota(8), xfs_quota(8).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::accountd;

/// What is checked on either file system.
const OF_A_FILE_SYSTEM: [&str; 14] = [
    "the kernel counts",
    "limits are set with the account",
    "a writer is refused at the limit of bytes",
    "a writer is refused at the limit of files",
    "the API shows what the kernel counts",
    "above a soft limit there is a grace",
    "a limit that is raised counts at once",
    "an upload above the limit leaves the old file whole",
    "another uid takes the limit along",
    "limits of another account",
    "somebody removes limits",
    "limits that somebody has removed are there after a restart",
    "a deleted account leaves no limit",
    "nor does one that was deleted while this was not mounted",
];

#[test]
fn the_kernel_holds_everybody_to_the_limits_of_accounts_on_ext4_and_xfs() {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliance/machine");
    let programs = accountd().parent().unwrap();
    // The machine ends with this thread, and after five minutes.
    let output = Command::new(machine).arg(programs).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let has = |line: &str| said.lines().any(|said| said == line);
    assert!(has("end") && !said.contains("FAILED"), "{said}");
    assert!(has("ok accounts are deleted while nothing is mounted"), "{said}");
    for kind in ["ext4", "xfs"] {
        for name in OF_A_FILE_SYSTEM {
            assert!(has(&format!("ok {kind}: {name}")), "{kind}: {name} was not checked: {said}");
        }
    }
}
