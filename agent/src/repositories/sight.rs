//! A repository as somebody sees it, and what they may do with it: as the access control list on disk says,
//! also where setfacl(1) has written it.

use std::fs::File;
use std::os::fd::OwnedFd;

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{
    Access, CloneUri, Grantee, Repository, RepositoryFault, RepositoryGrant, RepositoryRef,
};
use accountd_protocol::role::Role;
use nix::sys::stat::FileStat;
use tracing::warn;

use super::acl::{self, Acl, Tag};
use super::work::Rights;
use crate::agent::Agent;
use crate::database::entry::{number_of, passwd};
use crate::database::{FileKind, Given, RepositoryRow, UserRow, View};
use crate::identity::handles::Caller;
use crate::identity::roles::roles_of;

/// Somebody who asks.
pub struct Seer<'a> {
    pub view: &'a View,
    row: &'a UserRow,
    gids: Vec<u32>,
    /// Sees everything, and changes it.
    is_administrator: bool,
    /// Sees everything.
    is_reader: bool,
}

/// A repository and its directory. Where that can't be read, nobody but its owner and administrators has
/// anything.
pub struct Seen {
    pub row: RepositoryRow,
    pub opened: Option<OwnedFd>,
    acl: Acl,
    uid: u32,
    gid: u32,
}

impl Seen {
    /// Whether others may not read it.
    pub fn is_private(&self) -> bool {
        self.rights(Tag::Others) == Rights::None
    }

    pub fn rights(&self, tag: Tag) -> Rights {
        Rights::of_bits(self.acl.effective(tag).unwrap_or_default())
    }

    /// Of the owner of the directory.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    pub fn entries(&self) -> usize {
        self.acl.entries().count()
    }

    /// The uids of those who may write, by whatever entry but this one.
    pub fn without<'a>(&'a self, but: Tag, view: &'a View) -> impl Iterator<Item = u32> + 'a {
        let tags = self.acl.entries().map(|(tag, _)| tag);
        let tags = tags.filter(move |tag| *tag != but && self.rights(*tag) == Rights::Write);
        tags.flat_map(move |tag| match tag {
            Tag::User(uid) => vec![uid],
            Tag::Group(gid) => members(view, gid),
            Tag::Owner | Tag::OwningGroup | Tag::Mask | Tag::Others => Vec::new(),
        })
    }
}

/// The uids of whoever is in a group.
fn members(view: &View, gid: u32) -> Vec<u32> {
    let Some(group) = view.group_of_gid(gid) else { return Vec::new() };
    let entry = view.entry(FileKind::Group, &group.name);
    let names = entry.map(|entry| entry.names(crate::database::entry::group::MEMBERS)).unwrap_or_default();
    let named = names.iter().filter_map(|name| view.user_named(name)).map(|row| row.uid.0);
    let primary = view.users().iter().filter(|row| primary_gid(view, &row.name) == Some(gid)).map(|row| row.uid.0);
    named.chain(primary).collect()
}

fn primary_gid(view: &View, name: &str) -> Option<u32> {
    view.entry(FileKind::Passwd, name)?.number(passwd::GID)
}

impl<'a> Seer<'a> {
    pub fn new(agent: &Agent, view: &'a View, account: AccountId) -> Result<Self, Refusal> {
        let row = view.user(account).ok_or(Refusal::StaleHandle)?;
        let named = view.groups_of_member(&row.name).iter();
        let gids = named.filter_map(|name| view.line(FileKind::Group, name).and_then(number_of));
        let gids = gids.chain(primary_gid(view, &row.name)).collect();
        let roles = roles_of(view, &agent.config().roles, row);
        let (is_administrator, is_reader) = (roles.contains(&Role::Administrator), !roles.is_empty());
        Ok(Self { view, row, gids, is_administrator, is_reader })
    }

    pub fn is_administrator(&self) -> bool {
        self.is_administrator
    }

    pub fn access(&self, seen: &Seen) -> Access {
        if self.is_administrator || seen.row.owner == self.row.id {
            return Access::Admin;
        }
        let bits = seen.acl.permits((seen.uid, seen.gid), self.row.uid.0, &self.gids);
        match Rights::of_bits(bits) {
            Rights::None => Access::None,
            Rights::Read => Access::Read,
            Rights::Write if self.administers(seen) => Access::Admin,
            Rights::Write => Access::Write,
        }
    }

    pub fn sees(&self, access: Access) -> bool {
        self.is_reader || access >= Access::Read
    }

    /// Whether an entry that gives write is one that was made to give more.
    fn administers(&self, seen: &Seen) -> bool {
        seen.row.grants.iter().filter(|grant| grant.is_admin).any(|grant| match grant.given {
            Given::User(id) => id == self.row.id && seen.rights(Tag::User(grant.number)) == Rights::Write,
            Given::Group(_) => {
                self.gids.contains(&grant.number) && seen.rights(Tag::Group(grant.number)) == Rights::Write
            }
        })
    }
}

