//! Repairs on request: what keeps an account's keys from counting.

use std::path::Path;

use accountd_protocol::agent::User;
use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::text::FieldPath;

use super::show::identity_of;
use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{FileKind, Purpose};
use crate::error::Error;
use crate::homes::{KeysWanted, Owner, RepairError};
use crate::sudoers::Grantee;

impl Agent {
    /// Sets owners and modes of home, `.ssh` and key file so that keys count. Where that is not
    /// possible, nothing changes.
    pub(crate) fn repair_keys(&self, by: &Actor, id: AccountId) -> Result<User, Refusal> {
        self.mend_keys(by, id)?;
        self.show_with_advice(id, KeysWanted::Unknown)
    }

    /// The same, for many: nothing is shown.
    pub(super) fn mend_keys(&self, by: &Actor, id: AccountId) -> Result<(), Refusal> {
        let view = self.database.view();
        let row = view.user(id).cloned().ok_or(Refusal::NotFound)?;
        let entry = view.entry(FileKind::Passwd, &row.name).ok_or(Refusal::NotFound)?;
        let gid = Gid(entry.number(passwd::GID).ok_or(Refusal::NotFound)?);
        let identity = identity_of(&view, &row.name, row.uid, gid);
        drop(view);
        let home = FieldPath::new(entry.text(passwd::HOME)).map_err(|error| at_home(error.into()))?;
        self.homes.judge(&home, row.uid).map_err(at_home)?;
        let failed = |source| Error::Repair { home: home.to_string(), source }.into_refusal();
        let account_of = |uid: accountd_protocol::id::Uid| {
            let view = self.database.known_view();
            view.names_of_uid(uid.0).into_iter().find(|name| *name != row.name).map(str::to_owned)
        };
        let owner = Owner { uid: row.uid, gid };
        let planned = self.homes.plan_repair(&home, owner, account_of).map_err(|error| match error {
            RepairError::Refused(problem) => Refusal::invalid(Field::SshKeys, problem),
            RepairError::Io(error) => failed(std::io::Error::from(error).into()),
        })?;
        planned.perform().map_err(|error| failed(std::io::Error::from(error).into()))?;
        let repaired = self.worker.repair(&identity, Path::new(home.as_str())).map_err(failed);
        // The planned half is done, whatever has become of the other.
        let purpose = Purpose { actor: by.clone(), action: AuditAction::RepairKeys, user: None };
        self.change(purpose, move |draft| {
            let change = FieldChange::new("owners_and_modes", None, Some("of home, .ssh and key file".into()));
            draft.remark(Grantee::User(id), change);
            Ok(())
        })?;
        repaired
    }
}

fn at_home(problem: Problem) -> Refusal {
    Refusal::invalid(Field::Home, problem)
}
