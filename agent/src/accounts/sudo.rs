//! sudo for users and groups: the drop-in is written and shown to visudo before anything changes.

use accountd_protocol::refusal::{Field, Problem, Refusal};

use crate::agent::Agent;
use crate::database::Draft;
use crate::error::Error;
use crate::sudoers::{self, DropIns, Grant, Grantee, Kind, Prepared, Sudo, Unchecked};

/// What becomes of the drop-in of an account.
#[derive(Debug)]
pub enum PlannedSudo {
    Unchanged,
    /// It is there in this text afterwards.
    Granted(Prepared),
    Revoked,
}

/// The same for the moment under the lock, where nothing may be taken away yet.
#[derive(Debug)]
pub enum SudoEdit {
    Unchanged,
    Granted(Grant),
    Revoked,
}

impl PlannedSudo {
    pub fn edit(&self) -> SudoEdit {
        match self {
            PlannedSudo::Unchanged => SudoEdit::Unchanged,
            PlannedSudo::Granted(prepared) => SudoEdit::Granted(prepared.grant().clone()),
            PlannedSudo::Revoked => SudoEdit::Revoked,
        }
    }
}

impl SudoEdit {
    pub fn enter(&self, draft: &mut Draft<'_>, grantee: Grantee) {
        match self {
            SudoEdit::Unchanged => {}
            SudoEdit::Granted(grant) => draft.set_sudo(grantee, Some(grant)),
            SudoEdit::Revoked => draft.set_sudo(grantee, None),
        }
    }
}

impl Agent {
    /// For an account that is to be made.
    pub(super) fn plan_new_sudo(&self, kind: Kind, name: &str, wanted: bool) -> Result<PlannedSudo, Refusal> {
        if !wanted {
            return Ok(PlannedSudo::Unchanged);
        }
        self.prepare_drop_in(sudoers::rule(kind, name))
    }

    /// For an account that is called `names.0` and will be called `names.1`.
    pub(super) fn plan_sudo(
        &self,
        grantee: Grantee,
        names: (&str, &str),
        wanted: Option<bool>,
    ) -> Result<PlannedSudo, Refusal> {
        let now = self.database.view().sudo(grantee);
        match (now, wanted) {
            (Sudo::None, Some(true)) => self.plan_new_sudo(grantee.kind(), names.1, true),
            (Sudo::Granted, Some(false)) => Ok(PlannedSudo::Revoked),
            (Sudo::Granted, Some(true) | None) if names.0 != names.1 => {
                let drop_ins = self.drop_ins().read().map_err(|source| Error::DropIn(source).into_refusal())?;
                let text = drop_ins.get(&grantee).map_or("", String::as_str);
                self.prepare_drop_in(sudoers::renamed(text, grantee.kind(), names))
            }
            (Sudo::None, Some(false) | None) | (Sudo::Granted, Some(true) | None) => Ok(PlannedSudo::Unchanged),
        }
    }

    fn prepare_drop_in(&self, text: Result<String, Problem>) -> Result<PlannedSudo, Refusal> {
        let text = text.map_err(|problem| Refusal::invalid(Field::Sudo, problem))?;
        match sudoers::check(self.root(), &text) {
            Ok(()) => {}
            Err(error @ (Unchecked::NoSudo | Unchecked::NotIncluded)) => {
                return Err(Refusal::invalid(Field::Sudo, Problem::NoSudo(error.to_string())));
            }
            Err(error @ (Unchecked::Run(_) | Unchecked::Refused(_))) => return Err(Error::Visudo(error).into_refusal()),
        }
        let prepared = self.drop_ins().prepare(text).map_err(|source| Error::DropIn(source).into_refusal())?;
        Ok(PlannedSudo::Granted(prepared))
    }

    fn drop_ins(&self) -> DropIns {
        DropIns::new(self.root())
    }
}
