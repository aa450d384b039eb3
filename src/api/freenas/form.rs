//! The body of a request, read as the HTML form that it once stood for: numbers and booleans may be
//! texts, a missing checkbox is false, unknown keys are ignored.

use accountd_protocol::secret::Secret;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::error::Error;
use super::messages::{NO_SUCH_CHOICE, REQUIRED};
use super::output::Object;
use crate::body::{self, Unread};

/// The largest body: the longest list of keys that an account may have, many times over.
const MAX_BODY_MEBIBYTES: u64 = 1;

/// Above this, JSON has no whole numbers of its own any more.
const LARGE: f64 = 9e18;

const WHOLE_NUMBER: &str = "Enter a whole number.";

/// The fields of a body. Secrets are taken out of it; what is left of them is wiped when dropped.
#[derive(Debug, Default)]
pub struct Form {
    values: Map<String, Value>,
}

impl Form {
    pub fn new(values: Map<String, Value>) -> Self {
        Self { values }
    }

    /// Reads a body of JSON, an object at its top.
    pub async fn read(body: Unread<'_>) -> Result<Self, Error> {
        Self::of(read_json(body).await?)
    }

    /// The same, where there may be no body.
    pub async fn read_if_any(body: Unread<'_>) -> Result<Self, Error> {
        let body = body::read(MAX_BODY_MEBIBYTES, body).await?;
        if body.is_empty() { Ok(Self::default()) } else { Self::of(parse(&body)?) }
    }

