//! New users: everything that can fail is done before the lock, then one change for all of them.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

use accountd_config::{Deletion, PasswordPolicy, SharedUid};
use accountd_protocol::agent::{NewPassword, NewUser, User};
use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::limits::Limits;
use accountd_protocol::refusal::{Field, Invalid, InvalidItem, Problem, Refusal};
use accountd_protocol::secret::Secret;

use super::check::{free_group_name, free_user_name};
use super::in_home::{InHome, Wanted};
use super::memberships::{self, Joining};
use super::new_home::NewHome;
use super::parallel::in_parallel;
use super::plan::{Plan, Planned, PlannedGroup, Sight, questions};
use super::show::NO_HASH;
use super::sudo::{PlannedSudo, SudoEdit};
use super::{address, ageing};
use crate::agent::{Agent, now};
use crate::belongings;
use crate::database::{Action, Draft, Extras, FileKind, KeyFileRow, Known, Line, PasswordStamp, Purpose};
use crate::error::Error;
use crate::homes::{Filling, HomeKind, KeysWanted, Owner, Skeleton};
use crate::identity::authorized_keys::fingerprints;
use crate::identity::static_hash::bound_to;
use crate::ids::Number;
use crate::samba::{self, Flags};
use crate::sudoers::{self, Grantee};

pub const SECONDS_A_DAY: u64 = 86_400;
/// For more accounts it is quicker to list what others have left than to look for each name.
const FEW: usize = 100;

/// The secrets of an account, ready to be written.
pub struct Hashes {
    pub unix: String,
    /// The smbpasswd(5) line is made when name and uid are certain.
    pub clear: Option<Secret>,
    /// Of what clients of AList make of the password; of one of many it is made when its user first logs in.
    pub second: Option<String>,
}

impl Hashes {
    /// When it was set, with its second hash.
    pub fn stamp(&self) -> Option<PasswordStamp> {
        self.clear.as_ref()?;
        let (bound, static_hash) = (bound_to(&self.unix), self.second.clone());
        Some(PasswordStamp { bound, changed: now(), static_hash })
    }
}

/// Everything that a new user needs beside its lines. Dropped before the change is made, it is
/// taken away again.
pub(super) struct ReadyUser<'a> {
    home: Option<NewHome<'a>>,
    keys: Option<InHome<'a>>,
    _sudo: PlannedSudo,
    _numbers: Vec<Number>,
}

/// What is entered under the lock.
pub(super) struct NewEntry {
    plan: Plan,
    hashes: Hashes,
    also: Also,
}

impl ReadyUser<'_> {
    /// To be called when the change is made.
    pub fn finish(self) -> Result<(), Refusal> {
        if let Some(home) = self.home {
            home.keep();
        }
        self.keys.map_or(Ok(()), |keys| keys.finish(None))
    }
}

impl NewEntry {
    /// Of an account that is only to be tried: nothing stands ready for it.
    pub fn tried((plan, _numbers): Planned) -> Self {
        let hashes = Hashes { unix: NO_HASH.into(), clear: None, second: None };
        Self { plan, hashes, also: Also { publish: None, sudo: SudoEdit::Unchanged, forget: None, key_file: None } }
    }

    /// Under the lock; into its groups it comes with `joining`.
    pub fn enter(self, draft: &mut Draft<'_>, joining: &mut Joining) -> Result<AccountId, Invalid> {
        enter((draft, joining), &self.plan, &self.hashes, self.also)
    }
}

impl Agent {
    /// With the password that was made for it, if that was asked for.
    pub(crate) fn create_user(&self, by: &Actor, mut request: NewUser) -> Result<(User, Option<Secret>), Refusal> {
        let made = self.make_for_new(&mut request)?;
        let wanted = if request.ssh_keys.trim().is_empty() { KeysWanted::Unknown } else { KeysWanted::Yes };
        let planned = self.plan_all(vec![request])?.pop().ok_or(Refusal::NotFound)?.map_err(Refusal::Invalid)?;
        let (ready, mut entry) = self.ready_user(planned, None)?;
        entry.hashes = self.with_second(entry.hashes)?;
        let purpose = Purpose { actor: by.clone(), action: AuditAction::CreateUser, user: None };
        let (id, _) = self.change(purpose, move |draft| {
            let mut joining = Joining::default();
            let id = entry.enter(draft, &mut joining).map_err(|invalid| Refusal::Invalid(vec![invalid]))?;
            joining.enter(draft);
            Ok(id)
        })?;
        ready.finish()?;
        Ok((self.show_with_advice(id, wanted)?, made))
    }

