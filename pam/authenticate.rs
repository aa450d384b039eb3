//! pam_sm_authenticate(3): the password, then a code where the account has a second factor.

use accountd_protocol::pam_module::{PamAnswer, PamQuestion};
use accountd_protocol::secret::Secret;
use pam::constants::{PamFlag, PamResultCode};

use crate::Call;
use crate::sys::Weight;

pub fn authenticate(call: &mut Call<'_>, _: PamFlag) -> PamResultCode {
    let password = match call.dialogue.password(call.arguments.password) {
        Ok(password) => password,
        Err(code) => return code,
    };
    match ask(call, &password, None) {
        PamAnswer::CodeRequired => match call.dialogue.ask_code() {
            Ok(code) => {
                let answer = ask(call, &password, Some(code));
                told(call, answer)
            }
            // It can't show a prompt: who has a second factor does not get in without.
            Err(_) => PamResultCode::PAM_AUTH_ERR,
        },
        answer => told(call, answer),
    }
}

fn ask(call: &Call<'_>, password: &Secret, code: Option<Secret>) -> PamAnswer {
    call.ask(PamQuestion::Authenticate { password: password.clone(), code })
}

fn told(call: &mut Call<'_>, answer: PamAnswer) -> PamResultCode {
    match answer {
        // What has to be changed first is said by the account's check.
        PamAnswer::Granted | PamAnswer::PasswordExpired => PamResultCode::PAM_SUCCESS,
        PamAnswer::Refused { wait_milliseconds } => {
            call.dialogue.fail_delay(wait_milliseconds);
            PamResultCode::PAM_AUTH_ERR
        }
        PamAnswer::TooOften { seconds } => {
            call.dialogue.say(&format!("Too many attempts; try again in {seconds} seconds."));
            PamResultCode::PAM_MAXTRIES
        }
        PamAnswer::Unknown => PamResultCode::PAM_USER_UNKNOWN,
        PamAnswer::NotManaged => PamResultCode::PAM_IGNORE,
        PamAnswer::Failed => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        PamAnswer::NotPermitted => {
            call.dialogue.log(Weight::Error, "a program that is not root's asks for another user than its own");
            PamResultCode::PAM_AUTH_ERR
        }
        PamAnswer::CodeRequired
        | PamAnswer::Locked
        | PamAnswer::Expired
        | PamAnswer::NotFromThere
        | PamAnswer::TooManySessions { .. }
        | PamAnswer::Done
        | PamAnswer::AnotherPassword => PamResultCode::PAM_AUTH_ERR,
    }
}
