//! Who sends a request: HTTP Basic (RFC 7617), shown to the agent.

use std::net::{IpAddr, Ipv4Addr};

use accountd_core::{Caller, Core};
use accountd_protocol::secret::Secret;
use base64ct::{Base64, Encoding};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use zeroize::Zeroizing;

/// Longer than any credential that the agent takes: 255 bytes of name, 511 of password, in base64.
const MAX_HEADER: usize = 2048;

/// The guard of everything that needs a caller. Dialects ask for `Result<Basic, NoCaller>` and
/// word the refusal themselves.
#[derive(Debug)]
pub struct Basic(pub Caller);

#[derive(Debug, thiserror::Error)]
pub enum NoCaller {
    #[error("no Basic credential was sent, or one that can't be read")]
    NoCredential,
    #[error(transparent)]
    Core(#[from] accountd_core::Error),
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Basic {
    type Error = NoCaller;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, NoCaller> {
        match basic(request).await {
            Ok(caller) => Outcome::Success(Basic(caller)),
            Err(error) => Outcome::Error((Status::Unauthorized, error)),
        }
    }
}

async fn basic(request: &Request<'_>) -> Result<Caller, NoCaller> {
    let mut headers = request.headers().get("Authorization");
    let (Some(header), None) = (headers.next(), headers.next()) else { return Err(NoCaller::NoCredential) };
    let (user, password) = credential(header).ok_or(NoCaller::NoCredential)?;
    let core: &Core = request.rocket().state().ok_or(NoCaller::NoCredential)?;
    Ok(core.caller(&user, password, source(request)).await?)
}

/// The other end of the connection; an IPv4 client of an IPv6 socket has one address, not two.
fn source(request: &Request<'_>) -> IpAddr {
    request.remote().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip().to_canonical())
}

/// Name and password of a Basic header. The password begins after the first colon and may have
/// more of them.
fn credential(header: &str) -> Option<(String, Secret)> {
    if header.len() > MAX_HEADER {
        return None;
    }
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(Base64::decode_vec(encoded.trim()).ok()?);
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), Secret::new(password.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(header: &str) -> Option<(String, String)> {
        credential(header).map(|(user, password)| (user, password.reveal().to_owned()))
    }

    #[test]
    fn the_password_begins_after_the_first_colon() {
        assert_eq!(parts("Basic cm9vdDphOmI6"), Some(("root".into(), "a:b:".into())));
        assert_eq!(parts("bAsIc cm9vdDo="), Some(("root".into(), String::new())));
    }

    #[test]
    fn whatever_is_no_basic_credential_is_none() {
        let long = format!("Basic {}", "QUFB".repeat(1000));
        for header in ["", "Basic", "Basic ", "Bearer cm9vdDph", "Basic cm9vdA==", "Basic !!!!", "Basic /zph", &long] {
            assert_eq!(parts(header), None, "{header:.40}");
        }
    }
}
