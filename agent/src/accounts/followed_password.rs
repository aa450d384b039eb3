//! A password that another program has set, such as passwd(1): everything that is made of one here follows it.

use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;

use super::create::{Hashes, line};
use crate::agent::{Agent, now};
use crate::database::entry::shadow;
use crate::database::{self, DatabaseError, Draft, Extras, FileKind, Purpose, UserRow, kept};
use crate::identity::hash::{Verdict, is_hash};
use crate::samba::{self, Flags};

/// Whether the password is the one of shadow(5), and all that is made of it is its.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    Yes,
    /// Nothing has changed.
    No,
}

/// What is entered under the lock, if the account's password is still the same then.
struct Following {
    id: AccountId,
    hashes: Hashes,
    /// The last passwords, the latest first; `None` where none are kept.
    last: Option<Vec<String>>,
}

impl Agent {
    /// `before` is the hash that it had before that.
    pub(crate) fn follow_password(
        &self,
        by: &Actor,
        id: AccountId,
        password: &Secret,
        before: Option<String>,
    ) -> Result<Followed, Refusal> {
        let _alone = self.password_writers.alone(id)?;
        let view = self.database.certain_view()?;
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let unix = view.entry(FileKind::Shadow, &row.name).ok_or(Refusal::NotFound)?.text(shadow::PASSWORD);
        let most = usize::from(self.password_policy(&view).history);
        drop(view);
        // A locked account has none that lets in, which is all that may be made of it for Samba.
        if !is_hash(&unix) || self.hashes.verify(password, &unix) != Verdict::Right {
            return Ok(Followed::No);
        }
        let hashes = self.with_second(Hashes { unix, clear: Some(password.clone()), second: None })?;
        let last = (most > 0).then(|| self.last_passwords(id, (&hashes.unix, before), most)).transpose()?;
        let purpose = Purpose { actor: by.clone(), action: AuditAction::SetPassword, user: Some(id) };
        let following = Following { id, hashes, last };
        self.change(purpose, move |draft| following.enter(draft))?;
        Ok(Followed::Yes)
    }

    fn last_passwords(
        &self,
        id: AccountId,
        (new, before): (&str, Option<String>),
        most: usize,
    ) -> Result<Vec<String>, Refusal> {
        let stored = database::read_password_history(&self.store, id).map_err(DatabaseError::into_refusal)?;
        let mut last = vec![new.to_owned()];
        for hash in before.into_iter().chain(stored).filter(|hash| is_hash(hash)) {
            if !last.contains(&hash) {
                last.push(hash);
            }
        }
        last.truncate(most);
        Ok(last)
    }
}

impl Following {
    fn enter(self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let Self { id, hashes, last } = self;
        let row = draft.user(id).cloned().ok_or(Refusal::NotFound)?;
        let entry = draft.entry(FileKind::Shadow, &row.name).ok_or(Refusal::NotFound)?;
        if entry.text(shadow::PASSWORD) != hashes.unix.as_str() {
            return Err(Refusal::Busy);
        }
        if let Some(stamp) = hashes.stamp() {
            draft.set_password_stamp(id, stamp);
        }
        if let Some(clear) = &hashes.clear {
            let samba = samba::line(&row.name, row.uid, clear, Flags::Enabled, now());
            draft.set_line(FileKind::Smbpasswd, &row.name, Some(line(&samba)));
        }
        if let Some(last) = last {
            draft.set_password_history(id, last);
        }
        // Neither one that waits nor one that only accountd knows may come back.
        let extras = kept(Extras { own_hash: None, ..row.extras().clone() });
        draft.set_user(id, Some(UserRow { kept_hash: None, extras, ..row.clone() }));
        Ok(())
    }
}
