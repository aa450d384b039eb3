//! Accounts of a backup put into one change, under the lock.

use std::collections::{BTreeMap, HashMap, HashSet};

use accountd_protocol::audit::FieldChange;
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::refusal::Refusal;

use super::group::GroupPlan;
use super::judge::{Item, Judged, Step};
use super::ready::{Entries, joining};
use super::user::UserPlan;
use crate::accounts::check::free_group_name;
use crate::accounts::create::{NewEntry, line, write_group};
use crate::accounts::memberships::Joining;
use crate::accounts::sudo::SudoEdit;
use crate::accounts::{address, limits, memberships, suspended};
use crate::database::entry::{gshadow, passwd};
use crate::database::{Draft, Extras, FileKind, KeyFileRow, UserRow, kept};
use crate::identity::authorized_keys::fingerprints;
use crate::sudoers::Grantee;
use crate::suspension::Suspension;

/// Characters of a name that a record has.
const SHOWN_NAME: usize = 64;

pub(super) struct GroupEntry {
    /// `None`: it is to be made.
    pub id: Option<AccountId>,
    pub plan: GroupPlan,
    pub sudo: SudoEdit,
}

pub(super) enum UserEntry {
    Create {
        entry: Box<NewEntry>,
        plan: Box<UserPlan>,
        sudo: SudoEdit,
    },
    Overwrite {
        id: AccountId,
        plan: Box<UserPlan>,
        sudo: SudoEdit,
        suspension: Suspension,
        /// Where it stands ready.
        key_file: Option<Box<KeyFileRow>>,
    },
}

/// Who is in which group in the end.
#[derive(Default)]
pub(super) struct Lists {
    /// Groups whose members are those of the backup.
    whole: Vec<(String, Vec<String>)>,
    /// Groups that stay, and who comes into them.
    joined: BTreeMap<String, Vec<String>>,
    /// Users that are overwritten, and the groups that they are in afterwards, of those that they are in.
    staying: HashMap<String, HashSet<String>>,
}

impl Entries {
    pub fn enter(self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        if let Some(rules) = self.rules {
            draft.set_password_rules(rules);
        }
        self.groups.iter().try_for_each(|entry| entry.enter(draft))?;
        let mut joining = Joining::default();
        self.users.into_iter().try_for_each(|entry| entry.enter(draft, &mut joining))?;
        joining.enter(draft);
        self.lists.enter(draft);
        // A user that is new is taken out of every list that names it already.
        self.groups.iter().for_each(|entry| entry.set_gshadow(draft));
        Ok(())
    }
}

impl GroupEntry {
    /// Accounts that have come or gone since the backup was judged are a reason to judge it anew.
    fn enter(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let Self { id, plan, sudo } = self;
        let name = plan.name.as_str();
        match *id {
            Some(id) if draft.group(id).is_some_and(|row| row.name == name && row.gid.0 == plan.gid) => {
                limits::enter(draft, id, plan.limits.clone());
                sudo.enter(draft, Grantee::Group(id))
            }
            Some(_) => Err(Refusal::Busy),
            None => {
                free_group_name(draft, name).map_err(|_| Refusal::Busy)?;
                if !draft.names_of_gid(plan.gid).is_empty() {
                    return Err(Refusal::Busy);
                }
                let id = write_group(draft, name, Gid(plan.gid));
                limits::enter(draft, id, plan.limits.clone());
                remark_rename(draft, Grantee::Group(id), plan.was.as_ref());
                sudo.enter_new(draft, Grantee::Group(id));
                Ok(())
            }
        }
    }

    fn set_gshadow(&self, draft: &mut Draft<'_>) {
        let (plan, name) = (&self.plan, self.plan.name.as_str());
        let Some(mut entry) = draft.entry(FileKind::Gshadow, name) else { return };
        if let Some(password) = &plan.password {
            entry.set(gshadow::PASSWORD, password.reveal());
        }
        entry.set_names(gshadow::ADMINISTRATORS, &plan.administrators);
        draft.set_line(FileKind::Gshadow, name, Some(entry.line()));
    }
}

impl UserEntry {
    fn enter(self, draft: &mut Draft<'_>, joining: &mut Joining) -> Result<(), Refusal> {
        match self {
            UserEntry::Create { entry, plan, sudo } => {
                let id = entry.enter(draft, joining).map_err(|_| Refusal::Busy)?;
                plan.set_secrets(draft, id);
                remark_rename(draft, Grantee::User(id), plan.was.as_ref());
                sudo.enter_new(draft, Grantee::User(id));
                Ok(())
            }
            UserEntry::Overwrite { id, plan, sudo, suspension, key_file } => {
                let row = draft.user(id).filter(|row| row.name == plan.name.as_str() && row.uid.0 == plan.uid);
                let row = row.cloned().ok_or(Refusal::Busy)?;
                draft.mention(id);
                plan.set_texts(draft)?;
                let microsoft_account = plan.record.microsoft_account;
                let new = UserRow { email: plan.email.as_str().to_owned(), microsoft_account, ..row.clone() };
                address::follow(draft, Some(&row), Some(&new));
                draft.set_user(id, Some(new));
                plan.set_secrets(draft, id);
                if let Some(keys) = &plan.keys {
                    draft.remark(Grantee::User(id), FieldChange::new("ssh_keys", None, fingerprints(keys)));
                }
                suspended::enter(draft, suspension, (&row.name, row.uid));
                key_file.into_iter().for_each(|row| draft.set_key_file(*row));
                sudo.enter(draft, Grantee::User(id))
            }
        }
    }
}

