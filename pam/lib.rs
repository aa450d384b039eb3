//! `pam_accountd.so`, see pam_accountd(8): asks accountd-agent, in the programs of others.
//!
//! It runs inside login, su, sshd, passwd: nothing of it may end its program. Each entry is entered through
//! `pam_hooks!`, which makes a panic an error (PAM_ABORT); nothing is kept between calls, no thread is started, and no
//! call waits longer for the agent than it is told to.

mod account;
mod agent;
mod arguments;
mod authenticate;
mod dialogue;
mod password;
mod session;
#[allow(unsafe_code, reason = "four functions of libpam and libc have no safe wrappers")]
mod sys;

use std::ffi::CStr;

use accountd_protocol::pam_module::{PamAnswer, PamQuestion};
use pam::constants::{PamFlag, PamResultCode};
use pam::module::{PamHandle, PamHooks};

use crate::agent::Agent;
use crate::arguments::Arguments;
use crate::dialogue::Dialogue;
use crate::sys::Weight;

struct Module;
pam::pam_hooks!(Module);

impl PamHooks for Module {
    fn sm_authenticate(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        answer(handle, (&arguments, flags), authenticate::authenticate)
    }

    /// There are no credentials of its own to be set.
    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }

    fn acct_mgmt(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        answer(handle, (&arguments, flags), |call, _| account::check(call))
    }

    fn sm_chauthtok(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        answer(handle, (&arguments, flags), |call, flags| match password::Phase::of(flags) {
            Some(phase) => password::change(call, phase),
            None => PamResultCode::PAM_SYSTEM_ERR,
        })
    }

    fn sm_open_session(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        answer(handle, (&arguments, flags), |call, _| session::open(call))
    }

    fn sm_close_session(handle: &mut PamHandle, arguments: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        answer(handle, (&arguments, flags), |call, _| session::close(call))
    }
}

/// A call of one of the entries.
struct Call<'a> {
    dialogue: Dialogue<'a>,
    arguments: Arguments,
    agent: Agent,
    user: String,
}

/// What every entry has in common. Root is never asked about: it gets in while nothing else works.
fn answer(
    handle: &mut PamHandle,
    (arguments, flags): (&[&CStr], PamFlag),
    entry: impl FnOnce(&mut Call<'_>, PamFlag) -> PamResultCode,
) -> PamResultCode {
    let (arguments, unknown) = Arguments::parse(arguments);
    for word in unknown {
        sys::log(handle, Weight::Error, &format!("unknown argument {word}"));
    }
    let user = match handle.get_user(None) {
        Ok(user) => user,
        Err(code) => return code,
    };
    if user == "root" {
        return PamResultCode::PAM_IGNORE;
    }
    let agent = Agent::of(handle, &user, &arguments);
    let dialogue = Dialogue::new(handle, flags);
    entry(&mut Call { dialogue, arguments, agent, user }, flags)
}

impl Call<'_> {
    /// An agent that is away, or takes too long, has failed; the log says how.
    fn ask(&self, question: PamQuestion) -> PamAnswer {
        match self.agent.ask(question) {
            Ok(answer) => {
                if self.arguments.is_talkative {
                    self.dialogue.log(Weight::Debug, &format!("{}: {answer:?}", self.user));
                }
                answer
            }
            Err(error) => {
                self.dialogue.log(Weight::Notice, &format!("{}: the agent gives no answer: {error}", self.user));
                PamAnswer::Failed
            }
        }
    }
}
