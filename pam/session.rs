//! pam_sm_open_session(3) and its end. Without an agent a session begins as if there were no such module.

use accountd_protocol::pam_module::{PamAnswer, PamQuestion};
use pam::constants::PamResultCode;

use crate::Call;
use crate::account::too_many;

pub fn open(call: &mut Call<'_>) -> PamResultCode {
    match call.ask(PamQuestion::OpenSession) {
        PamAnswer::Done => PamResultCode::PAM_SUCCESS,
        PamAnswer::TooManySessions { most } => {
            call.dialogue.say(&too_many(most));
            PamResultCode::PAM_SESSION_ERR
        }
        PamAnswer::Locked => PamResultCode::PAM_SESSION_ERR,
        // A program of the user's own has one already.
        PamAnswer::NotPermitted => PamResultCode::PAM_IGNORE,
        PamAnswer::Unknown | PamAnswer::NotManaged | PamAnswer::Failed => PamResultCode::PAM_IGNORE,
        PamAnswer::Granted
        | PamAnswer::Refused { .. }
        | PamAnswer::CodeRequired
        | PamAnswer::PasswordExpired
        | PamAnswer::Expired
        | PamAnswer::NotFromThere
        | PamAnswer::AnotherPassword
        | PamAnswer::TooOften { .. } => PamResultCode::PAM_SESSION_ERR,
    }
}

/// Nothing keeps a session from ending.
pub fn close(call: &mut Call<'_>) -> PamResultCode {
    match call.ask(PamQuestion::CloseSession) {
        PamAnswer::Unknown | PamAnswer::NotManaged | PamAnswer::Failed => PamResultCode::PAM_IGNORE,
        _ => PamResultCode::PAM_SUCCESS,
    }
}
