//! The arguments of a method. Programs of the command line can send texts only, so a boolean may be one,
//! and so may null.

use std::collections::BTreeMap;

use accountd_protocol::dialects::RhodecodeWording;
use accountd_protocol::id::AccountId;
use accountd_protocol::secret::Secret;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::error::Error;
use super::method::Method;
use super::parameter::Argument;

/// As they were sent. Wiped when dropped: any of them may be a password.
#[derive(Debug, Default)]
pub struct Given(Map<String, Value>);

/// Those of a method.
#[derive(Debug)]
pub struct Arguments(BTreeMap<Argument, Value>);

/// A value of another kind than the argument's. What is said then depends on the method.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable;

impl Unusable {
    /// What a method says of it has nothing about why: so the log does.
    pub fn logged<E: std::fmt::Display>(argument: &'static str) -> impl FnOnce(E) -> Self {
        move |problem| {
            tracing::info!(argument, %problem, "an argument was refused");
            Self
        }
    }
}

/// What an account or a repository is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Id(AccountId),
    Name(String),
}

impl Given {
    pub fn of(arguments: Value) -> Result<Self, Error> {
        match arguments {
            Value::Object(members) => Ok(Self(members)),
            Value::Array(elements) if elements.is_empty() => Ok(Self::default()),
            mut other => {
                wipe(&mut other);
                Err(Error::BadArguments)
            }
        }
    }

    #[cfg(test)]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

impl Arguments {
    /// What the method knows of them; the others count for nothing. An error names the first that is missing.
    pub fn of(mut given: Given, method: Method, wording: RhodecodeWording) -> Result<Self, Error> {
        let mut arguments = Self(BTreeMap::new());
        for parameter in method.parameters() {
            match parameter.names().find_map(|name| given.0.remove(name)) {
                Some(value) => drop(arguments.0.insert(parameter.argument, value)),
                None if parameter.is_required(wording) => {
                    return Err(Error::MissingArgument(parameter.name(wording)));
                }
                None => {}
            }
        }
        Ok(arguments)
    }

    pub fn has(&self, argument: Argument) -> bool {
        self.0.contains_key(&argument)
    }

    /// What was sent, to be said again where the method says what it was about.
    pub fn shown(&self, argument: Argument) -> String {
        match self.0.get(&argument) {
            None | Some(Value::Null) => "None".into(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// A text that has to be there.
    pub fn required_text(&self, argument: Argument) -> Result<&str, Unusable> {
        self.0.get(&argument).and_then(Value::as_str).ok_or(Unusable)
    }

    /// A text that may be left out or null. An empty one is a text.
    pub fn text(&self, argument: Argument) -> Result<Option<&str>, Unusable> {
        match self.0.get(&argument) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text == "None" => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(Unusable),
        }
    }

    pub fn secret(&self, argument: Argument) -> Result<Option<Secret>, Unusable> {
        Ok(self.text(argument)?.map(|text| Secret::new(text.to_owned())))
    }

    pub fn boolean(&self, argument: Argument) -> Result<Option<bool>, Unusable> {
        match self.0.get(&argument) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(boolean)) => Ok(Some(*boolean)),
            Some(Value::Number(number)) => match number.as_u64() {
                Some(0) => Ok(Some(false)),
                Some(1) => Ok(Some(true)),
                Some(_) | None => Err(Unusable),
            },
            Some(Value::String(text)) => match text.as_str() {
                "" | "None" => Ok(None),
                "true" | "True" | "1" => Ok(Some(true)),
                "false" | "False" | "0" => Ok(Some(false)),
                _ => Err(Unusable),
            },
            Some(Value::Array(_) | Value::Object(_)) => Err(Unusable),
        }
    }

