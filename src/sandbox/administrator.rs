//! The password of `admin`, whom the agent makes for clients of AList and OpenList: in a sandbox that of root,
//! so that such a client can be tried at once. It is set by the agent, which keeps what these clients need.

use std::path::Path;

use accountd_protocol::agent::{AgentRequest, Answer, Operation, Reply};
use accountd_protocol::client::AgentClient;
use accountd_protocol::id::AccountRef;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;

use super::error::SandboxError;

const NAME: &str = "admin";

/// Asks the agent at this socket as root. Where there is no such account, nothing is done.
pub fn give_password(socket: &Path, password: &str) -> Result<(), SandboxError> {
    let failed = |message: String| SandboxError::Failed { program: "accountd-agent".into(), message };
    let mut client = AgentClient::connect(socket).map_err(|error| failed(error.to_string()))?;
    let mut ask =
        |request| -> Result<Reply, SandboxError> { client.call(&request).map_err(|error| failed(error.to_string())) };
    let caller = match ask(AgentRequest::OpenLocalHandle)? {
        Ok(Answer::Handle(caller)) => caller,
        Ok(_) => return Err(failed("no handle was given".into())),
        Err(refusal) => return Err(failed(refusal.to_string())),
    };
    let operate = |operation| AgentRequest::Operate { caller: caller.clone(), operation: Box::new(operation) };
    let id = match ask(operate(Operation::FindUser(AccountRef::Name(NAME.into()))))? {
        Ok(Answer::User(user)) => user.id,
        Err(Refusal::NotFound) => return Ok(()),
        Ok(_) => return Err(failed("no user was shown".into())),
        Err(refusal) => return Err(failed(refusal.to_string())),
    };
    let password = Secret::new(password.to_owned());
    match ask(operate(Operation::SetPassword { id, password, only_if: Precondition::None }))? {
        Ok(_) => Ok(()),
        Err(refusal) => Err(failed(refusal.to_string())),
    }
}
