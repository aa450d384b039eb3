//! A blocking client of the agent's socket.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::agent::{AgentRequest, Reply, Revocation, Revoked, SessionQuestion, SessionReply};
use crate::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP, FrameError};

/// Longer than any commit waits for the password lock.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach the agent at {path}: {source}")]
    Connect { path: String, source: std::io::Error },
    #[error("the agent closed the connection")]
    Closed,
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// One connection to the agent. After an error it must be dropped.
#[derive(Debug)]
pub struct AgentClient {
    stream: UnixStream,
}

impl AgentClient {
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let open = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
            stream.set_write_timeout(Some(ANSWER_DEADLINE))?;
            Ok(stream)
        };
        let stream = open().map_err(|source| ClientError::Connect { path: path.display().to_string(), source })?;
        Ok(Self { stream })
    }

    /// The same connection, for another thread.
    pub fn try_clone(&self) -> Result<Self, ClientError> {
        Ok(Self { stream: self.stream.try_clone().map_err(FrameError::Io)? })
    }

    pub fn call(&mut self, request: &AgentRequest) -> Result<Reply, ClientError> {
        frame::write(&mut self.stream, request, AGENT_REQUEST_CAP)?;
        frame::read(&mut self.stream, AGENT_ANSWER_CAP)?.ok_or(ClientError::Closed)
    }

    /// The next revocation, however long it takes; only after [`AgentRequest::Watch`].
    pub fn next_revocation(&mut self) -> Result<Revocation, ClientError> {
        self.stream.set_read_timeout(None).map_err(FrameError::Io)?;
        frame::read(&mut self.stream, AGENT_ANSWER_CAP)?.ok_or(ClientError::Closed)
    }

    /// The next question, however long it takes; only after [`AgentRequest::AnswerQuestions`].
    pub fn next_question(&mut self) -> Result<SessionQuestion, ClientError> {
        self.stream.set_read_timeout(None).map_err(FrameError::Io)?;
        frame::read(&mut self.stream, AGENT_ANSWER_CAP)?.ok_or(ClientError::Closed)
    }

    pub fn reply(&mut self, reply: &SessionReply) -> Result<(), ClientError> {
        Ok(frame::write(&mut self.stream, reply, AGENT_REQUEST_CAP)?)
    }

    pub fn acknowledge(&mut self, revoked: Revoked) -> Result<(), ClientError> {
        Ok(frame::write(&mut self.stream, &revoked, AGENT_REQUEST_CAP)?)
    }
}
