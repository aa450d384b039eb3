//! `update_user`: arguments over what the user is. What is left out or null stays.

use std::collections::BTreeSet;

use accountd_protocol::agent::{User, UserChange};
use accountd_protocol::name::NewUserName;
use accountd_protocol::role::Role;
use accountd_protocol::text::{Email, FullName};

use super::arguments::{Arguments, Unusable};
use super::names::Names;
use super::parameter::Argument;

/// The change, and the roles where they are to be others.
pub fn user_change(user: &User, arguments: &Arguments) -> Result<(UserChange, Option<BTreeSet<Role>>), Unusable> {
    let present = Names::of(user);
    let text = |argument| Ok(arguments.text(argument)?.map(str::to_owned));
    let names = Names {
        first: text(Argument::FirstName)?.unwrap_or_else(|| present.first.clone()),
        last: text(Argument::LastName)?.unwrap_or_else(|| present.last.clone()),
        ldap_dn: match text(Argument::LdapDn)? {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => present.ldap_dn.clone(),
        },
    };
    let name = arguments.text(Argument::NewUserName)?.filter(|name| !name.is_empty() && *name != user.name);
    let full_name = Some(names.full_name()).filter(|full| *full != user.full_name);
    let email = text(Argument::Email)?.filter(|email| *email != user.email);
    let change = UserChange {
        name: name.map(NewUserName::new).transpose().map_err(Unusable::logged("username"))?,
        full_name: full_name.map(FullName::new).transpose().map_err(Unusable::logged("firstname, lastname"))?,
        email: email.map(Email::new).transpose().map_err(Unusable::logged("email"))?,
        password: arguments.secret(Argument::Password)?.filter(|password| !password.is_empty()),
        locked: arguments.boolean(Argument::Active)?.map(|active| !active).filter(|locked| *locked != user.locked),
        echoes: if names == present { Default::default() } else { names.echoes() },
        ..UserChange::default()
    };
    Ok((change, roles(user, arguments.boolean(Argument::Admin)?)))
}

fn roles(user: &User, is_admin: Option<bool>) -> Option<BTreeSet<Role>> {
    let mut roles: BTreeSet<Role> = user.roles.iter().copied().collect();
    let changed = match is_admin? {
        true => roles.insert(Role::Administrator),
        false => roles.remove(&Role::Administrator),
    };
    changed.then_some(roles)
}
