//! A body, read as far as it can be: what could not be read is said with the `id` that came with it.

use accountd_protocol::api_key::KEY_DIGITS;
use accountd_protocol::secret::Secret;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::arguments::{Given, wipe};
use super::error::Error;

/// An object that was sent, and what it asks for.
#[derive(Debug)]
pub struct Sent {
    /// `None`: it has none, and the answer has none either.
    id: Option<Value>,
    asked: Result<Asked, Error>,
}

#[derive(Debug)]
pub struct Asked {
    /// `None`: something that no key is.
    pub key: Option<Secret>,
    pub method: String,
    pub arguments: Given,
}

impl Sent {
    /// Old clients quote a body as that of a form. One that is JSON as it is stands for itself, so that
    /// nothing in a password changes.
    pub fn of(body: &[u8]) -> Result<Self, Error> {
        let parsed = serde_json::from_slice(body).or_else(|error| {
            let unquoted = Zeroizing::new(unquoted(body));
            serde_json::from_slice(&unquoted).map_err(|_| error)
        });
        match parsed {
            Ok(Value::Object(members)) => Ok(Self::of_members(members)),
            Ok(mut other) => {
                wipe(&mut other);
                Err(Error::Unparsable("not an object".into()))
            }
            // Its own words may repeat what was sent.
            Err(error) => Err(Error::Unparsable(format!("line {} column {}", error.line(), error.column()))),
        }
    }

    fn of_members(mut members: Map<String, Value>) -> Self {
        let id = members.remove("id");
        let asked = Asked::of(&mut members);
        members.values_mut().for_each(wipe);
        Self { id, asked }
    }

    pub fn into_parts(self) -> (Option<Value>, Result<Asked, Error>) {
        (self.id, self.asked)
    }
}

impl Asked {
    /// Versions from 4 on call the key a token.
    fn of(members: &mut Map<String, Value>) -> Result<Self, Error> {
        if let Some(token) = members.remove("auth_token") {
            members.entry("api_key").or_insert(token);
        }
        for name in ["api_key", "method", "args"] {
            if !members.contains_key(name) {
                return Err(Error::MissingMember(name));
            }
        }
        let mut take = |name| members.remove(name).unwrap_or_default();
        let (key, method, arguments) = (key(take("api_key")), text(take("method")), Given::of(take("args")));
        Ok(Self { key, method, arguments: arguments? })
    }
}

/// What has another shape can't be a key, and the agent is not asked about it.
fn key(value: Value) -> Option<Secret> {
    let Value::String(text) = value else { return None };
    let key = Secret::new(text);
    let digits = key.reveal().bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (digits && key.reveal().len() == KEY_DIGITS).then_some(key)
}

/// What is no text can't be the name of a method, and is said as it was sent.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// `application/x-www-form-urlencoded`, undone; what is no escape stays.
fn unquoted(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = if *first == b'%' { tail.get(..2).and_then(octet) } else { None };
        match (first, escaped) {
            (_, Some(octet)) => {
                bytes.push(octet);
                rest = tail.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', None) => bytes.push(b' '),
            (other, None) => bytes.push(*other),
        }
        rest = tail;
    }
    bytes
}

fn octet(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(body: &str) -> (Option<Value>, Result<Asked, Error>) {
        Sent::of(body.as_bytes()).unwrap().into_parts()
    }

    fn error(body: &[u8]) -> String {
        match Sent::of(body) {
            Ok(sent) => sent.asked.unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_request_has_a_key_a_method_and_arguments_and_may_have_an_id() {
        let body = json!({"api_key": KEY, "method": "pull", "args": {"repo": "r"}});
        let (id, asked) = read(&body.to_string());
        let asked = asked.unwrap();
        assert_eq!((id, asked.key.unwrap().reveal(), asked.method.as_str()), (None, KEY, "pull"));
        let later = json!({"auth_token": KEY, "method": "pull", "args": {}}).to_string();
        assert_eq!(read(&later).1.unwrap().key.unwrap().reveal(), KEY);
        for id in [json!(null), json!(7), json!("x"), json!({"a": [1]})] {
            let body = json!({"api_key": KEY, "method": "pull", "args": [], "id": id});
            assert_eq!(read(&body.to_string()).0, Some(id));
        }
    }

    #[test]
    fn members_are_missed_in_their_order_and_the_id_is_kept() {
        let rows = [
            (json!({}), "Incorrect JSON query missing 'api_key'"),
            (json!({"api_key": ""}), "Incorrect JSON query missing 'method'"),
            (json!({"api_key": "", "method": ""}), "Incorrect JSON query missing 'args'"),
            (json!({"api_key": "", "args": {}}), "Incorrect JSON query missing 'method'"),
        ];
        for (mut body, expected) in rows {
            assert_eq!(error(body.to_string().as_bytes()), expected);
            body["id"] = json!(5);
            assert_eq!(read(&body.to_string()).0, Some(json!(5)), "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_said_without_what_was_sent() {
        let bodies: [&[u8]; 6] = [b"hunter2", b"{\"hunter2\"", b"[\"hunter2\"]", b"\"hunter2\"", b"\xff\xfe", b"7"];
        for body in bodies {
            let error = error(body);
            assert!(error.starts_with("JSON parse error ERR:") && !error.contains("hunter2"), "{error}");
        }
        assert!(error("[".repeat(100_000).as_bytes()).starts_with("JSON parse error ERR:"));
    }

    #[test]
    fn a_quoted_body_is_unquoted_and_json_stays_as_it_is() {
        let plain = json!({"api_key": KEY, "method": "create_user", "args": {"password": "a+b%41"}}).to_string();
        let password = |body: &str| read(body).1.unwrap().arguments.get("password").cloned();
        assert_eq!(password(&plain), Some(json!("a+b%41")));
        let octets = plain.bytes().map(|byte| format!("%{byte:02x}"));
        assert_eq!(password(&octets.collect::<String>()), Some(json!("a+b%41")));
        assert_eq!(unquoted(b"a+b%4"), b"a b%4");
        assert_eq!(unquoted(b"%zz%%41%+1"), b"%zz%A% 1");
    }

    #[test]
    fn only_what_looks_like_a_key_is_one() {
        let upper = KEY.to_uppercase();
        for no_key in [json!(null), json!(5), json!(""), json!(&KEY[1..]), json!(format!("{KEY}0")), json!(upper)] {
            assert!(key(no_key.clone()).is_none(), "{no_key}");
        }
        assert!(key(json!(KEY)).is_some());
    }

    #[test]
    fn arguments_are_an_object_or_an_empty_list() {
        for (arguments, good) in
            [(json!({}), true), (json!([]), true), (json!(null), false), (json!([1]), false), (json!("x"), false)]
        {
            let body = json!({"api_key": KEY, "method": "get_users", "args": arguments});
            assert_eq!(read(&body.to_string()).1.is_ok(), good, "{arguments}");
        }
    }
}