    /// `None` for what nothing is called.
    pub fn reference(&self, argument: Argument) -> Option<Reference> {
        match self.0.get(&argument)? {
            Value::String(name) => Some(Reference::Name(name.clone())),
            Value::Number(id) => id.as_u64().map(|id| Reference::Id(AccountId(id))),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl Reference {
    /// The number that a text is, for those who can send texts only.
    pub fn as_number(name: &str) -> Option<AccountId> {
        let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| name.parse().ok()).flatten().map(AccountId)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

impl Drop for Arguments {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Every text in a value. As deep as serde_json lets values be (128).
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(elements) => elements.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(method: Method, given: Value) -> Result<Arguments, Error> {
        Arguments::of(Given::of(given).unwrap(), method, RhodecodeWording::Seed)
    }

    fn active(value: Value) -> Result<Option<bool>, Unusable> {
        arguments(Method::CreateUsersGroup, json!({"name": "g", "active": value})).unwrap().boolean(Argument::Active)
    }

    #[test]
    fn a_boolean_may_be_a_text_or_a_number() {
        for (values, expected) in [
            ([json!(true), json!("true"), json!("True"), json!("1"), json!(1)], Some(true)),
            ([json!(false), json!("false"), json!("False"), json!("0"), json!(0)], Some(false)),
            ([json!(null), json!("None"), json!(""), json!(null), json!(null)], None),
        ] {
            for value in values {
                assert_eq!(active(value.clone()), Ok(expected), "{value}");
            }
        }
        for value in [json!("yes"), json!(2), json!(-1), json!([]), json!({}), json!("TRUE ")] {
            assert_eq!(active(value.clone()), Err(Unusable), "{value}");
        }
    }

    #[test]
    fn an_argument_comes_by_any_name_that_a_version_has_for_it() {
        for given in [
            json!({"group_name": "g", "user_name": "u"}),
            json!({"group_name": "g", "username": "u"}),
            json!({"usersgroupid": "g", "userid": "u"}),
            json!({"usergroupid": "g", "userid": "u", "more": 1}),
        ] {
            let arguments = arguments(Method::AddUserToUsersGroup, given).unwrap();
            assert_eq!(arguments.shown(Argument::Group), "g");
            assert_eq!(arguments.reference(Argument::User), Some(Reference::Name("u".into())));
        }
    }

    #[test]
    fn the_first_that_is_missing_is_named_as_the_version_calls_it() {
        let rows = [
            (RhodecodeWording::Seed, "user_name"),
            (RhodecodeWording::V1_3, "username"),
            (RhodecodeWording::V1_4, "userid"),
        ];
        for (wording, expected) in rows {
            let given = Given::of(json!({"group_name": "g"})).unwrap();
            let missing = Arguments::of(given, Method::AddUserToUsersGroup, wording).unwrap_err();
            assert_eq!(missing, Error::MissingArgument(expected));
        }
        let missing = arguments(Method::CreateUser, json!({"email": "a@b.cd"})).unwrap_err();
        assert_eq!(missing, Error::MissingArgument("username"));
    }

    #[test]
    fn in_an_update_the_user_takes_its_name_first() {
        let both = arguments(Method::UpdateUser, json!({"userid": 7, "username": "new"})).unwrap();
        assert_eq!(both.reference(Argument::User), Some(Reference::Id(AccountId(7))));
        assert_eq!(both.text(Argument::NewUserName), Ok(Some("new")));
        let one = arguments(Method::UpdateUser, json!({"username": "alice"})).unwrap();
        assert_eq!(one.reference(Argument::User), Some(Reference::Name("alice".into())));
        assert_eq!(one.text(Argument::NewUserName), Ok(None));
    }

    #[test]
    fn texts_and_references_are_of_their_kind() {
        for bad in [json!(true), json!([]), json!({"a": 1})] {
            let arguments = arguments(Method::UpdateUser, json!({"userid": bad, "email": bad})).unwrap();
            assert_eq!((arguments.reference(Argument::User), arguments.text(Argument::Email)), (None, Err(Unusable)));
        }
        let nothing = arguments(Method::UpdateUser, json!({"userid": -1, "email": "None", "lastname": ""})).unwrap();
        assert_eq!((nothing.reference(Argument::User), nothing.text(Argument::Email)), (None, Ok(None)));
        assert_eq!(nothing.text(Argument::LastName), Ok(Some("")));
        let rows =
            [("17", Some(AccountId(17))), ("", None), ("+1", None), ("1x", None), ("99999999999999999999", None)];
        for (text, number) in rows {
            assert_eq!(Reference::as_number(text), number, "{text}");
        }
    }
}
