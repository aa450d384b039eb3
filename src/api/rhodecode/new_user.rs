//! `create_user`: arguments become a new user, and the roles that it is to have.

use std::collections::BTreeSet;

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::limits::LimitsChange;
use accountd_protocol::name::NewUserName;
use accountd_protocol::role::Role;
use accountd_protocol::secret::Secret;
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::arguments::{Arguments, Unusable};
use super::names::Names;
use super::parameter::Argument;

/// No home is made where none is asked for, as in every dialect.
const HOME: &str = "/nonexistent";
/// Lets nobody in but for files and repositories.
const SHELL: &str = "/usr/sbin/nologin";

pub fn new_user(arguments: &Arguments) -> Result<(NewUser, BTreeSet<Role>), Unusable> {
    let text = |argument| Ok(arguments.text(argument)?.unwrap_or_default().to_owned());
    let names = Names {
        first: text(Argument::FirstName)?,
        last: text(Argument::LastName)?,
        ldap_dn: arguments.text(Argument::LdapDn)?.filter(|text| !text.is_empty()).map(str::to_owned),
    };
    let password = Secret::new(arguments.required_text(Argument::Password)?.to_owned());
    let is_admin = arguments.boolean(Argument::Admin)?.unwrap_or(false);
    let new = NewUser {
        name: NewUserName::new(arguments.required_text(Argument::NewUserName)?)
            .map_err(Unusable::logged("username"))?,
        uid: None,
        full_name: FullName::new(names.full_name()).map_err(Unusable::logged("firstname, lastname"))?,
        email: Email::new(text(Argument::Email)?).map_err(Unusable::logged("email"))?,
        home: FieldPath::new(HOME).map_err(|_| Unusable)?,
        home_mode: None,
        shell: FieldPath::new(SHELL).map_err(|_| Unusable)?,
        password: NewPassword::Clear(password),
        primary_group: PrimaryGroup::Private,
        groups: Vec::new(),
        ssh_keys: String::new(),
        locked: !arguments.boolean(Argument::Active)?.unwrap_or(true),
        microsoft_account: false,
        sudo: SudoCommands::default(),
        ageing: AgeingChange::default(),
        limits: LimitsChange::default(),
        echoes: names.echoes(),
    };
    Ok((new, is_admin.then_some(Role::Administrator).into_iter().collect()))
}
