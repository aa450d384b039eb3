//! The two accounts that clients of AList and OpenList count on: one that administers, and that of whoever shows
//! nothing. They are made once, when the dialect is first enabled; who has such a name already keeps it.

use accountd_protocol::ageing::AgeingChange;
use accountd_protocol::agent::{Dialect, Echoes, NewPassword, NewUser, PrimaryGroup};
use accountd_protocol::alist::{AlistSettings, AlistWords};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::AccountId;
use accountd_protocol::limits::{FilePermissions, LimitsChange, Root};
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::role::Role;
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::{Email, FieldPath, FullName};
use tracing::{info, warn};

use super::memberships::Joining;
use crate::agent::Agent;
use crate::database::{Draft, GroupRow, Origin, Purpose, UserRow, View};
use crate::ids::Question;

/// In the state store, once it is done.
const DONE: &str = "alist accounts";
const SHELL: &str = "/usr/sbin/nologin";
/// What AList gives its administrator: everything but WebDAV and SFTP.
const ADMIN_PERMISSION: i32 = 0x30ff;
/// Numbers below those of other accounts are tried down to this one.
const LEAST_UID: u32 = 1000;
const TRIED_UIDS: u32 = 100;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Administrator,
    Guest,
}

impl Agent {
    /// `None` where the dialect is not spoken.
    pub(crate) fn alist_settings(&self) -> Option<AlistSettings> {
        let config = &self.config().alist;
        config.enabled.then(|| AlistSettings { guest: config.guest.clone(), homes: self.alist_homes() })
    }

    /// To be called before anybody asks for something. What can't be made now is tried at the next start.
    pub(crate) fn make_alist_accounts(&self) {
        let config = self.config();
        let config = &config.alist;
        if !config.enabled || self.database.is_done(DONE) {
            return;
        }
        let Some(homes) = self.alist_homes() else {
            info!("there is no pool yet: the accounts of [alist] are made at a later start");
            return;
        };
        let both = [(&config.admin, Kind::Administrator), (&config.guest, Kind::Guest)];
        let made = both.into_iter().all(|(name, kind)| self.make_alist_account((name, kind), &homes));
        if made && let Err(refusal) = self.database.note_done(DONE) {
            warn!(%refusal, "it can not be stored that the accounts of [alist] are made");
        }
    }

    /// The configured directory, or the first pool.
    fn alist_homes(&self) -> Option<String> {
        let configured = self.config().alist.homes.as_ref().map(FieldPath::to_string);
        configured.or_else(|| self.homes.pools().into_iter().min())
    }

    /// Whether there is nothing left to do.
    fn make_alist_account(&self, (name, kind): (&str, Kind), homes: &str) -> bool {
        match self
            .is_taken(name)
            .and_then(|taken| if taken { Ok(None) } else { self.make_account_of_alist((name, kind), homes).map(Some) })
        {
            Ok(None) => {
                info!(name, "there is such a user or group already: it stays what it is, and [alist] gets no account");
                true
            }
            Ok(Some(id)) => {
                info!(name, %id, "made, for clients of AList");
                true
            }
            Err(refusal) => {
                warn!(name, ?refusal, "an account of [alist] can not be made; it is tried at the next start");
                false
            }
        }
    }

    fn is_taken(&self, name: &str) -> Result<bool, Refusal> {
        let view = self.database.certain_view()?;
        let questions = [Question::UserNamed(name.to_owned()), Question::GroupNamed(name.to_owned())];
        let outside = self.ids.outside(&questions)?;
        let here = view.user_name_like(name).is_some() || view.group_name_like(name).is_some();
        Ok(here || questions.iter().any(|question| outside.lacks(question).is_err()))
    }

    fn make_account_of_alist(&self, (name, kind): (&str, Kind), homes: &str) -> Result<AccountId, Refusal> {
        let groups = match kind {
            Kind::Administrator => self.administrators()?.into_iter().collect(),
            Kind::Guest => Vec::new(),
        };
        let uid = self.number_beside_others(&self.database.view())?;
        let request = new_account((name, kind), &format!("{homes}/{name}"), (uid, groups))?;
        let planned = self.plan_all(vec![request])?.pop().ok_or(Refusal::NotFound)?.map_err(Refusal::Invalid)?;
        let (ready, entry) = self.ready_user(planned, None)?;
        let purpose = Purpose { actor: Actor::Agent, action: AuditAction::CreateUser, user: None };
        let (id, _) = self.change(purpose, move |draft| {
            let mut joining = Joining::default();
            let id = entry.enter(draft, &mut joining).map_err(|invalid| Refusal::Invalid(vec![invalid]))?;
            joining.enter(draft);
            come_with_accountd(draft, id);
            Ok(id)
        })?;
        ready.finish()?;
        Ok(id)
    }

