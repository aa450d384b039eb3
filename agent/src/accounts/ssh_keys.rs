//! The SSH keys of a user one by one. The key file in the home is what counts, and its user may change it at
//! any time: whatever is asked here begins and ends with a look at it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use accountd_protocol::agent::{KeyLine, UserChange};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::id::{AccountId, Gid};
use accountd_protocol::identity::Identity;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::ssh_key::{KeyTitle, SshKey, SshKeyId};
use accountd_protocol::text::FieldPath;

use super::state::Basis;
use super::update::Update;
use crate::agent::Agent;
use crate::database::entry::passwd;
use crate::database::{FileKind, Found, FoundKey, Purpose};
use crate::homes::{KeyEdit, read_keys_to_keep};
use crate::identity::authorized_keys::{self, MAX_KEYS};
use crate::identity::candidate::supplementary_groups;
use crate::identity::key_lines;

impl Agent {
    /// In the order in which they were added.
    pub(crate) fn list_ssh_keys(&self, user: AccountId) -> Result<Vec<SshKey>, Refusal> {
        let _alone = self.key_writers.alone(user)?;
        self.seen_ssh_keys(user, |found| found)
    }

    pub(crate) fn add_ssh_key(
        &self,
        by: &Actor,
        user: AccountId,
        (title, line): (KeyTitle, &str),
    ) -> Result<SshKey, Refusal> {
        let (line, fingerprint) = one_key(line)?;
        let _alone = self.key_writers.alone(user)?;
        let known = self.seen_ssh_keys(user, |found| found)?;
        if known.iter().any(|key| key.title == title.as_str()) {
            return Err(Refusal::invalid(Field::KeyTitle, Problem::Duplicate(title.into())));
        }
        if known.len() >= MAX_KEYS {
            let many = Problem::TooMany { max: MAX_KEYS, actual: known.len() + 1 };
            return Err(Refusal::invalid(Field::SshKeys, many));
        }
        let edited = self.edit_keys(by, user, KeyEdit::Append(line));
        let added = Some((fingerprint, title.clone()));
        let keys = self.seen_ssh_keys(user, |found| Found { added, ..found })?;
        edited?;
        let added = keys.into_iter().rfind(|key| key.title == title.as_str());
        // Whoever has the home has taken it out again.
        added.ok_or(Refusal::Changed)
    }

    pub(crate) fn delete_ssh_key(&self, by: &Actor, user: AccountId, id: SshKeyId) -> Result<(), Refusal> {
        let _alone = self.key_writers.alone(user)?;
        let known = self.seen_ssh_keys(user, |found| found)?;
        let key = known.iter().find(|key| key.id == id).ok_or(Refusal::NotFound)?;
        let fingerprint = key.fingerprint.clone();
        let place = known.iter().filter(|other| other.fingerprint == fingerprint && other.id < id).count();
        self.edit_keys(by, user, KeyEdit::Remove { fingerprint, place })?;
        self.seen_ssh_keys(user, |found| Found { removed: Some(id), ..found }).map(drop)
    }

    /// Whose key it is; `None` for one that is not there.
    pub(crate) fn find_ssh_key(&self, id: SshKeyId) -> Result<Option<AccountId>, Refusal> {
        self.database.ssh_key_owner(id)
    }

    /// Notes with which key somebody has logged in.
    pub(crate) fn note_key_login(&self, conclusion: &Conclusion) {
        let (Concluded::LoggedIn, Some(blob)) = (conclusion.outcome, &conclusion.key) else { return };
        let (account, fingerprint) = (conclusion.account, authorized_keys::fingerprint(blob));
        if self.seen_keys.is_new(account, &fingerprint) {
            // A login does not wait for somebody who writes keys; the next one tries again.
            let seen = self.key_writers.alone_now(account).map(|_alone| self.seen_ssh_keys(account, |found| found));
            if let Some(Err(refusal)) = seen {
                tracing::info!(%refusal, "the keys of an account can not be looked at");
            }
        }
        self.database.note_ssh_key_use(account, fingerprint, milliseconds());
    }

    /// What is in the key file now, with ids and titles. Where there is no telling what is in it, what was
    /// known before stays.
    fn seen_ssh_keys(&self, user: AccountId, done: impl FnOnce(Found) -> Found) -> Result<Vec<SshKey>, Refusal> {
        let (home, identity) = self.key_place(user)?;
        let is_there = home.as_ref().is_some_and(|home| matches!(self.homes.mode_of(home), Ok(Some(_))));
        let path = home.as_ref().filter(|_| is_there).map(|home| Path::new(home.as_str()));
        let text = path.and_then(|home| read_keys_to_keep(self.homes.root(), home, &identity));
        let Some(text) = text else { return self.database.stored_ssh_keys(user) };
        let keys = key_lines::lines(&text).into_iter().filter_map(found_key).take(MAX_KEYS).collect();
        let found = Found { account: user, keys, added: None, removed: None, now: milliseconds() };
        let keys = self.database.reconcile_ssh_keys(done(found))?;
        self.seen_keys.set(user, keys.iter().map(|key| key.fingerprint.clone()));
        Ok(keys)
    }

    fn key_place(&self, user: AccountId) -> Result<(Option<FieldPath>, Identity), Refusal> {
        let view = self.database.certain_view()?;
        let row = view.user(user).ok_or(Refusal::NotFound)?;
        let entry = view.entry(FileKind::Passwd, &row.name).ok_or(Refusal::NotFound)?;
        let gid = entry.number(passwd::GID).map(Gid).ok_or(Refusal::NotFound)?;
        let identity = Identity { uid: row.uid, gid, groups: supplementary_groups(&view, &row.name) };
        Ok((FieldPath::new(entry.text(passwd::HOME)).ok(), identity))
    }

    fn edit_keys(&self, by: &Actor, user: AccountId, edit: KeyEdit) -> Result<(), Refusal> {
        let purpose = Purpose { actor: by.clone(), action: AuditAction::UpdateUser, user: Some(user) };
        let update = Update { key_edit: Some(edit), ..Update::new(UserChange::default(), Basis::default()) };
        self.change_user(purpose, user, update).map(drop)
    }
}

/// A line with a key that could let somebody in, and the fingerprint of that.
fn one_key(text: &str) -> Result<(String, String), Refusal> {
    let bad = |reason: &str| Refusal::invalid(Field::SshKeys, Problem::BadKey { line: 1, reason: reason.to_owned() });
    let line = authorized_keys::checked(text).map_err(|problem| Refusal::invalid(Field::SshKeys, problem))?;
    let line = line.trim_end().to_owned();
    match key_lines::lines(&line).as_slice() {
        _ if line.contains('\n') => Err(bad("there are several lines")),
        [KeyLine { key: Some(key), .. }] => Ok((line, key.fingerprint.clone())),
        _ => Err(bad("there is no key in it")),
    }
}

fn found_key(KeyLine { key, .. }: KeyLine) -> Option<FoundKey> {
    let key = key?;
    Some(FoundKey { fingerprint: key.fingerprint, comment: key.comment })
}

/// Since 1970.
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn what_is_added_is_one_line_with_one_key() {
        let (line, fingerprint) = one_key(&format!(" no-pty {KEY} me \r\n")).unwrap();
        assert_eq!(line, format!("no-pty {KEY} me"));
        assert_eq!(fingerprint, "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ");
        for bad in
            ["", "# note", "rubbish", &format!("{KEY}\n{KEY}"), &format!("{KEY}\n# x"), &format!("{KEY} \u{1b}[m")]
        {
            assert!(one_key(bad).is_err(), "{bad:?}");
        }
    }
}
