//! The end of a repository: renamed into the trash, which is emptied in the background.

use std::sync::PoisonError;

use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Refusal};
use accountd_protocol::repository::{RepositoryFault, RepositoryProblem, RepositoryRef};
use nix::sys::stat::fstat;
use tracing::info;

use super::create::{refusal, target};
use super::sight::Seer;
use crate::agent::Agent;
use crate::database::{RepositoryRow, Stage};
use crate::identity::handles::Caller;

impl Agent {
    pub(crate) fn delete_repository(
        &self,
        (by, caller): (&Actor, Caller),
        which: &RepositoryRef,
    ) -> Result<(), Refusal> {
        let view = self.database.certain_view()?;
        let seer = Seer::new(self, &view, caller.account)?;
        let id = self.administered(&seer, which)?.row.id;
        drop(seer);
        let (_claim, row) = self.repositories.book.claim(id)?;
        if self.repositories.book.is_pulling(id) {
            return Err(RepositoryFault::Pulling.into());
        }
        let _alone = self.repositories.names.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.repositories.ground.find(&row.name)?;
        let inode = found.map(|opened| fstat(&opened)).transpose().map_err(|error| refusal(&row.name, error.into()))?;
        if let Some(status) = inode {
            // From here on it is gone, whatever happens.
            let going = RepositoryRow { stage: Stage::Going, inode: status.st_ino, pending: None, ..row.clone() };
            self.repositories.book.put(going, Vec::new())?;
            if let Err(error) = self.repositories.ground.uproot(&row.name, status.st_ino) {
                let refused = refusal(&row.name, error);
                self.repositories.book.put(row, Vec::new())?;
                return Err(refused);
            }
        }
        let kind = FieldChange::new("kind", Some(row.kind.name().into()), None);
        let event = AuditEvent::done(by.clone(), AuditAction::DeleteRepository, Some(target(&row.name)), vec![kind]);
        self.repositories.book.remove(id, vec![event])?;
        info!(name = row.name, "a repository was removed");
        self.emptier.empty(self.repositories.ground.path().clone());
        Ok(())
    }

    /// Whoever owns one is not deleted here. A program such as userdel(8) does not ask.
    pub(crate) fn owns_nothing(&self, user: AccountId) -> Result<(), Refusal> {
        match self.repositories.book.owned_by(user) {
            Some(name) => Err(Refusal::invalid(Field::UserName, RepositoryProblem::Owns(name).into())),
            None => Ok(()),
        }
    }
}
