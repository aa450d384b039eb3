//! PAM as a program has it that lets others in (pam(3), pam_conv(3)); the numbers are Linux-PAM's
//! (_pam_types.h).

mod conversation;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fmt;
use std::ptr::NonNull;
use std::time::Duration;

pub use conversation::Converse;
use conversation::{Callback, Reached, converse, delay};

/// Of all functions.
const SUCCESS: c_int = 0;
const AUTHENTICATION_UNAVAILABLE: c_int = 9;
const NEW_PASSWORD_REQUIRED: c_int = 12;
const ABORTED: c_int = 26;

const USER: c_int = 2;
const TERMINAL: c_int = 3;
const REMOTE_HOST: c_int = 4;
const FAIL_DELAY: c_int = 10;

const NO_EMPTY_PASSWORD: c_int = 1;
const ESTABLISH: c_int = 2;
const DELETE: c_int = 4;
const CHANGE_EXPIRED: c_int = 0x20;

#[repr(C)]
struct Handle {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawConversation {
    callback: Callback,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conversation: *const RawConversation,
        handle: *mut *mut Handle,
    ) -> c_int;
    fn pam_end(handle: *mut Handle, status: c_int) -> c_int;
    fn pam_authenticate(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    fn pam_get_item(handle: *const Handle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_getenvlist(handle: *mut Handle) -> *mut *mut c_char;
    fn pam_strerror(handle: *mut Handle, code: c_int) -> *const c_char;
}

/// What PAM has answered; its text is for people.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The account has to get a new password first.
    NewPasswordRequired,
    /// Who would know can not be asked.
    Unavailable(String),
    Other(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NewPasswordRequired => out.write_str("a new password is required"),
            Refused::Unavailable(text) | Refused::Other(text) => out.write_str(text),
        }
    }
}

/// One login, from its first question to the end of its session.
pub struct Transaction<C: Converse> {
    handle: *mut Handle,
    /// Of a box that Drop has again: libpam has its address.
    reached: NonNull<Reached<C>>,
    last: c_int,
}

impl<C: Converse> Transaction<C> {
    pub fn start(service: &CStr, user: &CStr, converser: C) -> Result<Self, Refused> {
        let reached = Reached { converser, has_panicked: false, delay: Duration::ZERO };
        let reached = NonNull::from(Box::leak(Box::new(reached)));
        let data: *mut c_void = reached.as_ptr().cast();
        let conversation = RawConversation { callback: converse::<C>, data };
        let mut handle = std::ptr::null_mut();
        // SAFETY: false if libpam kept `conversation` itself (it copies it, pam_start(3)), or if what `data` points to
        // went before the handle: Drop ends the handle first.
        let code = unsafe { pam_start(service.as_ptr(), user.as_ptr(), &raw const conversation, &raw mut handle) };
        if code != SUCCESS || handle.is_null() {
            // SAFETY: false if the box had another owner: libpam has failed, and has none.
            drop(unsafe { Box::from_raw(reached.as_ptr()) });
            return Err(Refused::Other("PAM can not be started".into()));
        }
        let mut transaction = Self { handle, reached, last: SUCCESS };
        let delay: unsafe extern "C" fn(c_int, c_uint, *mut c_void) = delay::<C>;
        transaction.set_raw(FAIL_DELAY, delay as *const c_void)?;
        Ok(transaction)
    }

    pub fn set_terminal(&mut self, name: &CStr) -> Result<(), Refused> {
        self.set_raw(TERMINAL, name.as_ptr().cast())
    }

    pub fn set_remote_host(&mut self, host: &CStr) -> Result<(), Refused> {
        self.set_raw(REMOTE_HOST, host.as_ptr().cast())
    }

    pub fn authenticate(&mut self) -> Result<(), Refused> {
        self.call(pam_authenticate, NO_EMPTY_PASSWORD)
    }

    pub fn check_account(&mut self) -> Result<(), Refused> {
        self.call(pam_acct_mgmt, NO_EMPTY_PASSWORD)
    }

    pub fn change_expired_password(&mut self) -> Result<(), Refused> {
        self.call(pam_chauthtok, CHANGE_EXPIRED)
    }

    pub fn establish_credentials(&mut self) -> Result<(), Refused> {
        self.call(pam_setcred, ESTABLISH)
    }

    pub fn delete_credentials(&mut self) -> Result<(), Refused> {
        self.call(pam_setcred, DELETE)
    }

