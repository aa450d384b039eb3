//! What a change of the home, the uid or the primary group means for the home: the new place is
//! made ready, and it is said what has to be transferred.

use accountd_protocol::home::{HomeTransfer, TransferKind, TransferState};
use accountd_protocol::identity::Identity;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use super::check::Faults;
use super::in_home::{InHome, Wanted};
use super::new_home::NewHome;
use super::show::identity_of;
use super::transfers::Claim;
use super::update_plan::{Current, Plan};
use crate::agent::Agent;
use crate::database::{FileKind, TransferRow, View, claimants};
use crate::error::Error;
use crate::homes::transfer::{Attributes, Report};
use crate::homes::{BuildError, Filling, HomeKind, Owner, Skeleton};

/// What becomes of the stored transfer of an account.
#[derive(Clone, Debug)]
pub enum TransferChange {
    /// It stays as it is.
    Nothing,
    /// There is none any more.
    Forgotten,
    Begun(Box<TransferRow>),
}

/// Home, uid and primary group change only while no transfer of the home is under way, and a home
/// that holds another account's is not moved.
pub fn may_change(view: &View, current: &Current, plan: &Plan, claim: Option<&Claim<'_>>, faults: &mut Faults) {
    let changes = [
        (Field::Home, plan.home.is_some()),
        (Field::Uid, plan.uid.is_some()),
        (Field::PrimaryGroup, plan.gid.is_some()),
    ];
    for (field, _) in changes.into_iter().filter(|(_, changes)| *changes && claim.is_none()) {
        faults.add(field, Problem::TransferRunning);
    }
    if let (true, HomeTransfer::Move, Some(old)) = (plan.home.is_some(), plan.change.home_transfer, &current.home)
        && let Some((other, _)) = claimants(view.file(FileKind::Passwd), old, Some(&current.name)).next()
    {
        faults.add(Field::Home, Problem::HoldsHome(other.to_owned()));
    }
}

