//! `schema/`: the fields of a resource, described as tastypie does.

use std::collections::BTreeMap;

use rocket::get;
use rocket::http::Status;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::Error;
use super::new_user::{DEFAULT_HOME, DEFAULT_SHELL};
use super::output::Object;
use super::paging::DEFAULT_LIMIT;
use super::reply::Reply;
use super::users::Signed;
use crate::caller::Basic;

#[get("/account/users/schema")]
pub async fn users(caller: Signed) -> Result<Reply, Error> {
    let Basic(_) = caller?;
    Ok(Reply::json(Status::Ok, &schema(&user_fields())))
}

#[get("/account/groups/schema")]
pub async fn groups(caller: Signed) -> Result<Reply, Error> {
    let Basic(_) = caller?;
    Ok(Reply::json(Status::Ok, &schema(&group_fields())))
}

type Fields = BTreeMap<&'static str, Column>;

/// One field, as it is described; in the order of the keys.
#[derive(Debug, Serialize)]
struct Column {
    blank: bool,
    default: Value,
    help_text: &'static str,
    nullable: bool,
    readonly: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    unique: bool,
}

impl Column {
    /// A new object can't be without it.
    fn required(kind: &'static str) -> Self {
        let default = json!("No default provided.");
        Self { blank: false, default, help_text: "", nullable: false, readonly: false, kind, unique: false }
    }

    fn optional(kind: &'static str, default: Value) -> Self {
        Self { blank: true, default, ..Self::required(kind) }
    }

    /// It is in answers and ignored in requests.
    fn shown(kind: &'static str) -> Self {
        Self { blank: true, readonly: true, ..Self::required(kind) }
    }

    fn with(self, default: Value) -> Self {
        Self { default, ..self }
    }

    fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    fn help(self, help_text: &'static str) -> Self {
        Self { help_text, ..self }
    }
}

fn schema(fields: &Fields) -> Object {
    BTreeMap::from([
        ("allowed_detail_http_methods", json!(["get", "put", "delete", "patch"])),
        ("allowed_list_http_methods", json!(["get", "post"])),
        ("default_format", json!("application/json")),
        ("default_limit", json!(DEFAULT_LIMIT)),
        ("fields", json!(fields)),
    ])
}

fn user_fields() -> Fields {
    BTreeMap::from([
        ("id", Column::shown("integer").unique()),
        ("bsdusr_attributes", Column::shown("dict").with(json!({}))),
        ("bsdusr_builtin", Column::shown("boolean").with(json!(false))),
        ("bsdusr_email", Column::optional("string", json!("")).help("Mail address; may be empty.")),
        ("bsdusr_full_name", Column::required("string").help("At most 120 characters.")),
        ("bsdusr_group", Column::required("integer").help("Id of the primary group; its gid in answers.")),
        (
            "bsdusr_home",
            Column::optional("string", json!(DEFAULT_HOME)).help("The user's name is appended for a new user."),
        ),
        ("bsdusr_locked", Column::optional("boolean", json!(false))),
        ("bsdusr_microsoft_account", Column::optional("boolean", json!(false))),
        ("bsdusr_password_disabled", Column::optional("boolean", json!(false))),
        ("bsdusr_shell", Column::optional("string", json!(DEFAULT_SHELL))),
        ("bsdusr_smbhash", Column::shown("string").with(json!("*"))),
        ("bsdusr_sshpubkey", Column::optional("string", json!("")).help("The text of authorized_keys.")),
        ("bsdusr_sudo", Column::optional("boolean", json!(false))),
        ("bsdusr_uid", Column::required("integer")),
        ("bsdusr_unixhash", Column::shown("string").with(json!("*"))),
        ("bsdusr_username", Column::required("string").unique().help("At most 16 characters.")),
    ])
}

fn group_fields() -> Fields {
    BTreeMap::from([
        ("id", Column::shown("integer").unique()),
        ("bsdgrp_builtin", Column::shown("boolean").with(json!(false))),
        ("bsdgrp_gid", Column::required("integer")),
        ("bsdgrp_group", Column::required("string").unique().help("At most 32 characters.")),
        ("bsdgrp_sudo", Column::optional("boolean", json!(false))),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::output::{GROUP_FIELDS, USER_FIELDS};
    use super::*;

    #[test]
    fn every_field_that_is_shown_is_described() {
        let described = |fields: Fields| fields.into_keys().collect::<Vec<_>>();
        let sorted = |names: &[&'static str]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        assert_eq!(described(user_fields()), sorted(&USER_FIELDS));
        assert_eq!(described(group_fields()), sorted(&GROUP_FIELDS));
    }
}
