//! Groups as a body calls them, by their ids.

use accountd_core::Caller;
use accountd_protocol::id::{AccountId, AccountRef};
use accountd_protocol::refusal::{Field, Invalid, Problem};

use super::error::Error;
use super::faults::{Fault, Kind};

/// All of them, or every one that is not there.
pub async fn groups(caller: &Caller, called: Vec<AccountRef>) -> Result<Vec<AccountId>, Error> {
    if called.is_empty() {
        return Ok(Vec::new());
    }
    let found = caller.resolve_groups(called.clone()).await.map_err(|error| Error::of(Kind::Group, error))?;
    let missing = called.iter().zip(&found).filter(|(_, id)| id.is_none());
    let faults: Vec<Fault> = missing.map(|(called, _)| no_such(Field::Groups, called)).collect();
    if faults.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(Error::Fields(faults)) }
}

/// The group that a user of this gid has as its primary one.
pub async fn group_of_gid(caller: &Caller, gid: u32) -> Result<AccountId, Error> {
    let called = AccountRef::Number(gid);
    let found = caller.resolve_groups(vec![called.clone()]).await.map_err(|error| Error::of(Kind::Group, error))?;
    let id = found.into_iter().flatten().next();
    id.ok_or_else(|| Error::Fields(vec![no_such(Field::PrimaryGroup, &called)]))
}

fn no_such(field: Field, called: &AccountRef) -> Fault {
    let text = match called {
        AccountRef::Id(id) => id.to_string(),
        AccountRef::Name(name) => name.escape_debug().to_string(),
        AccountRef::Number(number) => number.to_string(),
        AccountRef::Caller => "~".into(),
    };
    Fault::of(Kind::User, &Invalid { field, problem: Problem::NoSuch(text) })
}
