//! A new repository: complete under a hidden name, then in the state store, then in its place.

use std::sync::PoisonError;

use accountd_config::Creators;
use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Target, TargetKind};
use accountd_protocol::id::{AccountId, AccountRef, Gid, Uid};
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::repository::{
    CloneUri, CloneUriError, LONGEST_DESCRIPTION, NewRepository, Repository, RepositoryFault, RepositoryField,
    RepositoryKind, RepositoryName, RepositoryProblem, Scheme,
};
use tracing::{error, info};

use super::ground::{GroundError, Plot};
use super::sight::Seer;
use crate::accounts::check::Faults;
use crate::accounts::find::user_called;
use crate::agent::{Agent, now};
use crate::database::entry::ids;
use crate::database::{FileKind, RepositoryRow, Stage};
use crate::homes::Owner;
use crate::identity::handles::Caller;

impl Agent {
    pub(crate) fn create_repository(
        &self,
        (by, caller): (&Actor, Caller),
        new: NewRepository,
    ) -> Result<Repository, Refusal> {
        self.may_create(caller, &new.owner)?;
        let (owner, ids) = self.checked(caller, &new)?;
        let NewRepository { name, kind, owner: _, description, private, clone_uri } = new;
        let plot = Plot { kind, owner: ids, is_public: !private };
        let row = RepositoryRow {
            id: self.repositories.book.next(),
            name: name.as_str().to_owned(),
            kind,
            owner,
            description,
            clone_uri,
            created: now(),
            stage: Stage::Making,
            inode: 0,
            pending: None,
            grants: Vec::new(),
        };
        let row = self.make_repository(by, (name, &plot), row)?;
        info!(name = row.name, kind = kind.name(), "a repository was made");
        self.show_again(caller, row)
    }

    /// Administrators for anybody, others for themselves where that is configured.
    fn may_create(&self, caller: Caller, owner: &AccountRef) -> Result<(), Refusal> {
        let view = self.database.certain_view()?;
        let is_own = user_called(&view, owner, caller.account).is_some_and(|row| row.id == caller.account);
        let is_permitted = match self.config().repositories.create {
            Creators::Administrators => false,
            Creators::Users => is_own,
        };
        match Seer::new(self, &view, caller.account)?.is_administrator() || is_permitted {
            true => Ok(()),
            false => Err(Refusal::NotPermitted),
        }
    }

    /// The owner and their numbers, or everything that is wrong with a new repository but its name.
    fn checked(&self, caller: Caller, new: &NewRepository) -> Result<(AccountId, Owner), Refusal> {
        let view = self.database.certain_view()?;
        let mut faults = Faults::default();
        let row = user_called(&view, &new.owner, caller.account);
        let found = row.and_then(|row| Some((row, view.line(FileKind::Passwd, &row.name).and_then(ids)?)));
        let field = Field::Repository(RepositoryField::Owner);
        match found {
            None => faults.add(field, Problem::NoSuch(called_as(&new.owner))),
            Some((row, _)) if self.is_service(&view, row.uid) => faults.add(field, Problem::ServiceAccount),
            Some(_) => {}
        }
        check_description(&new.description, &mut faults);
        self.check_clone_uri(new.kind, new.clone_uri.as_ref(), &mut faults);
        faults.none()?;
        let (row, (uid, gid)) = found.ok_or(Refusal::NotFound)?;
        Ok((row.id, Owner { uid: Uid(uid), gid: Gid(gid) }))
    }

