//! `/users/{user}/password`: set, and never shown. With it the user can log in by password, also one
//! that could not before. `If-Match` is about the user. With the present one, users change their own.

use accountd_protocol::agent::{RandomPassword, UserChange};
use rocket::http::Status;
use rocket::put;
use serde_json::json;

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::input::Given;
use super::path::Named;
use super::sent::Change;
use super::user_change::random_password;
use super::users::failed;
use crate::reply::Reply;

#[put("/users/<user>/password", data = "<sent>")]
pub async fn set(user: Named, sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, mut input) = sent?.open(Kind::User)?;
    let random = random_password(&mut input);
    if random == RandomPassword::No {
        input.require("password");
    }
    input.refuse_null("current");
    let (password, current) = (input.secret("password"), input.secret("current").value());
    if random == RandomPassword::Made && (current.is_some() || !matches!(password, Given::Absent)) {
        input.fault("random_password", "must_be_absent", "can not be given together with password or current");
    }
    if current.is_some() && !user.is_caller() {
        input.fault("current", "must_be_absent", "is for /users/~/password alone");
    }
    input.finish(&[])?;
    let enabled = UserChange { password_disabled: Some(false), ..UserChange::default() };
    if random == RandomPassword::Made {
        let id = user.user(&caller).await?;
        let (_, made) = caller.update_user_with_password(id, enabled, only_if).await.map_err(failed)?;
        return Ok(answers::json(Status::Ok, &json!({"password": made.reveal()})));
    }
    // What is missing has been named.
    let Given::Value(password) = password else { return Err(Error::Internal) };
    if let Some(current) = current {
        caller.change_own_password(current, password).await.map_err(failed)?;
        return Ok(answers::no_content());
    }
    let id = user.user(&caller).await?;
    let change = UserChange { password: Some(password), ..enabled };
    caller.update_user(id, change, only_if).await.map_err(failed)?;
    Ok(answers::no_content())
}
