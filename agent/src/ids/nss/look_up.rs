//! The process that looks up names and numbers in one source of NSS.
//!
//! It has one thread and no privileges: what may be looked up, `ls -l` may look up for anybody.
//! What the source's library does by itself, it does as nobody.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use accountd_protocol::frame::{self, FrameError};
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::{Identity, IdentityError};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::alarm;

use super::{Answer, Question};
use crate::sys::nss::{SourceState, use_only};

/// The argument that makes the agent's program such a process; the source's name follows.
pub const LOOK_UP_ARGUMENT: &str = "look-up-in";
/// The longest frame of both directions.
pub(super) const CAP: usize = 64 * 1024;
/// Debian's nobody and nogroup, everywhere else too (systemd's UIDS-GIDS).
const NOBODY: u32 = 65_534;
/// One that nobody waits for any more, because the agent has ended, ends by itself.
const LIFETIME_OF_A_QUESTION: u32 = 10;

#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    #[error("no source is named")]
    NoSource,
    #[error("cannot use the NSS source {0}")]
    Source(String),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot give up privileges: {0}")]
    Harden(Errno),
    #[error("cannot take over the conversation: {0}")]
    Stream(io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Its whole life: answers until the agent closes the conversation, which is on its
/// standard input.
pub fn run_look_up(source: Option<OsString>) -> Result<(), LookUpError> {
    let source = source.and_then(|source| source.into_string().ok()).ok_or(LookUpError::NoSource)?;
    Identity { uid: Uid(NOBODY), gid: Gid(NOBODY), groups: Vec::new() }.assume()?;
    prctl::set_dumpable(false).map_err(LookUpError::Harden)?;
    prctl::set_no_new_privs().map_err(LookUpError::Harden)?;
    let state = use_only(&source).ok_or_else(|| LookUpError::Source(source.clone()))?;
    if state == SourceState::NotInstalled {
        eprintln!("accountd-agent: the NSS source {source} is not installed; nothing is in it");
    }
    let conversation = io::stdin().as_fd().try_clone_to_owned().map_err(LookUpError::Stream)?;
    let mut stream = UnixStream::from(conversation);
    while let Some(questions) = frame::read::<Vec<Question>>(&mut stream, CAP)? {
        alarm::set(LIFETIME_OF_A_QUESTION);
        let answers: Vec<Answer> = questions.iter().map(|question| answer(state, question)).collect();
        alarm::cancel();
        frame::write(&mut stream, &answers, CAP)?;
    }
    Ok(())
}

fn answer(state: SourceState, question: &Question) -> Answer {
    match state {
        SourceState::NotInstalled => Answer::Absent,
        SourceState::Installed => look_up(question),
    }
}

/// uzers doesn't tell what is not there from what could not be looked up; errno does: glibc sets
/// it to 0 for the former (getpwnam(3)).
fn look_up(question: &Question) -> Answer {
    // Nothing that a source answers with; so it stays only where nobody has set errno.
    Errno::EDOTDOT.set();
    let found = match question {
        Question::UserNamed(name) => uzers::get_user_by_name(name).map(|user| text(user.name())),
        Question::Uid(uid) => uzers::get_user_by_uid(*uid).map(|user| text(user.name())),
        Question::GroupNamed(name) => uzers::get_group_by_name(name).map(|group| text(group.name())),
        Question::Gid(gid) => uzers::get_group_by_gid(*gid).map(|group| text(group.name())),
    };
    let errno = Errno::last_raw();
    match found {
        Some(existing) => Answer::Present(existing),
        None => absence(errno),
    }
}

/// A source whose own file or socket has never been made says ENOENT, and has nothing.
fn absence(errno: i32) -> Answer {
    match errno {
        0 | libc::ENOENT | libc::ESRCH => Answer::Absent,
        failure => Answer::Failed(failure),
    }
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
