//! Changes of a user: checked against the account as it is, then one change of the database.

use std::time::Duration;

use accountd_config::SharedUid;
use accountd_protocol::ageing::Limit;
use accountd_protocol::agent::{NewPassword, User, UserChange};
use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::name::NewUserName;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::text::FieldPath;

use super::address;
use super::ageing;
use super::check::{Faults, free_user_name, known_shell, usable_keys, usable_mode, usable_password};
use super::create::{Also, Hashes, SECONDS_A_DAY, line};
use super::home_change::{TransferChange, may_change};
use super::in_home::InHome;
use super::memberships;
use super::new_home::NewHome;
use super::password_history::Judged;
use super::show::NO_HASH;
use super::state::{Basis, user_is};
use super::sudo::{PlannedSudo, SudoEdit};
use super::suspended::{self, is_locked};
use super::transfers::Claim;
use crate::agent::{Agent, now};
use crate::database::entry::{Entry, passwd, shadow};
use crate::database::{Action, Draft, FileKind, Purpose, UserRow, View};
use crate::homes::{HomeKind, KeysWanted, Owner};
use crate::identity::authorized_keys::fingerprints;
use crate::identity::hash::is_hash;
use crate::ids::{Number, Question};
use crate::samba::{self, Flags};
use crate::sudoers::Grantee;
use crate::suspension::Suspension;

/// How long an answer waits for the transfer of a home.
const TRANSFER_PATIENCE: Duration = Duration::from_secs(3);

/// An update whose every field has been found good; `None` leaves as it is.
pub struct Plan {
    pub id: AccountId,
    name: Option<NewUserName>,
    pub uid: Option<u32>,
    pub gid: Option<Gid>,
    groups: Option<Vec<String>>,
    pub home: Option<(FieldPath, HomeKind)>,
    pub keys: Option<String>,
    /// The old home, where what is in it is to be transferred.
    pub content: Option<FieldPath>,
    pub change: UserChange,
    shared_uid: SharedUid,
    processes: OtherProcesses,
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
    ssh_keys: String,
    pub builtin: bool,
}

/// What is done for the home behind the commit.
struct Behind {
    also: Also,
    transfer: TransferChange,
    suspension: Suspension,
}

/// What is entered under the lock.
pub(super) struct UpdateEntry {
    plan: Plan,
    current: Current,
    hashes: Option<Hashes>,
    judged: Option<Judged>,
    behind: Behind,
    basis: Basis,
}

/// What stands ready beside it. Dropped before the change is made, it is taken away again.
pub(super) struct ReadyUpdate<'a> {
    home: Option<NewHome<'a>>,
    in_home: Option<InHome<'a>>,
    _sudo: PlannedSudo,
    /// Where the home is from now on, if it is another.
    place: Option<FieldPath>,
    claim: Option<Claim<'a>>,
    transfer: TransferChange,
}

