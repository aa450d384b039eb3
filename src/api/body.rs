//! The body of a request: JSON, of bounded size, wiped when dropped because it may hold a password.

use std::convert::Infallible;

use rocket::Data;
use rocket::data::{FromData, Outcome, ToByteUnit};
use rocket::http::ContentType;
use rocket::request::Request;
use rocket::tokio::io::{AsyncReadExt as _, copy, sink};
use zeroize::Zeroizing;

/// Why there is no body to go on with.
#[derive(Debug)]
pub enum BodyError {
    /// The media type of one that is not JSON.
    Format(String),
    Unreadable,
    TooLarge,
}

/// A body that is not read yet, and what it says that it is.
pub struct Unread<'r> {
    content_type: Option<&'r ContentType>,
    data: Data<'r>,
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Unread<'r> {
    type Error = Infallible;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        Outcome::Success(Self::of(request, data))
    }
}

impl<'r> Unread<'r> {
    pub fn of(request: &'r Request<'_>, data: Data<'r>) -> Self {
        Self { content_type: request.content_type(), data }
    }

    pub fn says_json(&self) -> bool {
        self.content_type.is_some_and(|content_type| content_type.is_json())
    }

    pub fn no_browser_form(&self) -> Result<(), BodyError> {
        no_browser_form(self.content_type)
    }
}

/// The bytes of a body that says it is JSON.
pub async fn read(mebibytes: u64, body: Unread<'_>) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    read_one_of(&["application/json"], mebibytes, body).await.map(|(_, body)| body)
}

/// The bytes of a body that says it is one of these, and which.
pub async fn read_one_of(
    formats: &[&'static str],
    mebibytes: u64,
    Unread { content_type, data }: Unread<'_>,
) -> Result<(&'static str, Zeroizing<Vec<u8>>), BodyError> {
    let format = content_type.map_or_else(|| "text/plain".to_owned(), format_of);
    let Some(format) = formats.iter().find(|known| format.eq_ignore_ascii_case(known)).copied() else {
        return Err(BodyError::Format(format));
    };
    Ok((format, read_any(mebibytes, data).await?))
}

/// The bytes of a body, whatever it says that it is. A browser sends such a body for a page of any site.
pub async fn read_any(mebibytes: u64, data: Data<'_>) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let read = data.open(mebibytes.mebibytes()).into_bytes().await;
    let body = read.map_err(|_| BodyError::Unreadable)?;
    if body.is_complete() { Ok(Zeroizing::new(body.into_inner())) } else { Err(BodyError::TooLarge) }
}

/// The same, and where it is too large it is read to its end all the same, up to `most` mebibytes: a client
/// that still sends may not see the answer else.
pub async fn read_to_its_end((mebibytes, most): (u64, u64), data: Data<'_>) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let mut stream = data.open(most.mebibytes());
    let largest = mebibytes.mebibytes().as_u64();
    let mut body = Zeroizing::new(Vec::new());
    let read = (&mut stream).take(largest + 1).read_to_end(&mut body).await.map_err(|_| BodyError::Unreadable)?;
    if read as u64 <= largest {
        return Ok(body);
    }
    // What becomes of the rest is all the same.
    let _ = copy(&mut stream, &mut sink()).await;
    Err(BodyError::TooLarge)
}

/// Rocket lets a field `_method` of a form stand for another method. Nothing here is a form, so a
/// request that came that way is refused like any other that is not JSON.
pub fn no_browser_form(content_type: Option<&ContentType>) -> Result<(), BodyError> {
    match content_type.filter(|content_type| content_type.is_form() || content_type.is_form_data()) {
        Some(form) => Err(BodyError::Format(format_of(form))),
        None => Ok(()),
    }
}

fn format_of(content_type: &ContentType) -> String {
    format!("{}/{}", content_type.top(), content_type.sub())
}
