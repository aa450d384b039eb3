//! `/users/{user}/disable`: a user is locked and everything that runs for it is ended; and the report
//! of that, which a deletion can have too.

use accountd_protocol::ended::{Ended, OtherProcesses};
use rocket::http::Status;
use rocket::post;
use serde_json::{Value, json};

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::idempotency::Once;
use super::input::Input;
use super::only_if::OnlyIf;
use super::path::Named;
use super::sent::Sent;
use super::users::failed;
use crate::reply::Reply;

/// The body may be an empty object.
#[post("/users/<user>/disable", data = "<sent>")]
pub async fn disable(user: Named, only_if: OnlyIf, once: Once<'_>, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let Sent { caller, body } = sent?;
    let only_if = only_if.precondition()?;
    // Whoever has the name by now: another user is another request.
    let id = user.user(&caller).await?;
    let made = async {
        let processes = asked(Input::parse(Kind::User, &body)?)?;
        let ended = caller.disable_user(id, processes, only_if).await.map_err(failed)?;
        Ok(answers::json(Status::Ok, &report(&ended)))
    };
    once.answer((&caller, format!("/users/{id}/disable")), &body, made).await
}

fn asked(mut input: Input) -> Result<OtherProcesses, Error> {
    input.refuse_null("end_processes");
    let processes = other_processes(input.boolean("end_processes").value().unwrap_or(false));
    input.finish(&[])?;
    Ok(processes)
}

pub fn other_processes(end: bool) -> OtherProcesses {
    if end { OtherProcesses::Ended } else { OtherProcesses::Left }
}

/// What there was and is no more, and what could not be ended.
pub fn report(ended: &Ended) -> Value {
    let Ended { sessions, samba, processes, crontab, at_jobs, linger, left } = ended;
    json!({
        "ended": {
            "sessions": sessions,
            "samba": samba,
            "processes": processes,
            "crontab": crontab,
            "at_jobs": at_jobs,
            "linger": linger,
        },
        "left": left,
    })
}
