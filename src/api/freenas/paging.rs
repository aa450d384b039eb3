//! `?limit=`, `?offset=`, `Range: items=`, and the sort key that is all name and no value:
//! `?sort(-bsdusr_uid)`.

use std::convert::Infallible;
use std::num::IntErrorKind;

use accountd_protocol::agent::{Direction, Page, SortBy, SortKey, Window};
use rocket::form::ValueField;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome, Request};

use super::error::Error;
use super::output::Object;
use super::reply::Reply;

pub const DEFAULT_LIMIT: usize = 20;
/// The most in one answer; also what `limit=0` means.
pub const MAX_LIMIT: usize = 1000;

/// What a request says about the part of a list it wants, not yet read.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Decoded names and values, in their order.
    query: Vec<(String, String)>,
    range: Option<String>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Listing {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let pair = |field: ValueField<'_>| (field.name.source().to_string(), field.value.to_owned());
        let range = request.headers().get_one("Range").map(str::to_owned);
        Outcome::Success(Listing { query: request.query_fields().map(pair).collect(), range })
    }
}

/// A resource's fields: all of them, and those that can be sorted by.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    pub all: &'static [&'static str],
    pub sortable: &'static [(&'static str, Sorting)],
}

/// What sorting by a field means.
#[derive(Clone, Copy, Debug)]
pub enum Sorting {
    By(SortBy),
    /// Its value is the same everywhere, so that it decides nothing.
    Same,
}

impl Listing {
    pub fn window(&self, fields: Fields) -> Result<Window, Error> {
        self.no_filter(fields)?;
        let sort = self.sort(fields)?;
        let range = self.range.as_deref().and_then(range_of);
        let offset = match self.value("offset") {
            Some(text) => offset(text)?,
            None => range.map_or(0, |(first, _)| first),
        };
        let limit = match self.value("limit") {
            Some(text) => limit(text)?,
            None => range.map_or(DEFAULT_LIMIT, |(first, last)| (last - first).saturating_add(1).min(MAX_LIMIT)),
        };
        Ok(Window::part(offset, limit, sort))
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.query.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn no_filter(&self, fields: Fields) -> Result<(), Error> {
        let filter = |name: &str| fields.all.iter().find(|field| Some(**field) == name.split("__").next());
        match self.query.iter().find_map(|(name, _)| filter(name)) {
            Some(field) => Err(Error::Query(format!("The '{field}' field does not allow filtering."))),
            None => Ok(()),
        }
    }

    /// Each field once, where it comes first: there is no end to how often a client may repeat it.
    fn sort(&self, fields: Fields) -> Result<Vec<SortKey>, Error> {
        let inside = |name: &str| name.strip_prefix("sort(")?.strip_suffix(')').map(str::to_owned);
        let Some(keys) = self.query.iter().find_map(|(name, _)| inside(name)) else { return Ok(Vec::new()) };
        let mut sort: Vec<SortKey> = Vec::new();
        for key in keys.split(',') {
            let Some(key) = sort_key(key.trim(), fields)? else { continue };
            if sort.iter().all(|earlier| earlier.by != key.by) {
                sort.push(key);
            }
        }
        Ok(sort)
    }
}

/// `None` for a field that decides nothing.
fn sort_key(key: &str, fields: Fields) -> Result<Option<SortKey>, Error> {
    let (name, direction) = match key.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (key.strip_prefix('+').unwrap_or(key), Direction::Ascending),
    };
    match fields.sortable.iter().find(|(field, _)| *field == name) {
        Some((_, Sorting::By(by))) => Ok(Some(SortKey { by: *by, direction })),
        Some((_, Sorting::Same)) => Ok(None),
        None => Err(Error::Query(format!("No sorting by the field '{}'.", escaped(name)))),
    }
}

fn limit(text: &str) -> Result<usize, Error> {
    let invalid = |rest: &str| {
        Error::Query(format!("Invalid limit '{}' provided. Please provide a positive integer{rest}.", escaped(text)))
    };
    match integer(text) {
        None => Err(invalid("")),
        Some(number) if number < 0 => Err(invalid(" &gt;= 0")),
        Some(0) => Ok(MAX_LIMIT),
        Some(number) => Ok(usize::try_from(number).map_or(MAX_LIMIT, |number| number.min(MAX_LIMIT))),
    }
}

fn offset(text: &str) -> Result<usize, Error> {
    let invalid =
        |rest: &str| Error::Query(format!("Invalid offset '{}' provided. Please provide {rest}.", escaped(text)));
    match integer(text) {
        None => Err(invalid("an integer")),
        Some(number) => usize::try_from(number).map_err(|_| invalid("a positive integer &gt;= 0")),
    }
}

/// A number; one that is larger than fits is as large as fits.
fn integer(text: &str) -> Option<i64> {
    match text.trim().parse() {
        Ok(number) => Some(number),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Some(i64::MAX),
            IntErrorKind::NegOverflow => Some(i64::MIN),
            _ => None,
        },
    }
}