    /// Creates all of them in one commit, or none; gives their ids in the same order.
    pub(crate) fn create_users(&self, by: &Actor, requests: Vec<NewUser>) -> Result<Vec<AccountId>, Refusal> {
        let plans = self.plan_all(requests)?.into_iter().enumerate().map(|(index, plan)| match plan {
            Ok(planned) => Ok((index, planned)),
            Err(invalid) => Err(InvalidItem { index, invalid }),
        });
        let (plans, invalid): (Vec<_>, Vec<_>) = plans.partition(Result::is_ok);
        if !invalid.is_empty() {
            return Err(Refusal::InvalidItems(invalid.into_iter().filter_map(Result::err).collect()));
        }
        let plans: Vec<(usize, Planned)> = plans.into_iter().flatten().collect();
        let left = self.left_to_many(plans.len());
        let made = in_parallel(plans, |(index, planned)| {
            self.ready_user(planned, left.as_ref()).map_err(|refusal| of_item(index, refusal))
        });
        let (ready, entries): (Vec<_>, Vec<_>) = made.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let purpose = Purpose { actor: by.clone(), action: AuditAction::CreateUser, user: None };
        let (ids, _) = self.change(purpose, move |draft| enter_all(draft, entries))?;
        let mut finished = Ok(());
        for ready in ready {
            // Each of them, whatever became of the one before.
            let result = ready.finish();
            finished = finished.and(result);
        }
        finished.map(|()| ids)
    }

    /// Each plan, or what is wrong with it.
    pub(super) fn plan_all(&self, requests: Vec<NewUser>) -> Result<Vec<Result<Planned, Vec<Invalid>>>, Refusal> {
        let (view, shells) = (self.database.view(), self.shells());
        let asked: Vec<_> = requests.iter().flat_map(|request| questions(&view, request)).collect();
        let outside = self.ids.outside(&asked)?;
        let sight = Sight { view: &view, outside: &outside, shells: &shells };
        let mut names = HashSet::new();
        let plan_one = |request: NewUser| {
            let name = request.name.as_str().to_lowercase();
            let planned = self.plan(&sight, request)?;
            if planned.is_ok() && !names.insert(name.clone()) {
                return Ok(Err(vec![Invalid { field: Field::UserName, problem: Problem::Duplicate(name) }]));
            }
            Ok(planned)
        };
        requests.into_iter().map(plan_one).collect()
    }

    /// The names that somebody has left something under, where it is quicker to know them all.
    pub(super) fn left_to_many(&self, accounts: usize) -> Option<HashSet<OsString>> {
        if accounts > FEW { belongings::names(self.root()) } else { None }
    }

    /// `left`: the names that somebody has left something under, where they are known.
    pub(super) fn ready_user(
        &self,
        (plan, numbers): Planned,
        left: Option<&HashSet<OsString>>,
    ) -> Result<(ReadyUser<'_>, NewEntry), Refusal> {
        let name = plan.request.name.as_str();
        let hashes = self.hashes_of(&plan.request.password)?;
        let home = self.prepare_home(&plan)?;
        let keys = self.keys_in_existing_home(&plan, home.as_ref())?;
        let sudo = self.plan_new_sudo(sudoers::Kind::User, name, &plan.request.sudo)?;
        let also = Also {
            publish: home.as_ref().and_then(|home| home.action(name)),
            sudo: sudo.edit(),
            forget: left
                .is_none_or(|left| left.contains(OsStr::new(name)))
                .then(|| self.left_to(name, plan.uid))
                .flatten(),
            key_file: keys.as_ref().and_then(|keys| keys.key_file(None)),
        };
        Ok((ReadyUser { home, keys, _sudo: sudo, _numbers: numbers }, NewEntry { plan, hashes, also }))
    }

