//! Laws of the frames between the programs.

use std::io::{self, Read};

use accountd_protocol::agent::AgentRequest;
use accountd_protocol::frame::{read, write};
use accountd_protocol::pam_module::PamRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Whatever a peer sends, the reader never holds more than its cap; what it takes for a message
/// is written and read again as the same.
pub fn frame(wire: &[u8], cap: usize) {
    frame_with::<AgentRequest>(wire, cap);
    // This one comes from everybody.
    frame_with::<PamRequest>(wire, cap);
}

fn frame_with<T: Serialize + DeserializeOwned>(wire: &[u8], cap: usize) {
    let mut stream = Recorder { wire, longest: 0 };
    let read = read::<T>(&mut stream, cap);
    assert!(stream.longest <= cap.max(4), "{} bytes for a cap of {cap}", stream.longest);
    if let Ok(Some(request)) = read {
        let written = frame_of(&request);
        assert_eq!(frame_of(&whole::<T>(&written)), written);
    }
}

/// A message comes back as it was sent; a frame that is cut off anywhere is no message.
pub fn message(texts: &[String]) {
    let wire = frame_of(&texts);
    assert_eq!(whole::<Vec<String>>(&wire), texts);
    assert!(read::<Vec<String>>(&mut [].as_slice(), usize::MAX).is_ok_and(|none| none.is_none()));
    for end in (1..wire.len()).step_by(1 + wire.len() / 64) {
        assert!(read::<Vec<String>>(&mut &wire[..end], usize::MAX).is_err());
    }
    assert!(read::<Vec<String>>(&mut wire.as_slice(), wire.len() - 5).is_err(), "one byte over the cap");
}

fn frame_of<T: Serialize>(message: &T) -> Vec<u8> {
    let mut wire = Vec::new();
    assert!(write(&mut wire, message, usize::MAX).is_ok());
    wire
}

fn whole<T: DeserializeOwned>(mut wire: &[u8]) -> T {
    let cap = wire.len() - 4;
    match read(&mut wire, cap) {
        Ok(Some(message)) if wire.is_empty() => message,
        Ok(_) => panic!("a frame is not what was written"),
        Err(error) => panic!("{error}"),
    }
}

/// Notes the longest buffer that it is asked to fill.
struct Recorder<'a> {
    wire: &'a [u8],
    longest: usize,
}

impl Read for Recorder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.longest = self.longest.max(buffer.len());
        self.wire.read(buffer)
    }
}
