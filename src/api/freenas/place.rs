//! Where in the API a request is: refusals are keyed, worded and given a status by it.

use super::error::Error;
use super::form::Form;

/// What the request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    List,
    Show,
    Create,
    Change,
    Delete,
    /// `/users/ID/password/`
    Password,
    /// `/users/ID/groups/`
    Memberships,
    /// `/users/ID/home/`
    Home,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub kind: Kind,
    pub action: Action,
}

impl Place {
    pub const fn user(action: Action) -> Self {
        Self { kind: Kind::User, action }
    }

    pub const fn group(action: Action) -> Self {
        Self { kind: Kind::Group, action }
    }

    /// What the core did not do here, where no form was sent.
    pub fn failed(self) -> impl Fn(accountd_core::Error) -> Error {
        move |error| Error::at(self, error, &Form::default())
    }
}