impl Agent {
    pub(super) fn look_at_repository(&self, row: RepositoryRow) -> Seen {
        let opened = self.repositories.ground.find(&row.name);
        if let Err(error) = &opened {
            warn!(name = row.name, %error, "a repository can not be opened");
        }
        let opened = opened.ok().flatten();
        let look = |opened: &OwnedFd| acl::of(&File::from(opened.try_clone()?));
        let (acl, uid, gid) = match opened.as_ref().map(look) {
            Some(Ok((acl, FileStat { st_uid, st_gid, .. }))) => (acl, st_uid, st_gid),
            Some(Err(_)) | None => (Acl::default(), u32::MAX, u32::MAX),
        };
        Seen { row, opened, acl, uid, gid }
    }

    /// A repository that somebody may see.
    pub(super) fn seen(&self, seer: &Seer<'_>, which: &RepositoryRef) -> Result<(Seen, Access), Refusal> {
        let row = self.repositories.book.find(which).ok_or(RepositoryFault::NotFound)?;
        let seen = self.look_at_repository(row);
        let access = seer.access(&seen);
        if seer.sees(access) { Ok((seen, access)) } else { Err(RepositoryFault::NotFound.into()) }
    }

    /// The same where they may change it.
    pub(super) fn administered(&self, seer: &Seer<'_>, which: &RepositoryRef) -> Result<Seen, Refusal> {
        match self.seen(seer, which)? {
            (seen, Access::Admin) => Ok(seen),
            (_, Access::None | Access::Read | Access::Write) => Err(Refusal::NotPermitted),
        }
    }

    pub(crate) fn list_repositories(&self, caller: Caller) -> Result<Vec<Repository>, Refusal> {
        let view = self.database.certain_view()?;
        let seer = Seer::new(self, &view, caller.account)?;
        let all = self.repositories.book.kept().into_iter().map(|row| self.look_at_repository(row));
        let seen = all.map(|seen| (seer.access(&seen), seen)).filter(|(access, _)| seer.sees(*access));
        Ok(seen.map(|(access, seen)| Repository { grants: Vec::new(), ..shown(&seer, &seen, access) }).collect())
    }

    pub(crate) fn get_repository(&self, caller: Caller, which: &RepositoryRef) -> Result<Repository, Refusal> {
        let view = self.database.certain_view()?;
        let seer = Seer::new(self, &view, caller.account)?;
        self.seen(&seer, which).map(|(seen, access)| shown(&seer, &seen, access))
    }

    /// As it is after a change.
    pub(super) fn show_again(&self, caller: Caller, row: RepositoryRow) -> Result<Repository, Refusal> {
        let view = self.database.certain_view()?;
        let seer = Seer::new(self, &view, caller.account)?;
        let seen = self.look_at_repository(row);
        let access = seer.access(&seen);
        Ok(shown(&seer, &seen, access))
    }
}

fn shown(seer: &Seer<'_>, seen: &Seen, access: Access) -> Repository {
    let RepositoryRow { id, name, kind, owner, description, clone_uri, created, .. } = &seen.row;
    let account = seer.view.user(*owner);
    Repository {
        id: *id,
        name: name.clone(),
        kind: *kind,
        description: description.clone(),
        owner: account.map(|row| row.id),
        owner_name: account.map_or_else(|| seen.uid.to_string(), |row| row.name.clone()),
        private: seen.is_private(),
        clone_uri: clone_uri.as_ref().map(CloneUri::shown),
        created: *created,
        access,
        grants: grants(seer.view, seen),
    }
}

/// What entries give to accounts that there are, but for the owner.
fn grants(view: &View, seen: &Seen) -> Vec<RepositoryGrant> {
    let mut grants = Vec::new();
    for (tag, _) in seen.acl.entries() {
        let (grantee, name) = match tag {
            Tag::User(uid) if uid == seen.uid => continue,
            Tag::User(uid) => match view.names_of_uid(uid).first().and_then(|name| view.user_named(name)) {
                Some(row) => (Grantee::User(row.id), row.name.clone()),
                None => continue,
            },
            Tag::Group(gid) => match view.group_of_gid(gid) {
                Some(row) => (Grantee::Group(row.id), row.name.clone()),
                None => continue,
            },
            Tag::Others => (Grantee::Others, String::new()),
            Tag::Owner | Tag::OwningGroup | Tag::Mask => continue,
        };
        let access = match seen.rights(tag) {
            Rights::None => Access::None,
            Rights::Read => Access::Read,
            Rights::Write if is_admin(seen, grantee) => Access::Admin,
            Rights::Write => Access::Write,
        };
        if access > Access::None || grantee == Grantee::Others {
            grants.push(RepositoryGrant { grantee, name, access });
        }
    }
    grants
}

fn is_admin(seen: &Seen, grantee: Grantee) -> bool {
    seen.row.grants.iter().any(|grant| {
        grant.is_admin
            && match (grant.given, grantee) {
                (Given::User(one), Grantee::User(other)) | (Given::Group(one), Grantee::Group(other)) => one == other,
                (Given::User(_) | Given::Group(_), Grantee::User(_) | Grantee::Group(_) | Grantee::Others) => false,
            }
    })
}
