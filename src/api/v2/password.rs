//! `/users/{user}/password`: set, and never shown. With it the user can log in by password, also one
//! that could not before. `If-Match` is about the user. With the present one, users change their own.

use accountd_protocol::agent::UserChange;
use rocket::http::ContentType;
use rocket::{Data, put};

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::input::{Given, Input};
use super::only_if::OnlyIf;
use super::path::Named;
use super::users::{Signed, failed};
use crate::caller::Authenticated;
use crate::reply::Reply;

#[put("/users/<user>/password", data = "<data>")]
pub async fn set(
    caller: Signed,
    user: Named,
    only_if: OnlyIf,
    content_type: Option<&ContentType>,
    data: Data<'_>,
) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let only_if = only_if.precondition()?;
    let mut input = Input::read(Kind::User, data, content_type).await?;
    input.require("password");
    input.refuse_null("current");
    let (password, current) = (input.secret("password"), input.secret("current").value());
    if current.is_some() && !user.is_caller() {
        input.fault("current", "must_be_absent", "is for /users/~/password alone");
    }
    input.finish(&[])?;
    // What is missing has been named.
    let Given::Value(password) = password else { return Err(Error::Internal) };
    if let Some(current) = current {
        caller.change_own_password(current, password).await.map_err(failed)?;
        return Ok(answers::no_content());
    }
    let id = user.user(&caller).await?;
    let change = UserChange { password: Some(password), password_disabled: Some(false), ..UserChange::default() };
    caller.update_user(id, change, only_if).await.map_err(failed)?;
    Ok(answers::no_content())
}
