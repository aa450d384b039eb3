//! `If-Match` (RFC 9110, 13.1.1): which state of a resource a change is meant for.

use std::convert::Infallible;

use accountd_protocol::precondition::{Precondition, Tag};
use rocket::request::{FromRequest, Outcome, Request};

use super::error::Error;

/// What the request says, not yet read.
#[derive(Debug)]
pub struct OnlyIf(Vec<String>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OnlyIf {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(OnlyIf(request.headers().get("If-Match").map(str::to_owned).collect()))
    }
}

impl OnlyIf {
    /// `*` asks only for the resource to exist, which every change does anyway.
    pub fn precondition(&self) -> Result<Precondition, Error> {
        if self.0.is_empty() {
            return Ok(Precondition::None);
        }
        let all = self.0.join(",");
        if all.trim() == "*" {
            return Ok(Precondition::None);
        }
        let malformed = || Error::Malformed("If-Match has to be * or a list of entity tags in quotes.".into());
        tags(&all).map(Precondition::OneOf).ok_or_else(malformed)
    }
}

/// The strong ones of a list of entity tags: a weak one is never the same as a strong one.
fn tags(mut text: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    loop {
        text = text.trim_start_matches([' ', '\t', ',']);
        if text.is_empty() {
            return Some(tags);
        }
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (tag, rest) = quoted.strip_prefix('"')?.split_once('"')?;
        if tag.contains(|c: char| c.is_ascii_control() || c == ' ')
            || !rest.trim_start().starts_with([',']) && !rest.trim().is_empty()
        {
            return None;
        }
        if !weak {
            tags.push(Tag(tag.to_owned()));
        }
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Option<Precondition> {
        OnlyIf(headers.iter().map(|header| (*header).to_owned()).collect()).precondition().ok()
    }

    fn one_of(tags: &[&str]) -> Option<Precondition> {
        Some(Precondition::OneOf(tags.iter().map(|tag| Tag((*tag).to_owned())).collect()))
    }

    #[test]
    fn a_list_of_tags_is_any_of_them_and_a_star_is_no_condition() {
        assert_eq!(read(&[]), Some(Precondition::None));
        assert_eq!(read(&["*"]), Some(Precondition::None));
        assert_eq!(read(&["\"a\""]), one_of(&["a"]));
        assert_eq!(read(&["\"a,b\" , \"c\"", "\"d\""]), one_of(&["a,b", "c", "d"]));
        assert_eq!(read(&["W/\"a\", \"b\""]), one_of(&["b"]), "a weak tag matches nothing");
        assert_eq!(read(&["W/\"a\""]), one_of(&[]));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for header in ["a", "\"a", "\"a\"b", "\"a\" \"b\"", "*, \"a\"", "w/\"a\""] {
            assert_eq!(read(&[header]), None, "{header}");
        }
    }
}