impl Agent {
    /// The new home, made like a first one with the keys, or the way for the old one.
    pub(super) fn new_home(
        &self,
        current: &Current,
        plan: &Plan,
        keys: Option<&str>,
    ) -> Result<Option<NewHome<'_>>, Refusal> {
        let Some((home, HomeKind::Made)) = &plan.home else { return Ok(None) };
        let content = plan.content.as_ref();
        if let (HomeTransfer::Move, Some(old)) = (plan.change.home_transfer, content)
            && let Some(way) = self.make_way(old, home, current.uid)?
            && self.is_all_of(old, &self.identity_now(current))
        {
            return Ok(Some(way));
        }
        let old_mode = || self.homes.mode_of(current.home.as_ref()?).ok().flatten();
        let filling = Filling {
            mode: plan.change.home_mode.or_else(old_mode).unwrap_or(self.config().homes.mode.bits()),
            keys: keys.unwrap_or_default(),
            skeleton: if content.is_some() { Skeleton::LeftOut } else { Skeleton::Copied },
        };
        self.make_home(home, plan.owner(current), filling).map(Some)
    }

    /// Keys and mode in a home that is there: the present one, or one that the user had before.
    pub(super) fn in_existing_home(
        &self,
        current: &Current,
        plan: &Plan,
        (new, keys): (Option<&NewHome<'_>>, Option<String>),
    ) -> Result<Option<InHome<'_>>, Refusal> {
        let mode = plan.change.home_mode.filter(|_| !current.builtin);
        let wanted = Wanted { keys, key_edit: plan.key_edit.clone(), mode };
        match (&plan.home, new, &current.home) {
            (Some(_), Some(new), Some(old)) if new.is_moved() => {
                let wanted = Wanted { keys: plan.keys.clone(), key_edit: plan.key_edit.clone(), mode };
                self.begin_in_home(old, self.identity_now(current), wanted).map(Some)
            }
            (Some((home, _)), Some(new), _) if new.existed() => {
                let Owner { uid, gid } = plan.owner(current);
                self.begin_in_home(home, Identity { uid, gid, groups: Vec::new() }, wanted).map(Some)
            }
            (Some(_), ..) | (None, _, None) => Ok(None),
            (None, _, Some(home)) => self.begin_in_home(home, self.identity_now(current), wanted).map(Some),
        }
    }

    /// What has to be done with what is in the home, once the account has changed.
    pub(super) fn transfer_of(&self, current: &Current, plan: &Plan, new: Option<&NewHome<'_>>) -> TransferChange {
        let (old_owner, owner) = (Owner { uid: current.uid, gid: current.gid }, plan.owner(current));
        let row = |kind, from: &FieldPath, to: &FieldPath| TransferRow {
            account: plan.id,
            from: from.to_string(),
            to: to.to_string(),
            kind,
            old_owner,
            attributes: Attributes::Kept,
            state: TransferState::Waiting,
            counts: Report::default(),
            error: None,
        };
        let begun = |row| TransferChange::Begun(Box::new(row));
        match (&plan.home, new, plan.content.as_ref()) {
            (Some((home, _)), Some(new), Some(old)) if new.is_moved() => {
                let moved = TransferRow { state: TransferState::Done, ..row(TransferKind::Move, old, home) };
                begun(if owner == old_owner { moved } else { row(TransferKind::Owner, home, home) })
            }
            (Some((home, _)), Some(new), Some(old)) => {
                let kind = match plan.change.home_transfer {
                    HomeTransfer::Copy => TransferKind::Copy,
                    HomeTransfer::Move => TransferKind::Move,
                    HomeTransfer::None => return TransferChange::Forgotten,
                };
                let made = !new.existed() && plan.change.home_mode.is_none();
                let attributes = if made { Attributes::Copied } else { Attributes::Kept };
                begun(TransferRow { attributes, ..row(kind, old, home) })
            }
            (Some(_), ..) => TransferChange::Forgotten,
            (None, ..) if owner != old_owner => match &current.home {
                Some(home) if self.is_own(current, home) => begun(row(TransferKind::Owner, home, home)),
                Some(_) | None => TransferChange::Nothing,
            },
            (None, ..) => self.begun_again(current, plan).map_or(TransferChange::Nothing, begun),
        }
    }

    /// A transfer that has failed, for a request that asks for its home once more.
    fn begun_again(&self, current: &Current, plan: &Plan) -> Option<TransferRow> {
        let home = plan.change.home.as_ref().filter(|home| Some(*home) == current.home.as_ref())?;
        let failed = self.transfers.get(plan.id).filter(|row| row.state == TransferState::Failed)?;
        let again = TransferRow { state: TransferState::Waiting, counts: Report::default(), error: None, ..failed };
        (again.to == home.as_str()).then_some(again)
    }

    /// The old home, where there is something to transfer: a directory of the user's, or at
    /// least one where homes are.
    pub(super) fn content(&self, current: &Current, plan: &Plan) -> Result<Option<FieldPath>, Refusal> {
        let touched = plan.home.is_some() || plan.uid.is_some() || plan.gid.is_some();
        let Some(home) = current.home.as_ref().filter(|_| touched && plan.change.home_transfer != HomeTransfer::None)
        else {
            return Ok(None);
        };
        // A home that can't be looked at now is not one that there isn't.
        let owner = self.homes.owner_of(home).map_err(|error| {
            Error::Home { home: home.to_string(), source: BuildError::Io(error.into()) }.into_refusal()
        })?;
        let made = || matches!(self.homes.judge(home, current.uid), Ok(HomeKind::Made));
        Ok(owner.is_some_and(|owner| owner == current.uid || made()).then(|| home.clone()))
    }

    /// Whether a home is this user's and nobody else's.
    fn is_own(&self, current: &Current, home: &FieldPath) -> bool {
        let view = self.database.known_view();
        let shared = claimants(view.file(FileKind::Passwd), home, Some(&current.name)).any(|(_, other)| other == *home);
        self.homes.owner_of(home) == Ok(Some(current.uid)) && !shared
    }

    fn identity_now(&self, current: &Current) -> Identity {
        identity_of(&self.database.view(), &current.name, current.uid, current.gid)
    }
}
