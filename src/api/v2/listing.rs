//! The query of a list: `?limit=`, `?cursor=`, `?sort=-uid,username`, `?fields=`, and a filter for each
//! field that has one. Whatever else is in a query is refused by its name.

use std::convert::Infallible;

use accountd_protocol::agent::{Direction, SortBy, SortKey, Window};
use accountd_protocol::list::{Filter, Position};
use rocket::form::ValueField;
use rocket::request::{FromRequest, Outcome, Request};
use serde_json::{Value, json};

use super::cursor;
use super::error::Error;
use super::faults::Fault;
use super::output::Object;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// Without sort keys a list has two values to sort by: whether an account is built in, its number.
const DEFAULT_VALUES: usize = 2;

/// Reads the value of a filter; `None` for one that the field can not have.
pub type ReadFilter = fn(&str) -> Option<Filter>;

/// What can be asked of a list.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    pub fields: &'static [&'static str],
    pub sorts: &'static [(&'static str, SortBy)],
    pub filters: &'static [(&'static str, ReadFilter)],
}

/// The query of a request, decoded and not yet read.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Query {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        let pair = |field: ValueField<'_>| (field.name.source().to_string(), field.value.to_owned());
        Outcome::Success(Query(request.query_fields().map(pair).collect()))
    }
}

/// A query that has been understood.
#[derive(Debug)]
pub struct Listing {
    window: Window,
    /// `None`: all of them.
    fields: Option<Vec<String>>,
    /// What the list is, whatever part of it is wanted.
    list: String,
}

impl Query {
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn listing(self, resource: Resource) -> Result<Listing, Error> {
        let mut reading = Reading { resource, faults: Vec::new(), filters: Vec::new(), list: Vec::new() };
        let (mut limit, mut cursor, mut sort, mut fields) = (None, None, None, None);
        for (name, value) in &self.0 {
            let place = match name.as_str() {
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                "sort" => &mut sort,
                "fields" => &mut fields,
                _ => {
                    reading.filter(name, value);
                    continue;
                }
            };
            if place.replace(value.as_str()).is_some() {
                reading.fault(name, "repeated", "may be there only once");
            }
        }
        let limit = limit.map_or(DEFAULT_LIMIT, |text| reading.limit(text));
        let sort = sort.map(|text| reading.sort(text)).unwrap_or_default();
        let fields = fields.map(|text| reading.fields(text));
        let list = reading.list.join("&");
        let after = cursor.and_then(|text| reading.cursor(text, &list, &sort));
        if !reading.faults.is_empty() {
            return Err(Error::Query(reading.faults));
        }
        let window = Window { filters: reading.filters, after, ..Window::part(0, limit, sort) };
        Ok(Listing { window, fields, list })
    }
}

struct Reading {
    resource: Resource,
    faults: Vec<Fault>,
    filters: Vec<Filter>,
    list: Vec<String>,
}

impl Reading {
    fn fault(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        let name: String = name.chars().take(100).collect();
        self.faults.push(Fault::new(name.escape_debug().to_string(), code, message));
    }

    fn filter(&mut self, name: &str, value: &str) {
        let Some((_, read)) = self.resource.filters.iter().find(|(known, _)| *known == name) else {
            return self.fault(name, "unknown_parameter", "is no filter of this list");
        };
        self.list.push(format!("{name}={value}"));
        match read(value) {
            Some(filter) => self.filters.push(filter),
            None => self.fault(name, "wrong_type", "has a value that the field can not have"),
        }
    }

    fn limit(&mut self, text: &str) -> usize {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.unwrap_or_else(|| {
            self.fault("limit", "out_of_range", format!("has to be a number from 1 to {MAX_LIMIT}"));
            DEFAULT_LIMIT
        })
    }

    /// Each key once, where it comes first.
    fn sort(&mut self, text: &str) -> Vec<SortKey> {
        self.list.push(format!("sort={text}"));
        let mut sort: Vec<SortKey> = Vec::new();
        for key in text.split(',') {
            let (name, direction) = match key.strip_prefix('-') {
                Some(name) => (name, Direction::Descending),
                None => (key, Direction::Ascending),
            };
            match self.resource.sorts.iter().find(|(known, _)| *known == name) {
                Some((_, by)) if sort.iter().any(|earlier| earlier.by == *by) => {}
                Some((_, by)) => sort.push(SortKey { by: *by, direction }),
                None => {
                    let message = format!("has {}, which the list can not be sorted by", quoted(name));
                    self.fault("sort", "unknown_field", message);
                    break;
                }
            }
        }
        sort
    }

    fn fields(&mut self, text: &str) -> Vec<String> {
        let unknown = text.split(',').find(|field| !self.resource.fields.contains(field));
        if let Some(unknown) = unknown {
            self.fault("fields", "unknown_field", format!("has {}, which is no field", quoted(unknown)));
            return Vec::new();
        }
        text.split(',').map(str::to_owned).collect()
    }

    fn cursor(&mut self, text: &str, list: &str, sort: &[SortKey]) -> Option<Position> {
        let values = if sort.is_empty() { DEFAULT_VALUES } else { sort.len() };
        let place = cursor::read(text, list, values);
        if place.is_none() {
            self.fault("cursor", "bad_cursor", "is not one that this list has given, with the same filters and sort");
        }
        place
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(100).collect::<String>())
}

impl Listing {
    /// What to ask the agent for.
    pub fn window(&self) -> Window {
        self.window.clone()
    }

    /// The answer: this page and how to get the next one.
    pub fn page(&self, items: Vec<Object>, total: usize, next: Option<&Position>) -> Value {
        let items: Vec<Object> = items.into_iter().map(|item| self.chosen(item)).collect();
        let next = next.map(|place| cursor::write(&self.list, place));
        json!({"items": items, "next": next, "total": total})
    }

    fn chosen(&self, item: Object) -> Object {
        match &self.fields {
            None => item,
            Some(fields) => item.into_iter().filter(|(name, _)| fields.contains(name)).collect(),
        }
    }
}

pub fn boolean(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// Digits and nothing else.
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
