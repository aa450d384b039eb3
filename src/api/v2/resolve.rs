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

/// The groups of a user as a body calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// Of the primary group.
    pub gid: Option<u32>,
    pub groups: Option<Vec<AccountRef>>,
}

/// The same by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub primary_group: Option<AccountId>,
    pub groups: Option<Vec<AccountId>>,
}

impl Called {
    fn all(&self) -> impl Iterator<Item = (Field, AccountRef)> {
        let primary = self.gid.map(|gid| (Field::PrimaryGroup, AccountRef::Number(gid)));
        primary.into_iter().chain(self.groups.iter().flatten().map(|called| (Field::Groups, called.clone())))
    }

    pub async fn found(&self, caller: &Caller) -> Result<Found, Error> {
        let found = find(caller, std::slice::from_ref(self)).await?.into_iter().next();
        found.unwrap_or_else(|| Ok(Found::default())).map_err(Error::Fields)
    }
}

/// Those of several bodies, in one exchange; for each body its groups, or every one that is not there.
pub async fn find(caller: &Caller, bodies: &[Called]) -> Result<Vec<Result<Found, Vec<Fault>>>, Error> {
    let called: Vec<AccountRef> = bodies.iter().flat_map(Called::all).map(|(_, called)| called).collect();
    let ids = match called.is_empty() {
        true => Vec::new(),
        false => caller.resolve_groups(called).await.map_err(|error| Error::of(Kind::Group, error))?,
    };
    let mut ids = ids.into_iter();
    Ok(bodies.iter().map(|body| body.named(&mut ids)).collect())
}

impl Called {
    fn named(&self, ids: &mut impl Iterator<Item = Option<AccountId>>) -> Result<Found, Vec<Fault>> {
        let (mut found, mut faults) =
            (Found { groups: self.groups.as_ref().map(|_| Vec::new()), ..Found::default() }, Vec::new());
        for (field, called) in self.all() {
            match (ids.next().flatten(), field) {
                (None, field) => faults.push(no_such(field, &called)),
                (Some(id), Field::PrimaryGroup) => found.primary_group = Some(id),
                (Some(id), _) => found.groups.get_or_insert_default().push(id),
            }
        }
        if faults.is_empty() { Ok(found) } else { Err(faults) }
    }
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
