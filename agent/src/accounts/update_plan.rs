//! A change of a user held against the account as it is: every field found good, or every fault.

use accountd_config::SharedUid;
use accountd_protocol::ageing::Limit;
use accountd_protocol::agent::{RandomPassword, UserChange};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use super::check::{
    Faults, free_user_name, known_shell, usable_hash, usable_keys, usable_mode, usable_own_hash, usable_password,
};
use super::home_change::may_change;
use super::transfers::Claim;
use super::{ageing, limits};
use crate::agent::Agent;
use crate::database::entry::{Entry, passwd, shadow};
use crate::database::{FileKind, View};
use crate::homes::{EditFault, HomeKind, KeyEdit, Owner};
use crate::identity::authorized_keys::MAX_BYTES;
use crate::identity::hash::is_hash;
use crate::ids::{Number, Question};

/// An update whose every field has been found good; `None` leaves as it is.
pub struct Plan {
    pub id: AccountId,
    pub name: Option<NewUserName>,
    pub uid: Option<u32>,
    pub gid: Option<Gid>,
    pub groups: Option<Vec<String>>,
    pub home: Option<(FieldPath, HomeKind)>,
    pub keys: Option<String>,
    /// How that text comes to be, where it is not the one that is written.
    pub key_edit: Option<KeyEdit>,
    /// The old home, where what is in it is to be transferred.
    pub content: Option<FieldPath>,
    pub change: UserChange,
    pub shared_uid: SharedUid,
    pub processes: OtherProcesses,
    /// The new uid, kept from being chosen for somebody else.
    _held: Option<Number>,
}

/// The account that an update is about, as it is.
pub struct Current {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
    /// `None` for a field that is no path.
    pub home: Option<FieldPath>,
    pub ssh_keys: String,
    pub builtin: bool,
}

impl Agent {
    pub(super) fn plan_update(
        &self,
        id: AccountId,
        change: UserChange,
        claim: Option<&Claim<'_>>,
    ) -> Result<(Current, Plan), Refusal> {
        let ssh_keys = self.get_user(id)?.ssh_keys;
        let view = self.database.view();
        let current = current(&view, id, ssh_keys).ok_or(Refusal::NotFound)?;
        let mut faults = Faults::default();
        let name = change.name.clone().filter(|name| name.as_str() != current.name);
        let named = name.as_ref().map(|name| Question::UserNamed(name.as_str().to_owned()));
        let uid = change.uid.filter(|uid| *uid != current.uid.0);
        let questions: Vec<_> = named.clone().into_iter().chain(uid.map(Question::Uid)).collect();
        let outside = self.ids.outside(&questions)?;
        let held = uid.map(|uid| self.ids.hold(uid));
        if let Some((name, question)) = name.as_ref().zip(named) {
            let usable = renamable(&view, &current, name.as_str()).and_then(|()| outside.lacks(&question));
            faults.take(Field::UserName, usable);
        }
        if let Some(uid) = uid {
            let usable = not_builtin(&current).and_then(|()| self.usable_uid(&view, &outside, uid));
            faults.take(Field::Uid, usable);
        }
        let gid = change
            .primary_group
            .and_then(|group| faults.take(Field::PrimaryGroup, self.new_primary(&view, &current, group)).flatten());
        let home = change.home.clone().filter(|home| Some(home) != current.home.as_ref()).and_then(|home| {
            let uid = uid.map_or(current.uid, Uid);
            let judged = not_builtin(&current).and_then(|()| self.homes.judge(&home, uid));
            faults.take(Field::Home, judged).map(|kind| (home, kind))
        });
        self.judge_login(&view, (id, &current), &change, &mut faults);
        if let Some(row) = view.user(id) {
            limits::check(&row.extras().limits, &change.limits, &mut faults);
        }
        limits::check_echoes(&change.echoes, &mut faults);
        let groups =
            change.groups.as_ref().and_then(|groups| faults.take(Field::Groups, self.known_groups(&view, groups)));
        let keys = self.new_keys(&current, &change, home.as_ref(), &mut faults);
        let shared_uid = self.shared_uid();
        let (content, processes) = (None, OtherProcesses::Left);
        let plan = Plan {
            id,
            name,
            uid,
            gid,
            groups,
            home,
            keys,
            key_edit: None,
            content,
            change,
            shared_uid,
            processes,
            _held: held,
        };
        may_change(&view, &current, &plan, claim, &mut faults);
        drop(view);
        faults.none()?;
        let content = self.content(&current, &plan)?;
        Ok((current, Plan { content, ..plan }))
    }

