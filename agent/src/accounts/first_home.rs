//! The home of somebody who logs in and has none yet: an account that `useradd` has made without one, or that was
//! restored on another machine.

use accountd_protocol::audit::{Actor, AuditAction, FieldChange};
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{FileKind, Purpose};
use crate::homes::{Filling, HomeKind, Owner, Skeleton};
use crate::sudoers::Grantee;

impl Agent {
    /// Makes it where it may be, and nothing has its name.
    pub(crate) fn make_first_home(&self, id: AccountId) -> Result<(), Refusal> {
        let view = self.database.certain_view()?;
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let entry = view.entry(FileKind::Passwd, &row.name).ok_or(Refusal::NotFound)?;
        let (Ok(home), Some(gid)) = (FieldPath::new(entry.text(passwd::HOME)), entry.number(passwd::GID)) else {
            return Ok(());
        };
        let (name, owner) = (row.name.clone(), Owner { uid: row.uid, gid: Gid(gid) });
        drop(view);
        // A mistake of the administrator's in the file is not repaired here, nor is a mount waited for.
        if self.homes.judge(&home, owner.uid) != Ok(HomeKind::Made) || self.homes.mode_of(&home) != Ok(None) {
            return Ok(());
        }
        let mode = self.config().homes.mode.bits();
        let filling = Filling { mode, keys: "", skeleton: Skeleton::Copied };
        let ready = self.make_home(&home, owner, filling)?;
        let publish = ready.action(&name);
        let purpose = Purpose { actor: Actor::Agent, action: AuditAction::UpdateUser, user: Some(id) };
        self.change(purpose, move |draft| {
            draft.remark(Grantee::User(id), FieldChange::new("home", None, Some("made at a login".into())));
            publish.into_iter().for_each(|publish| draft.after_commit(publish));
            Ok(())
        })?;
        ready.keep();
        Ok(())
    }
}
