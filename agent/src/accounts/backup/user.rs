//! A user of a backup, held against the users as they are.

use std::collections::{HashMap, HashSet};

use accountd_config::SharedUid;
use accountd_protocol::backup::UserRecord;
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::import::{OnMissing, OnShell, Settlement};
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::group::{Gids, note_limits};
use super::judge::{Item, Notes, Sight, Step};
use super::numbers::{Given, Wanted};
use super::rename::{Called, Named};
use super::secrets;
use crate::accounts::check::{known_shell, usable_hash, usable_keys, usable_mode, usable_own_hash};
use crate::accounts::show::identity_of;
use crate::database::{FileKind, UserRow, home_field};
use crate::homes::HomeKind;
use crate::identity::key_lines;
use crate::ids::Question;
use crate::sudoers::{Grantee, Kind, Sudo};

/// Lets nobody in, and is always known.
const NOLOGIN: &str = "/usr/sbin/nologin";

/// A user whose every value is good.
pub(super) struct UserPlan {
    pub name: NewUserName,
    /// The name in the backup, if that is another.
    pub was: Option<String>,
    pub uid: u32,
    /// Whether somebody else has it too by then.
    pub shared_uid: SharedUid,
    pub gid: u32,
    pub full_name: FullName,
    pub email: Email,
    pub home: FieldPath,
    pub kind: HomeKind,
    pub mode: u32,
    pub shell: FieldPath,
    /// `None`: those that are there stay.
    pub keys: Option<String>,
    /// The fields of smbpasswd(5) behind name and uid.
    pub samba: Option<String>,
    pub sudo: Option<String>,
    /// What is granted now.
    pub before: Sudo,
    /// What works in its home.
    pub identity: Identity,
    /// Where the rest is.
    pub record: UserRecord,
}

/// What the users of one backup are held against beside the accounts: the gids of its groups, and homes that it has had.
pub(super) type Beside<'b> = (&'b Gids, &'b mut HashMap<FieldPath, String>);