/// The record of an account says what it is called in the backup.
fn remark_rename(draft: &mut Draft<'_>, of: Grantee, was: Option<&String>) {
    if let Some(was) = was {
        draft.remark(of, FieldChange::new("name_in_backup", None, Some(crate::audit::shown(was, SHOWN_NAME).into())));
    }
}

impl UserPlan {
    fn set_texts(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let name = self.name.as_str();
        let mut entry = draft.entry(FileKind::Passwd, name).ok_or(Refusal::Busy)?;
        entry.set(passwd::GECOS, self.full_name.as_str());
        entry.set(passwd::SHELL, self.shell.as_str());
        draft.set_line(FileKind::Passwd, name, Some(entry.line()));
        Ok(())
    }

    /// The lines of shadow(5) and smbpasswd(5), and the hashes of the store, as the backup has them.
    fn set_secrets(&self, draft: &mut Draft<'_>, id: AccountId) {
        let (name, record) = (self.name.as_str(), &self.record);
        let shadow = record.password.as_ref().map(|password| {
            let ageing = &record.ageing;
            let days = [
                ageing.last_change,
                ageing.min_days,
                ageing.max_days,
                ageing.warn_days,
                ageing.inactive_days,
                ageing.expires,
            ];
            let days = days.map(|days| days.map(|days| days.to_string()).unwrap_or_default()).join(":");
            line(&format!("{name}:{}:{days}:", password.reveal()))
        });
        draft.set_line(FileKind::Shadow, name, shadow);
        let samba = self.samba.as_ref().map(|fields| line(&format!("{name}:{}:{fields}", self.uid)));
        draft.set_line(FileKind::Smbpasswd, name, samba);
        let kept_hash = record.kept_password.as_ref().map(|kept| kept.reveal().to_owned());
        if let Some(row) = draft.user(id).cloned() {
            let own_hash = record.own_password.as_ref().map(|own| own.reveal().to_owned());
            let extras = Extras { limits: record.limits.clone(), echoes: record.echoes.clone(), own_hash };
            draft.set_user(id, Some(UserRow { kept_hash, extras: kept(extras), ..row }));
        }
        let history = record.password_history.iter().map(|hash| hash.reveal().to_owned()).collect();
        draft.set_password_history(id, history);
    }
}

impl Lists {
    pub fn of(judged: &Judged) -> Self {
        let mut lists = Self::default();
        let done = |item: &Item<UserPlan>| matches!(item.step, Step::Create(_) | Step::Overwrite(..));
        let coming: HashSet<&str> =
            judged.users.iter().filter(|item| done(item)).map(|item| item.name.as_str()).collect();
        for item in &judged.groups {
            match &item.step {
                Step::Create(plan) | Step::Overwrite(_, plan) => {
                    lists.whole.push((item.name.clone(), plan.members.clone()));
                }
                Step::Same | Step::Skip | Step::Nothing => {}
            }
        }
        for item in &judged.builtin_groups {
            let names = joining(item).into_iter().flatten().filter(|name| coming.contains(name.as_str()));
            lists.joined.insert(item.name.clone(), names.cloned().collect());
        }
        lists
    }

    /// Adds what the backup says of groups that stay as they are here, and of users that are overwritten.
    pub fn following(&mut self, groups_of: &HashMap<&str, HashSet<&str>>, judged: &Judged) {
        let stays = |item: &&Item<GroupPlan>| matches!(item.step, Step::Same | Step::Skip);
        let staying: HashSet<&str> = judged.groups.iter().filter(stays).map(|item| item.name.as_str()).collect();
        for item in &judged.users {
            let groups = groups_of.get(item.name.as_str());
            match item.step {
                Step::Create(_) | Step::Overwrite(..) => {
                    for group in groups.into_iter().flatten().filter(|group| staying.contains(**group)) {
                        self.joined.entry((*group).to_owned()).or_default().push(item.name.clone());
                    }
                }
                Step::Same | Step::Skip | Step::Nothing => continue,
            }
            if let Step::Overwrite(..) = item.step {
                let groups = groups.into_iter().flatten().map(|group| (*group).to_owned()).collect();
                self.staying.insert(item.name.clone(), groups);
            }
        }
    }

    /// Each list is edited once, however many come or go.
    fn enter(self, draft: &mut Draft<'_>) {
        let mut leaving: BTreeMap<String, HashSet<String>> = BTreeMap::new();
        for (user, staying) in &self.staying {
            for group in draft.groups_of_member(user).iter().filter(|group| !staying.contains(&***group)) {
                leaving.entry((**group).to_owned()).or_default().insert(user.clone());
            }
        }
        for (group, users) in &leaving {
            memberships::edit(draft, group, |members| members.retain(|member| !users.contains(member)));
        }
        for (group, users) in &self.joined {
            // Who is in it by its primary group has no place in the list.
            memberships::edit(draft, group, |members| members.extend(users.iter().cloned()));
        }
        for (group, wanted) in &self.whole {
            let there = |name: &&String| draft.user_named(name).is_some();
            let wanted: Vec<String> = wanted.iter().filter(there).cloned().collect();
            memberships::edit(draft, group, |members| members.clone_from(&wanted));
        }
    }
}
