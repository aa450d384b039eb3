//! How an account is shown: its lines, its row and its key file as one value.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use accountd_config::ShowHashes;
use accountd_protocol::agent::{Group, Membership, User};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::role::Role;

use super::ageing;
use super::state::{group_tag, user_tag};
use crate::agent::Agent;
use crate::database::entry::{group, passwd, shadow};
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::homes::{KeysWanted, LookedAt, Strictness, look_at_keys, read_authorized_keys};
use crate::identity::candidate::supplementary_groups;
use crate::identity::hash::is_hash;
use crate::identity::roles::roles_of;
use crate::samba::{self, Flags};
use crate::sudoers::Grantee;

/// What stands where there is no hash.
pub const NO_HASH: &str = "*";

/// A user without the text of the key file, and what is needed to read that.
pub struct Shown {
    pub user: User,
    identity: Identity,
    home: Vec<u8>,
}

impl Agent {
    pub(crate) fn get_user(&self, id: AccountId) -> Result<User, Refusal> {
        self.show_with_advice(id, KeysWanted::Unknown)
    }

    /// A user with what there is to say about its keys: for one, that is a few more calls in the
    /// thread that reads them.
    pub(crate) fn show_with_advice(&self, id: AccountId, wanted: KeysWanted) -> Result<User, Refusal> {
        let shown = {
            let view = self.database.view();
            view.user(id).and_then(|row| Some((show_user(&view, row)?, user_tag(&view, row))))
        };
        let (shown, tag) = shown.ok_or(Refusal::NotFound)?;
        let home = Path::new(OsStr::from_bytes(&shown.home));
        let LookedAt { text, advice } = look_at_keys(self.homes.root(), home, &shown.identity, wanted);
        Ok(self.completed(User { ssh_keys: text, key_advice: advice, tag, ..shown.user }))
    }

    /// Reads the key file; not to be called while a view is held, because a home may be slow.
    pub(crate) fn with_keys(&self, shown: Shown) -> User {
        let home = Path::new(OsStr::from_bytes(&shown.home));
        let ssh_keys = read_authorized_keys(self.homes.root(), home, &shown.identity, Strictness::Display);
        self.completed(User { ssh_keys, ..shown.user })
    }

    /// With the roles, and with the hashes that the configuration lets out; every user that is shown
    /// goes through here.
    pub(crate) fn completed(&self, user: User) -> User {
        let user = User { roles: self.roles(user.id), ..user };
        match self.config().accounts.show_hashes {
            ShowHashes::Real => user,
            ShowHashes::Masked => user.without_hashes(),
        }
    }

    fn roles(&self, id: AccountId) -> Vec<Role> {
        let view = self.database.known_view();
        view.user(id).map(|row| roles_of(&view, &self.config().roles, row).into_iter().collect()).unwrap_or_default()
    }

    pub(crate) fn get_group(&self, id: AccountId) -> Result<Group, Refusal> {
        let view = self.database.view();
        let row = view.group(id).ok_or(Refusal::NotFound)?;
        Ok(Group { tag: Some(group_tag(&view, row)), ..show_group(&view, row) })
    }

    /// The supplementary groups: built-in ones last, then by name.
    pub(crate) fn memberships(&self, id: AccountId) -> Result<Vec<Membership>, Refusal> {
        let view = self.database.view();
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let gid = view.entry(FileKind::Passwd, &row.name).and_then(|entry| entry.number(passwd::GID)).map(Gid);
        let mut rows: Vec<&GroupRow> = supplementary(&view, &row.name, gid);
        rows.sort_by(|left, right| (left.is_builtin(), &left.name).cmp(&(right.is_builtin(), &right.name)));
        Ok(rows.into_iter().map(|row| Membership { id: row.id, name: row.name.clone() }).collect())
    }
}

