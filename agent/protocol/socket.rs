//! Unix sockets: who is the peer, and frames that carry a descriptor (unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{self, ControlMessage, MsgFlags, UnixAddr, sockopt};
// nix gives out none of the descriptors of a message that is cut short, and leaves them open.
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use crate::id::{Gid, Uid};

/// The most that one message may bring.
const MOST_DESCRIPTORS: usize = 8;

/// Who is at the other end, as the kernel recorded it at connect time (SO_PEERCRED).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub uid: Uid,
    pub gid: Gid,
    pub pid: i32,
}

pub fn peer(socket: &impl AsFd) -> io::Result<Peer> {
    let credentials = socket::getsockopt(socket, sockopt::PeerCredentials)?;
    Ok(Peer { uid: Uid(credentials.uid()), gid: Gid(credentials.gid()), pid: credentials.pid() })
}

/// Sends `bytes` and, with the first of them, `descriptors`. Returns how many bytes went out.
pub fn send(socket: &impl AsFd, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<usize> {
    let parts = [IoSlice::new(bytes)];
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL;
    Ok(socket::sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &parts, control, flags, None)?)
}

/// Sends all of `bytes` on a blocking socket, the descriptors with the first part.
pub fn send_all(socket: &impl AsFd, mut bytes: &[u8], mut descriptors: &[OwnedFd]) -> io::Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, descriptors) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                descriptors = &[];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives up to `buffer.len()` bytes and the descriptors that came with them (close-on-exec).
/// A message with more descriptors than [`MOST_DESCRIPTORS`], or than this process can have, is an
/// error, and those that were received are closed.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    // What is left in it is closed with it.
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not all descriptors of a message can be had"));
    }
    let rights = control.drain().filter_map(|control| match control {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    Ok((message.bytes, rights.flatten().collect()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_arrives_with_its_bytes() {
        let (left, right) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        file.rewind().unwrap();
        send_all(&left, b"hello", &[file.into()]).unwrap();
        let mut buffer = [0; 16];
        let (count, mut descriptors) = receive(&right, &mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"hello");
        let mut text = String::new();
        File::from(descriptors.remove(0)).read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn a_message_with_more_descriptors_than_it_may_have_is_none_and_leaves_none_open() {
        let (left, right) = UnixStream::pair().unwrap();
        let (reader, written) = nix::unistd::pipe().unwrap();
        let many: Vec<OwnedFd> = (0..40).map(|_| written.try_clone().unwrap()).collect();
        drop(written);
        send_all(&left, b"hello", &many).unwrap();
        drop(many);
        let error = receive(&right, &mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        // The end of the pipe is seen when nobody can write into it.
        assert_eq!(File::from(reader).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let (left, _right) = UnixStream::pair().unwrap();
        assert_eq!(peer(&left).unwrap().pid, std::process::id() as i32);
    }
}
