//! What libpam calls: the conversation (pam_conv(3)), and the delay behind a failure (pam_fail_delay(3)).
//!
//! No panic crosses into libpam: it is caught, and is a failure of the conversation. Answers are in memory of
//! malloc(3), because the module that asks frees them; what is not handed over is wiped.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use accountd_protocol::pam::{Echo, Prompt, Questions};
use accountd_protocol::secret::Secret;

use super::SUCCESS;

const BUFFER_ERROR: c_int = 5;
const CONVERSATION_ERROR: c_int = 19;

const ECHO_OFF: c_int = 1;
const ECHO_ON: c_int = 2;
const ERROR_TEXT: c_int = 3;
const PLAIN_TEXT: c_int = 4;

/// PAM_MAX_NUM_MSG
const MOST_MESSAGES: usize = 32;
/// PAM_MAX_MSG_SIZE and PAM_MAX_RESP_SIZE: what is longer is cut, or is no answer.
const LONGEST: usize = 512;

#[repr(C)]
pub struct RawMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
pub struct RawResponse {
    text: *mut c_char,
    /// Has to be 0.
    code: c_int,
}

pub type Callback = unsafe extern "C" fn(c_int, *const *const RawMessage, *mut *mut RawResponse, *mut c_void) -> c_int;

/// Who is asked what modules want to know, and told what they say.
pub trait Converse {
    /// One answer for each prompt; `None`: there is none.
    fn converse(&mut self, questions: Questions) -> Option<Vec<Secret>>;
}

/// What the callbacks reach.
pub struct Reached<C> {
    pub converser: C,
    pub has_panicked: bool,
    pub delay: Duration,
}

/// Instead of the sleep that libpam would take: whoever answers the client waits.
pub unsafe extern "C" fn delay<C: Converse>(status: c_int, microseconds: c_uint, data: *mut c_void) {
    if status == SUCCESS || data.is_null() {
        return;
    }
    // SAFETY: false if `data` were not what `start` has given, or used by somebody else now: libpam calls this from
    // within `call`, which uses nothing of it meanwhile.
    let reached = unsafe { &mut *data.cast::<Reached<C>>() };
    reached.delay = reached.delay.max(Duration::from_micros(microseconds.into()));
}

pub unsafe extern "C" fn converse<C: Converse>(
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
