//! Changes of a user: checked against the account as it is, then one change of the database.

use std::time::Duration;

use accountd_protocol::agent::{NewPassword, User, UserChange};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::AccountId;
use accountd_protocol::name::NewUserName;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use accountd_protocol::text::FieldPath;

use super::create::Also;
use super::home_change::TransferChange;
use super::in_home::InHome;
use super::memberships::Joining;
use super::new_home::NewHome;
use super::state::{Basis, user_is};
use super::sudo::{PlannedSudo, SudoEdit};
use super::transfers::Claim;
use super::update_lines::{Behind, UpdateEntry};
use super::update_plan::{Current, Plan};
use crate::agent::Agent;
use crate::database::Purpose;
use crate::homes::{HomeKind, KeyEdit, KeysWanted};
use crate::sudoers::Grantee;
use crate::suspension::Suspension;

/// How long an answer waits for the transfer of a home.
const TRANSFER_PATIENCE: Duration = Duration::from_secs(3);

/// What is to become of a user.
pub(super) struct Update {
    pub change: UserChange,
    /// What the record says of its processes.
    pub processes: OtherProcesses,
    /// In place of keys in the change.
    pub key_edit: Option<KeyEdit>,
    pub basis: Basis,
}

impl Update {
    pub fn new(change: UserChange, basis: impl Into<Basis>) -> Self {
        Self { change, processes: OtherProcesses::Left, key_edit: None, basis: basis.into() }
    }
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
    /// With the password that was made for it, if that was asked for.
    pub(crate) fn update_user(
        &self,
        by: &Actor,
        id: AccountId,
        mut change: UserChange,
        only_if: &Precondition,
    ) -> Result<(User, Option<Secret>), Refusal> {
        let made = self.make_for(&mut change)?;
        let _alone = change.ssh_keys.as_ref().map(|_| self.key_writers.alone(id)).transpose()?;
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateUser, user: Some(id) };
        let shut_out = self.shut_out_by(id, &change);
        let user = self.change_user(purpose, id, Update::new(change, only_if))?;
        // What is not ended is logged; the account is locked all the same.
        shut_out.into_iter().for_each(|uid| _ = self.end_samba(uid));
        Ok((user, made))
    }

    /// Who changes keys has to be the only one who does.
    pub(super) fn change_user(&self, purpose: Purpose, id: AccountId, update: Update) -> Result<User, Refusal> {
        let change = &update.change;
        let has_keys = change.ssh_keys.as_ref().is_some_and(|keys| !keys.trim().is_empty());
        // Two changes of one password at once would both be held against the one before.
        let alone = change.password.as_ref().map(|_| self.password_writers.alone(id)).transpose()?;
        let (ready, mut entry) = self.ready_update(id, update)?;
        entry.hashes = entry.hashes.map(|hashes| self.with_second(hashes)).transpose()?;
        let ((), generation) = self.change(purpose, move |draft| {
            let mut joining = Joining::default();
            entry.enter(draft, &mut joining)?;
            joining.enter(draft);
            Ok(())
        })?;
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
        Update { change, processes, key_edit, basis }: Update,
    ) -> Result<(ReadyUpdate<'_>, UpdateEntry), Refusal> {
        user_is(&self.database.view(), id, &basis.only_if)?;
        let claim = self.claim_for(id, &change);
        let (current, mut plan) = self.plan_update(id, change, claim.as_ref())?;
        plan.processes = processes;
        if let Some(edit) = key_edit {
            self.plan_key_edit(&current, &mut plan, edit)?;
        }
        let new_password = plan.change.password.clone();
        let judged = new_password.as_ref().map(|password| self.judge_new_password(id, password)).transpose()?;
        let hashes = new_password.map(|password| self.hashes_of(&NewPassword::Clear(password))).transpose()?;
        let keys = keys_of(&current, &plan);
        let home = self.new_home(&current, &plan, keys.as_deref())?;
        let in_home = self.in_existing_home(&current, &plan, (home.as_ref(), keys))?;
        let name = plan.name.as_ref().map_or(&*current.name, NewUserName::as_str);
        let sudo = self.plan_sudo(Grantee::User(id), (&current.name, name), plan.change.sudo.as_ref())?;
        let place = plan.home.as_ref().map(|(home, _)| home.clone());
        let moved = place.as_ref().filter(|_| home.as_ref().is_some_and(NewHome::is_moved));
        let also = Also {
            key_file: in_home.as_ref().and_then(|in_home| in_home.key_file(moved)),
            publish: home.as_ref().and_then(|home| home.action(&current.name)),
            sudo: sudo.edit(),
            forget: self.left_to(name, current.uid).filter(|_| name != current.name),
        };
        let suspension = self.suspension(id, plan.change.locked);
        let transfer = self.transfer_of(&current, &plan, home.as_ref());
        let behind = Behind { also, transfer: transfer.clone(), suspension };
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
        let also = Also { publish: None, sudo: SudoEdit::Unchanged, forget: None, key_file: None };
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
        let change = UserChange { password: Some(password), ..UserChange::default() };
        self.change_user(purpose, id, Update::new(change, only_if))
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

/// The key file as it is to be: as asked for; with a new home, the present one.
fn keys_of(current: &Current, plan: &Plan) -> Option<String> {
    match (&plan.keys, &plan.home) {
        (Some(keys), _) => Some(keys.clone()),
        // Where there are none, those of a home that is there already stay.
        (None, Some((_, HomeKind::Made))) => Some(current.ssh_keys.clone()).filter(|keys| !keys.is_empty()),
        (None, Some((_, HomeKind::None | HomeKind::RootsOwn)) | None) => None,
    }
}
