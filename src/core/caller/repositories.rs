//! Repositories of git and Mercurial.

use accountd_protocol::agent::Operation;
use accountd_protocol::job::Job;
use accountd_protocol::repository::{
    Access, Grantee, GranteeRef, NewRepository, Repository, RepositoryChange, RepositoryRef,
};

use super::{Caller, done, open};
use crate::error::Error;

impl Caller {
    /// Those that the caller may read, by their names and without their grants.
    pub async fn repositories(&self) -> Result<Vec<Repository>, Error> {
        open!(self.operate(Operation::ListRepositories).await?, Repositories)
    }

    pub async fn repository(&self, which: RepositoryRef) -> Result<Repository, Error> {
        open!(self.operate(Operation::GetRepository(which)).await?, Repository).map(|repository| *repository)
    }

    pub async fn create_repository(&self, new: NewRepository) -> Result<Repository, Error> {
        open!(self.operate(Operation::CreateRepository(new)).await?, Repository).map(|repository| *repository)
    }

    pub async fn update_repository(
        &self,
        repository: RepositoryRef,
        change: RepositoryChange,
    ) -> Result<Repository, Error> {
        let operation = Operation::UpdateRepository { repository, change };
        open!(self.operate(operation).await?, Repository).map(|repository| *repository)
    }

    pub async fn delete_repository(&self, which: RepositoryRef) -> Result<(), Error> {
        self.operate(Operation::DeleteRepository(which)).await.and_then(done)
    }

    /// [`Access::None`] takes away what somebody was given.
    pub async fn grant_repository(
        &self,
        repository: RepositoryRef,
        grantee: Grantee,
        access: Access,
    ) -> Result<Repository, Error> {
        let operation = Operation::GrantRepository { repository, grantee, access };
        open!(self.operate(operation).await?, Repository).map(|repository| *repository)
    }

    /// Somebody whom the caller may give something in this repository.
    pub async fn grantee(&self, repository: RepositoryRef, whom: GranteeRef) -> Result<Grantee, Error> {
        open!(self.operate(Operation::FindGrantee { repository, whom }).await?, Grantee)
    }

    /// A job that may not be at its end yet.
    pub async fn pull_repository(&self, which: RepositoryRef) -> Result<Job, Error> {
        open!(self.operate(Operation::PullRepository(which)).await?, Job).map(|job| *job)
    }
}