/// `items=FIRST-LAST`
fn range_of(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.trim().strip_prefix("items=")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// What a client sent, fit to be shown in a page: the errors of this API always were.
fn escaped(text: &str) -> String {
    text.chars().take(100).collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The objects of a list.
pub fn reply<T>(page: &Page<T>, shown: fn(&T) -> Object) -> Reply {
    let objects: Vec<Object> = page.items.iter().map(shown).collect();
    Reply::json(Status::Ok, &objects)
}

/// The `Content-Range` of a part of a list.
pub fn content_range(offset: usize, count: usize, total: usize) -> String {
    match count {
        0 => format!("items 0--1/{total}"),
        _ => format!("items {offset}-{}/{total}", offset + count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = Fields {
        all: &["id", "bsdusr_uid", "bsdusr_sudo"],
        sortable: &[
            ("id", Sorting::By(SortBy::Id)),
            ("bsdusr_uid", Sorting::By(SortBy::Number)),
            ("bsdusr_sudo", Sorting::Same),
        ],
    };

    fn window(query: &[(&str, &str)], range: Option<&str>) -> Result<Window, String> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Listing { query, range: range.map(str::to_owned) }.window(FIELDS).map_err(|error| match error {
            Error::Query(text) => text,
            other => panic!("{other:?}"),
        })
    }

    fn part(query: &[(&str, &str)], range: Option<&str>) -> (usize, usize) {
        let window = window(query, range).unwrap();
        (window.offset, window.limit)
    }

    #[test]
    fn the_part_is_said_by_the_query_or_by_the_range() {
        assert_eq!(part(&[], None), (0, 20));
        assert_eq!(part(&[("limit", "5"), ("offset", "7")], None), (7, 5));
        assert_eq!(part(&[("limit", "0")], None), (0, 1000));
        assert_eq!(part(&[("limit", "1001")], None), (0, 1000));
        assert_eq!(part(&[("limit", "99999999999")], None), (0, 1000));
        let huge = "9".repeat(30);
        assert_eq!(part(&[("limit", &huge), ("offset", &huge)], None), (usize::try_from(i64::MAX).unwrap(), 1000));
        assert_eq!(part(&[], Some("items=10-14")), (10, 5));
        assert_eq!(part(&[], Some("items=0-18446744073709551615")), (0, 1000));
        assert_eq!(part(&[], Some("bytes=0-4")), (0, 20));
        assert_eq!(part(&[], Some("items=4-0")), (0, 20));
        assert_eq!(part(&[("nonsense", "1")], None), (0, 20));
    }

    #[test]
    fn numbers_that_are_none_are_refused_with_their_text() {
        let rows = [
            ("limit", "abc", "Invalid limit 'abc' provided. Please provide a positive integer."),
            ("limit", "", "Invalid limit '' provided. Please provide a positive integer."),
            ("limit", "-1", "Invalid limit '-1' provided. Please provide a positive integer &gt;= 0."),
            ("limit", "<b>", "Invalid limit '&lt;b&gt;' provided. Please provide a positive integer."),
            ("offset", "-1", "Invalid offset '-1' provided. Please provide a positive integer &gt;= 0."),
            ("offset", "x", "Invalid offset 'x' provided. Please provide an integer."),
            ("bsdusr_uid", "0", "The 'bsdusr_uid' field does not allow filtering."),
            ("id", "1", "The 'id' field does not allow filtering."),
            ("id__gt", "1", "The 'id' field does not allow filtering."),
            ("sort(password)", "", "No sorting by the field 'password'."),
        ];
        for (name, value, message) in rows {
            assert_eq!(window(&[(name, value)], None), Err(message.into()));
        }
    }

    #[test]
    fn keys_are_sorted_by_in_their_order() {
        let sort = window(&[("sort(-bsdusr_uid,bsdusr_sudo,id)", "")], None).unwrap().sort;
        let expected = [(SortBy::Number, Direction::Descending), (SortBy::Id, Direction::Ascending)];
        assert_eq!(sort, expected.map(|(by, direction)| SortKey { by, direction }));
    }

    #[test]
    fn a_key_that_is_repeated_counts_once() {
        let keys = format!("sort({}-id)", "-bsdusr_uid,id,bsdusr_uid,".repeat(20_000));
        let sort = window(&[(&keys, "")], None).unwrap().sort;
        let expected = [(SortBy::Number, Direction::Descending), (SortBy::Id, Direction::Ascending)];
        assert_eq!(sort, expected.map(|(by, direction)| SortKey { by, direction }));
        let unknown = format!("sort({}nothing)", "id,".repeat(20_000));
        assert_eq!(window(&[(&unknown, "")], None), Err("No sorting by the field 'nothing'.".into()));
    }

    #[test]
    fn the_range_of_an_answer_counts_from_nought() {
        assert_eq!(content_range(0, 20, 31), "items 0-19/31");
        assert_eq!(content_range(20, 11, 31), "items 20-30/31");
        assert_eq!(content_range(100, 0, 31), "items 0--1/31");
    }
}
