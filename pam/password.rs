//! pam_sm_chauthtok(3), behind the module that writes shadow(5): what else is made of a password follows it.

use accountd_protocol::pam_module::{PamAnswer, PamQuestion};
use pam::constants::{PamFlag, PamResultCode};

use crate::Call;
use crate::sys::Weight;

/// `PAM_PRELIM_CHECK` and `PAM_UPDATE_AUTHTOK`.
const PRELIMINARY: PamFlag = 0x4000;
const UPDATE: PamFlag = 0x2000;

/// PAM calls twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is changed yet, in no module.
    Before,
    /// The modules before this one have written it.
    Written,
}

impl Phase {
    pub fn of(flags: PamFlag) -> Option<Self> {
        match (flags & PRELIMINARY != 0, flags & UPDATE != 0) {
            (true, false) => Some(Phase::Before),
            (false, true) => Some(Phase::Written),
            (true, true) | (false, false) => None,
        }
    }
}

pub fn change(call: &mut Call<'_>, phase: Phase) -> PamResultCode {
    match phase {
        Phase::Before => begin(call),
        Phase::Written => follow(call),
    }
}

/// Whether the agent is there or not, the password may be changed.
fn begin(call: &mut Call<'_>) -> PamResultCode {
    match call.ask(PamQuestion::BeginPassword) {
        PamAnswer::Unknown | PamAnswer::NotManaged => PamResultCode::PAM_IGNORE,
        _ => PamResultCode::PAM_SUCCESS,
    }
}

fn follow(call: &mut Call<'_>) -> PamResultCode {
    let password = match call.dialogue.known_password() {
        Ok(Some(password)) => password,
        // Then nothing has been changed by means of one.
        Ok(None) => return PamResultCode::PAM_AUTHTOK_RECOVERY_ERR,
        Err(code) => return code,
    };
    match call.ask(PamQuestion::FollowPassword { password }) {
        PamAnswer::Done => PamResultCode::PAM_SUCCESS,
        PamAnswer::Unknown | PamAnswer::NotManaged => PamResultCode::PAM_IGNORE,
        PamAnswer::AnotherPassword => {
            call.dialogue.log(Weight::Error, "the new password is not the one in shadow(5); Samba's stays as it was");
            PamResultCode::PAM_AUTHTOK_ERR
        }
        PamAnswer::Failed => not_followed(call, PamResultCode::PAM_AUTHINFO_UNAVAIL),
        PamAnswer::Granted
        | PamAnswer::Refused { .. }
        | PamAnswer::CodeRequired
        | PamAnswer::PasswordExpired
        | PamAnswer::Locked
        | PamAnswer::Expired
        | PamAnswer::NotFromThere
        | PamAnswer::TooManySessions { .. }
        | PamAnswer::NotPermitted
        | PamAnswer::TooOften { .. } => not_followed(call, PamResultCode::PAM_AUTHTOK_ERR),
    }
}

fn not_followed(call: &mut Call<'_>, code: PamResultCode) -> PamResultCode {
    call.dialogue.say("The password for Samba could not be changed with it; change it once more later.");
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_of_one_phase_or_of_none() {
        let phases = [PRELIMINARY, UPDATE, PRELIMINARY | 0x8020, 0, PRELIMINARY | UPDATE].map(Phase::of);
        assert_eq!(phases, [Some(Phase::Before), Some(Phase::Written), Some(Phase::Before), None, None]);
    }
}
