//! The descriptors of a session, read and written without blocking.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use accountd_protocol::login::{Streams, WindowSize};
use bytes::{Bytes, BytesMut};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// One read from the session.
const READ_BYTES: usize = 64 * 1024;

/// What the session says.
#[derive(Debug)]
pub enum Reader {
    Socket(Arc<UnixStream>),
    /// Or a terminal, which is read alike.
    Pipe(pipe::Receiver),
}

/// What it is told; the way in can be closed by itself.
#[derive(Debug)]
pub struct Writer(Mutex<Option<Arc<Inward>>>);

#[derive(Debug)]
pub enum Inward {
    Socket(Arc<UnixStream>),
    Pipe(pipe::Sender),
    Terminal(pipe::Sender),
}

/// All streams of one session.
#[derive(Debug)]
pub struct Opened {
    pub writer: Writer,
    pub output: Reader,
    pub errors: Option<Reader>,
    pub terminal: Option<Terminal>,
}

/// The terminal of a session, for its size.
#[derive(Clone, Debug)]
pub struct Terminal(Arc<OwnedFd>);

impl Opened {
    /// From the descriptors that came with the answer; `None` when they are not all there.
    pub fn new(kind: Streams, descriptors: Vec<OwnedFd>) -> io::Result<Option<Self>> {
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next();
        Ok(match kind {
            Streams::Socket => next().map(Self::socket).transpose()?,
            Streams::Terminal => next().map(Self::terminal).transpose()?,
            Streams::Pipes => match (next(), next(), next()) {
                (Some(input), Some(output), Some(errors)) => Some(Self::pipes(input, output, errors)?),
                _ => None,
            },
        })
    }

    fn socket(descriptor: OwnedFd) -> io::Result<Self> {
        let stream = std::os::unix::net::UnixStream::from(descriptor);
        stream.set_nonblocking(true)?;
        let stream = Arc::new(UnixStream::from_std(stream)?);
        let writer = Writer::new(Inward::Socket(stream.clone()));
        Ok(Self { writer, output: Reader::Socket(stream), errors: None, terminal: None })
    }

    fn pipes(input: OwnedFd, output: OwnedFd, errors: OwnedFd) -> io::Result<Self> {
        let reader = |descriptor| pipe::Receiver::from_owned_fd(descriptor).map(Reader::Pipe);
        let writer = Writer::new(Inward::Pipe(pipe::Sender::from_owned_fd(input)?));
        Ok(Self { writer, output: reader(output)?, errors: Some(reader(errors)?), terminal: None })
    }

    fn terminal(descriptor: OwnedFd) -> io::Result<Self> {
        let flags = OFlag::from_bits_truncate(fcntl(&descriptor, FcntlArg::F_GETFL)?);
        fcntl(&descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        // It is none, but what can be done with it is the same.
        let sender = pipe::Sender::from_owned_fd_unchecked(descriptor.try_clone()?)?;
        let output = Reader::Pipe(pipe::Receiver::from_owned_fd_unchecked(descriptor.try_clone()?)?);
        let (writer, terminal) = (Writer::new(Inward::Terminal(sender)), Some(Terminal(Arc::new(descriptor))));
        Ok(Self { writer, output, errors: None, terminal })
    }
}

impl Terminal {
    /// What runs there is told by the kernel (SIGWINCH, ioctl_tty(2)).
    pub fn set_size(&self, size: WindowSize) -> io::Result<()> {
        let size = rustix::termios::Winsize {
            ws_row: size.rows,
            ws_col: size.columns,
            ws_xpixel: size.width,
            ws_ypixel: size.height,
        };
        Ok(rustix::termios::tcsetwinsize(&*self.0, size)?)
    }
}

impl Reader {
    /// Waits for the next piece; an empty one is the end, and so is an error, which a terminal says
    /// that nobody has open at the other side any more (EIO, pty(7)).
    pub async fn next(&self, buffer: &mut BytesMut) -> io::Result<Bytes> {
        loop {
            buffer.reserve(READ_BYTES);
            let count = match self {
                Reader::Socket(stream) => {
                    stream.readable().await?;
                    stream.try_read_buf(buffer)
                }
                Reader::Pipe(pipe) => {
                    pipe.readable().await?;
                    pipe.try_read_buf(buffer)
                }
            };
            match count {
                Ok(_) => return Ok(buffer.split().freeze()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What is there now, without asking whether there is any; an empty piece when there is none.
    /// The runtime may not have heard yet of what a session has said last.
    pub fn rest(&self) -> Bytes {
        let mut buffer = BytesMut::zeroed(READ_BYTES);
        loop {
            match nix::unistd::read(self, &mut buffer) {
                Ok(count) => {
                    buffer.truncate(count);
                    return buffer.freeze();
                }
                Err(Errno::EINTR) => {}
                Err(_) => return Bytes::new(),
            }
        }
    }
}

impl AsFd for Reader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Reader::Socket(stream) => stream.as_fd(),
            Reader::Pipe(pipe) => pipe.as_fd(),
        }
    }
}

impl Writer {
    fn new(inward: Inward) -> Self {
        Self(Mutex::new(Some(Arc::new(inward))))
    }

    /// `None` once it is closed.
    pub fn get(&self) -> Option<Arc<Inward>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The client says no more. What runs at a terminal goes on, as at every terminal.
    pub fn close(&self) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place.as_deref() {
            Some(Inward::Socket(stream)) => {
                // Closed already is as good.
                let _ = shutdown(stream.as_raw_fd(), Shutdown::Write);
            }
            Some(Inward::Pipe(_)) => *place = None,
            Some(Inward::Terminal(_)) | None => {}
        }
    }
}

impl Inward {
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Inward::Socket(stream) => stream.try_write(data),
            Inward::Pipe(pipe) | Inward::Terminal(pipe) => pipe.try_write(data),
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Inward::Socket(stream) => stream.writable().await,
            Inward::Pipe(pipe) | Inward::Terminal(pipe) => pipe.writable().await,
        }
    }

    pub async fn write_all(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            self.writable().await?;
            match self.try_write(data) {
                Ok(count) => data = data.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn what_was_said_last_is_read_whether_the_runtime_has_heard_of_it_or_not() {
        let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        let reader = Reader::Pipe(pipe::Receiver::from_owned_fd(ours).unwrap());
        let mut writer = std::fs::File::from(theirs);
        assert!(reader.rest().is_empty());
        writer.write_all(b"last").unwrap();
        assert_eq!(&reader.rest()[..], b"last");
        drop(writer);
        assert!(reader.rest().is_empty());
        assert!(reader.next(&mut BytesMut::new()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_pipe_is_closed_for_what_reads_it() {
        let (theirs, ours) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        let writer = Writer::new(Inward::Pipe(pipe::Sender::from_owned_fd(ours).unwrap()));
        writer.get().unwrap().write_all(b"all").await.unwrap();
        writer.close();
        assert!(writer.get().is_none());
        let mut heard = String::new();
        io::Read::read_to_string(&mut std::fs::File::from(theirs), &mut heard).unwrap();
        assert_eq!(heard, "all");
    }
}
