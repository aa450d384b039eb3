//! The body of a request: one object of JSON, whose members are taken one by one. What nobody takes
//! is not known here, and named.

use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::refusal::{Field, Invalid, Problem};
use accountd_protocol::secret::Secret;
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::error::Error;
use super::faults::{Fault, Kind};
use crate::body::{self, Unread};

/// The largest body: the longest list of keys that an account may have, many times over.
const MAX_BODY_MEBIBYTES: u64 = 1;

/// What a body has under a name (RFC 7396: null takes away).
#[derive(Debug, PartialEq, Eq)]
pub enum Given<T> {
    Absent,
    Null,
    Value(T),
}

#[derive(Debug)]
pub struct Input {
    kind: Kind,
    values: Map<String, Value>,
    faults: Vec<Fault>,
}

/// The bytes of a body, to be read as JSON later.
pub async fn bytes(body: Unread<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
    Ok(body::read(MAX_BODY_MEBIBYTES, body).await?)
}

/// Not serde_json's own words: they may repeat what was sent.
pub fn not_json(error: &serde_json::Error) -> Error {
    Error::Malformed(format!("The body is not JSON (line {}, column {}).", error.line(), error.column()))
}

impl Input {
    /// Its depth is bounded by serde_json (128).
    pub fn parse(kind: Kind, body: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(values)) => Ok(Self { kind, values, faults: Vec::new() }),
            Ok(_) => Err(Error::Malformed("The body is not a JSON object.".into())),
            Err(error) => Err(not_json(&error)),
        }
    }

    /// One object of a list.
    pub fn of(kind: Kind, values: Map<String, Value>) -> Self {
        Self { kind, values, faults: Vec::new() }
    }

    pub fn fault(&mut self, field: &str, code: &'static str, message: &str) {
        self.faults.push(Fault::new(field, code, message));
    }

    /// Notes a field that is not there, or is null.
    pub fn require(&mut self, field: &str) {
        if self.values.get(field).is_none_or(Value::is_null) {
            self.values.remove(field);
            self.fault(field, "required", "is required");
        }
    }

    /// Notes a null where there has to be a value.
    pub fn refuse_null(&mut self, field: &str) {
        if self.values.get(field).is_some_and(Value::is_null) {
            self.values.remove(field);
            self.fault(field, "required", "must not be null");
        }
    }

    fn take<T>(&mut self, field: &str, expected: &str, read: impl FnOnce(Value) -> Option<T>) -> Given<T> {
        match self.values.remove(field) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => match read(value) {
                Some(value) => Given::Value(value),
                None => {
                    self.fault(field, "wrong_type", &format!("has to be {expected}"));
                    Given::Absent
                }
            },
        }
    }

    /// A value of any type.
    pub fn any(&mut self, field: &str) -> Given<Value> {
        self.take(field, "a value", Some)
    }

    pub fn text(&mut self, field: &str) -> Given<String> {
        self.take(field, "a string", text)
    }

    pub fn secret(&mut self, field: &str) -> Given<Secret> {
        self.take(field, "a string", |value| text(value).map(Secret::new))
    }

    /// Takes an object apart: its members are fields from then on, with the object's name and a dot
    /// before theirs.
    pub fn object(&mut self, field: &str) {
        let before = format!("{field}.");
        let odd: Vec<String> = self.values.keys().filter(|name| name.starts_with(&before)).cloned().collect();
        for name in odd {
            self.values.remove(&name);
            self.fault(&name.escape_debug().to_string(), "unknown_field", "is not known here");
        }
        let taken = self.take(field, "an object", |value| match value {
            Value::Object(members) => Some(members),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        });
        if let Given::Value(members) = taken {
            self.values.extend(members.into_iter().map(|(name, value)| (before.clone() + &name, value)));
        }
    }

    pub fn boolean(&mut self, field: &str) -> Given<bool> {
        self.take(field, "true or false", |value| value.as_bool())
    }

    pub fn number64(&mut self, field: &str) -> Given<u64> {
        self.take(field, "a whole number from 0 to 9223372036854775807", |value| {
            value.as_u64().filter(|number| i64::try_from(*number).is_ok())
        })
    }

    pub fn is_null(&mut self, field: &str) -> bool {
        let is_null = self.values.get(field).is_some_and(Value::is_null);
        if is_null {
            self.values.remove(field);
        }
        is_null
    }

    pub fn number(&mut self, field: &str) -> Given<u32> {
        self.take(field, "a whole number from 0 to 4294967295", |value| u32::try_from(value.as_u64()?).ok())
    }

    pub fn texts(&mut self, field: &str) -> Given<Vec<String>> {
        self.take(field, "a list of strings", |value| match value {
            Value::Array(items) => items.into_iter().map(text).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
        })
    }

    pub fn numbers(&mut self, field: &str) -> Given<Vec<usize>> {
        let number = |value: Value| usize::try_from(value.as_u64()?).ok();
        self.take(field, "a list of whole numbers", |value| match value {
            Value::Array(items) => items.into_iter().map(number).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
        })
    }

    /// Names as strings, ids as numbers.
    pub fn accounts(&mut self, field: &str) -> Given<Vec<AccountRef>> {
        self.take(field, "a list of names (strings) or ids (numbers)", |value| match value {
            Value::Array(items) => items.into_iter().map(account).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => None,
        })
    }

    /// A name as a string, an id as a number.
    pub fn account(&mut self, field: &str) -> Given<AccountRef> {
        self.take(field, "a name (string) or an id (number)", account)
    }

    /// The value in its own type, or the problem noted.
    pub fn checked<T, P: Into<Problem>>(&mut self, field: Field, result: Result<T, P>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.faults.push(Fault::of(self.kind, &Invalid { field, problem: problem.into() }));
                None
            }
        }
    }

    /// A text that becomes another type; it can not be taken away.
    pub fn parsed<T, P: Into<Problem>>(
        &mut self,
        field: Field,
        given: Given<String>,
        parse: impl FnOnce(String) -> Result<T, P>,
    ) -> Option<T> {
        match given {
            Given::Absent => None,
            Given::Null => {
                self.checked::<T, _>(field, Err(Problem::Required));
                None
            }
            Given::Value(text) => self.checked(field, parse(text)),
        }
    }

    /// What has been found so far.
    pub fn into_faults(mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    /// To be asked last: what has not been taken.
    pub fn finish(mut self, read_only: &[&str]) -> Result<(), Error> {
        let left: Vec<String> = self.values.keys().cloned().collect();
        for name in left {
            if read_only.contains(&name.as_str()) {
                self.fault(&name, "read_only", "can not be set");
            } else {
                self.fault(&name.escape_debug().to_string(), "unknown_field", "is not known here");
            }
        }
        let faults = std::mem::take(&mut self.faults);
        if faults.is_empty() { Ok(()) } else { Err(Error::Fields(faults)) }
    }
}

impl<T> Given<T> {
    /// Where null is the same as nothing.
    pub fn value(self) -> Option<T> {
        match self {
            Given::Absent | Given::Null => None,
            Given::Value(value) => Some(value),
        }
    }

    /// Null as a value of its own.
    pub fn or_null(self, null: T) -> Option<T> {
        match self {
            Given::Absent => None,
            Given::Null => Some(null),
            Given::Value(value) => Some(value),
        }
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn account(value: Value) -> Option<AccountRef> {
    match value {
        Value::String(name) => Some(AccountRef::Name(name)),
        Value::Number(id) => id.as_u64().map(|id| AccountRef::Id(AccountId(id))),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A secret may be left in it, also under a name that is not known.
impl Drop for Input {
    fn drop(&mut self) {
        for value in self.values.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}