    pub fn open_session(&mut self) -> Result<(), Refused> {
        self.call(pam_open_session, 0)
    }

    pub fn close_session(&mut self) -> Result<(), Refused> {
        self.call(pam_close_session, 0)
    }

    /// Whom it is about now: a module may have put somebody else there.
    pub fn user(&self) -> Option<Vec<u8>> {
        let mut value = std::ptr::null();
        // SAFETY: false if the handle had been ended, which Drop alone does.
        let code = unsafe { pam_get_item(self.handle, USER, &raw mut value) };
        if code != SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: false if PAM_USER were anything but a text with a NUL, or changed before it is copied: nothing of
        // PAM runs meanwhile.
        Some(unsafe { CStr::from_ptr(value.cast()) }.to_bytes().to_vec())
    }

    /// `NAME=VALUE`, as its modules have set them.
    pub fn environment(&mut self) -> Vec<Vec<u8>> {
        // SAFETY: false if the handle had been ended.
        let list = unsafe { pam_getenvlist(self.handle) };
        if list.is_null() {
            return Vec::new();
        }
        let mut variables = Vec::new();
        for index in 0.. {
            // SAFETY: false if the list did not end with a null pointer (pam_getenvlist(3)).
            let text = unsafe { *list.add(index) };
            if text.is_null() {
                break;
            }
            // SAFETY: false if an entry had no NUL, or were anybody's but the caller's, who has to free it.
            unsafe {
                variables.push(CStr::from_ptr(text).to_bytes().to_vec());
                libc::free(text.cast());
            }
        }
        // SAFETY: false if the list were anybody's but the caller's.
        unsafe { libc::free(list.cast()) };
        variables
    }

    /// The longest delay that a module wants behind the last failure.
    pub fn delay(&self) -> Duration {
        self.reached().delay
    }

    pub fn converser(&mut self) -> &mut C {
        &mut self.reached_mut().converser
    }

    fn reached(&self) -> &Reached<C> {
        // SAFETY: false if a callback of libpam's used it at the same time: they run within `call` alone, which
        // holds no such reference meanwhile.
        unsafe { self.reached.as_ref() }
    }

    fn reached_mut(&mut self) -> &mut Reached<C> {
        // SAFETY: as above; `self` is borrowed alone.
        unsafe { self.reached.as_mut() }
    }

    fn set_raw(&mut self, item: c_int, value: *const c_void) -> Result<(), Refused> {
        // SAFETY: false if `value` were not what the item has to be: the callers give texts, which are copied, and
        // for FAIL_DELAY a function that lives as long as the program.
        self.last = unsafe { pam_set_item(self.handle, item, value) };
        self.result()
    }

    fn call(
        &mut self,
        function: unsafe extern "C" fn(*mut Handle, c_int) -> c_int,
        flags: c_int,
    ) -> Result<(), Refused> {
        self.reached_mut().delay = Duration::ZERO;
        // SAFETY: false if the handle had been ended, or if it were used by two at a time: `self` is borrowed alone.
        // What a module does is beyond this: it runs in a process that has nothing else to lose.
        self.last = unsafe { function(self.handle, flags) };
        if self.reached().has_panicked {
            self.last = ABORTED;
        }
        self.result()
    }

    fn result(&self) -> Result<(), Refused> {
        match self.last {
            SUCCESS => return Ok(()),
            NEW_PASSWORD_REQUIRED => return Err(Refused::NewPasswordRequired),
            _ => {}
        }
        // SAFETY: false if libpam freed or changed the texts of its errors; they are constants.
        let text = unsafe { pam_strerror(self.handle, self.last) };
        let text = match text.is_null() {
            true => format!("error {}", self.last),
            // SAFETY: as above.
            false => unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned(),
        };
        Err(if self.last == AUTHENTICATION_UNAVAILABLE { Refused::Unavailable(text) } else { Refused::Other(text) })
    }
}

impl<C: Converse> Drop for Transaction<C> {
    fn drop(&mut self) {
        // SAFETY: false if the handle were ended elsewhere as well, or if libpam called back behind its end.
        unsafe {
            pam_end(self.handle, self.last);
            drop(Box::from_raw(self.reached.as_ptr()));
        }
    }
}

/// A text for libpam; `None` with a NUL in it.
pub fn text(bytes: impl Into<Vec<u8>>) -> Option<CString> {
    CString::new(bytes).ok()
}
