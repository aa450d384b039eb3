//! Why an operation was not done.

use accountd_protocol::client::ClientError;
use accountd_protocol::frame::FrameError;
use accountd_protocol::refusal::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agent said no; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No answer. A change that was sent may or may not have been made.
    #[error("the agent does not answer: {0}")]
    AgentDown(ClientError),
    #[error("every connection to the agent is busy")]
    Saturated,
    #[error("the request is larger than the agent takes")]
    TooLarge,
    #[error("the agent gave an answer that does not fit the request")]
    UnexpectedAnswer,
    #[error("no random numbers from the kernel: {0}")]
    Random(getrandom::Error),
    #[error("the task that waited for the agent failed: {0}")]
    Task(tokio::task::JoinError),
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Frame(FrameError::TooLong { .. }) => Error::TooLarge,
            ClientError::Frame(FrameError::Io(_) | FrameError::Content(_))
            | ClientError::Connect { .. }
            | ClientError::Closed => Error::AgentDown(error),
        }
    }
}