impl Sight<'_> {
    pub fn judge_user(
        &self,
        record: &Named<'_, UserRecord>,
        (gids, homes): Beside<'_>,
        given: &mut Given,
    ) -> Result<Item<UserPlan>, Refusal> {
        let (name, mut notes) = (record.name.as_str(), Notes::default());
        if self.is_skipped(&record.called.was) {
            return Ok(Item::new(name, Step::Skip, notes));
        }
        if let Some(clash) = &record.called.clash {
            notes.open(Field::UserName, clash.clone());
            return Ok(Item::new(name, Step::Nothing, notes));
        }
        self.note_renamed_user(record.called, &mut notes);
        let step = match self.view.user_name_like(name) {
            Some(here) if here == name => self.existing_user(record, gids, &mut notes),
            Some(here) => {
                let step = self.on_name(record.called, (Field::UserName, Problem::CaseDuplicate(here)), &mut notes);
                step.unwrap_or(Step::Nothing)
            }
            None => self.new_user(record, (gids, homes), given, &mut notes)?,
        };
        Ok(Item::new(name, step, notes))
    }

    /// Why it could not have come in under its old name.
    fn note_renamed_user(&self, Called { was, new, .. }: &Called, notes: &mut Notes) {
        if new.is_none() {
            return;
        }
        let problem = match self.view.user_name_like(was) {
            Some(here) if here != *was => Problem::CaseDuplicate(here),
            Some(_) if self.view.user_named(was).is_some_and(UserRow::is_builtin) => Problem::Builtin,
            Some(here) => Problem::Duplicate(here),
            None => match NewUserName::new(was.as_str()) {
                Err(error) => Problem::Name(error),
                Ok(_) => return,
            },
        };
        notes.settle(Field::UserName, problem, Settlement::Renamed);
    }

    fn new_user(
        &self,
        record: &Named<'_, UserRecord>,
        (gids, homes): Beside<'_>,
        given: &mut Given,
        notes: &mut Notes,
    ) -> Result<Step<UserPlan>, Refusal> {
        let name = record.name.as_str();
        notes.take(Field::UserName, self.outside.lacks(&Question::UserNamed(name.to_owned())));
        let choice = self.choice(record.called);
        let wanted = Wanted::of(record.uid, choice.uid, &choice, self.choices);
        let uid = given.uid(self, name, &wanted, notes)?;
        let gid = self.gid_of(record, gids, notes);
        let home = self.new_home(record, Uid(uid.map_or(u32::MAX, |(uid, _)| uid)), homes, notes);
        let Some(plan) = self.user_plan(record, home, notes) else { return Ok(Step::Nothing) };
        Ok(match uid.zip(gid) {
            Some(((uid, shared_uid), gid)) => Step::Create(UserPlan { uid, shared_uid, gid, ..plan }),
            None => Step::Nothing,
        })
    }

    fn existing_user(&self, record: &Named<'_, UserRecord>, gids: &Gids, notes: &mut Notes) -> Step<UserPlan> {
        let name = record.name.as_str();
        let Some(row) = self.view.user_named(name) else { return Step::Nothing };
        let taken = Problem::Duplicate(name.to_owned());
        if row.is_builtin() || self.agent.is_service(self.view, row.uid) {
            let problem = if record.called.new.is_some() { taken } else { Problem::Builtin };
            return self.on_name(record.called, (Field::UserName, problem), notes).unwrap_or(Step::Nothing);
        }
        let Some(here) = self.users_here.get(name) else {
            notes.open(Field::UserName, taken);
            return Step::Nothing;
        };
        if self.is_same(record, here) {
            return Step::Same;
        }
        if let Some(step) = self.on_name(record.called, (Field::UserName, taken), notes) {
            return step;
        }
        self.overwritten(record, (row, here), gids, notes)
    }

    /// What is in homes belongs to the numbers that the account has here.
    fn overwritten(
        &self,
        record: &Named<'_, UserRecord>,
        (row, here): (&UserRow, &UserRecord),
        gids: &Gids,
        notes: &mut Notes,
    ) -> Step<UserPlan> {
        if record.uid != here.uid {
            notes.settle(Field::Uid, Problem::SetOtherwise(here.uid), Settlement::Kept);
        }
        let gid = record.group.as_ref().and_then(|group| gids.get(group).copied().flatten());
        if record.group != here.group || gid.is_some_and(|gid| gid != here.gid) {
            notes.settle(Field::PrimaryGroup, Problem::SetOtherwise(here.gid), Settlement::Kept);
        }
        if self.moved(&record.home).as_ref().map(FieldPath::as_str) != Ok(here.home.as_str()) {
            notes.settle(Field::Home, Problem::InUse(here.home.clone()), Settlement::Kept);
        }
        let Some(home) = notes.take(Field::Home, FieldPath::new(here.home.as_str()).map_err(Problem::Text)) else {
            return Step::Nothing;
        };
        let kind = self.agent.homes.judge(&home, row.uid).unwrap_or(HomeKind::None);
        let Some(plan) = self.user_plan(record, Some((home, kind)), notes) else { return Step::Nothing };
        let keys = plan.keys.filter(|keys| Some(keys) != here.keys.as_ref());
        let before = self.view.sudo(Grantee::User(row.id));
        let identity = identity_of(self.view, &row.name, row.uid, Gid(here.gid));
        Step::Overwrite(row.id, UserPlan { uid: here.uid, gid: here.gid, keys, before, identity, ..plan })
    }

    /// Everything but numbers and home, which differ with what becomes of the account.
    fn user_plan(
        &self,
        record: &Named<'_, UserRecord>,
        home: Option<(FieldPath, HomeKind)>,
        notes: &mut Notes,
    ) -> Option<UserPlan> {
        let full_name = FullName::new(record.full_name.as_str()).map_err(Problem::Text);
        let full_name = notes.take(Field::FullName, full_name);
        let email = notes.take(Field::Email, Email::new(record.email.as_str()).map_err(Problem::Text));
        let name = notes.take(Field::UserName, NewUserName::new(record.name.as_str()).map_err(Problem::Name));
        let mode = notes.take(Field::HomeMode, self.mode(record));
        let shell = self.shell(record, notes);
        let samba = record.samba.as_ref().map(secrets::samba).transpose();
        let samba = notes.take(Field::PasswordHash, samba);
        self.check_hashes(record, notes);
        let keys = record.keys.as_ref().and_then(|keys| self.keys(keys, notes));
        let sudo = self.sudo((Kind::User, record.called), record.sudo.as_ref(), notes);
        let (home, kind) = home?;
        if kind == HomeKind::None && keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
            notes.open(Field::SshKeys, Problem::HomeNotWritable);
        }
        Some(UserPlan {
            name: name?,
            was: record.called.new.as_ref().map(|_| record.called.was.clone()),
            uid: record.uid,
            shared_uid: SharedUid::Refused,
            gid: record.gid,
            full_name: full_name?,
            email: email?,
            home,
            kind,
            mode: mode?,
            shell: shell?,
            keys,
            samba: samba?,
            sudo,
            before: Sudo::None,
            identity: Identity { uid: Uid(record.uid), gid: Gid(record.gid), groups: Vec::new() },
            record: record.record.clone(),
        })
    }

    fn check_hashes(&self, record: &UserRecord, notes: &mut Notes) {
        if let Some(password) = &record.password {
            notes.take(Field::PasswordHash, secrets::shadow_field(password));
        }
        if let Some(kept) = &record.kept_password {
            notes.take(Field::PasswordHash, usable_hash(kept));
        }
        if let Some(own) = &record.own_password {
            notes.take(Field::PasswordHash, usable_own_hash(own));
        }
        note_limits(&record.limits, notes);
        notes.take(Field::PasswordHash, secrets::history(&record.password_history));
    }

    fn mode(&self, record: &UserRecord) -> Result<u32, Problem> {
        match &record.home_mode {
            None => Ok(self.agent.config().homes.mode.bits()),
            Some(digits) => u32::from_str_radix(digits, 8).map_err(|_| Problem::BadMode).and_then(usable_mode),
        }
    }

    fn shell(&self, record: &Named<'_, UserRecord>, notes: &mut Notes) -> Option<FieldPath> {
        let chosen = self.choice(record.called).shell;
        let text = chosen.as_ref().unwrap_or(&record.shell);
        let shell = notes.take(Field::Shell, FieldPath::new(text.as_str()).map_err(Problem::Text))?;
        match (known_shell(self.shells, &shell), self.choices.on_shell) {
            (Ok(()), _) => Some(shell),
            (Err(problem), OnShell::Nologin) if chosen.is_none() => {
                notes.settle(Field::Shell, problem, Settlement::Nologin);
                FieldPath::new(NOLOGIN).ok()
            }
            (Err(problem), OnShell::Nologin | OnShell::Fail) => {
                notes.open(Field::Shell, problem);
                None
            }
        }
    }

    fn keys(&self, text: &str, notes: &mut Notes) -> Option<String> {
        let problem = match usable_keys(text) {
            Ok(keys) => return Some(keys),
            Err(problem) => problem,
        };
        if !matches!(problem, Problem::BadKey { .. }) || self.choices.on_keys == OnMissing::Fail {
            notes.open(Field::SshKeys, problem);
            return None;
        }
        notes.settle(Field::SshKeys, problem, Settlement::Dropped);
        let good = key_lines::lines(text).into_iter().filter(|line| line.key.is_some());
        let good: String = good.map(|line| line.line + "\n").collect();
        notes.take(Field::SshKeys, usable_keys(&good))
    }

    /// The gid that the primary group has here, in the end.
    fn gid_of(&self, record: &UserRecord, gids: &Gids, notes: &mut Notes) -> Option<u32> {
        let gid = match &record.group {
            Some(group) => {
                let here = || self.view.group_named(group).map(|row| Some(row.gid.0));
                match gids.get(group).copied().or_else(here) {
                    // It is said of the group.
                    Some(None) => return None,
                    Some(Some(gid)) => Ok(gid),
                    None => Err(Problem::NoSuch(group.clone())),
                }
            }
            None if self.view.names_of_gid(record.gid).is_empty() => Err(Problem::NoSuch(record.gid.to_string())),
            None => Ok(record.gid),
        };
        let open = gid.and_then(|gid| match self.agent.is_service_gid(self.view, gid) {
            true => Err(Problem::ServiceAccount),
            false => Ok(gid),
        });
        notes.take(Field::PrimaryGroup, open)
    }

    fn new_home(
        &self,
        record: &UserRecord,
        uid: Uid,
        homes: &mut HashMap<FieldPath, String>,
        notes: &mut Notes,
    ) -> Option<(FieldPath, HomeKind)> {
        let home = notes.take(Field::Home, self.moved(&record.home))?;
        let kind = notes.take(Field::Home, self.agent.homes.judge(&home, uid))?;
        if kind == HomeKind::Made {
            // Root's may be one that is made ready for the account.
            let owner = self.agent.homes.owner_of(&home).ok().flatten();
            if owner.is_some_and(|owner| owner != uid && owner != Uid::ROOT && uid != Uid(u32::MAX)) {
                notes.open(Field::Home, Problem::NotOwned);
            }
            if let Some(other) = homes.insert(home.clone(), record.name.clone()) {
                notes.open(Field::Home, Problem::InUse(other));
            }
        }
        Some((home, kind))
    }

    /// Where a home of the backup is here.
    fn moved(&self, home: &str) -> Result<FieldPath, Problem> {
        let home = FieldPath::new(home).map_err(Problem::Text)?;
        let above = self.homes.iter().filter(|(from, _)| home.is_within(from));
        let Some((from, to)) = above.max_by_key(|(from, _)| from.components().count()) else { return Ok(home) };
        let mut below = home.components().skip(from.components().count());
        below.try_fold(to.clone(), |path, part| path.join(part)).map_err(Problem::Text)
    }

    /// Whether nothing but the stable id differs.
    fn is_same(&self, record: &Named<'_, UserRecord>, here: &UserRecord) -> bool {
        let Ok(sudo) = record.sudo.as_ref().map(|text| record.called.drop_in(Kind::User, text)).transpose() else {
            return false;
        };
        let as_here = UserRecord {
            id: here.id,
            home: self.moved(&record.home).map_or_else(|_| record.home.clone(), String::from),
            home_mode: here.home_mode.clone(),
            keys: record.keys.clone().or_else(|| here.keys.clone()),
            sudo,
            ..record.record.clone()
        };
        let text = |record: &UserRecord| Secret::new(serde_json::to_string(record).unwrap_or_default());
        let wanted = self.groups_of.get(record.name.as_str());
        let groups: HashSet<&str> = self.view.groups_of_member(&record.name).iter().map(|group| &**group).collect();
        text(&as_here).reveal() == text(here).reveal() && wanted.map_or(groups.is_empty(), |wanted| *wanted == groups)
    }
}

/// The homes that accounts have here.
pub(super) fn homes_here(view: &crate::database::View) -> HashMap<FieldPath, String> {
    let entries = view.file(FileKind::Passwd).entries();
    let home = |line: &[u8]| FieldPath::new(std::str::from_utf8(home_field(line)?).ok()?).ok();
    entries.filter_map(|(name, line)| Some((home(line)?, name.to_owned()))).collect()
}
