//! Repositories of git and Mercurial.

use accountd_protocol::audit::Actor;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{
    Access, Grantee, NewRepository, Repository, RepositoryChange, RepositoryFault, RepositoryId, RepositoryRef,
};

use crate::agent::Agent;
use crate::identity::handles::Caller;
use crate::jobs::{Ending, Progress};

fn none() -> Refusal {
    RepositoryFault::NoRoot("not kept yet".into()).into()
}

impl Agent {
    pub(crate) fn list_repositories(&self, _caller: Caller) -> Result<Vec<Repository>, Refusal> {
        Ok(Vec::new())
    }

    pub(crate) fn get_repository(&self, _caller: Caller, _which: &RepositoryRef) -> Result<Repository, Refusal> {
        Err(RepositoryFault::NotFound.into())
    }

    pub(crate) fn create_repository(&self, _by: (&Actor, Caller), _new: NewRepository) -> Result<Repository, Refusal> {
        Err(none())
    }

    pub(crate) fn update_repository(
        &self,
        _by: (&Actor, Caller),
        _which: &RepositoryRef,
        _change: RepositoryChange,
    ) -> Result<Repository, Refusal> {
        Err(RepositoryFault::NotFound.into())
    }

    pub(crate) fn delete_repository(&self, _by: (&Actor, Caller), _which: &RepositoryRef) -> Result<(), Refusal> {
        Err(RepositoryFault::NotFound.into())
    }

    pub(crate) fn grant_repository(
        &self,
        _by: (&Actor, Caller),
        _which: &RepositoryRef,
        _given: (Grantee, Access),
    ) -> Result<Repository, Refusal> {
        Err(RepositoryFault::NotFound.into())
    }

    pub(crate) fn pullable(&self, _caller: Caller, _which: &RepositoryRef) -> Result<RepositoryId, Refusal> {
        Err(RepositoryFault::NotFound.into())
    }

    pub(crate) fn run_pull(
        &self,
        _by: (Actor, Caller),
        _id: RepositoryId,
        _progress: &Progress<'_>,
    ) -> Result<Ending, Refusal> {
        Err(none())
    }

    pub(crate) fn repository_called(&self, which: &RepositoryRef) -> Option<String> {
        match which {
            RepositoryRef::Name(name) => Some(name.clone()),
            RepositoryRef::Id(_) => None,
        }
    }
}
