//! A thread that lets others go first (setpriority(2), ioprio_set(2)): both are of a thread in Linux.

/// Nice, by this much.
const NICE: libc::c_int = 10;
/// IOPRIO_WHO_PROCESS, and the last of the class "best effort" (linux/ioprio.h).
const WHO: libc::c_int = 1;
const LAST_OF_BEST_EFFORT: libc::c_int = (2 << 13) | 7;

/// From now on the calling thread gets the processor and the disk after those that do not step back.
/// What can't be set stays as it is.
pub fn step_back() {
    // SAFETY: takes numbers only; 0 stands for the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    // SAFETY: the same.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO, 0, LAST_OF_BEST_EFFORT) };
}