impl Agent {
    pub(crate) fn update_user(
        &self,
        by: &Actor,
        id: AccountId,
        change: UserChange,
        only_if: &Precondition,
    ) -> Result<User, Refusal> {
        let _alone = change.ssh_keys.as_ref().map(|_| self.key_writers.alone(id));
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateUser, user: Some(id) };
        let locks = change.locked == Some(true) && !is_locked(&self.database.view(), id);
        let user = self.change_user(purpose, id, change, only_if.into())?;
        if locks {
            // What is not ended is logged; the account is locked all the same.
            let _ = self.end_samba(user.uid);
        }
        Ok(user)
    }

    /// The same; who changes keys has to be the only one who does.
    pub(super) fn change_user(
        &self,
        purpose: Purpose,
        id: AccountId,
        change: UserChange,
        basis: Basis,
    ) -> Result<User, Refusal> {
        self.change_user_and(purpose, id, (change, OtherProcesses::Left), basis)
    }

    /// The same, where the record is to say what becomes of processes.
    pub(super) fn change_user_and(
        &self,
        purpose: Purpose,
        id: AccountId,
        (change, processes): (UserChange, OtherProcesses),
        basis: Basis,
    ) -> Result<User, Refusal> {
        let has_keys = change.ssh_keys.as_ref().is_some_and(|keys| !keys.trim().is_empty());
        // Two changes of one password at once would both be held against the one before.
        let alone = change.password.as_ref().map(|_| self.password_writers.alone(id));
        let (ready, entry) = self.ready_update(id, (change, processes), basis)?;
        let ((), generation) = self.change(purpose, move |draft| entry.enter(draft))?;
        drop(alone);
        let (finished, transfer) = ready.finish();
        self.settle(generation);
        // A small home is ready when the answer comes.
        if transfer.begin() == Begun::Yes {
            self.transfers.settled(id, TRANSFER_PATIENCE);
        }
        finished?;
        self.show_with_advice(id, if has_keys { KeysWanted::Yes } else { KeysWanted::Unknown })
    }

    /// Everything that can fail without the lock.
    pub(super) fn ready_update(
        &self,
        id: AccountId,
        (change, processes): (UserChange, OtherProcesses),
        basis: Basis,
    ) -> Result<(ReadyUpdate<'_>, UpdateEntry), Refusal> {
        user_is(&self.database.view(), id, &basis.only_if)?;
        let claim = self.claim_for(id, &change);
        let (current, plan) = self.plan_update(id, change, claim.as_ref())?;
        let plan = Plan { processes, ..plan };
        let new_password = plan.change.password.clone();
        let judged = new_password.as_ref().map(|password| self.judge_new_password(id, password)).transpose()?;
        let hashes = new_password.map(|password| self.hashes_of(&NewPassword::Clear(password))).transpose()?;
        let keys = keys_of(&current, &plan);
        let home = self.new_home(&current, &plan, keys.as_deref())?;
        let in_home = self.in_existing_home(&current, &plan, (home.as_ref(), keys))?;
        let name = plan.name.as_ref().map_or(&*current.name, NewUserName::as_str);
        let sudo = self.plan_sudo(Grantee::User(id), (&current.name, name), plan.change.sudo.as_ref())?;
        let also = Also {
            publish: home.as_ref().and_then(|home| home.action(&current.name)),
            sudo: sudo.edit(),
            forget: self.left_to(name, current.uid).filter(|_| name != current.name),
        };
        let suspension = self.suspension(id, plan.change.locked);
        let transfer = self.transfer_of(&current, &plan, home.as_ref());
        let behind = Behind { also, transfer: transfer.clone(), suspension };
        let place = plan.home.as_ref().map(|(home, _)| home.clone());
        let entry = UpdateEntry { plan, current, hashes, judged, behind, basis };
        Ok((ReadyUpdate { home, in_home, _sudo: sudo, place, claim, transfer }, entry))
    }

    /// The same where it is only to be tried: nothing stands ready.
    pub(super) fn tried_update(
        &self,
        id: AccountId,
        change: UserChange,
        only_if: &Precondition,
    ) -> Result<UpdateEntry, Refusal> {
        user_is(&self.database.view(), id, only_if)?;
        let claim = self.claim_for(id, &change);
        let (current, plan) = self.plan_update(id, change, claim.as_ref())?;
        if let Some(password) = &plan.change.password {
            self.judge_new_password(id, password)?;
        }
        let also = Also { publish: None, sudo: SudoEdit::Unchanged, forget: None };
        let behind = Behind { also, transfer: TransferChange::Nothing, suspension: Suspension::Unchanged };
        Ok(UpdateEntry { plan, current, hashes: None, judged: None, behind, basis: only_if.into() })
    }

    /// Only what touches the home keeps others from touching it.
    fn claim_for(&self, id: AccountId, change: &UserChange) -> Option<Claim<'_>> {
        let touches = change.home.is_some() || change.uid.is_some() || change.primary_group.is_some();
        if touches { self.transfers.claim(id) } else { None }
    }

    pub(crate) fn set_password(
        &self,
        by: &Actor,
        id: AccountId,
        password: Secret,
        only_if: &Precondition,
    ) -> Result<User, Refusal> {
        let purpose = Purpose { actor: by.clone(), action: AuditAction::SetPassword, user: Some(id) };
        self.change_user(purpose, id, UserChange { password: Some(password), ..UserChange::default() }, only_if.into())
    }

    fn plan_update(
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
            faults.take(Field::Password, usable_password(&self.password_policy(&view), password));
        }
        if change.password.is_some() && change.password_disabled == Some(true) {
            faults.add(Field::Password, Problem::MustBeAbsent);
        }
        if current.uid == Uid::ROOT {
            faults.unless_off(Field::Locked, change.locked);
            faults.unless_off(Field::PasswordDisabled, change.password_disabled);
        }
        let shadow = view.entry(FileKind::Shadow, &current.name).unwrap_or(Entry::parse(b""));
        ageing::check(&ageing::of(&shadow), &change.ageing, &mut faults);
        if current.uid == Uid::ROOT && matches!(change.ageing.expires, Some(Limit::Days(_))) {
            faults.add(Field::Expires, Problem::Builtin);
        }
        let no_password = || change.password.is_none() && !has_password(&view, id);
        if change.password_disabled == Some(false) && no_password() {
            faults.add(Field::Password, Problem::Required);
        }
        let groups =
            change.groups.as_ref().and_then(|groups| faults.take(Field::Groups, self.known_groups(&view, groups)));
        let new_keys = change.ssh_keys.as_ref().filter(|keys| **keys != current.ssh_keys);
        let keys = new_keys.and_then(|keys| faults.take(Field::SshKeys, usable_keys(keys)));
        let keys = keys.filter(|keys| *keys != current.ssh_keys);
        if keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
            faults.take(Field::SshKeys, self.keys_have_a_place(&current, home.as_ref()));
        }
        let shared_uid = self.shared_uid();
        let (content, processes) = (None, OtherProcesses::Left);
        let plan = Plan { id, name, uid, gid, groups, home, keys, content, change, shared_uid, processes, _held: held };
        may_change(&view, &current, &plan, claim, &mut faults);
        drop(view);
        faults.none()?;
        let content = self.content(&current, &plan)?;
        Ok((current, Plan { content, ..plan }))
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

