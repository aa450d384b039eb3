//! What a session has done with files, for the log: a line for each transfer and each change.
//!
//! A line is shorter than PIPE_BUF, so that lines of several sessions in one pipe stay whole
//! (pipe(7)). Names are quoted: what is no printable text is `\xNN`, byte by byte, and a name that
//! is too long for the line has `…` behind its closing quote.

use std::fmt::Write;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::time::{Duration, Instant};

use accountd_protocol::open_session::TransferNote;
use nix::errno::Errno;

use crate::notes;
use crate::sys;
use crate::transfer::{Direction, Noted, Transfer};

/// How long a line waits for others.
const HOLD: Duration = Duration::from_secs(1);
/// The longest line, its end counted.
pub const MAX_LINE: usize = 4096;
/// What stands in a line beside two quoted texts.
const ROOM_FOR_THE_REST: usize = 256;
const MAX_TEXT: usize = (MAX_LINE - ROOM_FOR_THE_REST) / 2;

/// Where the lines go, and what they add up to.
#[derive(Debug, Default)]
pub struct Record {
    /// Until whoever reads it has gone.
    pipe: Option<OwnedFd>,
    read: u64,
    written: u64,
    requests: u64,
    /// Lines that wait for others, or for a second to pass: a write for each file would cost as much
    /// as a small file itself.
    held: Vec<u8>,
    held_since: Option<Instant>,
    /// How many transfers have been told of while they were going on.
    noted: u64,
}

/// A change of a name.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    Remove(&'a [u8]),
    Mkdir(&'a [u8]),
    Rmdir(&'a [u8]),
    /// From, to.
    Rename(&'a [u8], &'a [u8]),
    /// A second name: from, to.
    Link(&'a [u8], &'a [u8]),
    /// Link, target.
    Symlink(&'a [u8], &'a [u8]),
    Setstat(&'a [u8]),
}

impl Record {
    /// To an open descriptor of this process; to nowhere without one.
    ///
    /// A number becomes a descriptor by asking the kernel for a copy of it: a pipe of root's can't
    /// be opened by its name in /proc.
    pub fn to(descriptor: Option<RawFd>) -> io::Result<Self> {
        let pipe = match descriptor {
            Some(number) => Some(sys::copy_of(number)?),
            None => None,
        };
        Ok(Self { pipe, ..Self::default() })
    }

    /// One more request of the client.
    pub fn request(&mut self) {
        self.requests += 1;
    }

    /// A file is closed. Nothing is said of one that was opened for reading and never read.
    pub fn transfer(&mut self, transfer: &Transfer) {
        if let Some(Noted { id, .. }) = transfer.noted {
            self.note(&TransferNote::Ended { id });
        }
        self.read += transfer.read;
        self.written += transfer.written;
        let error = transfer.error.as_deref();
        if transfer.direction == Direction::Write {
            self.transferred("put", transfer, transfer.written, error);
        }
        let was_read = transfer.read > 0 || (transfer.direction == Direction::Read && error.is_some());
        if was_read {
            self.transferred("get", transfer, transfer.read, error);
        }
    }

    /// A transfer has gone on: that is told once it has lasted for a second, and then once a second.
    pub fn progress(&mut self, transfer: &mut Transfer) {
        if self.pipe.is_none() {
            return;
        }
        let now = Instant::now();
        let last = transfer.noted.map_or(transfer.begun, |noted| noted.last);
        if now.duration_since(last) < HOLD {
            return;
        }
        let note = match transfer.noted {
            Some(Noted { id, .. }) => TransferNote::At { id, size: transfer.size() },
            None => {
                self.noted += 1;
                notes::begun(self.noted, transfer, now)
            }
        };
        let id = transfer.noted.map_or(self.noted, |noted| noted.id);
        transfer.noted = Some(Noted { id, last: now });
        self.note(&note);
    }

    /// At once, with the lines that wait.
    fn note(&mut self, note: &TransferNote) {
        if self.pipe.is_some() {
            self.push(&notes::line(note));
            self.flush();
        }
    }

    /// Sleeps; lines are held no longer for that.
    pub fn pause(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(patience) = self.patience().filter(|patience| *patience < left) else {
                return std::thread::sleep(left);
            };
            std::thread::sleep(patience);
            self.flush();
        }
    }

    fn transferred(&mut self, kind: &str, transfer: &Transfer, bytes: u64, error: Option<&str>) {
        let mut line = String::from(kind);
        append(&mut line, "path", &transfer.path);
        // Writing to a String does not fail.
        let _ = write!(line, " bytes={bytes}");
        if let Some(error) = error {
            append(&mut line, "error", error.as_bytes());
        }
        self.line(line);
    }

    /// A change that was made.
    pub fn change(&mut self, change: Change<'_>) {
        let (kind, path, second) = match change {
            Change::Remove(path) => ("remove", path, None),
            Change::Mkdir(path) => ("mkdir", path, None),
            Change::Rmdir(path) => ("rmdir", path, None),
            Change::Rename(from, to) => ("rename", from, Some(("to", to))),
            Change::Link(from, to) => ("link", from, Some(("to", to))),
            Change::Symlink(link, target) => ("symlink", link, Some(("target", target))),
            Change::Setstat(path) => ("setstat", path, None),
        };
        let mut line = String::from(kind);
        append(&mut line, "path", path);
        if let Some((name, text)) = second {
            append(&mut line, name, text);
        }
        self.line(line);
    }

    /// The last line of a session.
    pub fn total(&mut self) {
        self.line(format!("total read={} written={} requests={}", self.read, self.written, self.requests));
        self.flush();
    }

    fn line(&mut self, mut line: String) {
        if self.pipe.is_none() {
            return;
        }
        line.push('\n');
        self.push(line.as_bytes());
        if self.held_since.get_or_insert_with(Instant::now).elapsed() >= HOLD {
            self.flush();
        }
    }

    fn push(&mut self, line: &[u8]) {
        if self.held.len() + line.len() > MAX_LINE {
            self.flush();
        }
        self.held.extend_from_slice(line);
    }

    /// For how long lines may be held yet; `None` when there are none.
    pub fn patience(&self) -> Option<Duration> {
        self.held_since.map(|since| HOLD.saturating_sub(since.elapsed()))
    }

    /// Writes what is held. Whoever reads the log may have gone: then there is none, and the session
    /// goes on.
    pub fn flush(&mut self) {
        self.held_since = None;
        let held = std::mem::take(&mut self.held);
        let Some(pipe) = &self.pipe else { return };
        loop {
            match nix::unistd::write(pipe, &held) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(_) => {
                    self.pipe = None;
                    return;
                }
            }
        }
        self.held = held;
        self.held.clear();
    }
}