    /// Names are looked at and given by one at a time.
    fn make_repository(
        &self,
        by: &Actor,
        (name, plot): (RepositoryName, &Plot),
        mut row: RepositoryRow,
    ) -> Result<RepositoryRow, Refusal> {
        let _alone = self.repositories.names.lock().unwrap_or_else(PoisonError::into_inner);
        self.name_is_free(&name)?;
        let failed = |error: GroundError| refusal(&row.name, error);
        if self.repositories.ground.find(&row.name)?.is_some() {
            return Err(failed(GroundError::InTheWay));
        }
        let sapling = self.repositories.ground.sow(plot).map_err(failed)?;
        row.inode = sapling.inode;
        self.repositories.book.put(row.clone(), Vec::new())?;
        if let Err(error) = self.repositories.ground.plant(sapling, &name) {
            let refused = refusal(&row.name, error);
            self.repositories.book.remove(row.id, Vec::new())?;
            return Err(refused);
        }
        row.stage = Stage::Kept;
        let event =
            AuditEvent::done(by.clone(), AuditAction::CreateRepository, Some(target(&row.name)), made(&row, plot));
        self.repositories.book.put(row.clone(), vec![event])?;
        Ok(row)
    }

    fn name_is_free(&self, name: &RepositoryName) -> Result<(), Refusal> {
        let refused = |problem| Err(Refusal::invalid(Field::Repository(RepositoryField::Name), problem));
        for row in self.repositories.book.all() {
            if row.name == name.as_str() {
                return refused(Problem::Duplicate(row.name));
            }
            if name.nests_with(&row.name) {
                return refused(RepositoryProblem::Nested(row.name).into());
            }
        }
        Ok(())
    }

    /// git's own protocol is none of Mercurial's, which would take such a URL for a file.
    pub(super) fn check_clone_uri(&self, kind: RepositoryKind, uri: Option<&CloneUri>, faults: &mut Faults) {
        let Some(scheme) = uri.map(CloneUri::scheme) else { return };
        let is_spoken = (kind, scheme) != (RepositoryKind::Hg, Scheme::Git);
        if !is_spoken || !self.config().repositories.pull_schemes.contains(&scheme) {
            let error = CloneUriError::Scheme(scheme.name().to_owned());
            faults.add(Field::Repository(RepositoryField::CloneUri), RepositoryProblem::CloneUri(error).into());
        }
    }
}

pub(super) fn called_as(who: &AccountRef) -> String {
    match who {
        AccountRef::Name(name) => name.clone(),
        AccountRef::Id(id) => id.to_string(),
        AccountRef::Number(number) => number.to_string(),
        AccountRef::Caller => "~".to_owned(),
    }
}

pub(super) fn check_description(text: &str, faults: &mut Faults) {
    let field = Field::Repository(RepositoryField::Description);
    let length = text.chars().count();
    if length > LONGEST_DESCRIPTION {
        faults.add(field, Problem::TooManyCharacters { max: LONGEST_DESCRIPTION, actual: length });
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
        faults.add(field, Problem::ControlCharacters);
    }
}

pub(super) fn target(name: &str) -> Target {
    Target { kind: TargetKind::Repository, id: None, name: name.to_owned() }
}

fn made(row: &RepositoryRow, plot: &Plot) -> Vec<FieldChange> {
    let owner = format!("{} (uid {})", row.owner, plot.owner.uid);
    let mut changes = vec![
        FieldChange::new("kind", None, Some(row.kind.name().into())),
        FieldChange::new("owner", None, Some(owner.into())),
        FieldChange::new("private", None, Some((!plot.is_public).to_string().into())),
    ];
    changes.extend(row.clone_uri.as_ref().map(|uri| FieldChange::new("clone_uri", None, Some(uri.shown().into()))));
    changes
}

/// The one place where it is said why nothing could be made of a name.
pub(super) fn refusal(name: &str, failed: GroundError) -> Refusal {
    match failed {
        GroundError::Fault(fault) => fault.into(),
        GroundError::InTheWay => {
            Refusal::invalid(Field::Repository(RepositoryField::Name), RepositoryProblem::InTheWay.into())
        }
        GroundError::NoSpace => Refusal::NoSpace,
        GroundError::Io(failed) => {
            error!(name, error = %failed, "a repository can not be made or changed");
            RepositoryFault::NotMade(failed.to_string()).into()
        }
    }
}
