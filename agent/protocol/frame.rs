//! Frames: four bytes of length (big endian), then that much JSON.
//!
//! The length is compared with the reader's cap before anything is allocated, so that a peer can
//! not make a root program hold more than the cap.

use std::io::{Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Cap of requests to the agent: a backup of 10,000 users with keys and 24 hashes each, and what is to
/// be done with it.
pub const AGENT_REQUEST_CAP: usize = 65 * 1024 * 1024;
/// Cap of answers from the agent: 1,000 users with key files of ordinary size.
pub const AGENT_ANSWER_CAP: usize = 64 * 1024 * 1024;
/// Cap of both directions between the SSH front and `accountd-login`.
pub const LOGIN_CAP: usize = 256 * 1024;
/// Cap of both directions between a session and `accountd-login`.
pub const QUOTA_CAP: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {length} bytes is over the cap of {cap}")]
    TooLong { length: usize, cap: usize },
    #[error("cannot read or write a frame: {0}")]
    Io(#[from] std::io::Error),
    #[error("a frame is not what it should be: {0}")]
    Content(#[from] serde_json::Error),
}

/// The whole frame as bytes, wiped when dropped because it may hold a password.
pub fn encode<T: Serialize>(message: &T, cap: usize) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let mut frame = Zeroizing::new(vec![0; 4]);
    serde_json::to_writer(&mut *frame, message)?;
    let length = frame.len() - 4;
    let prefix = checked_length(length, cap)?;
    frame[..4].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// The body length that a received prefix announces, if the cap allows it.
pub fn announced_length(prefix: [u8; 4], cap: usize) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(prefix) as usize;
    checked_length(length, cap)?;
    Ok(length)
}

pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(body)?)
}

pub fn write<T: Serialize>(stream: &mut impl Write, message: &T, cap: usize) -> Result<(), FrameError> {
    let frame = encode(message, cap)?;
    stream.write_all(&frame)?;
    Ok(stream.flush()?)
}

/// The next message, or `None` when the peer closed between two frames.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read, cap: usize) -> Result<Option<T>, FrameError> {
    read_length(stream, cap)?.map(|length| read_body(stream, length)).transpose()
}

/// How long the next message is, which comes behind it; `None` as in [`read`].
pub fn read_length(stream: &mut impl Read, cap: usize) -> Result<Option<usize>, FrameError> {
    let mut prefix = [0; 4];
    let mut filled = 0;
    while filled < prefix.len() {
        match stream.read(&mut prefix[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    announced_length(prefix, cap).map(Some)
}

/// The message that [`read_length`] has announced.
pub fn read_body<T: DeserializeOwned>(stream: &mut impl Read, length: usize) -> Result<T, FrameError> {
    let mut body = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut body)?;
    decode(&body)
}

fn checked_length(length: usize, cap: usize) -> Result<u32, FrameError> {
    u32::try_from(length).ok().filter(|_| length <= cap).ok_or(FrameError::TooLong { length, cap })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut wire = Vec::new();
        write(&mut wire, &vec!["a", "b"], 100).unwrap();
        let back: Option<Vec<String>> = read(&mut wire.as_slice(), 100).unwrap();
        assert_eq!(back.unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_length_over_the_cap_is_refused_before_the_body_is_read() {
        let wire = u32::MAX.to_be_bytes();
        let error = read::<String>(&mut wire.as_slice(), 100).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { cap: 100, .. }), "{error}");
    }

    #[test]
    fn a_close_between_frames_is_an_end_and_inside_one_an_error() {
        assert!(read::<String>(&mut [].as_slice(), 100).unwrap().is_none());
        assert!(read::<String>(&mut [0, 0].as_slice(), 100).is_err());
        assert!(read::<String>(&mut [0, 0, 0, 9, b'"'].as_slice(), 100).is_err());
    }
}
