//! A limit of time that the kernel enforces: nothing that runs in the process can put it off.

use std::time::Duration;

use nix::errno::Errno;

/// Kills this process with SIGKILL once its time has run out (timer_create(2)). Children do not inherit it.
#[derive(Debug)]
pub struct Deadline {
    timer: libc::timer_t,
    left: Duration,
}

impl Deadline {
    /// Its time does not run yet.
    pub fn new(time: Duration) -> nix::Result<Self> {
        // SAFETY: false if a sigevent had a field for which zero is no value; all are numbers and pointers that
        // are not read for SIGEV_SIGNAL.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGKILL;
        let mut timer: libc::timer_t = std::ptr::null_mut();
        // SAFETY: false if one of the two did not outlive the call.
        let result = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        Errno::result(result).map(|_| Self { timer, left: time })
    }

    /// Begins anew, and runs.
    pub fn restart(&mut self, time: Duration) {
        self.left = time;
        self.run();
    }

    pub fn run(&self) {
        // Zero would stand for never.
        self.set(self.left.max(Duration::from_millis(1)));
    }

    /// What is left runs on from [`Self::run`].
    pub fn pause(&mut self) {
        let old = self.set(Duration::ZERO);
        self.left = Duration::new(old.it_value.tv_sec.unsigned_abs(), u32::try_from(old.it_value.tv_nsec).unwrap_or(0));
    }

    fn set(&self, time: Duration) -> libc::itimerspec {
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
        let value = libc::timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
        let (new, mut old) = (
            libc::itimerspec { it_interval: zero, it_value: value },
            libc::itimerspec { it_interval: zero, it_value: zero },
        );
        // SAFETY: false if the timer were none of this process: it is never deleted, and a child has no value of
        // this type that it uses.
        unsafe { libc::timer_settime(self.timer, 0, &raw const new, &raw mut old) };
        old
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::ForkResult;

    use super::*;

    #[test]
    fn a_process_whose_time_has_run_out_is_killed_whatever_it_blocks() {
        // SAFETY: false if the child did anything that a copy of one thread may not; it makes a timer and waits.
        match unsafe { nix::unistd::fork() }.unwrap() {
            ForkResult::Child => {
                let mut deadline = Deadline::new(Duration::from_millis(20)).unwrap();
                deadline.run();
                deadline.pause();
                let left = deadline.left;
                if left.is_zero() || left > Duration::from_millis(20) {
                    super::super::end_child(1);
                }
                deadline.run();
                loop {
                    std::thread::sleep(Duration::from_secs(60));
                }
            }
            ForkResult::Parent { child } => {
                assert!(matches!(waitpid(child, None), Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _))));
            }
        }
    }
}
