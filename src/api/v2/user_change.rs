//! `PATCH /users/{user}`: a merge patch (RFC 7396) becomes a change. Null takes the full name, the
//! mail address, sudo and limits of days away; no other field can be without a value.

use accountd_core::Caller;
use accountd_protocol::agent::{Echoes, RandomPassword, UserChange};
use accountd_protocol::home::HomeTransfer;
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::{Field, Problem};
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::error::Error;
use super::input::{Given, Input};
use super::output::USER_READ_ONLY;
use super::resolve::{Called, Found};
use super::sudo;
use super::user_fields::home_mode;
use super::{ageing, limits};

/// The fields that null is no value for.
const NEVER_NULL: [&str; 15] = [
    "must_change",
    "random_password",
    "username",
    "uid",
    "gid",
    "home",
    "home_mode",
    "home_transfer",
    "shell",
    "password",
    "password_hash",
    "password_disabled",
    "groups",
    "locked",
    "microsoft_account",
];

/// A body whose every value is good by itself; groups are still as they are called.
pub struct Draft {
    change: UserChange,
    pub called: Called,
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
        random_password: random_password(&mut input),
        password_disabled: input.boolean("password_disabled").value(),
        locked: input.boolean("locked").value(),
        primary_group: None,
        groups: None,
        ssh_keys: None,
        microsoft_account: input.boolean("microsoft_account").value(),
        sudo: sudo::change(&mut input),
        ageing: ageing::change(&mut input),
        password_hash: input.secret("password_hash").value(),
        limits: limits::change(&mut input),
        echoes: Echoes::default(),
    };
    // Who gets a password is to use it.
    let is_made = change.random_password == RandomPassword::Made;
    if is_made && (change.password.is_some() || change.password_disabled == Some(true)) {
        input.checked::<(), _>(Field::RandomPassword, Err(Problem::MustBeAbsent));
    }
    let enabled = (is_made || change.password.is_some()).then_some(false);
    let change = UserChange { password_disabled: change.password_disabled.or(enabled), ..change };
    let (gid, groups) = (input.number("gid").value(), input.accounts("groups").value());
    input.finish(&USER_READ_ONLY)?;
    Ok(Draft { change, called: Called { gid, groups } })
}

/// Whether the agent is asked to make a password.
pub fn random_password(input: &mut Input) -> RandomPassword {
    match input.boolean("random_password").value() {
        Some(true) => RandomPassword::Made,
        Some(false) | None => RandomPassword::No,
    }
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
    /// With the text of the key file, where it is to be replaced.
    pub fn and_keys(self, ssh_keys: Option<String>) -> Self {
        Self { change: UserChange { ssh_keys, ..self.change }, ..self }
    }

    /// With the ids of its groups.
    pub async fn resolved(self, caller: &Caller) -> Result<UserChange, Error> {
        let found = self.called.found(caller).await?;
        Ok(self.with(found))
    }

    pub fn with(self, Found { primary_group, groups }: Found) -> UserChange {
        UserChange { primary_group, groups, ..self.change }
    }
}
