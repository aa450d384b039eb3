//! Who sends a request: HTTP Basic (RFC 7617), shown to the agent; for our own dialect also an API key
//! or a handle of the agent's as Bearer (RFC 6750). Their lengths tell them apart.

use std::net::{IpAddr, Ipv4Addr};

use accountd_core::{Caller, Core};
use accountd_protocol::api_key::KEY_DIGITS;
use accountd_protocol::secret::Secret;
use base64ct::{Base64, Encoding};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use zeroize::Zeroizing;

/// Longer than any credential that the agent takes: 255 bytes of name, 511 of password, in base64.
const MAX_HEADER: usize = 2048;

/// Hexadecimal digits of a handle.
const HANDLE_DIGITS: usize = 64;

/// What a Bearer header has.
#[derive(Debug)]
enum Token {
    Handle(Secret),
    ApiKey(Secret),
}

/// The guard of what needs a caller with name and password. Dialects ask for
/// `Result<Basic, NoCaller>` and word the refusal themselves.
#[derive(Debug)]
pub struct Basic(pub Caller);

/// The same for whoever has shown a credential of any kind.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

#[derive(Debug, thiserror::Error)]
pub enum NoCaller {
    #[error("no credential was sent, or one that can't be read")]
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

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Authenticated {
    type Error = NoCaller;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, NoCaller> {
        let caller = match only_header(request).and_then(token) {
            Some(token) => bearer(request, token).await,
            None => basic(request).await,
        };
        match caller {
            Ok(caller) => Outcome::Success(Authenticated(caller)),
            Err(error) => Outcome::Error((Status::Unauthorized, error)),
        }
    }
}

async fn basic(request: &Request<'_>) -> Result<Caller, NoCaller> {
    let (user, password) = only_header(request).and_then(credential).ok_or(NoCaller::NoCredential)?;
    let core: &Core = request.rocket().state().ok_or(NoCaller::NoCredential)?;
    Ok(core.caller(&user, password, source(request)).await?)
}

async fn bearer(request: &Request<'_>, token: Token) -> Result<Caller, NoCaller> {
    let core: &Core = request.rocket().state().ok_or(NoCaller::NoCredential)?;
    match token {
        Token::Handle(handle) => Ok(core.caller_of_handle(handle).await?),
        Token::ApiKey(key) => Ok(core.caller_of_key(key, source(request)).await?),
    }
}

/// Two credentials are as good as none.
fn only_header<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let mut headers = request.headers().get("Authorization");
    headers.next().filter(|_| headers.next().is_none())
}

/// What a Bearer header has. What has another length is neither.
fn token(header: &str) -> Option<Token> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_matches(' ');
    let digits = token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !scheme.eq_ignore_ascii_case("bearer") || !digits {
        return None;
    }
    let secret = || Secret::new(token.to_owned());
    match token.len() {
        HANDLE_DIGITS => Some(Token::Handle(secret())),
        KEY_DIGITS => Some(Token::ApiKey(secret())),
        _ => None,
    }
}

/// The other end of the connection; an IPv4 client of an IPv6 socket has one address, not two.
pub fn source(request: &Request<'_>) -> IpAddr {
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
    fn a_handle_has_64_hexadecimal_digits_and_an_api_key_40() {
        let digits = "0123456789abcdef".repeat(4);
        let read = |header: &str| {
            token(header).map(|token| match token {
                Token::Handle(secret) => ("handle", secret.reveal().to_owned()),
                Token::ApiKey(secret) => ("key", secret.reveal().to_owned()),
            })
        };
        assert_eq!(read(&format!("Bearer {digits}")), Some(("handle", digits.clone())));
        assert_eq!(read(&format!("bEARER  {digits} ")), Some(("handle", digits.clone())));
        assert_eq!(read(&format!("Bearer {}", &digits[..40])), Some(("key", digits[..40].to_owned())));
        let upper = digits.to_uppercase();
        for token in [
            "",
            &digits[..39],
            &digits[..41],
            &upper[..40],
            &format!("{digits}0"),
            &digits[1..],
            &upper,
            &format!("{}g", &digits[1..]),
        ] {
            assert_eq!(read(&format!("Bearer {token}")), None, "{token}");
        }
        assert_eq!(read(&format!("Basic {digits}")), None);
    }

    #[test]
    fn whatever_is_no_basic_credential_is_none() {
        let long = format!("Basic {}", "QUFB".repeat(1000));
        for header in ["", "Basic", "Basic ", "Bearer cm9vdDph", "Basic cm9vdA==", "Basic !!!!", "Basic /zph", &long] {
            assert_eq!(parts(header), None, "{header:.40}");
        }
    }
}
