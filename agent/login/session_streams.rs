//! The streams of a session: the front's ends, and the session's.

use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::id::Uid;
use accountd_protocol::login::{Streams, Terminal};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
use nix::unistd::{Uid as NixUid, fchown, pipe2};

use crate::error::Error;
use crate::terminal;

/// Kernel buffer of a session's stream, each way.
const SOCKET_BUFFER: usize = 1024 * 1024;
const PIPE_BUFFER: i32 = 256 * 1024;

/// In the order of [`Streams`].
#[derive(Debug)]
pub struct Ends {
    pub front: Vec<OwnedFd>,
    pub session: Vec<OwnedFd>,
}

/// Makes the streams of a session of `user`; a terminal as its client has it.
pub fn make(streams: Streams, terminal: Option<&Terminal>, user: Uid) -> Result<Ends, Error> {
    match (streams, terminal) {
        (Streams::Terminal, Some(terminal)) => {
            let (ours, theirs) = terminal::open(terminal, user).map_err(Error::kernel("make a terminal"))?;
            Ok(Ends { front: vec![ours], session: vec![theirs] })
        }
        (Streams::Socket, _) => socket(),
        (Streams::Pipes | Streams::Terminal, _) => pipes(user).map_err(Error::kernel("make pipes")),
    }
}

fn socket() -> Result<Ends, Error> {
    let pair = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(Error::kernel("make a stream"))?;
    for end in [&pair.0, &pair.1] {
        // Smaller buffers only cost speed.
        let _ = setsockopt(end, sockopt::SndBuf, &SOCKET_BUFFER);
        let _ = setsockopt(end, sockopt::RcvBuf, &SOCKET_BUFFER);
    }
    Ok(Ends { front: vec![pair.0], session: vec![pair.1] })
}

/// They belong to the user, who can open them by name then (`/dev/stderr`, proc_pid_fd(5)).
fn pipes(user: Uid) -> Result<Ends, Errno> {
    let pipe = || {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        fchown(&reader, Some(NixUid::from_raw(user.0)), None)?;
        // A smaller buffer only costs speed.
        let _ = fcntl(writer.as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE_BUFFER));
        Ok((reader, writer))
    };
    let ((input, to_input), (from_output, output), (from_errors, errors)) = (pipe()?, pipe()?, pipe()?);
    Ok(Ends { front: vec![to_input, from_output, from_errors], session: vec![input, output, errors] })
}
