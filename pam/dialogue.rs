//! What is said to the user and asked of them, through the program that PAM was called by; and to the system's log.

use accountd_protocol::secret::Secret;
use pam::constants::{PAM_ERROR_MSG, PAM_PROMPT_ECHO_ON, PAM_SILENT, PamFlag, PamMessageStyle, PamResultCode};
use pam::conv::Conv;
use pam::items::AuthTok;
use pam::module::PamHandle;

use crate::arguments::PasswordFrom;
use crate::sys::{self, Weight};

pub struct Dialogue<'a> {
    handle: &'a mut PamHandle,
    flags: PamFlag,
}

impl<'a> Dialogue<'a> {
    pub fn new(handle: &'a mut PamHandle, flags: PamFlag) -> Self {
        Self { handle, flags }
    }

    pub fn log(&self, weight: Weight, text: &str) {
        sys::log(self.handle, weight, text);
    }

    /// Where the program can't show it, nothing is lost: it is in the log.
    pub fn say(&self, text: &str) {
        if self.flags & PAM_SILENT == 0 {
            let _ = self.send(PAM_ERROR_MSG, text);
        }
    }

    pub fn ask_code(&self) -> Result<Secret, PamResultCode> {
        let code = self.send(PAM_PROMPT_ECHO_ON, "Verification code: ")?.ok_or(PamResultCode::PAM_AUTH_ERR)?;
        Ok(Secret::new(code.reveal().trim().to_owned()))
    }

    /// The password that somebody logs in with.
    pub fn password(&mut self, from: PasswordFrom) -> Result<Secret, PamResultCode> {
        if from == PasswordFrom::FirstOrUser {
            sys::get_password(self.handle)?;
        }
        self.known_password()?.ok_or(PamResultCode::PAM_AUTH_ERR)
    }

    /// The one that a module before this one has got: in a change of the password, the new one.
    pub fn known_password(&self) -> Result<Option<Secret>, PamResultCode> {
        let Some(known) = self.handle.get_item::<AuthTok<'_>>()? else { return Ok(None) };
        // No password here is anything else.
        let text = std::str::from_utf8(known.as_bytes()).map_err(|_| PamResultCode::PAM_AUTH_ERR)?;
        Ok(Some(Secret::new(text.to_owned())))
    }

    pub fn fail_delay(&mut self, milliseconds: u64) {
        sys::fail_delay(self.handle, milliseconds);
    }

    fn send(&self, style: PamMessageStyle, text: &str) -> Result<Option<Secret>, PamResultCode> {
        let conversation = self.handle.get_item::<Conv<'_>>()?.ok_or(PamResultCode::PAM_CONV_ERR)?;
        let said = conversation.send(style, text)?;
        let text = said.map(|said| said.as_str().map(str::to_owned)).transpose();
        Ok(text.map_err(|_| PamResultCode::PAM_AUTH_ERR)?.map(Secret::new))
    }
}
