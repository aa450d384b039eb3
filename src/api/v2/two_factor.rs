//! `/users/{user}/two-factor`: a code of an authenticator that the password needs beside it. The secret and the
//! recovery codes are in the answers that made them and nowhere else; so these answers are not repeated.

use accountd_protocol::audit::Moment;
use accountd_protocol::two_factor::{Enrolment, TwoFactor};
use qrcode::QrCode;
use qrcode::render::svg;
use rocket::http::Status;
use rocket::{delete, get, post};
use serde_json::{Value, json};

use super::error::Error;
use super::faults::Kind;
use super::input::Given;
use super::only_if::OnlyIf;
use super::path::Named;
use super::sent::{Bare, Sent};
use super::users::{Signed, failed};
use super::{answers, day};
use crate::caller::Authenticated;
use crate::reply::Reply;

#[get("/users/<user>/two-factor")]
pub async fn show(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = user.user(&caller).await?;
    let found = caller.two_factor(id).await.map_err(failed)?;
    Ok(answers::json(Status::Ok, &shown(&found)))
}

/// The body may be an empty object.
#[post("/users/<user>/two-factor", data = "<sent>")]
pub async fn begin(user: Named, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let (caller, input) = sent?.open(Kind::User)?;
    input.finish(&[])?;
    let id = user.user(&caller).await?;
    let begun = caller.begin_two_factor(id).await.map_err(failed)?;
    Ok(answers::json(Status::Ok, &begun_as(&begun)?))
}

#[post("/users/<user>/two-factor/confirm", data = "<sent>")]
pub async fn confirm(user: Named, sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let (caller, mut input) = sent?.open(Kind::User)?;
    input.require("code");
    input.refuse_null("secret");
    let (code, secret) = (input.secret("code"), input.secret("secret").value());
    input.finish(&[])?;
    // What is missing has been named.
    let Given::Value(code) = code else { return Err(Error::Internal) };
    let id = user.user(&caller).await?;
    let codes = caller.confirm_two_factor(id, secret, code).await.map_err(failed)?;
    let codes: Vec<&str> = codes.iter().map(|code| code.reveal()).collect();
    Ok(answers::json(Status::Ok, &json!({"recovery_codes": codes})))
}

#[delete("/users/<user>/two-factor")]
pub async fn cancel(bare: Result<Bare, Error>, user: Named, only_if: OnlyIf) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let only_if = only_if.precondition()?;
    let id = user.user(&caller).await?;
    caller.cancel_two_factor(id, only_if).await.map_err(failed)?;
    Ok(answers::no_content())
}

pub fn shown(TwoFactor { enrolled, recovery_codes_left }: &TwoFactor) -> Value {
    let since = enrolled.and_then(|seconds| day::moment(Moment { seconds, nanoseconds: 0 }));
    json!({"enrolled": enrolled.is_some(), "since": since, "recovery_codes_left": recovery_codes_left})
}

/// With the QR code that an authenticator reads.
fn begun_as(Enrolment { secret, uri }: &Enrolment) -> Result<Value, Error> {
    let code = QrCode::new(uri.reveal()).map_err(|error| {
        tracing::error!(%error, "no QR code can be drawn");
        Error::Internal
    })?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    Ok(json!({"secret": secret.reveal(), "uri": uri.reveal(), "qr_svg": drawn}))
}

#[cfg(test)]
mod tests {
    use accountd_protocol::secret::Secret;

    use super::*;

    #[test]
    fn the_longest_uri_fits_into_a_qr_code() {
        let uri = format!("otpauth://totp/{}:{}?secret={}", "%C3%A4".repeat(64), "a".repeat(255), "A".repeat(32));
        let secret = Secret::new("A".repeat(32));
        let begun = begun_as(&Enrolment { secret, uri: Secret::new(uri) }).unwrap();
        let svg = begun["qr_svg"].as_str().unwrap();
        assert!(svg.starts_with("<?xml") && svg.contains("<svg") && svg.contains("<path"), "{svg:.200}");
    }
}