    /// Shell, password and what becomes of it with the days.
    fn judge_login(&self, view: &View, (id, current): (AccountId, &Current), change: &UserChange, faults: &mut Faults) {
        if let Some(shell) = &change.shell
            && view
                .entry(FileKind::Passwd, &current.name)
                .is_some_and(|entry| entry.text(passwd::SHELL) != shell.as_str())
        {
            faults.take(Field::Shell, known_shell(&self.shells(), shell));
        }
        if let Some(mode) = change.home_mode {
            faults.take(Field::HomeMode, usable_mode(mode));
        }
        if let Some(password) = &change.password {
            faults.take(Field::Password, usable_password(&self.password_policy(view), password));
        }
        if change.password.is_some() && change.password_disabled == Some(true) {
            faults.add(Field::Password, Problem::MustBeAbsent);
        }
        if current.uid == Uid::ROOT {
            faults.unless_off(Field::Locked, change.locked);
            faults.unless_off(Field::PasswordDisabled, change.password_disabled);
        }
        let shadow = view.entry(FileKind::Shadow, &current.name).unwrap_or(Entry::parse(b""));
        ageing::check(&ageing::of(&shadow), &change.ageing, faults);
        if current.uid == Uid::ROOT && matches!(change.ageing.expires, Some(Limit::Days(_))) {
            faults.add(Field::Expires, Problem::Builtin);
        }
        let gets_one = change.password.is_some() || change.random_password == RandomPassword::Made;
        if change.password_disabled == Some(false) && !gets_one && !has_password(view, id) {
            faults.add(Field::Password, Problem::Required);
        }
        if let Some(hash) = &change.password_hash {
            faults.take(Field::PasswordHash, usable_own_hash(hash).or_else(|_| usable_hash(hash)));
            if gets_one {
                faults.add(Field::PasswordHash, Problem::MustBeAbsent);
            }
            if not_builtin(current).is_err() {
                faults.add(Field::PasswordHash, Problem::Builtin);
            }
        }
    }

    /// The text of another key file.
    fn new_keys(
        &self,
        current: &Current,
        change: &UserChange,
        home: Option<&(FieldPath, HomeKind)>,
        faults: &mut Faults,
    ) -> Option<String> {
        let keys = change.ssh_keys.as_ref().filter(|keys| **keys != current.ssh_keys)?;
        let keys = faults.take(Field::SshKeys, usable_keys(keys)).filter(|keys| *keys != current.ssh_keys);
        if keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
            faults.take(Field::SshKeys, self.keys_have_a_place(current, home));
        }
        keys
    }

    /// The same by one line; the text is for the record.
    pub(super) fn plan_key_edit(&self, current: &Current, plan: &mut Plan, edit: KeyEdit) -> Result<(), Refusal> {
        let edited = edit.apply(current.ssh_keys.as_bytes()).map_err(|fault| match fault {
            EditFault::NoSuchLine => Refusal::NotFound,
            EditFault::TooLong => {
                let actual = current.ssh_keys.len();
                Refusal::invalid(Field::SshKeys, Problem::TooLong { max: MAX_BYTES, actual })
            }
        })?;
        self.keys_have_a_place(current, None).map_err(|problem| Refusal::invalid(Field::SshKeys, problem))?;
        plan.keys = Some(String::from_utf8_lossy(&edited).into_owned());
        plan.key_edit = Some(edit);
        Ok(())
    }

    /// The gid of another primary group; `None` when it is the present one.
    fn new_primary(&self, view: &View, current: &Current, group: AccountId) -> Result<Option<Gid>, Problem> {
        let group = view.group(group).ok_or_else(|| Problem::NoSuch(group.to_string()))?;
        if group.gid == current.gid {
            return Ok(None);
        }
        not_builtin(current)?;
        if self.is_service_gid(view, group.gid.0) {
            return Err(Problem::ServiceAccount);
        }
        Ok(Some(group.gid))
    }

    fn keys_have_a_place(&self, current: &Current, new: Option<&(FieldPath, HomeKind)>) -> Result<(), Problem> {
        let kind = match new {
            Some((_, kind)) => Ok(*kind),
            None => match &current.home {
                Some(home) => self.homes.judge(home, current.uid),
                None => Err(Problem::HomeNotWritable),
            },
        };
        match kind {
            Ok(HomeKind::Made | HomeKind::RootsOwn) => Ok(()),
            Ok(HomeKind::None) | Err(_) => Err(Problem::HomeNotWritable),
        }
    }
}

impl Plan {
    /// Whose the home is when the change is made.
    pub fn owner(&self, current: &Current) -> Owner {
        Owner { uid: self.uid.map_or(current.uid, Uid), gid: self.gid.unwrap_or(current.gid) }
    }
}

fn current(view: &View, id: AccountId, ssh_keys: String) -> Option<Current> {
    let row = view.user(id)?;
    let entry = view.entry(FileKind::Passwd, &row.name)?;
    Some(Current {
        name: row.name.clone(),
        uid: row.uid,
        gid: Gid(entry.number(passwd::GID)?),
        home: FieldPath::new(entry.text(passwd::HOME)).ok(),
        ssh_keys,
        builtin: row.is_builtin(),
    })
}

fn not_builtin(current: &Current) -> Result<(), Problem> {
    if current.builtin { Err(Problem::Builtin) } else { Ok(()) }
}

/// Whether there is a hash, in use or kept for later.
fn has_password(view: &View, id: AccountId) -> bool {
    let Some(row) = view.user(id) else { return false };
    let entry = view.entry(FileKind::Shadow, &row.name);
    let used = entry.is_some_and(|entry| is_hash(entry.text(shadow::PASSWORD).trim_start_matches('!')));
    used || row.kept_hash.is_some()
}

/// A user may change the case of its own name.
fn renamable(view: &View, current: &Current, name: &str) -> Result<(), Problem> {
    not_builtin(current)?;
    match free_user_name(view, name) {
        Err(Problem::CaseDuplicate(own)) if own == current.name => Ok(()),
        result => result,
    }
}
