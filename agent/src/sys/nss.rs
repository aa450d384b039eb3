//! glibc's choice of NSS sources for this process (nss.h).

use std::ffi::{CStr, CString, c_char, c_int};

unsafe extern "C" {
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Whether there is anybody to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    Installed,
    /// nsswitch.conf(5) may name a source whose library nobody has installed.
    NotInstalled,
}

/// From now on users and groups are looked up in this source alone, whatever nsswitch.conf(5)
/// says. `None` when glibc does not take the name.
pub fn use_only(source: &str) -> Option<SourceState> {
    let services = CString::new(source).ok()?;
    let library = CString::new(format!("libnss_{source}.so.2")).ok()?;
    (configure(c"passwd", &services) && configure(c"group", &services)).then(|| state(&library))
}

fn configure(database: &CStr, services: &CStr) -> bool {
    // SAFETY: false if a text were not NUL-terminated, or if another thread looked something up
    // meanwhile. glibc keeps no pointer to the texts; the one caller is a process of one thread.
    unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) == 0 }
}

/// By loading the library, as glibc does at the first question; it stays loaded.
fn state(library: &CStr) -> SourceState {
    // SAFETY: false if `library` were not NUL-terminated, or if what a library does when it is
    // loaded did harm: it is one that every program of this machine loads that looks up a user.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() { SourceState::NotInstalled } else { SourceState::Installed }
}
