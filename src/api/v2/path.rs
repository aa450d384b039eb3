//! `{user}` and `{group}` in a path: a stable id where it is all digits, else a name; `~` is the
//! caller.

use std::convert::Infallible;

use accountd_core::Caller;
use accountd_protocol::id::{AccountId, AccountRef};
use rocket::request::FromParam;

use super::error::Error;
use super::faults::Kind;

/// An account as a path has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(pub AccountRef);

impl<'a> FromParam<'a> for Named {
    type Error = Infallible;

    fn from_param(text: &'a str) -> Result<Self, Infallible> {
        Ok(Self::of(text))
    }
}

impl Named {
    pub fn of(text: &str) -> Self {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Named(match text {
            "~" => AccountRef::Caller,
            // Nobody has an id that does not fit.
            _ if digits => AccountRef::Id(AccountId(text.parse().unwrap_or(u64::MAX))),
            _ => AccountRef::Name(text.to_owned()),
        })
    }

    /// The user's id. Whether there is one of this id, the operation on it says.
    pub async fn user(self, caller: &Caller) -> Result<AccountId, Error> {
        match self.0 {
            AccountRef::Id(id) => Ok(id),
            who => Ok(caller.find_user(who).await.map_err(|error| Error::of(Kind::User, error))?.id),
        }
    }

    pub fn is_caller(&self) -> bool {
        self.0 == AccountRef::Caller
    }

    pub async fn group(self, caller: &Caller) -> Result<AccountId, Error> {
        match self.0 {
            AccountRef::Id(id) => Ok(id),
            which => Ok(caller.find_group(which).await.map_err(|error| Error::of(Kind::Group, error))?.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_an_id_and_everything_else_but_the_tilde_a_name() {
        let read = |text| Named::from_param(text).map(|named| named.0);
        assert_eq!(read("17"), Ok(AccountRef::Id(AccountId(17))));
        assert_eq!(read("99999999999999999999999999"), Ok(AccountRef::Id(AccountId(u64::MAX))));
        assert_eq!(read("~"), Ok(AccountRef::Caller));
        for name in ["anna", "~anna", "-1", "1a", "٣", "a b"] {
            assert_eq!(read(name), Ok(AccountRef::Name(name.into())));
        }
    }
}
