//! Who sends a request: HTTP Basic (RFC 7617), shown to the agent, with a code where the account needs one; for our
//! own dialect also an API key, a login token or a handle of the agent's as Bearer (RFC 6750). Their shapes tell
//! them apart.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use accountd_core::{Caller, Core};
use accountd_protocol::api_key::KEY_DIGITS;
use accountd_protocol::secret::Secret;
use accountd_protocol::token::MAX_TOKEN_BYTES;
use base64ct::{Base64, Encoding};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};
use zeroize::Zeroizing;

/// Longer than any credential that the agent takes: 255 bytes of name, 511 of password, in base64.
const MAX_HEADER: usize = 2048;

/// The header that a code of an authenticator, or a recovery code, comes in.
pub const CODE_HEADER: &str = "X-Accountd-OTP";

/// Hexadecimal digits of a handle.
const HANDLE_DIGITS: usize = 64;

/// What a Bearer header has.
#[derive(Debug)]
enum Token {
    Handle(Secret),
    ApiKey(Secret),
    Login(Secret),
}

/// The guard of what needs a caller with name and password. Dialects ask for
/// `Result<Basic, NoCaller>` and word the refusal themselves.
#[derive(Debug)]
pub struct Basic(pub Caller);

/// The same for whoever has shown a credential of any kind.
#[derive(Debug)]
pub struct Authenticated(pub Caller);

/// Whoever has shown a login token, and the token.
#[derive(Debug)]
pub struct LoggedIn {
    pub caller: Caller,
    pub token: Secret,
}

/// What came of a code. It is good once, and several routes may look at one request.
struct WithCode(Result<Caller, Mutex<Option<accountd_core::Error>>>);

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
        let caller = match only_header(request, "Authorization").and_then(token) {
            Some(token) => bearer(request, token).await,
            None => basic(request).await,
        };
        match caller {
            Ok(caller) => Outcome::Success(Authenticated(caller)),
            Err(error) => Outcome::Error((Status::Unauthorized, error)),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LoggedIn {
    type Error = NoCaller;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, NoCaller> {
        let Some(Token::Login(token)) = only_header(request, "Authorization").and_then(token) else {
            return Outcome::Error((Status::Unauthorized, NoCaller::NoCredential));
        };
        match bearer(request, Token::Login(token.clone())).await {
            Ok(caller) => Outcome::Success(LoggedIn { caller, token }),
            Err(error) => Outcome::Error((Status::Unauthorized, error)),
        }
    }
}

async fn basic(request: &Request<'_>) -> Result<Caller, NoCaller> {
    let (user, password) = only_header(request, "Authorization").and_then(credential).ok_or(NoCaller::NoCredential)?;
    let core: &Core = request.rocket().state().ok_or(NoCaller::NoCredential)?;
    let source = source(request);
    if request.headers().get(CODE_HEADER).all(str::is_empty) {
        return Ok(core.caller(&user, password, None, source).await?);
    }
    let code = only_header(request, CODE_HEADER).ok_or(NoCaller::NoCredential)?;
    let code = Some(Secret::new(code.to_owned()));
    let shown = async {
        let caller = core.caller(&user, password, code, source).await;
        WithCode(caller.map_err(|error| Mutex::new(Some(error))))
    };
    match &request.local_cache_async(shown).await.0 {
        Ok(caller) => Ok(caller.clone()),
        Err(error) => {
            let error = error.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(error.map_or(NoCaller::NoCredential, NoCaller::Core))
        }
    }
}

async fn bearer(request: &Request<'_>, token: Token) -> Result<Caller, NoCaller> {
    let core: &Core = request.rocket().state().ok_or(NoCaller::NoCredential)?;
    match token {
        Token::Handle(handle) => Ok(core.caller_of_handle(handle).await?),
        Token::ApiKey(key) => Ok(core.caller_of_key(key, source(request)).await?),
        Token::Login(token) => Ok(core.caller_of_token(token, source(request)).await?),
    }
}

/// Two credentials are as good as none.
fn only_header<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r str> {
    let mut headers = request.headers().get(name);
    headers.next().filter(|_| headers.next().is_none())
}

/// What a Bearer header has. What has another shape is none of them.
fn token(header: &str) -> Option<Token> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim_matches(' ');
    let digits = token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let secret = || Secret::new(token.to_owned());
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    if !digits {
        return is_web_token(token).then(|| Token::Login(secret()));
    }
    match token.len() {
        HANDLE_DIGITS => Some(Token::Handle(secret())),
        KEY_DIGITS => Some(Token::ApiKey(secret())),
        _ => None,
    }
}

/// Three parts in base64url (RFC 7515 §7.1).
fn is_web_token(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    text.len() <= MAX_TOKEN_BYTES && text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
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
                Token::Login(secret) => ("login", secret.reveal().to_owned()),
            })
        };
        assert_eq!(read(&format!("Bearer {digits}")), Some(("handle", digits.clone())));
        assert_eq!(read(&format!("bEARER  {digits} ")), Some(("handle", digits.clone())));
        assert_eq!(read(&format!("Bearer {}", &digits[..40])), Some(("key", digits[..40].to_owned())));
        assert_eq!(read("Bearer eyJ-_.0a.Zz9"), Some(("login", "eyJ-_.0a.Zz9".to_owned())));
        for token in ["a.b", "a.b.c.d", "a..c", ".b.c", "a.b.c=", "a.b.ü", &format!("a.b.{}", "c".repeat(2048))] {
            assert_eq!(read(&format!("Bearer {token}")), None, "{token:.40}");
        }
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
