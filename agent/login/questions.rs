//! Answers what the agent asks about sessions, for as long as the program runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, Answer, SessionQuestion, SessionReply};
use accountd_protocol::client::{AgentClient, ClientError};
use tracing::debug;

use crate::error::Error;
use crate::registry::Registry;

const RETRY: Duration = Duration::from_millis(200);

/// Starts the thread.
pub fn answer(socket: PathBuf, registry: Arc<Registry>) -> Result<(), Error> {
    let named = std::thread::Builder::new().name("questions".into());
    let thread = named.spawn(move || {
        loop {
            if let Err(error) = serve(&socket, &registry) {
                debug!(%error, "the agent asks nothing now");
            }
            std::thread::sleep(RETRY);
        }
    });
    thread.map(|_| ()).map_err(Error::Thread)
}

fn serve(socket: &Path, registry: &Registry) -> Result<(), ClientError> {
    let mut client = AgentClient::connect(socket)?;
    let Ok(Answer::Watching) = client.call(&AgentRequest::AnswerQuestions)? else { return Err(ClientError::Closed) };
    loop {
        let question = client.next_question()?;
        client.reply(&reply(registry, &question))?;
    }
}

fn reply(registry: &Registry, question: &SessionQuestion) -> SessionReply {
    let closed = match question {
        SessionQuestion::List(of) => return SessionReply::Connections(registry.connections(*of)),
        SessionQuestion::CloseConnection(id) => registry.close_connection(id),
        SessionQuestion::CloseSession(number) => registry.close_session(*number),
    };
    closed.map_or(SessionReply::NotFound, |()| SessionReply::Closed)
}