    fn of(body: Value) -> Result<Self, Error> {
        match body {
            Value::Object(values) => Ok(Self { values }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(Error::Json("Request is not a JSON object."))
            }
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Takes out what is as it is shown: sent back unchanged, it stays, whoever made it so.
    pub fn drop_unchanged(&mut self, shown: &Object, keys: &[&str]) {
        for key in keys {
            let same = |value: &Value| shown.get(key).is_some_and(|shown| text_of(shown) == text_of(value));
            if self.values.get(*key).is_some_and(same) {
                self.values.remove(*key);
            }
        }
    }

    /// Puts a text where the form has nothing.
    pub fn set_default(&mut self, key: &str, text: &str) {
        self.values.entry(key).or_insert_with(|| Value::String(text.to_owned()));
    }

    /// A text. Missing: `None`; null: empty.
    pub fn text(&self, key: &str) -> Option<Result<String, String>> {
        self.values.get(key).map(text_of)
    }

    /// A text that must not be empty.
    pub fn filled(&self, key: &str) -> Option<Result<String, String>> {
        self.text(key).map(|text| text.and_then(|text| if text.is_empty() { Err(REQUIRED.into()) } else { Ok(text) }))
    }

    /// Takes a secret out of the form, exactly as it was sent. Missing, null, empty: `None`.
    pub fn secret(&mut self, key: &str) -> Option<Result<Secret, String>> {
        match self.values.remove(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(Ok(Secret::new(text))),
            other => match text_of(&other) {
                Ok(text) if text.is_empty() => None,
                Ok(text) => Some(Ok(Secret::new(text))),
                Err(message) => Some(Err(message)),
            },
        }
    }

    /// A checkbox. Missing: `None`. Null, `false`, 0, and the texts that mean no: false.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        self.values.get(key).map(boolean_of)
    }

    /// A number from 0 to 4294967295. Missing: `None`.
    pub fn number(&self, key: &str) -> Option<Result<u32, String>> {
        self.values.get(key).map(|value| {
            let number = integer_of(value)?;
            if number < 0 {
                return Err("Ensure this value is greater than or equal to 0.".into());
            }
            u32::try_from(number).map_err(|_| format!("Ensure this value is less than or equal to {}.", u32::MAX))
        })
    }

    /// The id of an object. Missing, null or blank: `None`.
    pub fn id(&self, key: &str) -> Option<Result<u64, String>> {
        let value = self.values.get(key).filter(|value| !is_blank(value))?;
        Some(id_of(value).map_err(|_| NO_SUCH_CHOICE.to_owned()))
    }

    /// A list of ids of objects. Missing, null or blank: `None`; an empty list is one.
    pub fn ids(&self, key: &str) -> Option<Result<Vec<u64>, String>> {
        match self.values.get(key).filter(|value| !is_blank(value))? {
            Value::Array(items) => Some(items.iter().map(id_of).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Some(Err("Enter a list of values.".into()))
            }
        }
    }

    /// What was sent for a field, for messages that repeat it.
    pub fn given(&self, key: &str) -> String {
        self.text(key).and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        for value in self.values.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

/// Reads a body of JSON, whatever it holds.
pub async fn read_json(body: Unread<'_>) -> Result<Value, Error> {
    read_json_up_to(MAX_BODY_MEBIBYTES, body).await
}

/// The same for a body of another size.
pub async fn read_json_up_to(mebibytes: u64, body: Unread<'_>) -> Result<Value, Error> {
    parse(&body::read(mebibytes, body).await?)
}

/// Its depth is bounded by serde_json (128).
fn parse(body: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(body).map_err(|_| Error::Json("Request is not valid JSON."))
}

/// What a form sends for a field that nothing was chosen in.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A value as a form field shows it; numbers are texts too.
fn text_of(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(true) => Ok("True".into()),
        Value::Bool(false) => Ok("False".into()),
        Value::Array(_) | Value::Object(_) => Err("Enter a valid value.".into()),
    }
}

fn boolean_of(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// A whole number, also as a text with blanks around it or with `.0` behind it. Larger ones than
/// fit are as large as fits.
fn integer_of(value: &Value) -> Result<i64, String> {
    let text = match value {
        Value::Null => return Err(REQUIRED.into()),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(large) if large.abs() >= LARGE => return Ok(if large < 0.0 { i64::MIN } else { i64::MAX }),
            Some(_) | None => number.to_string(),
        },
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(WHOLE_NUMBER.into()),
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(REQUIRED.into());
    }
    let whole = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0')).map_or(text, |(n, _)| n);
    let (negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WHOLE_NUMBER.into());
    }
    let number = digits.parse().unwrap_or(i64::MAX);
    Ok(if negative { -number } else { number })
}

fn id_of(value: &Value) -> Result<u64, String> {
    let number = integer_of(value).ok().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| match text_of(value) {
        Ok(text) => format!("“{}” is not a valid value for a primary key.", text.escape_debug()),
        Err(message) => message,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(value: Value) -> Form {
        match value {
            Value::Object(values) => Form { values },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_checkbox_is_off_for_everything_that_means_no() {
        for off in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!("0"),
            json!("False"),
            json!("no"),
            json!([]),
        ] {
            assert_eq!(form(json!({"x": off})).boolean("x"), Some(false), "{off}");
        }
        for on in [json!(true), json!(1), json!("true"), json!("True"), json!("on"), json!("1"), json!("yes")] {
            assert_eq!(form(json!({"x": on})).boolean("x"), Some(true), "{on}");
        }
        assert_eq!(form(json!({})).boolean("x"), None);
    }

    #[test]
    fn numbers_may_be_texts_and_whole_floats() {
        for value in [
            json!(1111),
            json!("1111"),
            json!(" 1111 "),
            json!(1111.0),
            json!("1111.00"),
            json!("+1111"),
            json!("01111"),
        ] {
            assert_eq!(form(json!({"x": value})).number("x"), Some(Ok(1111)), "{value}");
        }
        assert_eq!(form(json!({"x": 4294967295u32})).number("x"), Some(Ok(u32::MAX)));
    }

    #[test]
    fn numbers_that_are_none_say_why() {
        let rows = [
            (json!(null), "This field is required."),
            (json!("  "), "This field is required."),
            (json!(-1), "Ensure this value is greater than or equal to 0."),
            (json!("-99999999999999999999"), "Ensure this value is greater than or equal to 0."),
            (json!(4294967296u64), "Ensure this value is less than or equal to 4294967295."),
            (json!(1e30), "Ensure this value is less than or equal to 4294967295."),
            (json!("99999999999999999999999"), "Ensure this value is less than or equal to 4294967295."),
            (json!("1e3"), "Enter a whole number."),
            (json!("0x10"), "Enter a whole number."),
            (json!(1.5), "Enter a whole number."),
            (json!("1 1"), "Enter a whole number."),
            (json!("."), "Enter a whole number."),
            (json!("1\n;2"), "Enter a whole number."),
            (json!(true), "Enter a whole number."),
            (json!([1]), "Enter a whole number."),
            (json!({"a": 1}), "Enter a whole number."),
        ];
        for (value, message) in rows {
            assert_eq!(form(json!({"x": value})).number("x"), Some(Err(message.into())), "{value}");
        }
    }

    #[test]
    fn a_secret_is_taken_as_it_was_sent_and_is_gone_from_the_form() {
        let mut form = form(json!({"x": " a? ", "y": 12, "z": null, "e": "", "l": ["a"]}));
        assert_eq!(form.secret("x").unwrap().unwrap().reveal(), " a? ");
        assert!(!form.has("x"));
        assert_eq!(form.secret("y").unwrap().unwrap().reveal(), "12");
        assert!(form.secret("z").is_none() && form.secret("e").is_none() && form.secret("none").is_none());
        assert!(form.secret("l").unwrap().is_err());
    }

    #[test]
    fn what_is_sent_back_as_it_is_shown_is_taken_out() {
        let mut form = form(json!({"a": "", "b": "7", "c": "new", "d": [""]}));
        let shown = Object::from([("a", json!("")), ("b", json!(7)), ("c", json!("old")), ("d", json!(""))]);
        form.drop_unchanged(&shown, &["a", "b", "c", "d", "e"]);
        assert!(!form.has("a") && !form.has("b") && form.has("c") && form.has("d"));
    }

    #[test]
    fn ids_may_be_texts_and_come_as_a_list() {
        let form = form(json!({"a": [1, "2"], "b": "1", "c": ["x"], "d": -1, "e": null, "f": "", "g": " "}));
        assert_eq!(form.ids("a"), Some(Ok(vec![1, 2])));
        assert_eq!(form.ids("b"), Some(Err("Enter a list of values.".into())));
        assert!(form.ids("c").unwrap().is_err());
        assert_eq!(form.id("b"), Some(Ok(1)));
        assert_eq!(form.id("d"), Some(Err(NO_SUCH_CHOICE.into())));
        for nothing in ["e", "f", "g", "none"] {
            assert_eq!((form.id(nothing), form.ids(nothing)), (None, None), "{nothing}");
        }
    }
}
