//! The keys of a user as a set: shown line by line, and replaced as a whole. The file is in the
//! user's home, where the user may change it at any time; whoever changes it through this program
//! waits for the others.

use accountd_protocol::agent::{KeyFile, User, UserChange};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::{Precondition, Tag};
use accountd_protocol::refusal::Refusal;

use super::state::{Basis, admits, tag_of};
use super::update::Update;
use crate::agent::Agent;
use crate::database::Purpose;
use crate::identity::key_lines;

impl Agent {
    pub(crate) fn list_keys(&self, id: AccountId) -> Result<KeyFile, Refusal> {
        self.get_user(id).map(key_file)
    }

    pub(crate) fn set_keys(
        &self,
        by: &Actor,
        id: AccountId,
        keys: String,
        only_if: &Precondition,
    ) -> Result<KeyFile, Refusal> {
        let _alone = self.key_writers.alone(id)?;
        let present = self.get_user(id)?.ssh_keys;
        admits(only_if, || Some(key_tag(&present)))?;
        let change = UserChange { ssh_keys: Some(keys), ..UserChange::default() };
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateUser, user: Some(id) };
        self.change_user(purpose, id, Update::new(change, Basis::default())).map(key_file)
    }
}

fn key_file(user: User) -> KeyFile {
    let User { ssh_keys: text, key_advice: advice, .. } = user;
    KeyFile { keys: key_lines::lines(&text), advice, tag: key_tag(&text) }
}

fn key_tag(text: &str) -> Tag {
    tag_of(&text)
}