impl UpdateEntry {
    /// Under the lock.
    pub fn enter(self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let Self { plan, current, hashes, judged, behind, basis } = self;
        basis.holds(draft, plan.id)?;
        remarks(draft, &plan, &current);
        if let Some((judged, hashes)) = judged.zip(hashes.as_ref()) {
            judged.enter(draft, plan.id, &hashes.unix)?;
        }
        enter(draft, &plan, hashes.as_ref(), behind)
    }
}

impl<'a> ReadyUpdate<'a> {
    /// To be called when the change is made: what stood ready is in place then, and the transfer of
    /// the home can begin when no session is left.
    pub fn finish(self) -> (Result<(), Refusal>, ReadyTransfer<'a>) {
        let Self { home, in_home, place, claim, transfer, .. } = self;
        let moved = place.filter(|_| home.as_ref().is_some_and(NewHome::is_moved));
        if let Some(home) = home {
            home.keep();
        }
        let finished = in_home.map_or(Ok(()), |in_home| in_home.finish(moved.as_ref()));
        (finished, ReadyTransfer { claim, transfer })
    }
}

/// The transfer of a home that has been decided.
pub(super) struct ReadyTransfer<'a> {
    claim: Option<Claim<'a>>,
    transfer: TransferChange,
}

impl ReadyTransfer<'_> {
    pub fn begin(self) -> Begun {
        match (self.claim, self.transfer) {
            (Some(claim), TransferChange::Begun(row)) => {
                claim.enter(Some(*row));
                Begun::Yes
            }
            (Some(claim), TransferChange::Forgotten) => {
                claim.enter(None);
                Begun::No
            }
            (Some(_), TransferChange::Nothing) | (None, _) => Begun::No,
        }
    }
}

/// Whether there is a transfer to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Yes,
    No,
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

