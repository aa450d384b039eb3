//! PAM as a program has it that lets others in (pam(3), pam_conv(3)); the numbers are Linux-PAM's
//! (_pam_types.h).
//!
//! No panic crosses into libpam: what its modules call is caught, and is a failure of the conversation. Answers are
//! in memory of malloc(3), because the module that asks frees them; what is not handed over is wiped.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::time::Duration;

use accountd_protocol::pam::{Echo, Prompt, Questions};
use accountd_protocol::secret::Secret;

const SUCCESS: c_int = 0;
const BUFFER_ERROR: c_int = 5;
const AUTHENTICATION_UNAVAILABLE: c_int = 9;
const NEW_PASSWORD_REQUIRED: c_int = 12;
const CONVERSATION_ERROR: c_int = 19;
const ABORTED: c_int = 26;

const ECHO_OFF: c_int = 1;
const ECHO_ON: c_int = 2;
const ERROR_TEXT: c_int = 3;
const PLAIN_TEXT: c_int = 4;

const USER: c_int = 2;
const TERMINAL: c_int = 3;
const REMOTE_HOST: c_int = 4;
const FAIL_DELAY: c_int = 10;

const NO_EMPTY_PASSWORD: c_int = 1;
const ESTABLISH: c_int = 2;
const DELETE: c_int = 4;
const CHANGE_EXPIRED: c_int = 0x20;

/// PAM_MAX_NUM_MSG
const MOST_MESSAGES: usize = 32;
/// PAM_MAX_MSG_SIZE and PAM_MAX_RESP_SIZE: what is longer is cut, or is no answer.
const LONGEST: usize = 512;

#[repr(C)]
struct Handle {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct RawResponse {
    text: *mut c_char,
    /// Has to be 0.
    code: c_int,
}

type Callback = unsafe extern "C" fn(c_int, *const *const RawMessage, *mut *mut RawResponse, *mut c_void) -> c_int;

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

/// Who is asked what modules want to know, and told what they say.
pub trait Converse {
    /// One answer for each prompt; `None`: there is none.
    fn converse(&mut self, questions: Questions) -> Option<Vec<Secret>>;
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

/// What the callbacks reach.
struct Reached<C> {
    converser: C,
    has_panicked: bool,
    delay: Duration,
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

/// Instead of the sleep that libpam would take: whoever answers the client waits.
unsafe extern "C" fn delay<C: Converse>(status: c_int, microseconds: c_uint, data: *mut c_void) {
    if status == SUCCESS || data.is_null() {
        return;
    }
    // SAFETY: false if `data` were not what `start` has given, or used by somebody else now: libpam calls this from
    // within `call`, which uses nothing of it meanwhile.
    let reached = unsafe { &mut *data.cast::<Reached<C>>() };
    reached.delay = reached.delay.max(Duration::from_micros(microseconds.into()));
}

unsafe extern "C" fn converse<C: Converse>(
    count: c_int,
    messages: *const *const RawMessage,
    responses: *mut *mut RawResponse,
    data: *mut c_void,
) -> c_int {
    if data.is_null() || messages.is_null() || responses.is_null() {
        return CONVERSATION_ERROR;
    }
    // SAFETY: as in `delay`.
    let reached = unsafe { &mut *data.cast::<Reached<C>>() };
    if reached.has_panicked {
        return CONVERSATION_ERROR;
    }
    let done = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: false if libpam gave fewer messages than it says, or a text without a NUL.
        let read = unsafe { read_messages(count, messages) }?;
        let styles: Vec<c_int> = read.iter().map(|(style, _)| *style).collect();
        let answers = reached.converser.converse(questions(read)).ok_or(CONVERSATION_ERROR)?;
        // SAFETY: false if `responses` were no place for a pointer.
        unsafe { write_responses(&styles, answers, responses) }
    }));
    match done {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(code)) => code,
        Err(_) => {
            reached.has_panicked = true;
            CONVERSATION_ERROR
        }
    }
}

/// Style and text of each.
///
/// # Safety
/// `messages` has to be `count` pointers to messages (Linux-PAM: an array of pointers, pam_conv(3)).
unsafe fn read_messages(count: c_int, messages: *const *const RawMessage) -> Result<Vec<(c_int, String)>, c_int> {
    let count = usize::try_from(count).ok().filter(|count| (1..=MOST_MESSAGES).contains(count));
    let mut read = Vec::new();
    for index in 0..count.ok_or(CONVERSATION_ERROR)? {
        // SAFETY: what the caller says.
        let message = unsafe { (*messages.add(index)).as_ref() }.ok_or(CONVERSATION_ERROR)?;
        let text = match message.text.is_null() {
            true => String::new(),
            // SAFETY: what the caller says.
            false => unsafe { CStr::from_ptr(message.text) }.to_string_lossy().chars().take(LONGEST).collect(),
        };
        read.push((message.style, text));
    }
    match read.iter().all(|(style, _)| (ECHO_OFF..=PLAIN_TEXT).contains(style)) {
        true => Ok(read),
        false => Err(CONVERSATION_ERROR),
    }
}

fn questions(messages: Vec<(c_int, String)>) -> Questions {
    let mut questions = Questions::default();
    for (style, text) in messages {
        match style {
            ECHO_OFF => questions.prompts.push(Prompt { text, echo: Echo::Off }),
            ECHO_ON => questions.prompts.push(Prompt { text, echo: Echo::On }),
            ERROR_TEXT | PLAIN_TEXT => questions.said.push_str(&(text + "\n")),
            _ => {}
        }
    }
    questions
}

