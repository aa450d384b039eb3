//! Doing the transfers: two threads, each with a child at a time.

use std::path::PathBuf;
use std::sync::Arc;

use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::home::TransferKind;
use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::Identity;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;
use tracing::{info, warn};

use super::show::identity_of;
use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{FileKind, Purpose, TransferRow, View, claimants, unclaimed};
use crate::error::Error;
use crate::homes::transfer::{Passes, Report, Transfer, TransferWork};
use crate::homes::{Owner, WorkError};
use crate::sudoers::Grantee;

/// The most transfers at a time: they share the disks with everybody else.
const MOST_AT_ONCE: usize = 2;

/// Why a transfer has not come to its end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// The account is gone, or has another uid.
    #[error("the account has changed meanwhile")]
    Overtaken,
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl Agent {
    /// Begins with what is left from the last time.
    pub fn start_transfers(self: &Arc<Self>) -> Result<(), Error> {
        for _ in 0..MOST_AT_ONCE {
            let agent = self.clone();
            let named = std::thread::Builder::new().name("transfer".into());
            named.spawn(move || agent.do_transfers()).map_err(Error::Transfers)?;
        }
        Ok(())
    }

    fn do_transfers(&self) {
        loop {
            let row = self.transfers.next();
            let account = row.account;
            let result = self.transfer(&row);
            let error = result.err().map(|stop| stop.to_string());
            if let Some(error) = &error {
                warn!(%account, from = row.from, to = row.to, error, "a home could not be transferred");
            }
            if let Some(row) = self.transfers.ended(account, error)
                && let Err(refusal) = self.database.record_transfer(row)
            {
                // It is done again at the next start, which finds everything done.
                warn!(%account, %refusal, "cannot store that a transfer is at its end");
            }
            self.transfers.let_go(account);
            self.quotas.home_has_changed(account);
        }
    }

    fn transfer(&self, row: &TransferRow) -> Result<(), Stop> {
        let identity = self.identity(row).ok_or(Stop::Overtaken)?;
        let others = others_within(&self.database.known_view(), &row.from, row);
        if row.old_owner != (Owner { uid: identity.uid, gid: identity.gid }) {
            let home = PathBuf::from(&row.from);
            let work = TransferWork::Own { home, from: row.old_owner, others: others.clone() };
            self.step(row, &identity, work)?;
        }
        let copy = |passes| {
            let (from, to) = (PathBuf::from(&row.from), PathBuf::from(&row.to));
            let (others, attributes) = (others.clone(), row.attributes);
            self.step(row, &identity, TransferWork::Copy(Transfer { from, to, others, attributes, passes }))
        };
        match row.kind {
            TransferKind::Owner => {}
            TransferKind::Copy => drop(copy(Passes::One)?),
            TransferKind::Move => {
                let counts = copy(Passes::UntilComplete)?;
                if counts.left_alone == 0 {
                    self.retire_old(row, identity.uid);
                } else {
                    info!(
                        from = row.from,
                        left_alone = counts.left_alone,
                        "the old home stays: not all of it could be moved"
                    );
                }
            }
        }
        Ok(())
    }

    /// Removes the home that has been copied to the last entry and is on disk in its new place. One
    /// that has become somebody's meanwhile stays.
    fn retire_old(&self, row: &TransferRow, uid: Uid) {
        let Ok(home) = FieldPath::new(&row.from) else { return };
        let name = self.database.known_view().user(row.account).map(|user| user.name.clone()).unwrap_or_default();
        let retired = self.retire_home(&name, &home, uid).and_then(|leaving| {
            let Some(leaving) = leaving else { return Ok(()) };
            let (action, account) = (leaving.action(), row.account);
            let purpose = Purpose { actor: Actor::Agent, action: AuditAction::RemoveMovedHome, user: None };
            self.change(purpose, move |draft| {
                let stays = |reason| Refusal::invalid(Field::Home, Problem::HomeStays(reason));
                unclaimed(draft.file(FileKind::Passwd), &home, None).map_err(stays)?;
                draft.after_commit(action);
                let old = Some(home.as_str().to_owned().into());
                draft.remark(Grantee::User(account), FieldChange::new("old_home", old, None));
                Ok(())
            })?;
            leaving.remove(&self.emptier);
            Ok(())
        });
        if let Err(refusal) = retired {
            warn!(from = row.from, to = row.to, %refusal, "a home is moved; the old one stays");
        }
    }

    /// One child, to its end.
    fn step(&self, row: &TransferRow, identity: &Identity, work: TransferWork) -> Result<Report, Stop> {
        let mut child = self.worker.start(identity, work)?;
        let mut counts = Report::default();
        if !self.transfers.goes_on(row.account, child.ender()) {
            child.ender().end();
        }
        while let Some(report) = child.report() {
            counts = report;
            self.transfers.report(row.account, report);
            // Also when userdel(8) or usermod(8) did it.
            if self.identity(row).as_ref().map(|now| now.uid) != Some(identity.uid) {
                child.ender().end();
            }
        }
        let ended = child.finish();
        if self.identity(row).as_ref().map(|now| now.uid) != Some(identity.uid) {
            return Err(Stop::Overtaken);
        }
        Ok(ended.map(|()| counts)?)
    }

    /// Whom the home belongs to now.
    fn identity(&self, row: &TransferRow) -> Option<Identity> {
        let view = self.database.known_view();
        let user = view.user(row.account)?;
        let gid = view.entry(FileKind::Passwd, &user.name)?.number(passwd::GID).map(Gid)?;
        Some(identity_of(&view, &user.name, user.uid, gid))
    }

    /// Whether everything in `home` is the user's, so that a rename takes nothing of anybody else.
    pub(super) fn is_all_of(&self, home: &FieldPath, identity: &Identity) -> bool {
        let work = TransferWork::Measure { home: PathBuf::from(home.as_str()), others: Vec::new() };
        let measured = self.worker.start(identity, work).and_then(|mut child| {
            let mut found = None;
            while let Some(report) = child.report() {
                found = Some(report);
            }
            child.finish().map(|()| found)
        });
        matches!(measured, Ok(Some(Report { left_alone: 0, .. })))
    }
}

/// The homes of other accounts that are `home` or lie in it.
fn others_within(view: &View, home: &str, row: &TransferRow) -> Vec<PathBuf> {
    let Ok(home) = FieldPath::new(home) else { return Vec::new() };
    let own = view.user(row.account).map(|user| user.name.as_str());
    let others = claimants(view.file(FileKind::Passwd), &home, own);
    others.map(|(_, home)| PathBuf::from(home.as_str())).collect()
}
