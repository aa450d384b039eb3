//! Connections to the agent that are kept for the requests to come.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::agent::{AgentRequest, Reply};
use crate::client::{AgentClient, ClientError};
use crate::frame::FrameError;

#[derive(Debug)]
pub struct KeptClients {
    socket: PathBuf,
    /// So many are kept.
    most: usize,
    idle: Mutex<Vec<AgentClient>>,
}

impl KeptClients {
    pub fn new(socket: PathBuf, most: usize) -> Self {
        Self { socket, most, idle: Mutex::default() }
    }

    /// Sends a request, and waits for its answer. It is sent on another connection only where it was
    /// never sent on the first: what an agent has done that does not answer, nobody knows.
    pub fn call(&self, request: &AgentRequest) -> Result<Reply, ClientError> {
        let kept = self.idle().pop();
        if let Some(client) = kept {
            match self.call_on(client, request) {
                Err(error) if never_sent(&error) => self.idle().clear(),
                result => return result,
            }
        }
        self.call_on(AgentClient::connect(&self.socket)?, request)
    }

    /// The connection is kept only after a whole answer.
    fn call_on(&self, mut client: AgentClient, request: &AgentRequest) -> Result<Reply, ClientError> {
        let reply = client.call(request)?;
        let mut idle = self.idle();
        if idle.len() < self.most {
            idle.push(client);
        }
        Ok(reply)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<AgentClient>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only a write fails with EPIPE (write(2), never read(2)), and a frame that is not there whole is
/// never acted on: the agent has been started anew since this connection was made.
fn never_sent(error: &ClientError) -> bool {
    match error {
        ClientError::Frame(FrameError::Io(error)) => error.kind() == ErrorKind::BrokenPipe,
        ClientError::Frame(FrameError::TooLong { .. } | FrameError::Content(_))
        | ClientError::Connect { .. }
        | ClientError::Closed => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::agent::Answer;
    use crate::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP};

    fn hear(stream: &mut UnixStream) -> Option<AgentRequest> {
        frame::read(stream, AGENT_REQUEST_CAP).unwrap()
    }

    fn answer(stream: &mut UnixStream) {
        frame::write(stream, &Reply::Ok(Answer::Done), AGENT_ANSWER_CAP).unwrap();
    }

    #[test]
    fn a_request_that_may_have_been_heard_is_not_sent_again() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let agent = std::thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            hear(&mut first);
            answer(&mut first);
            // It ends with a request in hand.
            hear(&mut first).unwrap();
            drop(first);
            listener.set_nonblocking(true).unwrap();
            listener.accept().map(drop).map_err(|error| error.kind())
        });
        let clients = KeptClients::new(socket, 1);
        clients.call(&AgentRequest::Ping).unwrap().unwrap();
        let lost = clients.call(&AgentRequest::Ping);
        assert!(matches!(lost, Err(ClientError::Closed)), "{lost:?}");
        assert_eq!(agent.join().unwrap(), Err(ErrorKind::WouldBlock), "nobody has come once more");
    }

    #[test]
    fn a_request_that_was_never_sent_is_sent_on_another_connection() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (closed, is_closed) = channel();
        let agent = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                hear(&mut stream);
                answer(&mut stream);
                drop(stream);
                closed.send(()).unwrap();
            }
        });
        let clients = KeptClients::new(socket, 1);
        for _ in 0..2 {
            clients.call(&AgentRequest::Ping).unwrap().unwrap();
            is_closed.recv().unwrap();
        }
        agent.join().unwrap();
    }
}
