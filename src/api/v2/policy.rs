//! `/policy`: the rules for passwords, and where each of them is from. PATCH merges (RFC 7396); null is
//! back to what accountd.toml(5) says.

use accountd_protocol::policy::{PasswordRule, Policy, PolicyChange};
use rocket::http::Status;
use rocket::{get, patch};
use serde_json::{Map, Value, json};

use super::answers;
use super::error::Error;
use super::faults::Kind;
use super::input::{Given, Input};
use super::sent::Change;
use super::users::{Signed, failed};
use crate::caller::Authenticated;
use crate::reply::Reply;

#[get("/policy")]
pub async fn show(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    Ok(shown(&caller.policy().await.map_err(failed)?))
}

#[patch("/policy", data = "<sent>")]
pub async fn change(sent: Result<Change, Error>) -> Result<Reply, Error> {
    let (caller, only_if, input) = sent?.open(Kind::User)?;
    let change = draft(input)?;
    Ok(shown(&caller.set_policy(change, only_if).await.map_err(failed)?))
}

pub fn draft(mut input: Input) -> Result<PolicyChange, Error> {
    input.refuse_null("password");
    let mut change = PolicyChange::new();
    input.object("password");
    for rule in PasswordRule::ALL {
        match input.number(path(rule)) {
            Given::Absent => {}
            Given::Null => drop(change.insert(rule, None)),
            Given::Value(value) => drop(change.insert(rule, Some(value))),
        }
    }
    input.finish(&["source"])?;
    Ok(change)
}

/// What a rule is called in a list of errors.
pub fn path(rule: PasswordRule) -> &'static str {
    match rule {
        PasswordRule::MinLength => "password.min_length",
        PasswordRule::MinClasses => "password.min_classes",
        PasswordRule::History => "password.history",
        PasswordRule::MinDays => "password.min_days",
        PasswordRule::MaxDays => "password.max_days",
        PasswordRule::WarnDays => "password.warn_days",
    }
}

fn shown(policy: &Policy) -> Reply {
    let (mut values, mut sources) = (Map::new(), Map::new());
    for (rule, (value, source)) in &policy.password {
        values.insert(rule.name().to_owned(), json!(value));
        sources.insert(rule.name().to_owned(), json!(source));
    }
    let (values, sources) = (Value::Object(values), json!({"password": sources}));
    answers::tagged(Status::Ok, &json!({"password": values, "source": sources}), Some(&policy.tag))
}
