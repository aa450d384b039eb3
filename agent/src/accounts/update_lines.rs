//! What a change of a user does to the lines of the account files, under the lock.

use accountd_config::SharedUid;
use accountd_protocol::agent::UserChange;
use accountd_protocol::audit::FieldChange;
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::Uid;
use accountd_protocol::name::NewUserName;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use super::address;
use super::ageing;
use super::create::{Also, Hashes, SECONDS_A_DAY, line};
use super::home_change::TransferChange;
use super::memberships::{self, Joining};
use super::password_history::Judged;
use super::show::NO_HASH;
use super::state::Basis;
use super::suspended::{self};
use super::update_plan::{Current, Plan};
use crate::agent::now;
use crate::database::entry::{Entry, passwd, shadow};
use crate::database::{Action, Draft, Extras, FileKind, UserRow, kept};
use crate::identity::authorized_keys::fingerprints;
use crate::identity::hash::is_hash;
use crate::identity::own_hash::is_own;
use crate::samba::{self, Flags};
use crate::sudoers::Grantee;
use crate::suspension::Suspension;

/// What is done for the home behind the commit.
pub(super) struct Behind {
    pub also: Also,
    pub transfer: TransferChange,
    pub suspension: Suspension,
}

/// What is entered under the lock.
pub(super) struct UpdateEntry {
    pub plan: Plan,
    pub current: Current,
    pub hashes: Option<Hashes>,
    pub judged: Option<Judged>,
    pub behind: Behind,
    pub basis: Basis,
}

impl UpdateEntry {
    /// Under the lock; into groups and out of them the user comes with `joining`.
    pub fn enter(self, draft: &mut Draft<'_>, joining: &mut Joining) -> Result<(), Refusal> {
        let Self { plan, current, hashes, judged, behind, basis } = self;
        basis.holds(draft, plan.id)?;
        remarks(draft, &plan, &current);
        if let Some((judged, hashes)) = judged.zip(hashes.as_ref()) {
            judged.enter(draft, plan.id, &hashes.unix)?;
        }
        enter((draft, joining), &plan, hashes.as_ref(), behind)
    }

    /// Whether it needs to know which groups the user is in, or moves the user to another name or primary group.
    pub fn looks_at_groups(&self) -> bool {
        self.basis.only_if != Precondition::None || self.plan.name.is_some() || self.plan.gid.is_some()
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
fn enter(
    (draft, joining): (&mut Draft<'_>, &mut Joining),
    plan: &Plan,
    hashes: Option<&Hashes>,
    behind: Behind,
) -> Result<(), Refusal> {
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
    if let Some(stamp) = hashes.and_then(Hashes::stamp) {
        draft.set_password_stamp(plan.id, stamp);
    }
    edit_samba(draft, &old, (name, uid), hashes.and_then(|hashes| hashes.clear.as_ref()), flags);
    if name != old {
        memberships::rename(draft, &old, Some(name));
    }
    if let Some(groups) = &plan.groups {
        joining.replace(draft, name, groups);
    }
    behind.also.sudo.enter(draft, Grantee::User(plan.id))?;
    if let Some(publish) = behind.also.publish {
        draft.after_commit(publish);
    }
    if let Some(deletion) = behind.also.forget {
        draft.remove_belongings(name, None, &deletion);
    }
    if let Some(row) = behind.also.key_file {
        draft.set_key_file(row);
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
    let extras = kept(changed_extras(&row, &plan.change));
    let new = UserRow { name: name.to_owned(), uid, email, microsoft_account, kept_hash, extras, ..row.clone() };
    address::follow(draft, Some(&row), Some(&new));
    draft.set_user(plan.id, Some(new));
    Ok(())
}

/// A password that any program may know takes the place of one that only accountd does.
fn changed_extras(row: &UserRow, change: &UserChange) -> Extras {
    let Extras { limits, mut echoes, own_hash } = row.extras().clone();
    let own_hash = match &change.password_hash {
        Some(hash) => Some(hash.reveal().to_owned()).filter(|hash| is_own(hash)),
        None => own_hash.filter(|_| change.password.is_none() && change.password_disabled != Some(true)),
    };
    echoes.extend(change.echoes.clone());
    Extras { limits: limits.changed(change.limits.clone()), echoes, own_hash }
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

/// Edits the shadow line and says which hash is kept for later and whether Samba lets the account
/// in, where something of that has changed: who is to be shut out is so for Samba, too, if others
/// have locked the account before. A password field without a hash is `*`, so that unlocking never leaves an empty one.
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
    // Beside a hash that is given nothing of another password may be left to come back.
    if let Some(given) = &plan.change.password_hash {
        let mark = if locked { "!" } else { "" };
        entry.set(shadow::NAME, name);
        entry.set(shadow::LAST_CHANGE, &today.to_string());
        ageing::set(&mut entry, &plan.change.ageing, today);
        let field = if is_own(given.reveal()) { NO_HASH } else { given.reveal() };
        entry.set(shadow::PASSWORD, &format!("{mark}{field}"));
        draft.set_line(FileKind::Shadow, &row.name, Some(entry.line()));
        draft.set_line(FileKind::Smbpasswd, &row.name, None);
        return (None, None);
    }
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
    let shut = plan.change.locked == Some(true) || plan.change.password_disabled == Some(true);
    (kept, (touched || shut).then_some(flags))
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
