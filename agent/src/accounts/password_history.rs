//! The last passwords of an account, none of which is taken again. What stands in shadow(5) when the
//! password is changed here counts as the last one, whoever has put it there.

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use crate::agent::Agent;
use crate::database::entry::shadow;
use crate::database::{self, DatabaseError, Draft, FileKind, View};
use crate::identity::hash::{Verdict, is_hash};

/// What a new password was held against.
#[derive(Debug)]
pub struct Judged {
    /// How many are not taken again.
    most: usize,
    /// The present hashes of the account: in use, and kept for later.
    present: Vec<String>,
    /// The last ones, the latest first.
    last: Vec<String>,
}

impl Agent {
    /// Refuses one of the last passwords. Costs a hash for each of them, so it is asked before the
    /// lock, and last of all checks.
    pub(super) fn judge_new_password(&self, id: AccountId, password: &Secret) -> Result<Judged, Refusal> {
        let view = self.database.certain_view()?;
        let history = self.password_policy(&view).history;
        let (most, present) = (usize::from(history), present(&view, id));
        drop(view);
        if most == 0 {
            return Ok(Judged { most, present, last: Vec::new() });
        }
        let stored = database::read_password_history(&self.store, id).map_err(DatabaseError::into_refusal)?;
        let mut last = present.clone();
        last.extend(stored.into_iter().filter(|hash| !present.contains(hash)));
        last.truncate(most);
        match self.hashes.verify_any(password, &last) {
            Verdict::Right => Err(Refusal::invalid(Field::Password, Problem::Recent(history))),
            Verdict::Wrong => Ok(Judged { most, present, last }),
        }
    }
}

impl Judged {
    /// Under the lock. A password that has come meanwhile was not judged.
    pub fn enter(self, draft: &mut Draft<'_>, id: AccountId, new: &str) -> Result<(), Refusal> {
        let Judged { most, present: judged, mut last } = self;
        if most > 0 && present(draft, id) != judged {
            return Err(Refusal::Busy);
        }
        last.insert(0, new.to_owned());
        last.truncate(most);
        draft.set_password_history(id, last);
        Ok(())
    }
}

fn present(view: &View, id: AccountId) -> Vec<String> {
    let Some(row) = view.user(id) else { return Vec::new() };
    let field = view.entry(FileKind::Shadow, &row.name).map(|entry| entry.text(shadow::PASSWORD));
    let used = field.map(|field| field.trim_start_matches('!').to_owned());
    used.into_iter().chain(row.kept_hash.clone()).filter(|hash| is_hash(hash)).collect()
}
