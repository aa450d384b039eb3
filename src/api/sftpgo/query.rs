//! `?limit=&offset=&order=&username=`: which users, in SFTPGo's words.

use std::convert::Infallible;

use accountd_protocol::agent::{Direction, SortBy, SortKey, Window};
use accountd_protocol::list::{Filter, KeyTexts};
use rocket::http::RawStr;
use rocket::request::{FromRequest, Outcome, Request};

use super::error::Error;

const USUAL: i64 = 100;
const MOST: i64 = 500;

/// Names and values as they come, decoded.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Query {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request.uri().query().map_or("", |query| query.as_str())))
    }
}

impl Query {
    fn of(text: &str) -> Self {
        let decoded = |text: &str| RawStr::new(text).url_decode_lossy().into_owned();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    /// Users that are not built in, by name.
    pub fn window(&self) -> Result<Window, Error> {
        let limit = self.number("limit", USUAL)?.min(MOST);
        let offset = self.number("offset", 0)?;
        let direction = match self.value("order") {
            None | Some("ASC") => Direction::Ascending,
            Some("DESC") => Direction::Descending,
            Some(_) => return Err(Error::Malformed("Invalid order".into())),
        };
        let mut filters = vec![Filter::Builtin(false)];
        filters.extend(self.value("username").filter(|name| !name.is_empty()).map(|name| Filter::Name(name.into())));
        let sort = vec![SortKey { by: SortBy::Name, direction }];
        let whole = |number: i64| usize::try_from(number).unwrap_or(0);
        Ok(Window { filters, keys: KeyTexts::LeftOut, ..Window::part(whole(offset), whole(limit), sort) })
    }

    fn number(&self, name: &'static str, usual: i64) -> Result<i64, Error> {
        let Some(text) = self.value(name) else { return Ok(usual) };
        text.parse().map_err(|_| Error::Malformed(format!("Invalid {name}")))
    }

    /// Of several, the first.
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_clamped_and_never_refused_for_its_size() {
        let part = |query: &str| Query::of(query).window().map(|window| (window.offset, window.limit)).unwrap();
        for (query, expected) in [
            ("", (0, 100)),
            ("limit=500", (0, 500)),
            ("limit=501", (0, 500)),
            ("limit=9223372036854775807&offset=9223372036854775807", (i64::MAX as usize, 500)),
            ("limit=0", (0, 0)),
            ("limit=-7&offset=-3", (0, 0)),
            ("limit=%2B5&offset=02", (2, 5)),
            ("limit=1&limit=x", (0, 1)),
        ] {
            assert_eq!(part(query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_number_and_no_order_is_named() {
        for (query, expected) in [
            ("limit=", "Invalid limit"),
            ("limit", "Invalid limit"),
            ("limit=1.5", "Invalid limit"),
            ("limit=a&offset=b", "Invalid limit"),
            ("offset=%201", "Invalid offset"),
            ("offset=9223372036854775808", "Invalid offset"),
            ("order=asc", "Invalid order"),
            ("order=", "Invalid order"),
        ] {
            let refused = Query::of(query).window();
            assert!(matches!(&refused, Err(Error::Malformed(reason)) if reason == expected), "{query}: {refused:?}");
        }
    }

    #[test]
    fn an_empty_name_is_no_filter() {
        let filters = |query: &str| Query::of(query).window().unwrap().filters;
        assert_eq!(filters("order=ASC&username="), [Filter::Builtin(false)]);
        assert_eq!(filters("username=a%20b+c"), [Filter::Builtin(false), Filter::Name("a b c".into())]);
    }
}
