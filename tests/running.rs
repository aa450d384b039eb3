//! Processes that a test has started, and that end with it also where it fails.

use std::ops::{Deref, DerefMut};
use std::process::{Child, Command};

/// A child; killed and waited for when dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    pub fn is_there(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Kills it, and returns when it has ended.
    pub fn end(self) {}
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
