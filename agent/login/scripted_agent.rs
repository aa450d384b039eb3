//! For tests: an agent that answers as a test says.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use accountd_protocol::agent::{AgentRequest, Reply};
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP};
use tempfile::TempDir;

/// Where one is, or could be: its socket goes with it.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    /// Answers every request; where there is no answer, the connection is closed.
    pub fn answer(&self, mut answer: impl FnMut(AgentRequest) -> Option<Reply> + Send + 'static) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                converse(stream.unwrap(), &mut answer);
            }
        });
    }
}

fn converse(mut stream: UnixStream, answer: &mut impl FnMut(AgentRequest) -> Option<Reply>) {
    while let Ok(Some(request)) = frame::read(&mut stream, AGENT_REQUEST_CAP) {
        let Some(reply) = answer(request) else { return };
        frame::write(&mut stream, &reply, AGENT_ANSWER_CAP).unwrap();
    }
}
