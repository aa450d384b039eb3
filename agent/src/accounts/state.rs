//! The state of an account as a tag, and changes that are meant for one state only. The tag holds
//! whatever is shown of an account, and nothing of a secret.

use accountd_protocol::agent::User;
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::{Precondition, Tag};
use accountd_protocol::refusal::Refusal;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::show::{NO_HASH, show_group, show_user};
use crate::database::entry::shadow;
use crate::database::{FileKind, GroupRow, UserRow, View};
use crate::hexadecimal::hexadecimal;

/// Bytes of a digest that go into a tag.
const TAG_BYTES: usize = 16;

/// What a change of a user counts on.
#[derive(Clone, Debug, Default)]
pub struct Basis {
    pub only_if: Precondition,
    /// The field of shadow(5) that a password was shown for: a lock or another password that has come
    /// meanwhile is not undone.
    pub shown: Option<String>,
}

impl Basis {
    /// To be asked under the lock.
    pub fn holds(&self, view: &View, id: AccountId) -> Result<(), Refusal> {
        user_is(view, id, &self.only_if)?;
        let Some(shown) = &self.shown else { return Ok(()) };
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let field = view.entry(FileKind::Shadow, &row.name).map(|entry| entry.text(shadow::PASSWORD));
        if field.as_ref() == Some(shown) { Ok(()) } else { Err(Refusal::Busy) }
    }
}

impl From<&Precondition> for Basis {
    fn from(only_if: &Precondition) -> Self {
        Self { only_if: only_if.clone(), shown: None }
    }
}

/// Refuses a change that is meant for another state of the user. To be asked under the lock.
pub fn user_is(view: &View, id: AccountId, only_if: &Precondition) -> Result<(), Refusal> {
    let row = view.user(id).ok_or(Refusal::NotFound)?;
    admits(only_if, || user_tag(view, row))
}

/// The same for a group.
pub fn group_is(view: &View, id: AccountId, only_if: &Precondition) -> Result<(), Refusal> {
    let row = view.group(id).ok_or(Refusal::NotFound)?;
    admits(only_if, || Some(group_tag(view, row)))
}

/// Refuses what is meant for another state; the present one is found out only where it matters.
pub fn admits(only_if: &Precondition, tag: impl FnOnce() -> Option<Tag>) -> Result<(), Refusal> {
    let met = match only_if {
        Precondition::None => true,
        Precondition::OneOf(_) => tag().is_some_and(|tag| only_if.admits(&tag)),
    };
    if met { Ok(()) } else { Err(Refusal::Changed) }
}

/// `None` for a user that can't be shown.
pub fn user_tag(view: &View, row: &UserRow) -> Option<Tag> {
    let shown = show_user(view, row)?.user;
    Some(tag_of(&User { unix_hash: NO_HASH.into(), smb_hash: NO_HASH.into(), ..shown }))
}

pub fn group_tag(view: &View, row: &GroupRow) -> Tag {
    tag_of(&show_group(view, row))
}

pub fn tag_of(content: &impl Serialize) -> Tag {
    // What is shown is made of texts and numbers, which JSON always holds.
    let text = serde_json::to_vec(content).unwrap_or_default();
    let digest: [u8; 32] = Sha256::digest(text).into();
    Tag(hexadecimal(&digest[..TAG_BYTES]))
}
