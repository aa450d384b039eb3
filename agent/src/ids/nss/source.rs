//! One source of NSS and the process that asks it: started when first needed, kept, ended when it hangs.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::frame::{self, FrameError};

use super::look_up::{CAP, LOOK_UP_ARGUMENT};
use super::{Answer, Question};

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot start the helper process: {0}")]
    Start(io::Error),
    #[error("it is still busy with what it was asked before")]
    Busy,
    #[error("it was asked and says nothing")]
    TimedOut,
    #[error("{0}")]
    Conversation(#[from] FrameError),
    #[error("the helper process has ended")]
    Ended,
    #[error("the helper process has answered something else")]
    Confused,
    #[error("{}", io::Error::from_raw_os_error(*.0))]
    Failed(i32),
}

/// One request at a time talks to its process.
#[derive(Debug)]
pub struct Source {
    name: String,
    place: Mutex<Place>,
    returned: Condvar,
}

#[derive(Debug)]
enum Place {
    Here(Option<Process>),
    Away,
}

/// Ends with this.
#[derive(Debug)]
struct Process {
    child: Option<Child>,
    stream: UnixStream,
}

impl Source {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), place: Mutex::new(Place::Here(None)), returned: Condvar::new() }
    }

    /// The answers, one for each question, before `end`. After an error the process is another.
    pub fn ask(&self, questions: &[&Question], end: Instant) -> Result<Vec<Answer>, SourceError> {
        let process = self.take(end)?;
        let result = self.ask_either(process, questions, end);
        let (answers, process) = match result {
            Ok((answers, process)) => (Ok(answers), Some(process)),
            Err(error) => (Err(error), None),
        };
        *self.place() = Place::Here(process);
        self.returned.notify_one();
        answers
    }

    /// One that has ended meanwhile, as a source's library may have it end, is started again.
    fn ask_either(
        &self,
        kept: Option<Process>,
        questions: &[&Question],
        end: Instant,
    ) -> Result<(Vec<Answer>, Process), SourceError> {
        if let Some(mut process) = kept.filter(|_| Instant::now() < end) {
            match process.ask(questions, end) {
                Err(error) if error.says_it_had_ended() => {}
                result => return result.map(|answers| (answers, process)),
            }
        }
        let mut process = Process::start(&self.name)?;
        process.ask(questions, end).map(|answers| (answers, process))
    }

    fn take(&self, end: Instant) -> Result<Option<Process>, SourceError> {
        let is_away = |place: &mut Place| matches!(place, Place::Away);
        let (mut place, _) = self
            .returned
            .wait_timeout_while(self.place(), left_until(end), is_away)
            .unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *place, Place::Away) {
            Place::Here(process) => Ok(process),
            Place::Away => Err(SourceError::Busy),
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SourceError {
    fn says_it_had_ended(&self) -> bool {
        match self {
            SourceError::Ended => true,
            SourceError::Conversation(FrameError::Io(error)) => {
                matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
            }
            SourceError::Conversation(FrameError::TooLong { .. } | FrameError::Content(_))
            | SourceError::Start(_)
            | SourceError::Busy
            | SourceError::TimedOut
            | SourceError::Confused
            | SourceError::Failed(_) => false,
        }
    }
}

impl Process {
    fn start(source: &str) -> Result<Self, SourceError> {
        let (stream, theirs) = UnixStream::pair().map_err(SourceError::Start)?;
        let child = Command::new(Path::new("/proc/self/exe"))
            .args([LOOK_UP_ARGUMENT, source])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .map_err(SourceError::Start)?;
        Ok(Self { child: Some(child), stream })
    }

    fn ask(&mut self, questions: &[&Question], end: Instant) -> Result<Vec<Answer>, SourceError> {
        self.stream.set_write_timeout(Some(left_until(end))).map_err(FrameError::Io)?;
        frame::write(&mut self.stream, &questions, CAP)?;
        self.stream.set_read_timeout(Some(left_until(end))).map_err(FrameError::Io)?;
        let said: Option<Vec<Answer>> = frame::read(&mut self.stream, CAP).map_err(|error| match error {
            FrameError::Io(error) if error.kind() == io::ErrorKind::WouldBlock => SourceError::TimedOut,
            error => SourceError::Conversation(error),
        })?;
        let answers = said.ok_or(SourceError::Ended)?;
        if answers.len() == questions.len() { Ok(answers) } else { Err(SourceError::Confused) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // It may have ended by itself. One that the kernel does not let go yet is not waited for.
        let _ = child.kill();
        let waiting = std::thread::Builder::new().name("source's end".into()).spawn(move || child.wait());
        if let Err(error) = waiting {
            tracing::warn!(%error, "cannot wait for the end of a helper process");
        }
    }
}

/// Never nothing, which would mean no limit at all.
fn left_until(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