/// The key file as it is to be: as asked for; with a new home, the present one.
fn keys_of(current: &Current, plan: &Plan) -> Option<String> {
    match (&plan.keys, &plan.home) {
        (Some(keys), _) => Some(keys.clone()),
        // Where there are none, those of a home that is there already stay.
        (None, Some((_, HomeKind::Made))) => Some(current.ssh_keys.clone()).filter(|keys| !keys.is_empty()),
        (None, Some((_, HomeKind::None | HomeKind::RootsOwn)) | None) => None,
    }
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

/// What an update changes that is in no account file.
fn remarks(draft: &mut Draft<'_>, plan: &Plan, current: &Current) {
    let of = Grantee::User(plan.id);
    if let Some(keys) = &plan.keys {
        let (old, new) = (fingerprints(&current.ssh_keys), fingerprints(keys));
        draft.remark(of, FieldChange::new("ssh_keys", old, new));
    }
    if plan.processes == OtherProcesses::Ended {
        draft.remark(of, FieldChange::new("processes", None, Some("ended".into())));
    }
    if let Some(mode) = plan.change.home_mode {
        draft.remark(of, FieldChange::new("home_mode", None, Some(format!("{mode:04o}").into())));
    }
}

/// Under the lock.
fn enter(draft: &mut Draft<'_>, plan: &Plan, hashes: Option<&Hashes>, behind: Behind) -> Result<(), Refusal> {
    let row = draft.user(plan.id).cloned().ok_or(Refusal::NotFound)?;
    let old = row.name.clone();
    let name = plan.name.as_ref().map_or(old.as_str(), NewUserName::as_str);
    if name != old && draft.user_name_like(name).is_some_and(|other| other != old) {
        return Err(Refusal::invalid(Field::UserName, Problem::Duplicate(name.to_owned())));
    }
    if let Some(uid) = plan.uid
        && plan.shared_uid == SharedUid::Refused
        && let Some(owner) = draft.names_of_uid(uid).first()
    {
        return Err(Refusal::invalid(Field::Uid, Problem::Duplicate((*owner).to_owned())));
    }
    let uid = plan.uid.map_or(row.uid, Uid);
    if name != old {
        memberships::forget_namesake(draft, name);
    }
    edit_passwd(draft, plan, &old, name)?;
    let (kept_hash, flags) = edit_shadow(draft, plan, &row, name, hashes);
    edit_samba(draft, &old, (name, uid), hashes.and_then(|hashes| hashes.clear.as_ref()), flags);
    if name != old {
        memberships::rename(draft, &old, Some(name));
    }
    if let Some(groups) = &plan.groups {
        memberships::replace(draft, name, groups);
    }
    behind.also.sudo.enter(draft, Grantee::User(plan.id))?;
    if let Some(publish) = behind.also.publish {
        draft.after_commit(publish);
    }
    if let Some(deletion) = behind.also.forget {
        draft.remove_belongings(name, None, &deletion);
    }
    if (name, uid) != (&old, row.uid) {
        draft.after_commit(Action::RenameBelongings { old: old.clone(), new: name.to_owned(), uid });
    }
    suspended::enter(draft, behind.suspension, (name, uid));
    match behind.transfer {
        TransferChange::Nothing => {}
        TransferChange::Forgotten => draft.set_transfer(plan.id, None),
        TransferChange::Begun(row) => draft.set_transfer(plan.id, Some(*row)),
    }
    let email = plan.change.email.as_ref().map_or(row.email.clone(), |email| email.as_str().to_owned());
    let microsoft_account = plan.change.microsoft_account.unwrap_or(row.microsoft_account);
    let new = UserRow { name: name.to_owned(), uid, email, microsoft_account, kept_hash, ..row.clone() };
    address::follow(draft, Some(&row), Some(&new));
    draft.set_user(plan.id, Some(new));
    Ok(())
}

fn edit_passwd(draft: &mut Draft<'_>, plan: &Plan, old: &str, name: &str) -> Result<(), Refusal> {
    let mut entry = draft.entry(FileKind::Passwd, old).ok_or(Refusal::NotFound)?;
    entry.set(passwd::NAME, name);
    if let Some(uid) = plan.uid {
        entry.set(passwd::UID, &uid.to_string());
    }
    if let Some(gid) = plan.gid {
        entry.set(passwd::GID, &gid.to_string());
    }
    if let Some(full_name) = &plan.change.full_name {
        entry.set(passwd::GECOS, full_name.as_str());
    }
    if let Some((home, _)) = &plan.home {
        entry.set(passwd::HOME, home.as_str());
    }
    if let Some(shell) = &plan.change.shell {
        entry.set(passwd::SHELL, shell.as_str());
    }
    draft.set_line(FileKind::Passwd, old, Some(entry.line()));
    if name != old {
        // Further lines of the old name would come to life as another account.
        draft.set_line(FileKind::Passwd, old, None);
    }
    Ok(())
}

/// Edits the shadow line and says which hash is kept for later and, where something of it has
/// changed, whether Samba lets the account in. A password field without a hash is `*`, so that unlocking never leaves an empty one.
fn edit_shadow(
    draft: &mut Draft<'_>,
    plan: &Plan,
    row: &UserRow,
    name: &str,
    hashes: Option<&Hashes>,
) -> (Option<String>, Option<Flags>) {
    let today = now() / SECONDS_A_DAY;
    let new_line = || Entry::parse(format!("{}:{NO_HASH}:{today}:0:99999:7:::", row.name).as_bytes());
    let mut entry = draft.entry(FileKind::Shadow, &row.name).unwrap_or_else(new_line);
    let field = entry.text(shadow::PASSWORD);
    let present = Some(field.trim_start_matches('!')).filter(|hash| is_hash(hash)).map(str::to_owned);
    // What is so already is no change, and leaves the field as others have written it.
    let was_locked = field.starts_with('!');
    let lock = plan.change.locked.filter(|locked| *locked != was_locked);
    let disable = plan.change.password_disabled.filter(|disabled| *disabled != present.is_none());
    let locked = lock.unwrap_or(was_locked);
    let (hash, kept) = match (hashes.map(|new| new.unix.clone()), disable) {
        // A new password does not lift that passwords are disabled; it waits for that.
        (Some(new), None) if present.is_none() && !row.is_builtin() => (None, Some(new)),
        (Some(new), _) => (Some(new), None),
        (None, Some(true)) => (None, present.or(row.kept_hash.clone())),
        (None, Some(false)) => (present.or(row.kept_hash.clone()), None),
        (None, None) => (present, row.kept_hash.clone()),
    };
    entry.set(shadow::NAME, name);
    if hashes.is_some() {
        entry.set(shadow::LAST_CHANGE, &today.to_string());
    }
    let aged = ageing::set(&mut entry, &plan.change.ageing, today);
    let touched = hashes.is_some() || lock.is_some() || disable.is_some();
    if touched {
        let mark = if locked { "!" } else { "" };
        entry.set(shadow::PASSWORD, &format!("{mark}{}", hash.as_deref().unwrap_or(NO_HASH)));
    }
    if touched || aged || name != row.name {
        draft.set_line(FileKind::Shadow, &row.name, Some(entry.line()));
    }
    let flags = if locked || hash.is_none() { Flags::Disabled } else { Flags::Enabled };
    (kept, touched.then_some(flags))
}

/// A new password makes a new line; otherwise the line follows name, uid and lock.
fn edit_samba(
    draft: &mut Draft<'_>,
    old: &str,
    (name, uid): (&str, Uid),
    clear: Option<&Secret>,
    flags: Option<Flags>,
) {
    let new = match clear {
        Some(clear) => Some(samba::line(name, uid, clear, flags.unwrap_or(Flags::Enabled), now())),
        None => draft
            .line(FileKind::Smbpasswd, old)
            .and_then(|present| samba::rewritten(&String::from_utf8_lossy(present), name, uid, flags)),
    };
    if let Some(new) = new {
        draft.set_line(FileKind::Smbpasswd, old, Some(line(&new)));
    }
}
