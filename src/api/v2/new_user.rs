//! `POST /users`: a body becomes a new user. Only `username` is required.

use accountd_core::Caller;
use accountd_protocol::agent::{Echoes, NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::{Field, Problem};
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::error::Error;
use super::input::Input;
use super::output::USER_READ_ONLY;
use super::resolve::{Called, Found};
use super::sudo;
use super::user_fields::{home_mode, key_text};
use super::{ageing, limits};

/// No home is made where none is asked for, as in every dialect.
const DEFAULT_HOME: &str = "/nonexistent";
/// Takes no login but those for files; every system has it.
const DEFAULT_SHELL: &str = "/usr/sbin/nologin";

/// A body whose every value is good by itself; groups are still as they are called.
pub struct Draft {
    new: NewUser,
    pub called: Called,
}

pub fn draft(mut input: Input) -> Result<Draft, Error> {
    input.require("username");
    let name = input.text("username");
    let name = input.parsed(Field::UserName, name, NewUserName::new);
    let full_name = text(&mut input, ("full_name", Field::FullName), "", FullName::new);
    let email = text(&mut input, ("email", Field::Email), "", Email::new);
    let home = text(&mut input, ("home", Field::Home), DEFAULT_HOME, FieldPath::new);
    let shell = text(&mut input, ("shell", Field::Shell), DEFAULT_SHELL, FieldPath::new);
    let (uid, gid) = (input.number("uid").value(), input.number("gid").value());
    let groups = input.accounts("groups").value();
    let password = password(&mut input);
    let home_mode = home_mode(&mut input);
    let ageing = ageing::change(&mut input);
    let ssh_keys = key_text(&mut input).unwrap_or_default();
    let [locked, microsoft_account] =
        ["locked", "microsoft_account"].map(|field| input.boolean(field).value().unwrap_or(false));
    let sudo = sudo::of_new(&mut input);
    let limits = limits::change(&mut input);
    input.finish(&USER_READ_ONLY)?;
    let texts = name.zip(full_name).zip(email).zip(home.zip(shell));
    // What is missing has been named.
    let (((name, full_name), email), (home, shell)) = texts.ok_or(Error::Internal)?;
    let primary_group = PrimaryGroup::Private;
    let new = NewUser {
        name,
        uid,
        full_name,
        email,
        home,
        home_mode,
        shell,
        password,
        primary_group,
        groups: Vec::new(),
        ssh_keys,
        locked,
        microsoft_account,
        sudo,
        ageing,
        limits,
        echoes: Echoes::default(),
    };
    Ok(Draft { new, called: Called { gid, groups } })
}

impl Draft {
    /// With the ids of its groups.
    pub async fn resolved(self, caller: &Caller) -> Result<NewUser, Error> {
        let found = self.called.found(caller).await?;
        Ok(self.with(found))
    }

    pub fn with(self, Found { primary_group, groups }: Found) -> NewUser {
        let primary_group = primary_group.map_or(PrimaryGroup::Private, PrimaryGroup::Existing);
        NewUser { primary_group, groups: groups.unwrap_or_default(), ..self.new }
    }
}

fn text<T, P: Into<Problem>>(
    input: &mut Input,
    (name, field): (&'static str, Field),
    default: &str,
    parse: impl FnOnce(String) -> Result<T, P>,
) -> Option<T> {
    let text = input.text(name).value().unwrap_or_else(|| default.to_owned());
    input.checked(field, parse(text))
}

/// A password, its hash, or one that is made; without one of them, only keys let the user in.
fn password(input: &mut Input) -> NewPassword {
    let (clear, hash) = (input.secret("password").value(), input.secret("password_hash").value());
    let disabled = input.boolean("password_disabled").value();
    if input.boolean("random_password").value() == Some(true) {
        if clear.is_some() || hash.is_some() || disabled == Some(true) {
            input.checked::<(), _>(Field::RandomPassword, Err(Problem::MustBeAbsent));
        }
        return NewPassword::Random;
    }
    match (clear, hash) {
        (Some(_), Some(_)) => {
            input.checked::<(), _>(Field::PasswordHash, Err(Problem::MustBeAbsent));
            NewPassword::Disabled
        }
        (Some(_), None) | (None, Some(_)) if disabled == Some(true) => {
            input.checked::<(), _>(Field::Password, Err(Problem::MustBeAbsent));
            NewPassword::Disabled
        }
        (None, None) if disabled == Some(false) => {
            input.checked::<(), _>(Field::Password, Err(Problem::Required));
            NewPassword::Disabled
        }
        (Some(clear), None) => NewPassword::Clear(clear),
        (None, Some(hash)) if is_for_accountd_alone(hash.reveal()) => NewPassword::Kept(hash),
        (None, Some(hash)) => NewPassword::Hashed(hash),
        (None, None) => NewPassword::Disabled,
    }
}

/// The formats that crypt(5) does not have.
fn is_for_accountd_alone(hash: &str) -> bool {
    hash.starts_with("$argon2id$") || hash.starts_with("$pbkdf2-")
}
