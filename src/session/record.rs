//! What a session has done with files, for the log: a line for each transfer and each change.
//!
//! A line is shorter than PIPE_BUF, so that lines of several sessions in one pipe stay whole
//! (pipe(7)). Names are quoted: what is no printable text is `\xNN`, byte by byte, and a name that
//! is too long for the line has `…` behind its closing quote.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use nix::errno::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

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

/// One file from its opening to its closing.
#[derive(Debug)]
pub struct Transfer {
    /// As the client has written it.
    pub path: Vec<u8>,
    pub direction: Direction,
    pub read: u64,
    pub written: u64,
    /// The first that went wrong.
    pub error: Option<String>,
}

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Read,
    /// Perhaps for reading too.
    Write,
}

impl Transfer {
    pub fn new(path: &[u8], direction: Direction) -> Self {
        Self { path: path.to_vec(), direction, read: 0, written: 0, error: None }
    }

    /// Keeps the first error.
    pub fn failed(&mut self, error: &str) {
        self.error.get_or_insert_with(|| error.to_owned());
    }
}

impl Record {
    /// To an open descriptor of this process; to nowhere without one.
    ///
    /// A number becomes a descriptor by asking the kernel for a copy of it (pidfd_getfd(2)): a
    /// pipe of root's can't be opened by its name in /proc.
    pub fn to(descriptor: Option<RawFd>) -> io::Result<Self> {
        let pipe = match descriptor {
            // That one is at hand, also where the call is forbidden.
            Some(2) => Some(io::stderr().as_fd().try_clone_to_owned()?),
            Some(number) => {
                let copy = copy_of(getpid(), number)?;
                nix::unistd::close(number)?;
                Some(copy)
            }
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
    }

    /// Whoever reads the log may have gone: then there is none, and the session goes on.
    fn line(&mut self, mut line: String) {
        let Some(pipe) = &self.pipe else { return };
        line.push('\n');
        loop {
            match nix::unistd::write(pipe, line.as_bytes()) {
                Ok(_) => return,
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        self.pipe = None;
    }
}

fn copy_of(process: Pid, number: RawFd) -> io::Result<OwnedFd> {
    let this = pidfd_open(process, PidfdFlags::empty())?;
    Ok(pidfd_getfd(this, number, PidfdGetfdFlags::empty())?)
}

/// ` NAME="TEXT"`.
fn append(line: &mut String, name: &str, text: &[u8]) {
    let _ = write!(line, " {name}=\"");
    let most = line.len() + MAX_TEXT;
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let escaped = escape(letter);
            if line.len() + escaped.len() > most {
                line.push_str("\"…");
                return;
            }
            line.push_str(&escaped);
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
fn escape(letter: char) -> String {
    let is_turning = matches!(letter, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match letter {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        letter if letter.is_control() || is_turning => {
            let mut bytes = [0; 4];
            letter.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\x{byte:02x}")).collect()
        }
        letter => letter.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    /// What `act` writes.
    fn lines(act: impl FnOnce(&mut Record)) -> String {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut record = Record::to(Some(writer.as_raw_fd())).unwrap();
        drop(writer);
        act(&mut record);
        drop(record);
        let mut text = String::new();
        std::fs::File::from(reader).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_transfer_and_change_is_a_line() {
        let said = lines(|record| {
            record.request();
            record.transfer(&Transfer::new(b"looked at", Direction::Read));
            record.transfer(&Transfer { read: 7, ..Transfer::new(b"a b", Direction::Read) });
            let mut failed = Transfer { written: 9, ..Transfer::new(b"new", Direction::Write) };
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
