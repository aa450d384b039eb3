//! `auth/2fa`: an authenticator for one's own account.

use accountd_protocol::two_factor::Enrolment;
use rocket::Data;
use serde_json::json;

use super::body::Members;
use super::caller::Account;
use super::error::{Error, GuestDenied};
use super::picture;
use super::reply::Reply;
use super::request::Asked;

pub async fn generate(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Account { caller, user, .. } = Account::no_guest(asked, GuestDenied::SecondFactor).await?;
    let Enrolment { secret, uri } = caller.begin_two_factor(user.id).await.map_err(Error::of)?;
    let qr = picture::of(uri.reveal()).ok_or(Error::Internal)?;
    Ok(Reply::data(&json!({"qr": qr, "secret": secret.reveal()})))
}

/// The secret has to be the one that was begun. Recovery codes have no place in this API.
pub async fn verify(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let Account { caller, user, .. } = Account::no_guest(asked, GuestDenied::SecondFactor).await?;
    let mut members = Members::read("Verify2FAReq", asked.request, data).await?;
    let (code, secret) = (members.secret("code")?, members.secret("secret")?);
    let missing = [("Code", code.is_empty()), ("Secret", secret.is_empty())];
    let missing: Vec<_> =
        missing.iter().filter(|(_, is_empty)| *is_empty).map(|(member, _)| ("Verify2FAReq", *member)).collect();
    if !missing.is_empty() {
        return Err(Error::Required(missing));
    }
    caller.confirm_two_factor(user.id, Some(secret), code).await.map_err(Error::of)?;
    Ok(Reply::success())
}