/// Hands over one response for each message.
///
/// # Safety
/// `responses` has to be a place for a pointer.
unsafe fn write_responses(
    styles: &[c_int],
    answers: Vec<Secret>,
    responses: *mut *mut RawResponse,
) -> Result<(), c_int> {
    let is_prompt = |style: &c_int| matches!(*style, ECHO_OFF | ECHO_ON);
    if styles.iter().filter(|style| is_prompt(style)).count() != answers.len() {
        return Err(CONVERSATION_ERROR);
    }
    let texts: Result<Vec<&[u8]>, c_int> = answers
        .iter()
        .map(|answer| Some(answer.reveal().as_bytes()).filter(|text| text.len() < LONGEST && !text.contains(&0)))
        .map(|text| text.ok_or(CONVERSATION_ERROR))
        .collect();
    let mut texts = texts?.into_iter();
    // SAFETY: false if calloc took anything but two numbers.
    let array: *mut RawResponse = unsafe { libc::calloc(styles.len(), size_of::<RawResponse>()) }.cast();
    if array.is_null() {
        return Err(BUFFER_ERROR);
    }
    for (index, style) in styles.iter().enumerate() {
        let Some(text) = is_prompt(style).then(|| texts.next()).flatten() else { continue };
        let copy = copied(text);
        if copy.is_null() {
            // SAFETY: false if any entry were not what is written here: they are null or copies of ours.
            unsafe { discard(array, styles.len()) };
            return Err(BUFFER_ERROR);
        }
        // SAFETY: false if `index` were beyond the array, which has one for each style.
        unsafe { (*array.add(index)).text = copy };
    }
    // SAFETY: what the caller says.
    unsafe { *responses = array };
    Ok(())
}

/// With a NUL behind it, in memory of malloc(3); null where there is none.
fn copied(text: &[u8]) -> *mut c_char {
    // SAFETY: false if calloc gave less than it says, or if the two overlapped: the one is new.
    unsafe {
        let copy: *mut u8 = libc::calloc(text.len() + 1, 1).cast();
        if !copy.is_null() {
            std::ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
        }
        copy.cast()
    }
}

/// Wipes and frees responses that nobody gets.
///
/// # Safety
/// `array` has to be `count` responses of calloc(3) whose texts are null or of [`copied`].
unsafe fn discard(array: *mut RawResponse, count: usize) {
    for index in 0..count {
        // SAFETY: what the caller says.
        unsafe {
            let text = (*array.add(index)).text;
            if !text.is_null() {
                libc::explicit_bzero(text.cast(), libc::strlen(text));
                libc::free(text.cast());
            }
        }
    }
    // SAFETY: what the caller says.
    unsafe { libc::free(array.cast()) };
}

/// A text for libpam; `None` with a NUL in it.
pub fn text(bytes: impl Into<Vec<u8>>) -> Option<CString> {
    CString::new(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `converse` is called with, and what comes of it.
    fn called(
        styles: &[c_int],
        converser: impl FnMut(Questions) -> Option<Vec<Secret>>,
    ) -> (c_int, Vec<Option<String>>) {
        struct By<F>(F);
        impl<F: FnMut(Questions) -> Option<Vec<Secret>>> Converse for By<F> {
            fn converse(&mut self, questions: Questions) -> Option<Vec<Secret>> {
                (self.0)(questions)
            }
        }
        fn callback_of<C: Converse>(_: &Reached<C>) -> Callback {
            converse::<C>
        }
        let mut reached = Reached { converser: By(converser), has_panicked: false, delay: Duration::ZERO };
        let callback = callback_of(&reached);
        let messages: Vec<RawMessage> =
            styles.iter().map(|style| RawMessage { style: *style, text: c"?".as_ptr() }).collect();
        let pointers: Vec<*const RawMessage> = messages.iter().map(|message| &raw const *message).collect();
        let mut responses = std::ptr::null_mut();
        let count = styles.len().try_into().unwrap();
        let data: *mut c_void = (&raw mut reached).cast();
        // SAFETY: false if the messages went before the call has ended.
        let code = unsafe { callback(count, pointers.as_ptr(), &raw mut responses, data) };
        let mut heard = Vec::new();
        if code == SUCCESS {
            for index in 0..styles.len() {
                // SAFETY: false if there were fewer responses than messages.
                let text = unsafe { (*responses.add(index)).text };
                // SAFETY: false if a response had no NUL.
                heard.push((!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()));
            }
            // SAFETY: false if a module had freed them before.
            unsafe { discard(responses, styles.len()) };
        }
        (code, heard)
    }

    #[test]
    fn each_prompt_has_its_answer_and_a_text_has_none() {
        let (code, heard) = called(&[PLAIN_TEXT, ECHO_ON, ECHO_OFF], |questions| {
            assert_eq!((questions.said.as_str(), questions.prompts.len()), ("?\n", 2));
            Some(vec![Secret::new("name".into()), Secret::new("word".into())])
        });
        assert_eq!((code, heard), (SUCCESS, vec![None, Some("name".into()), Some("word".into())]));
    }

    #[test]
    fn a_panic_a_wrong_number_of_answers_and_a_nul_are_failures_of_the_conversation() {
        let failed = (CONVERSATION_ERROR, Vec::new());
        assert_eq!(called(&[ECHO_OFF], |_| panic!("on purpose")), failed);
        assert_eq!(called(&[ECHO_OFF], |_| Some(Vec::new())), failed);
        assert_eq!(called(&[ECHO_OFF], |_| Some(vec![Secret::new("a\0b".into())])), failed);
        assert_eq!(called(&[ECHO_OFF], |_| Some(vec![Secret::new("x".repeat(512))])), failed);
        assert_eq!(called(&[ECHO_OFF], |_| None), failed);
        assert_eq!(called(&[7], |_| Some(Vec::new())), failed);
        assert_eq!(called(&[ECHO_ON; 33], |_| Some(Vec::new())), failed);
    }
}
