//! What is asked, but for the body: the values of the query, as Go reads numbers, and the token.

use std::net::IpAddr;

use accountd_core::Core;
use accountd_protocol::alist::AlistSettings;
use rocket::request::Request;

use super::error::Error;
use crate::caller::source;

/// A request with what every answer needs.
pub struct Asked<'r> {
    pub request: &'r Request<'r>,
    pub core: &'r Core,
    pub settings: AlistSettings,
}

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoNumber {
    Syntax,
    Range,
}

impl Asked<'_> {
    pub fn source(&self) -> IpAddr {
        source(self.request)
    }

    /// What stands in the header, which is the token alone. Two are none.
    pub fn token(&self) -> &str {
        let mut headers = self.request.headers().get("Authorization");
        headers.next().filter(|_| headers.next().is_none()).unwrap_or_default()
    }

    /// The first value of that name; empty where there is none.
    pub fn value(&self, name: &str) -> String {
        let mut fields = self.request.query_fields();
        fields.find(|field| field.name == name).map(|field| field.value.to_owned()).unwrap_or_default()
    }

    /// A value that has to be a number; `wrong` is for one that is not, where it has words of its own.
    pub fn id(&self, name: &str, wrong: Option<Error>) -> Result<i64, Error> {
        let text = self.value(name);
        number(&text).map_err(|why| wrong.unwrap_or_else(|| unreadable("Atoi", &text, why)))
    }

    /// A value that may be missing.
    pub fn count(&self, name: &str) -> Result<i64, Error> {
        let text = self.value(name);
        if text.is_empty() { Ok(0) } else { number(&text).map_err(|why| unreadable("ParseInt", &text, why)) }
    }
}

fn number(text: &str) -> Result<i64, NoNumber> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => Err(NoNumber::Range),
        Err(_) => Err(NoNumber::Syntax),
    }
}

fn unreadable(function: &str, text: &str, why: NoNumber) -> Error {
    let why = match why {
        NoNumber::Syntax => "invalid syntax",
        NoNumber::Range => "value out of range",
    };
    Error::Unreadable(format!("strconv.{function}: parsing {text:?}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        for (text, expected) in [("7", Ok(7)), ("-1", Ok(-1)), ("+5", Ok(5)), ("007", Ok(7))] {
            assert_eq!(number(text), expected, "{text}");
        }
        for text in ["", "abc", "1 ", " 1", "1.0", "0x10", "-", "1e3", "١"] {
            assert_eq!(number(text), Err(NoNumber::Syntax), "{text}");
        }
        assert_eq!(number("99999999999999999999"), Err(NoNumber::Range));
        let told = unreadable("Atoi", "a\"b", NoNumber::Syntax).code_and_message().1.into_owned();
        assert_eq!(told, "strconv.Atoi: parsing \"a\\\"b\": invalid syntax");
    }
}
