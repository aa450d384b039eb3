//! The end of everything that runs for a user, when it is locked or deleted: sessions over SSH, of
//! Samba, processes, crontab, at jobs, lingering services; and a report of what there was.

use accountd_protocol::agent::UserChange;
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::ended::{Ended, OtherProcesses};
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use tracing::warn;

use super::suspended::own_uid;
use super::update::Update;
use crate::agent::Agent;
use crate::database::{Purpose, UserRow};
use crate::suspension::Automatic;
use crate::{processes, samba_sessions};

/// What there is before the change.
pub struct Ending {
    id: AccountId,
    name: String,
    uid: Uid,
    /// `None` where the uid is somebody else's too.
    own_uid: Option<Uid>,
    automatic: Automatic,
    /// Of the account, since the agent has started.
    sessions: u64,
    processes: OtherProcesses,
}

impl Agent {
    /// Locks a user and ends what runs for it, also where it is locked already.
    pub(crate) fn disable_user(
        &self,
        by: &Actor,
        id: AccountId,
        processes: OtherProcesses,
        only_if: &Precondition,
    ) -> Result<Ended, Refusal> {
        let ending = self.before_the_end(id, processes)?;
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateUser, user: Some(id) };
        let change = UserChange { locked: Some(true), ..UserChange::default() };
        self.change_user(purpose, id, Update { processes, ..Update::new(change, only_if) })?;
        Ok(self.end(ending))
    }

    /// Refuses to end processes that may be somebody else's.
    pub(super) fn before_the_end(&self, id: AccountId, processes: OtherProcesses) -> Result<Ending, Refusal> {
        let view = self.database.view();
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let own_uid = own_uid(&view, row.uid, &row.name);
        if processes == OtherProcesses::Ended {
            self.has_own_processes(row, own_uid).map_err(|problem| Refusal::invalid(Field::EndProcesses, problem))?;
        }
        Ok(Ending {
            id,
            name: row.name.clone(),
            uid: row.uid,
            own_uid,
            automatic: Automatic::of(self.root(), &row.name, own_uid),
            sessions: self.revocations().ended(id),
            processes,
        })
    }

    /// Those of the system's own accounts are its services.
    fn has_own_processes(&self, row: &UserRow, own_uid: Option<Uid>) -> Result<(), Problem> {
        let view = self.database.view();
        if row.is_builtin() || row.uid == Uid::ROOT {
            return Err(Problem::Builtin);
        }
        if self.is_service(&view, row.uid) {
            return Err(Problem::ServiceAccount);
        }
        match own_uid {
            Some(_) => Ok(()),
            None => {
                let others = view.names_of_uid(row.uid.0).into_iter().filter(|other| *other != row.name);
                Err(Problem::SharedUid(others.collect::<Vec<_>>().join(", ")))
            }
        }
    }

    /// When the change is made, so that nobody can begin anew what is ended here.
    pub(super) fn end(&self, ending: Ending) -> Ended {
        let Ending { id, name, uid, own_uid, automatic, sessions, processes } = ending;
        let mut left = Vec::new();
        let samba = self.end_samba(uid).unwrap_or_else(|reason| {
            left.push(reason);
            None
        });
        let processes = match (processes, own_uid) {
            (OtherProcesses::Ended, Some(uid)) => end_processes(uid, &mut left),
            (OtherProcesses::Ended, None) | (OtherProcesses::Left, _) => None,
        };
        let Automatic { crontab, at_jobs, linger } = automatic.without(Automatic::of(self.root(), &name, own_uid));
        let sessions = self.revocations().ended(id).saturating_sub(sessions);
        Ended { sessions, samba, processes, crontab, at_jobs, linger, left }
    }

    /// The uid whose sessions of Samba end with a change that locks, also where others have locked the
    /// account before: the one that it has until then, which smbd(8) keeps. Whoever shares it has to
    /// connect anew.
    pub(super) fn shut_out_by(&self, id: AccountId, change: &UserChange) -> Option<Uid> {
        self.database.view().user(id).filter(|_| change.locked == Some(true)).map(|row| row.uid)
    }

    /// What could not be ended is logged and said.
    pub(super) fn end_samba(&self, uid: Uid) -> Result<Option<u64>, String> {
        samba_sessions::end_all(uid).map_err(|error| {
            warn!(uid = uid.0, %error, "sessions of Samba are not ended");
            format!("sessions of Samba: {error}")
        })
    }
}

fn end_processes(uid: Uid, left: &mut Vec<String>) -> Option<u64> {
    match processes::end_all(uid) {
        Ok(processes::Outcome { ended, left: 0 }) => Some(ended),
        Ok(processes::Outcome { ended, left: running }) => {
            warn!(uid = uid.0, running, "processes can not be killed");
            left.push(format!("{running} processes can not be killed"));
            Some(ended)
        }
        Err(error) => {
            warn!(uid = uid.0, %error, "processes are not ended");
            left.push(format!("processes: {error}"));
            None
        }
    }
}
