//! The body of a request as Go's encoding/json fills a struct: members that are missing or null have the zero value,
//! those that nobody asks for are passed over, names do not care for case, and what comes behind the first value is
//! not looked at. What says that it is no JSON counts as an empty form.

use accountd_protocol::secret::Secret;
use rocket::Data;
use rocket::request::Request;
use serde_json::{Map, Value};

use super::error::Error;
use crate::body;

/// Nothing here is longer: passwords have 511 bytes, keys a few thousand.
const LONGEST: u64 = 1;

/// Members by their names, for the struct of that name.
#[derive(Debug)]
pub struct Members {
    of: &'static str,
    members: Map<String, Value>,
}

impl Members {
    pub async fn read(of: &'static str, request: &Request<'_>, data: Data<'_>) -> Result<Self, Error> {
        if !request.content_type().is_some_and(|kind| kind.is_json()) {
            return Ok(Self { of, members: Map::new() });
        }
        let bytes = body::read_any(LONGEST, data).await?;
        Self::parse(of, &bytes)
    }

    fn parse(of: &'static str, bytes: &[u8]) -> Result<Self, Error> {
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        let members = match values.next() {
            None => return Err(Error::Unreadable("EOF".into())),
            Some(Err(error)) if error.is_eof() => return Err(Error::Unreadable("unexpected EOF".into())),
            Some(Err(error)) => return Err(Error::Unreadable(format!("the body is no JSON: {error}"))),
            Some(Ok(Value::Object(members))) => members,
            Some(Ok(Value::Null)) => Map::new(),
            Some(Ok(other)) => {
                let reason = format!("json: cannot unmarshal {} into Go value of type {of}", kind(&other));
                return Err(Error::Unreadable(reason));
            }
        };
        Ok(Self { of, members })
    }

    pub fn text(&mut self, name: &str) -> Result<String, Error> {
        match self.take(name) {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text),
            other => Err(self.wrong(name, &other, "string")),
        }
    }

    pub fn secret(&mut self, name: &str) -> Result<Secret, Error> {
        self.text(name).map(Secret::new)
    }

    /// A text that has to be there; `member` is what Go calls it.
    pub fn required(&mut self, name: &str, member: &'static str) -> Result<String, Error> {
        let text = self.text(name)?;
        if text.is_empty() { Err(Error::required(self.of, member)) } else { Ok(text) }
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(flag)),
            other => Err(self.wrong(name, &other, "bool")),
        }
    }

    pub fn number<T: TryFrom<i64> + Default>(&mut self, name: &str, go: &'static str) -> Result<T, Error> {
        match self.take(name) {
            Value::Null => Ok(T::default()),
            Value::Number(number) => {
                let fitting = number.as_i64().and_then(|number| T::try_from(number).ok());
                fitting.ok_or_else(|| self.wrong(name, &Value::Number(number), go))
            }
            other => Err(self.wrong(name, &other, go)),
        }
    }

    /// The member of exactly that name, or else of one that differs in case.
    fn take(&mut self, name: &str) -> Value {
        if let Some(value) = self.members.get_mut(name) {
            return value.take();
        }
        let like = self.members.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name));
        like.map(|(_, value)| value.take()).unwrap_or_default()
    }

    fn wrong(&self, name: &str, value: &Value, go: &str) -> Error {
        let what = match value {
            Value::Number(number) => format!("number {number}"),
            other => kind(other).to_owned(),
        };
        Error::Unreadable(format!("json: cannot unmarshal {what} into Go struct field {}.{name} of type {go}", self.of))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Result<Members, Error> {
        Members::parse("User", text.as_bytes())
    }

    #[test]
    fn members_are_read_as_go_reads_them() {
        let text = r#" {"USERNAME":"a","username":"b","role":2,"disabled":true,"x":[1],"sso_id":null} {"role":9}"#;
        let mut read = members(text).unwrap();
        assert_eq!((read.text("username").unwrap(), read.number::<i64>("role", "int").unwrap()), ("b".into(), 2));
        assert_eq!((read.flag("disabled").unwrap(), read.flag("none").unwrap()), (Some(true), None));
        assert_eq!((read.text("sso_id").unwrap(), read.number::<i32>("permission", "int32").unwrap()), ("".into(), 0));
        assert_eq!(members("null").unwrap().text("username").unwrap(), "");
        let mut other_case = members(r#"{"UserName":"c"}"#).unwrap();
        assert_eq!(other_case.required("username", "Username").unwrap(), "c");
    }

    #[test]
    fn what_is_no_object_or_of_another_type_is_refused() {
        let unreadable = |reason: &str| Error::Unreadable(reason.to_owned());
        assert_eq!(members("").err(), Some(unreadable("EOF")));
        assert_eq!(members("{\"a\":").err(), Some(unreadable("unexpected EOF")));
        let array = "json: cannot unmarshal array into Go value of type User";
        assert_eq!(members("[]").err(), Some(unreadable(array)));
        assert!(members(&"[".repeat(100_000)).is_err());
        for (text, reason) in [
            (r#"{"role":"0"}"#, "json: cannot unmarshal string into Go struct field User.role of type int"),
            (r#"{"role":1.5}"#, "json: cannot unmarshal number 1.5 into Go struct field User.role of type int"),
        ] {
            assert_eq!(members(text).unwrap().number::<i64>("role", "int"), Err(unreadable(reason)), "{text}");
        }
        assert!(members(r#"{"role":99999999999999999999}"#).unwrap().number::<i64>("role", "int").is_err());
        assert!(members(r#"{"permission":2147483648}"#).unwrap().number::<i32>("permission", "int32").is_err());
        assert!(members(r#"{"username":1}"#).unwrap().text("username").is_err());
        assert_eq!(members("{}").unwrap().required("username", "Username"), Err(Error::required("User", "Username")));
    }
}
