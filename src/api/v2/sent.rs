//! What a request that changes something comes with, read in one order: who asks, on what condition, the body.

use accountd_core::Caller;
use accountd_protocol::precondition::Precondition;
use rocket::Data;
use rocket::data::{FromData, Outcome};
use rocket::http::Status;
use rocket::request::{self, FromRequest, Request};
use zeroize::Zeroizing;

use super::error::Error;
use super::faults::Kind;
use super::input::{self, Input};
use super::only_if::OnlyIf;
use super::users::Signed;
use crate::body::{Unread, no_browser_form};
use crate::caller::Authenticated;

/// Who asks, and the bytes of a body that says it is JSON.
#[derive(Debug)]
pub struct Sent {
    pub caller: Caller,
    pub body: Zeroizing<Vec<u8>>,
}

/// The same of a change of what is there.
#[derive(Debug)]
pub struct Change {
    caller: Caller,
    only_if: Precondition,
    body: Zeroizing<Vec<u8>>,
}

/// Who asks for something that needs no body; a form of a browser is none either.
#[derive(Debug)]
pub struct Bare(pub Caller);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Bare {
    type Error = Error;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Error> {
        match Self::read(request).await {
            Ok(bare) => request::Outcome::Success(bare),
            Err(error) => request::Outcome::Error((Status::BadRequest, error)),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Sent {
    type Error = Error;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        outcome(Self::read(request, data).await)
    }
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Change {
    type Error = Error;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        outcome(Self::read(request, data).await)
    }
}

impl Bare {
    async fn read(request: &Request<'_>) -> Result<Self, Error> {
        let Authenticated(caller) = guard::<Signed>(request).await??;
        no_browser_form(request.content_type())?;
        Ok(Self(caller))
    }
}

impl Sent {
    /// The body as fields; its bytes are wiped.
    pub fn open(self, kind: Kind) -> Result<(Caller, Input), Error> {
        let Self { caller, body } = self;
        Ok((caller, Input::parse(kind, &body)?))
    }

    async fn read<'r>(request: &'r Request<'_>, data: Data<'r>) -> Result<Self, Error> {
        let Authenticated(caller) = guard::<Signed>(request).await??;
        Ok(Self { caller, body: input::bytes(Unread::of(request, data)).await? })
    }
}

impl Change {
    /// The body as the fields of an account of this kind; its bytes are wiped.
    pub fn open(self, kind: Kind) -> Result<(Caller, Precondition, Input), Error> {
        let Self { caller, only_if, body } = self;
        Ok((caller, only_if, Input::parse(kind, &body)?))
    }

    async fn read<'r>(request: &'r Request<'_>, data: Data<'r>) -> Result<Self, Error> {
        let Authenticated(caller) = guard::<Signed>(request).await??;
        let only_if = guard::<OnlyIf>(request).await?.precondition()?;
        Ok(Self { caller, only_if, body: input::bytes(Unread::of(request, data)).await? })
    }
}

/// What a guard gives that never fails.
async fn guard<'r, G: FromRequest<'r>>(request: &'r Request<'_>) -> Result<G, Error> {
    G::from_request(request).await.succeeded().ok_or(Error::Internal)
}

/// Handlers get an error as it is, and choose no status.
fn outcome<'r, T>(read: Result<T, Error>) -> rocket::outcome::Outcome<T, (Status, Error), (Data<'r>, Status)> {
    match read {
        Ok(sent) => Outcome::Success(sent),
        Err(error) => Outcome::Error((Status::BadRequest, error)),
    }
}