    /// A home that was the user's before gets its keys by itself.
    fn keys_in_existing_home(&self, plan: &Plan, home: Option<&NewHome<'_>>) -> Result<Option<InHome<'_>>, Refusal> {
        if plan.keys.is_empty() || !home.is_some_and(NewHome::existed) {
            return Ok(None);
        }
        let identity = Identity { uid: plan.uid, gid: plan.group.gid(), groups: Vec::new() };
        let wanted = Wanted { keys: Some(plan.keys.clone()), ..Wanted::default() };
        self.begin_in_home(&plan.request.home, identity, wanted).map(Some)
    }

    pub(super) fn hashes_of(&self, password: &NewPassword) -> Result<Hashes, Refusal> {
        match password {
            NewPassword::Hashed(hash) => Ok(Hashes { unix: hash.reveal().to_owned(), clear: None, second: None }),
            NewPassword::Disabled | NewPassword::Kept(_) => {
                Ok(Hashes { unix: NO_HASH.into(), clear: None, second: None })
            }
            NewPassword::Random => Err(Refusal::invalid(Field::RandomPassword, Problem::Unsupported)),
            NewPassword::Clear(password) => {
                let unix = self.hashes.hash(password).map_err(|error| Error::Hash(error).into_refusal())?;
                Ok(Hashes { unix, clear: Some(password.clone()), second: None })
            }
        }
    }

    /// With the second hash of a password that came in clear. It takes several times as long as the first.
    pub(super) fn with_second(&self, hashes: Hashes) -> Result<Hashes, Refusal> {
        let second = hashes.clear.as_ref().map(|clear| self.second_hash(clear)).transpose()?.flatten();
        Ok(Hashes { second, ..hashes })
    }

    /// What is to be removed before a new account gets this name.
    pub(super) fn left_to(&self, name: &str, uid: Uid) -> Option<Deletion> {
        belongings::are_left_to(self.root(), name, uid).then(|| self.config().deletion.clone())
    }

    fn prepare_home(&self, plan: &Plan) -> Result<Option<NewHome<'_>>, Refusal> {
        match plan.home {
            HomeKind::None | HomeKind::RootsOwn => Ok(None),
            HomeKind::Made => {
                let owner = Owner { uid: plan.uid, gid: plan.group.gid() };
                let filling = Filling { mode: plan.mode, keys: &plan.keys, skeleton: Skeleton::Copied };
                self.make_home(&plan.request.home, owner, filling).map(Some)
            }
        }
    }
}

/// What a change does outside of the account files.
pub struct Also {
    pub publish: Option<Action>,
    pub sudo: SudoEdit,
    /// What becomes of things that somebody of the account's new name has left.
    pub forget: Option<Deletion>,
    /// The key file that stands ready in a home that was there before.
    pub key_file: Option<KeyFileRow>,
}

/// What is wrong with one of several, and with which.
fn of_item(index: usize, refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Invalid(invalid) => Refusal::InvalidItems(vec![InvalidItem { index, invalid }]),
        refusal => refusal,
    }
}

fn enter_all(draft: &mut Draft<'_>, entries: Vec<NewEntry>) -> Result<Vec<AccountId>, Refusal> {
    let mut joining = Joining::default();
    let entered = entries.into_iter().enumerate().map(|(index, entry)| {
        let items = |invalid| Refusal::InvalidItems(vec![InvalidItem { index, invalid: vec![invalid] }]);
        entry.enter(draft, &mut joining).map_err(items)
    });
    let ids = entered.collect::<Result<Vec<_>, _>>()?;
    joining.enter(draft);
    Ok(ids)
}

