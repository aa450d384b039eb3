//! Calls of libpam and libc that have no safe wrapper.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::ptr;

use pam::constants::PamResultCode;
use pam::module::PamHandle;

/// `PAM_AUTHTOK` (pam_get_item(3)).
const AUTHTOK: c_int = 6;
/// No failure is answered later than that.
const LONGEST_DELAY: u64 = 60_000;

// pam-bindings links libpam.
unsafe extern "C" {
    fn pam_get_authtok(handle: *mut PamHandle, item: c_int, token: *mut *const c_char, prompt: *const c_char) -> c_int;
    fn pam_fail_delay(handle: *mut PamHandle, microseconds: c_uint) -> c_int;
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
}

/// How much somebody should look at a line of the log.
#[derive(Clone, Copy, Debug)]
pub enum Weight {
    Error,
    Notice,
    Debug,
}

/// Has libpam ask for the password, where no module has done so before: it is an item then, for this module and for
/// those behind it.
pub fn get_password(handle: &mut PamHandle) -> Result<(), PamResultCode> {
    let mut token = ptr::null();
    // SAFETY: the handle is the one that PAM has called this module with; the pointer is written to before the call
    // returns; without a prompt, libpam has its own. What it then points to is libpam's, and is not looked at here.
    let code = unsafe { pam_get_authtok(handle, AUTHTOK, &raw mut token, ptr::null()) };
    match PamResultCode::try_from(code) {
        Ok(PamResultCode::PAM_SUCCESS) => Ok(()),
        Ok(code) => Err(code),
        Err(_) => Err(PamResultCode::PAM_SYSTEM_ERR),
    }
}

/// Has the program wait before it tells of a failure.
pub fn fail_delay(handle: &mut PamHandle, milliseconds: u64) {
    let microseconds = c_uint::try_from(milliseconds.min(LONGEST_DELAY) * 1000).unwrap_or(c_uint::MAX);
    // SAFETY: the handle is the one that PAM has called this module with, and a number is noted in it. What it answers
    // changes nothing: without a delay there is none.
    let _ = unsafe { pam_fail_delay(handle, microseconds) };
}

/// To the system's log, with the names of service and module before it.
pub fn log(handle: &PamHandle, weight: Weight, text: &str) {
    let priority = libc::LOG_AUTHPRIV
        | match weight {
            Weight::Error => libc::LOG_ERR,
            Weight::Notice => libc::LOG_NOTICE,
            Weight::Debug => libc::LOG_DEBUG,
        };
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: the format takes one string, and gets one that ends with NUL and lives until the call is over.
    unsafe { pam_syslog(handle, priority, c"%s".as_ptr(), text.as_ptr()) };
}
