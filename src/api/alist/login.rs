//! `auth/login`, `auth/login/hash`, `auth/logout`.

use accountd_protocol::secret::Secret;
use rocket::Data;
use serde_json::json;

use super::body::Members;
use super::caller::is_api_key;
use super::error::Error;
use super::reply::Reply;
use super::request::Asked;

/// In seconds: two days.
const LIFETIME: u32 = 48 * 3600;

/// What is shown as the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Clear,
    /// The SHA-256 that clients make of it.
    Static,
}

pub async fn login(asked: &Asked<'_>, data: Data<'_>, form: Form) -> Result<Reply, Error> {
    let mut members = Members::read("LoginReq", asked.request, data).await?;
    let user = members.required("username", "Username")?;
    let password = members.secret("password")?;
    let code = members.text("otp_code")?;
    let code = (!code.is_empty()).then(|| Secret::new(code));
    let (core, source) = (asked.core, asked.source());
    let caller = match form {
        Form::Clear => core.caller(&user, password, code, source).await,
        Form::Static => core.caller_of_static(&user, password, code, source).await,
    };
    let token = caller.map_err(Error::at_login)?.create_token(LIFETIME).await.map_err(Error::at_login)?;
    Ok(Reply::data(&json!({"token": token.reveal()})))
}

/// Whoever has no token has none to lose, and an API key is not one.
pub async fn logout(asked: &Asked<'_>) -> Result<Reply, Error> {
    let token = asked.token();
    if !token.is_empty() && !is_api_key(token) {
        let secret = || Secret::new(token.to_owned());
        let caller = asked.core.caller_of_token(secret(), asked.source()).await.map_err(Error::of)?;
        caller.revoke_token(secret()).await.map_err(Error::of)?;
    }
    Ok(Reply::success())
}
