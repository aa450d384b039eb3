//! `PATCH /users/{user}`: a merge patch (RFC 7396) becomes a change. Null takes the full name, the
//! mail address, sudo and limits of days away; no other field can be without a value.

use accountd_core::Caller;
use accountd_protocol::agent::UserChange;
use accountd_protocol::home::HomeTransfer;
use accountd_protocol::id::AccountRef;
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::Field;
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::ageing;
use super::error::Error;
use super::input::{Given, Input};
use super::output::USER_READ_ONLY;
use super::resolve;
use super::sudo;
use super::user_fields::home_mode;

/// The fields that null is no value for.
const NEVER_NULL: [&str; 13] = [
    "must_change",
    "username",
    "uid",
    "gid",
    "home",
    "home_mode",
    "home_transfer",
    "shell",
    "password",
    "password_disabled",
    "groups",
    "locked",
    "microsoft_account",
];

/// A body whose every value is good by itself; groups are still as they are called.
pub struct Draft {
    change: UserChange,
    gid: Option<u32>,
    groups: Option<Vec<AccountRef>>,
}

pub fn draft(mut input: Input) -> Result<Draft, Error> {
    NEVER_NULL.iter().for_each(|field| input.refuse_null(field));
    let username = input.text("username");
    let name = input.parsed(Field::UserName, username, NewUserName::new);
    let full_name = input.text("full_name").or_null(String::new());
    let email = input.text("email").or_null(String::new());
    let (home, shell) = (input.text("home"), input.text("shell"));
    let change = UserChange {
        name,
        uid: input.number("uid").value(),
        full_name: full_name.and_then(|text| input.checked(Field::FullName, FullName::new(text))),
        email: email.and_then(|text| input.checked(Field::Email, Email::new(text))),
        home: input.parsed(Field::Home, home, FieldPath::new),
        home_transfer: home_transfer(&mut input),
        home_mode: home_mode(&mut input),
        shell: input.parsed(Field::Shell, shell, FieldPath::new),
        password: input.secret("password").value(),
        password_disabled: input.boolean("password_disabled").value(),
        locked: input.boolean("locked").value(),
        primary_group: None,
        groups: None,
        ssh_keys: None,
        microsoft_account: input.boolean("microsoft_account").value(),
        sudo: sudo::change(&mut input),
        ageing: ageing::change(&mut input),
    };
    // Who gets a password is to use it.
    let enabled = change.password.as_ref().map(|_| false);
    let change = UserChange { password_disabled: change.password_disabled.or(enabled), ..change };
    let (gid, groups) = (input.number("gid").value(), input.accounts("groups").value());
    input.finish(&USER_READ_ONLY)?;
    Ok(Draft { change, gid, groups })
}

fn home_transfer(input: &mut Input) -> HomeTransfer {
    let Given::Value(word) = input.text("home_transfer") else { return HomeTransfer::default() };
    match word.as_str() {
        "copy" => HomeTransfer::Copy,
        "move" => HomeTransfer::Move,
        "none" => HomeTransfer::None,
        _ => {
            input.fault("home_transfer", "no_such", "has to be copy, move or none");
            HomeTransfer::default()
        }
    }
}

impl Draft {
    /// With the ids of its groups.
    pub async fn resolved(self, caller: &Caller) -> Result<UserChange, Error> {
        let Draft { change, gid, groups } = self;
        let primary_group = match gid {
            Some(gid) => Some(resolve::group_of_gid(caller, gid).await?),
            None => None,
        };
        let groups = match groups {
            Some(groups) => Some(resolve::groups(caller, groups).await?),
            None => None,
        };
        Ok(UserChange { primary_group, groups, ..change })
    }
}
