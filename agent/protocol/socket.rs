//! Unix sockets: who is the peer, and frames that carry a descriptor (unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::sys::socket::{self, ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, sockopt};

use crate::id::{Gid, Uid};

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
/// A message with more descriptors than fit is an error, and those that did fit are closed.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut space = nix::cmsg_space!([RawFd; 8]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let raw = socket.as_fd().as_raw_fd();
    let message = socket::recvmsg::<UnixAddr>(raw, &mut parts, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            descriptors.extend(numbers.into_iter().map(crate::sys::own_received));
        }
    }
    if message.flags.contains(MsgFlags::MSG_CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too many descriptors in one message"));
    }
    Ok((message.bytes, descriptors))
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
    fn the_peer_of_a_pair_is_this_process() {
        let (left, _right) = UnixStream::pair().unwrap();
        assert_eq!(peer(&left).unwrap().pid, std::process::id() as i32);
    }
}