/// ` NAME="TEXT"`.
fn append(line: &mut String, name: &str, text: &[u8]) {
    let _ = write!(line, " {name}=\"");
    let most = line.len() + MAX_TEXT;
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let end = line.len();
            escape(letter, line);
            if line.len() > most {
                line.truncate(end);
                line.push_str("\"…");
                return;
            }
        }
        if line.len() + 4 * chunk.invalid().len() > most {
            line.push_str("\"…");
            return;
        }
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    line.push('"');
}

/// What would end a line or a quoted text, or turn its reading round, is not written as it is.
fn escape(letter: char, line: &mut String) {
    let is_turning = matches!(letter, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match letter {
        '"' | '\\' => line.extend(['\\', letter]),
        letter if letter.is_control() || is_turning => {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(line, "\\x{byte:02x}");
            }
        }
        letter => line.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;
    use crate::pace::Rates;

    /// What `act` writes.
    fn lines(act: impl FnOnce(&mut Record)) -> String {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut record = Record::to(Some(writer.as_raw_fd())).unwrap();
        drop(writer);
        act(&mut record);
        record.flush();
        drop(record);
        let mut text = String::new();
        std::fs::File::from(reader).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_transfer_and_change_is_a_line() {
        let said = lines(|record| {
            record.request();
            let transfer = |path: &[u8], direction| Transfer::new(path, direction, Rates::default());
            record.transfer(&transfer(b"looked at", Direction::Read));
            let (mut read, mut failed) = (transfer(b"a b", Direction::Read), transfer(b"new", Direction::Write));
            read.has_read(7);
            record.transfer(&read);
            failed.has_written(9);
            failed.failed("No space left");
            failed.failed("and later this");
            record.transfer(&failed);
            record.change(Change::Rename(b"a", b"b"));
            record.change(Change::Symlink(b"link", b"/x"));
            record.total();
        });
        assert_eq!(
            said,
            "get path=\"a b\" bytes=7\n\
             put path=\"new\" bytes=9 error=\"No space left\"\n\
             rename path=\"a\" to=\"b\"\n\
             symlink path=\"link\" target=\"/x\"\n\
             total read=7 written=9 requests=1\n"
        );
    }

    #[test]
    fn names_are_quoted_and_never_break_a_line() {
        let said = lines(|record| {
            record.change(Change::Remove(b"a\"b\\c\nd\xff\xfe\xc3\xa4\xc2\x85\xe2\x80\xae"));
            record.change(Change::Rename(&[b'\n'; 4000], &[0xff; 4000]));
            record.change(Change::Rename(&[b'x'; 1920], &[b'x'; 1921]));
        });
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "remove path=\"a\\\"b\\\\c\\x0ad\\xff\\xfe\u{e4}\\xc2\\x85\\xe2\\x80\\xae\"");
        assert!(lines[1].ends_with("\\xff\"…") && lines[1].contains("\\x0a\"… to=\"\\xff"));
        assert_eq!(lines[2].matches('…').count(), 1);
        assert!(lines.iter().all(|line| line.len() < MAX_LINE), "{:?}", lines.iter().map(|line| line.len()));
    }

    #[test]
    fn lines_are_held_until_they_fill_a_page_or_a_second_has_passed() {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        let mut record = Record::to(Some(writer.as_raw_fd())).unwrap();
        let mut reader = std::fs::File::from(reader);
        let mut page = [0; 2 * MAX_LINE];
        assert_eq!(record.patience(), None);
        record.change(Change::Mkdir(&[b'a'; 1000]));
        assert!(record.patience().is_some() && reader.read(&mut page).is_err());
        (0..4).for_each(|_| record.change(Change::Mkdir(&[b'b'; 1000])));
        let count = reader.read(&mut page).unwrap();
        assert!((3000..=MAX_LINE).contains(&count) && page[count - 1] == b'\n', "{count}");
        record.held_since = Instant::now().checked_sub(HOLD);
        assert_eq!(record.patience(), Some(Duration::ZERO));
        record.change(Change::Mkdir(b"c"));
        assert!(reader.read(&mut page).unwrap() > 1000 && record.patience().is_none());
    }

    #[test]
    fn a_transfer_that_takes_long_is_told_of_while_it_goes_on_and_when_it_is_over() {
        let second = Duration::from_secs(1);
        let begin = Instant::now().checked_sub(2 * second).unwrap();
        let said = lines(|record| {
            let mut short = Transfer::new(b"short", Direction::Read, Rates::default());
            record.progress(&mut short);
            record.transfer(&short);
            let mut long = Transfer::new(b"d/long", Direction::Write, Rates::default());
            long.begun = begin;
            long.has_written(5);
            record.progress(&mut long);
            long.has_written(3);
            record.progress(&mut long);
            long.noted = long.noted.map(|noted| Noted { last: begin, ..noted });
            record.progress(&mut long);
            long.failed("no more");
            record.transfer(&long);
        });
        let lines: Vec<&str> = said.lines().collect();
        let (begun, rest) = lines.split_first().unwrap();
        let expected =
            "\u{1}{\"begun\":{\"id\":1,\"path\":\"/d/long\",\"direction\":\"upload\",\"size\":5,\"for_milliseconds\":2";
        assert!(begun.starts_with(expected), "{begun}");
        let at = "\u{1}{\"at\":{\"id\":1,\"size\":8}}";
        assert_eq!(rest, [at, "\u{1}{\"ended\":{\"id\":1}}", "put path=\"d/long\" bytes=8 error=\"no more\""]);
    }

    #[test]
    fn a_log_that_nobody_reads_is_none() {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut record = Record::to(Some(writer.as_raw_fd())).unwrap();
        drop(reader);
        record.total();
        assert!(record.pipe.is_none());
        record.total();
        assert!(Record::to(Some(1_000_000)).is_err());
    }
}
