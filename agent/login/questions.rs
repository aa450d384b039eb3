//! Answers what the agent asks about sessions, for as long as the program runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{AgentRequest, Answer, SessionQuestion, SessionReply};
use accountd_protocol::client::{AgentClient, ClientError};
use tracing::debug;

use crate::connection::Shared;
use crate::error::Error;
use crate::pulls::Pulls;

const RETRY: Duration = Duration::from_millis(200);

/// Starts the thread.
pub fn answer(socket: PathBuf, shared: Shared) -> Result<(), Error> {
    let named = std::thread::Builder::new().name("questions".into());
    let thread = named.spawn(move || {
        let pulls = Arc::new(Pulls::default());
        loop {
            if let Err(error) = serve(&socket, &shared, &pulls) {
                debug!(%error, "the agent asks nothing now");
            }
            std::thread::sleep(RETRY);
        }
    });
    thread.map(|_| ()).map_err(Error::Thread)
}

fn serve(socket: &Path, shared: &Shared, pulls: &Arc<Pulls>) -> Result<(), ClientError> {
    let mut client = AgentClient::connect(socket)?;
    let Ok(Answer::Watching) = client.call(&AgentRequest::AnswerQuestions)? else { return Err(ClientError::Closed) };
    loop {
        let question = client.next_question()?;
        client.reply(&reply(shared, pulls, &question))?;
    }
}

fn reply(shared: &Shared, pulls: &Arc<Pulls>, question: &SessionQuestion) -> SessionReply {
    let registry = &shared.registry;
    let closed = match question {
        SessionQuestion::List(of) => return SessionReply::Connections(registry.connections(*of)),
        SessionQuestion::CloseConnection(id) => registry.close_connection(id),
        SessionQuestion::CloseSession(number) => registry.close_session(*number),
        SessionQuestion::BeginPull(ticket) => {
            pulls.begin(*ticket, shared);
            return SessionReply::PullBegun;
        }
        SessionQuestion::LookAtPull(ticket) => {
            return pulls.state(*ticket).map_or(SessionReply::NotFound, SessionReply::Pull);
        }
        SessionQuestion::EndPull(ticket) => pulls.cancel(*ticket).then_some(()),
    };
    closed.map_or(SessionReply::NotFound, |()| SessionReply::Closed)
}