/// `None` for a row whose line is not readable as an account.
pub fn show_user(view: &View, row: &UserRow) -> Option<Shown> {
    let entry = view.entry(FileKind::Passwd, &row.name)?;
    let gid = Gid(entry.number(passwd::GID)?);
    let shadow_entry = view.entry(FileKind::Shadow, &row.name);
    let field = shadow_entry.as_ref().map(|entry| entry.text(shadow::PASSWORD)).unwrap_or_default();
    let hash = field.trim_start_matches('!');
    let groups = supplementary(view, &row.name, Some(gid)).into_iter().map(|group| (group.id, group.name.clone()));
    let (groups, group_names) = groups.unzip();
    let samba = view.line(FileKind::Smbpasswd, &row.name).map(String::from_utf8_lossy);
    let user = User {
        id: row.id,
        name: row.name.clone(),
        uid: row.uid,
        gid,
        primary_group: view.group_of_gid(gid.0).map(|group| group.id),
        full_name: entry.text(passwd::GECOS),
        email: row.email.clone(),
        home: entry.text(passwd::HOME),
        shell: entry.text(passwd::SHELL),
        builtin: row.is_builtin(),
        locked: field.starts_with('!'),
        password_disabled: !is_hash(hash) && row.extras().own_hash.is_none(),
        two_factor: view.second_factors().of(row.id).is_some(),
        shares_uid: view.names_of_uid(row.uid.0).len() > 1,
        own_password: !is_hash(hash) && row.extras().own_hash.is_some(),
        microsoft_account: row.microsoft_account,
        sudo: view.sudo(Grantee::User(row.id)).grant().cloned(),
        unix_hash: if is_hash(hash) { hash.to_owned() } else { row.kept_hash.clone().unwrap_or(NO_HASH.into()) },
        smb: samba.as_deref().is_some_and(samba::has_hash),
        smb_hash: samba.map_or(NO_HASH.into(), |line| enabled(&line, row)),
        ssh_keys: String::new(),
        key_advice: Vec::new(),
        groups,
        group_names,
        tag: None,
        roles: Vec::new(),
        ageing: shadow_entry.as_ref().map(ageing::of).unwrap_or_default(),
        limits: row.extras().limits.clone(),
        effective_limits: view.effective_limits(row),
        echoes: row.extras().echoes.clone(),
    };
    let identity = identity_of(view, &row.name, row.uid, gid);
    Some(Shown { user, identity, home: entry.bytes(passwd::HOME).to_vec() })
}

/// The line of smbpasswd(5) as it is while the account is not locked: that is shown by itself.
fn enabled(line: &str, row: &UserRow) -> String {
    samba::rewritten(line, &row.name, row.uid, Some(Flags::Enabled)).unwrap_or_else(|| line.to_owned())
}

/// The groups whose member list names the user, but for the primary one, in the order of their ids:
/// an account looks the same however it came into its groups, and after a restart.
fn supplementary<'a>(view: &'a View, name: &str, primary: Option<Gid>) -> Vec<&'a GroupRow> {
    let groups = view.groups_of_member(name).iter().filter_map(|name| view.group_named(name));
    let mut groups: Vec<&GroupRow> = groups.filter(|group| Some(group.gid) != primary).collect();
    groups.sort_unstable_by_key(|group| group.id);
    groups
}

/// What a process of the user runs as.
pub fn identity_of(view: &View, name: &str, uid: Uid, gid: Gid) -> Identity {
    Identity { uid, gid, groups: supplementary_groups(view, name) }
}

pub fn show_group(view: &View, row: &GroupRow) -> Group {
    let members = view.entry(FileKind::Group, &row.name).map(|entry| entry.names(group::MEMBERS)).unwrap_or_default();
    let sudo = view.sudo(Grantee::Group(row.id)).grant().cloned();
    Group {
        id: row.id,
        name: row.name.clone(),
        gid: row.gid,
        builtin: row.is_builtin(),
        sudo,
        members,
        limits: row.limits().clone(),
        tag: None,
    }
}
