//! What accountctl shows of who asks, and how root on this machine gets away without.

use std::path::{Path, PathBuf};

use accountd_protocol::agent::{AgentRequest, Answer, Handle};
use accountd_protocol::client::{AgentClient, ClientError};
use accountd_protocol::frame::FrameError;
use accountd_protocol::secret::Secret;
use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::error::Error;

#[derive(Clone, Debug)]
pub enum Credential {
    Password {
        user: String,
        password: Secret,
    },
    Token(Secret),
    /// The agent's socket, which knows that it is root who asks.
    Local(PathBuf),
}

impl Credential {
    /// The value of an `Authorization` header (RFC 7617, RFC 6750). For root a fresh handle each time.
    pub fn header(&self) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(match self {
            Credential::Password { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.reveal()));
                format!("Basic {}", *Zeroizing::new(Base64::encode_string(pair.as_bytes())))
            }
            Credential::Token(token) => format!("Bearer {}", token.reveal()),
            Credential::Local(socket) => format!("Bearer {}", local_handle(socket)?.reveal()),
        }))
    }

    /// The password, for whoever changes their own.
    pub fn password(&self) -> Option<&Secret> {
        match self {
            Credential::Password { password, .. } => Some(password),
            Credential::Token(_) | Credential::Local(_) => None,
        }
    }
}

fn local_handle(socket: &Path) -> Result<Handle, Error> {
    let (no_agent, turned_away) = (
        |reason: String| Error::NoAgent { socket: socket.to_owned(), reason },
        || Error::TurnedAway { socket: socket.to_owned() },
    );
    let asked = AgentClient::connect(socket).and_then(|mut agent| agent.call(&AgentRequest::OpenLocalHandle));
    match asked {
        Ok(Ok(Answer::Handle(handle))) => Ok(handle),
        Ok(Ok(_)) => Err(no_agent("its answer does not fit".into())),
        Ok(Err(refusal)) => Err(Error::NoHandle { socket: socket.to_owned(), reason: refusal.to_string() }),
        Err(ClientError::Connect { source, .. }) => match source.kind() {
            std::io::ErrorKind::PermissionDenied => Err(turned_away()),
            _ => Err(no_agent(source.to_string())),
        },
        // Whoever is no peer of the agent is not answered, nor is one that may not ask this.
        Err(ClientError::Closed) => Err(turned_away()),
        Err(ClientError::Frame(FrameError::Io(source))) if is_hang_up(&source) => Err(turned_away()),
        Err(ClientError::Frame(error)) => Err(no_agent(error.to_string())),
    }
}

fn is_hang_up(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_one_header_and_silent_in_debug() {
        let password = Credential::Password { user: "root".into(), password: Secret::new("a:b:".into()) };
        assert_eq!(*password.header().unwrap(), "Basic cm9vdDphOmI6");
        let token = Credential::Token(Secret::new("0123".into()));
        assert_eq!(*token.header().unwrap(), "Bearer 0123");
        assert!(!format!("{password:?}{token:?}").contains("0123"));
    }

    #[test]
    fn without_an_agent_there_is_no_handle() {
        let error = Credential::Local("/nonexistent/agent.sock".into()).header().unwrap_err();
        assert!(matches!(error, Error::NoAgent { .. }), "{error}");
    }
}