    /// The group that makes administrators, made where it is missing.
    fn administrators(&self) -> Result<Option<AccountId>, Refusal> {
        let config = self.config();
        let Some(name) = config.roles.groups(Role::Administrator).first() else { return Ok(None) };
        let view = self.database.view();
        if let Some(group) = view.group_named(name) {
            return Ok(Some(group.id));
        }
        let gid = self.number_beside_others(&view)?;
        drop(view);
        let id = self.new_group_of_role(&Actor::Agent, name, gid)?;
        let purpose = Purpose { actor: Actor::Agent, action: AuditAction::UpdateGroup, user: None };
        self.change(purpose, move |draft| {
            let group = draft.group(id).cloned();
            draft.set_group(id, group.map(|group| GroupRow { origin: Origin::Builtin, ..group }));
            Ok(())
        })?;
        Ok(Some(id))
    }

    /// A number just below those that accounts get by themselves, so that these begin where they are
    /// configured to.
    fn number_beside_others(&self, view: &View) -> Result<Option<u32>, Refusal> {
        let first = self.config().ids.users.first;
        let candidates: Vec<u32> = (LEAST_UID..first).rev().take(TRIED_UIDS as usize).collect();
        let questions: Vec<Question> =
            candidates.iter().flat_map(|number| [Question::Uid(*number), Question::Gid(*number)]).collect();
        let outside = self.ids.outside(&questions)?;
        let is_free = |number: &u32| {
            self.usable_uid(view, &outside, *number).is_ok()
                && view.names_of_uid(*number).is_empty()
                && view.names_of_gid(*number).is_empty()
                && !view.was_uid(*number)
                && [Question::Uid(*number), Question::Gid(*number)].iter().all(|one| outside.lacks(one).is_ok())
        };
        Ok(candidates.into_iter().find(is_free))
    }
}

/// It is nobody's to delete, and no part of a backup; nor is its group.
fn come_with_accountd(draft: &mut Draft<'_>, id: AccountId) {
    let Some(row) = draft.user(id).cloned() else { return };
    let group = draft.group_named(&row.name).cloned();
    draft.set_user(id, Some(UserRow { origin: Origin::Builtin, ..row }));
    if let Some(group) = group {
        draft.set_group(group.id, Some(GroupRow { origin: Origin::Builtin, ..group }));
    }
}

fn new_account(
    (name, kind): (&str, Kind),
    home: &str,
    (uid, groups): (Option<u32>, Vec<AccountId>),
) -> Result<NewUser, Refusal> {
    let invalid = |field| move |problem: Problem| Refusal::invalid(field, problem);
    let permission = match kind {
        Kind::Administrator => ADMIN_PERMISSION,
        Kind::Guest => 0,
    };
    let words = AlistWords { permission, base_path: "/".into(), sso_id: String::new(), allow_ldap: true };
    Ok(NewUser {
        name: NewUserName::new(name).map_err(Problem::from).map_err(invalid(Field::UserName))?,
        uid,
        full_name: FullName::new("").map_err(Problem::from).map_err(invalid(Field::FullName))?,
        email: Email::new("").map_err(Problem::from).map_err(invalid(Field::Email))?,
        home: FieldPath::new(home).map_err(Problem::from).map_err(invalid(Field::Home))?,
        home_mode: None,
        shell: FieldPath::new(SHELL).map_err(Problem::from).map_err(invalid(Field::Shell))?,
        password: NewPassword::Disabled,
        primary_group: PrimaryGroup::Private,
        groups,
        ssh_keys: String::new(),
        locked: kind == Kind::Guest,
        microsoft_account: false,
        sudo: SudoCommands::default(),
        ageing: AgeingChange::default(),
        limits: LimitsChange {
            permissions: Some(Some(FilePermissions::new())),
            root: Some(Some(Root::Home)),
            ..LimitsChange::default()
        },
        echoes: Echoes::from([(Dialect::Alist, words.text())]),
    })
}