/// Under the lock: what was free has to be free still; then the lines.
fn enter(
    (draft, joining): (&mut Draft<'_>, &mut Joining),
    plan: &Plan,
    hashes: &Hashes,
    also: Also,
) -> Result<AccountId, Invalid> {
    let name = plan.request.name.as_str();
    free_user_name(draft, name).map_err(|problem| Invalid { field: Field::UserName, problem })?;
    enter_group(draft, plan)?;
    let request = &plan.request;
    let shell = request.shell.as_str();
    let passwd =
        format!("{name}:x:{}:{}:{}:{}:{shell}", plan.uid, plan.group.gid(), request.full_name, request.home.as_str());
    memberships::forget_namesake(draft, name);
    draft.set_line(FileKind::Passwd, name, Some(line(&passwd)));
    let mark = if request.locked { "!" } else { "" };
    let today = now() / SECONDS_A_DAY;
    let PasswordPolicy { min_days, max_days, warn_days, history, .. } = plan.policy;
    let shadow = format!("{name}:{mark}{}:{today}:{min_days}:{max_days}:{warn_days}:::", hashes.unix);
    let shadow = ageing::aged(line(&shadow), &request.ageing, today);
    draft.set_line(FileKind::Shadow, name, Some(shadow));
    if let Some(clear) = &hashes.clear {
        let flags = if request.locked { Flags::Disabled } else { Flags::Enabled };
        let samba = samba::line(name, plan.uid, clear, flags, now());
        draft.set_line(FileKind::Smbpasswd, name, Some(line(&samba)));
    }
    joining.add(draft, name, &plan.groups);
    if let Some(publish) = also.publish {
        draft.after_commit(publish);
    }
    if let Some(deletion) = also.forget {
        draft.remove_belongings(name, None, &deletion);
    }
    if let Some(row) = also.key_file {
        draft.set_key_file(row);
    }
    let own_hash = match &request.password {
        NewPassword::Kept(hash) => Some(hash.reveal().to_owned()),
        NewPassword::Clear(_) | NewPassword::Hashed(_) | NewPassword::Random | NewPassword::Disabled => None,
    };
    let limits = Limits::default().changed(request.limits.clone());
    let extras = Extras { limits, echoes: request.echoes.clone(), own_hash };
    let known = Known { email: request.email.as_str(), microsoft_account: request.microsoft_account, extras };
    let id = draft.add_user(name, plan.uid, known);
    if history > 0 && hashes.unix != NO_HASH {
        draft.set_password_history(id, vec![hashes.unix.clone()]);
    }
    if let Some(stamp) = hashes.stamp() {
        draft.set_password_stamp(id, stamp);
    }
    let row = draft.users().shared(id);
    address::follow(draft, None, row.as_deref());
    also.sudo.enter_new(draft, Grantee::User(id));
    if let Some(keys) = fingerprints(&plan.keys) {
        draft.remark(Grantee::User(id), FieldChange::new("ssh_keys", None, Some(keys)));
    }
    Ok(id)
}

/// The uid and the primary group, if nobody has taken them meanwhile.
fn enter_group(draft: &mut Draft<'_>, plan: &Plan) -> Result<(), Invalid> {
    let may_share = plan.request.uid.is_some() && plan.shared_uid == SharedUid::Allowed;
    if let Some(owner) = draft.names_of_uid(plan.uid.0).first().filter(|_| !may_share) {
        return Err(Invalid { field: Field::Uid, problem: Problem::Duplicate((*owner).to_owned()) });
    }
    match &plan.group {
        PlannedGroup::Existing(gid) if draft.names_of_gid(gid.0).is_empty() => {
            Err(Invalid { field: Field::PrimaryGroup, problem: Problem::NoSuch(gid.to_string()) })
        }
        PlannedGroup::Existing(_) => Ok(()),
        PlannedGroup::New(name, gid) => {
            let taken = |problem| Invalid { field: Field::PrimaryGroup, problem };
            free_group_name(draft, name.as_str()).map_err(taken)?;
            if let Some(owner) = draft.names_of_gid(gid.0).first() {
                return Err(taken(Problem::Duplicate((*owner).to_owned())));
            }
            write_group(draft, name.as_str(), *gid);
            Ok(())
        }
    }
}

/// The lines and the row of a new group.
pub fn write_group(draft: &mut Draft<'_>, name: &str, gid: Gid) -> AccountId {
    draft.set_line(FileKind::Gshadow, name, None);
    draft.set_line(FileKind::Group, name, Some(line(&format!("{name}:x:{gid}:"))));
    if draft.file(FileKind::Gshadow).lines().next().is_some() {
        draft.set_line(FileKind::Gshadow, name, Some(line(&format!("{name}:!::"))));
    }
    draft.add_group(name, gid)
}

pub fn line(text: &str) -> Line {
    Line::from(text.as_bytes())
}
