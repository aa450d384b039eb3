//! Open files and directories, by the short strings that the client knows them by.

use std::os::fd::OwnedFd;

use nix::dir::OwningIter;

use super::status::Failure;
use crate::quota::Span;
use crate::transfer::Transfer;
use crate::upload::Upload;

/// The most open at a time.
pub const MAX_HANDLES: usize = 1000;

/// What a handle stands for.
#[derive(Debug)]
pub enum Open {
    File(File),
    Directory(Directory),
}

/// A file, and what was done with it.
#[derive(Debug)]
pub struct File {
    pub content: Content,
    pub transfer: Transfer,
    /// Opened with O_APPEND.
    pub appends: bool,
    /// Why something of it could not be written: what is uploaded to the side is not whole then.
    pub torn: Option<Failure>,
}

#[derive(Debug)]
pub enum Content {
    /// What has the name.
    InPlace(OwnedFd),
    /// What will have the name when it is closed.
    Upload(Upload),
}

impl File {
    /// Something could not be written.
    pub fn tear(&mut self, failure: Failure) {
        self.torn.get_or_insert(failure);
        self.transfer.failed(&failure.message());
    }

    /// Where a write goes.
    pub fn span(&self, offset: u64, length: u64) -> Span {
        Span { offset: (!self.appends).then_some(offset), length }
    }

    pub fn descriptor(&self) -> &OwnedFd {
        match &self.content {
            Content::InPlace(file) => file,
            Content::Upload(upload) => upload.file(),
        }
    }
}

/// A directory that is read bit by bit, whatever its size.
#[derive(Debug)]
pub struct Directory {
    /// For looking at the entries.
    pub descriptor: OwnedFd,
    pub entries: OwningIter,
}

#[derive(Debug, Default)]
struct Slot {
    /// Goes up with each use, so that a handle that was closed stays closed.
    round: u32,
    open: Option<Open>,
}

#[derive(Debug, Default)]
pub struct Handles {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Handles {
    pub fn add(&mut self, open: Open) -> Result<[u8; 8], Failure> {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.slots.len() < MAX_HANDLES => {
                self.slots.push(Slot::default());
                u32::try_from(self.slots.len() - 1).map_err(|_| Failure::TooManyHandles)?
            }
            None => return Err(Failure::TooManyHandles),
        };
        let slot = self.slots.get_mut(number as usize).ok_or(Failure::BadHandle)?;
        slot.open = Some(open);
        Ok(handle(number, slot.round))
    }

    /// Whether one more may be opened.
    pub fn room(&self) -> Result<(), Failure> {
        if self.free.is_empty() && self.slots.len() >= MAX_HANDLES { Err(Failure::TooManyHandles) } else { Ok(()) }
    }

    pub fn get(&mut self, handle: &[u8]) -> Result<&mut Open, Failure> {
        let (number, round) = parse(handle)?;
        let slot = self.slots.get_mut(number as usize).filter(|slot| slot.round == round);
        slot.and_then(|slot| slot.open.as_mut()).ok_or(Failure::BadHandle)
    }

    pub fn file(&mut self, handle: &[u8]) -> Result<&mut File, Failure> {
        match self.get(handle)? {
            Open::File(file) => Ok(file),
            Open::Directory(_) => Err(Failure::IsADirectory),
        }
    }

    /// Everything that is still open.
    pub fn drain(&mut self) -> impl Iterator<Item = Open> {
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().filter_map(|slot| slot.open)
    }

    pub fn remove(&mut self, handle: &[u8]) -> Result<Open, Failure> {
        let (number, round) = parse(handle)?;
        let slot = self.slots.get_mut(number as usize).filter(|slot| slot.round == round).ok_or(Failure::BadHandle)?;
        let open = slot.open.take().ok_or(Failure::BadHandle)?;
        slot.round = slot.round.wrapping_add(1);
        self.free.push(number);
        Ok(open)
    }
}

fn handle(number: u32, round: u32) -> [u8; 8] {
    (u64::from(number) << 32 | u64::from(round)).to_be_bytes()
}

fn parse(handle: &[u8]) -> Result<(u32, u32), Failure> {
    let value = u64::from_be_bytes(handle.try_into().map_err(|_| Failure::BadHandle)?);
    Ok(((value >> 32) as u32, value as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Open {
        let content = Content::InPlace(std::fs::File::open("/dev/null").unwrap().into());
        let transfer = Transfer::new(b"", crate::transfer::Direction::Read, crate::pace::Rates::default());
        Open::File(File { content, transfer, appends: false, torn: None })
    }

    #[test]
    fn a_closed_handle_stays_closed_when_its_place_is_used_again() {
        let mut handles = Handles::default();
        let first = handles.add(file()).unwrap();
        handles.remove(&first).unwrap();
        let second = handles.add(file()).unwrap();
        assert!(handles.get(&second).is_ok());
        assert_eq!(handles.get(&first).err(), Some(Failure::BadHandle));
        for wrong in [&b""[..], b"1", b"12345678", &[255; 8], &[0; 9]] {
            assert_eq!(handles.get(wrong).err(), Some(Failure::BadHandle), "{wrong:?}");
        }
    }

    #[test]
    fn there_is_a_limit_and_closing_makes_room() {
        let mut handles = Handles::default();
        let all: Vec<_> = (0..MAX_HANDLES).map(|_| handles.add(file()).unwrap()).collect();
        assert_eq!(handles.room(), Err(Failure::TooManyHandles));
        assert_eq!(handles.add(file()).err(), Some(Failure::TooManyHandles));
        handles.remove(&all[17]).unwrap();
        assert!(handles.room().is_ok() && handles.add(file()).is_ok());
    }
}
