//! pam_sm_acct_mgmt(3): whether an account may have a session now.

use accountd_protocol::pam_module::{PamAnswer, PamQuestion};
use pam::constants::PamResultCode;

use crate::Call;

pub fn check(call: &mut Call<'_>) -> PamResultCode {
    match call.ask(PamQuestion::CheckAccount) {
        PamAnswer::Granted => PamResultCode::PAM_SUCCESS,
        PamAnswer::PasswordExpired => PamResultCode::PAM_NEW_AUTHTOK_REQD,
        PamAnswer::Expired => {
            call.dialogue.say("Your account has expired; please ask your administrator.");
            PamResultCode::PAM_ACCT_EXPIRED
        }
        PamAnswer::Locked => {
            call.dialogue.say("Your account is locked; please ask your administrator.");
            PamResultCode::PAM_PERM_DENIED
        }
        PamAnswer::NotFromThere => {
            call.dialogue.say("Your account can not be used from there.");
            PamResultCode::PAM_PERM_DENIED
        }
        PamAnswer::TooManySessions { most } => {
            call.dialogue.say(&too_many(most));
            PamResultCode::PAM_PERM_DENIED
        }
        PamAnswer::Unknown | PamAnswer::NotManaged => PamResultCode::PAM_IGNORE,
        PamAnswer::Failed => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        PamAnswer::TooOften { .. } | PamAnswer::NotPermitted => PamResultCode::PAM_PERM_DENIED,
        PamAnswer::Refused { .. } | PamAnswer::CodeRequired | PamAnswer::Done | PamAnswer::AnotherPassword => {
            PamResultCode::PAM_SYSTEM_ERR
        }
    }
}

pub fn too_many(most: u32) -> String {
    match most {
        1 => "Your account has a session already, and may have only one.".to_owned(),
        most => format!("Your account has as many sessions as it may: {most}."),
    }
}
