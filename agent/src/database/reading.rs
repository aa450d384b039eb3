//! What other programs have done to the files: read again, and the accounts matched anew.

use std::collections::HashSet;
use std::sync::Arc;

use accountd_protocol::id::{AccountId, Gid, Uid};

use super::copies::Step;
use super::disk::{Fingerprint, Fingerprints};
use super::edit::Edit;
use super::entry::{group_of, ids, shadow};
use super::error::DatabaseError;
use super::file::{FileKind, LineFile};
use super::grants::may_void_grants;
use super::matching::match_accounts;
use super::outside;
use super::row::{GroupRow, Origin, UserRow};
use super::view::{View, groups_in, users_in};
use super::writer::Writer;
use crate::audit;
use crate::identity::hash::is_hash;

impl Writer {
    /// Whether everything is as it was left.
    pub fn is_known(&self) -> Result<bool, DatabaseError> {
        Ok(self.copies.public().fingerprints == self.disk.fingerprints()?)
    }

    /// Reads the files that are not as they were left, and matches the accounts.
    pub fn refresh(&mut self) -> Result<(), DatabaseError> {
        let mut fingerprints: Fingerprints = self.copies.public().fingerprints;
        let now = self.disk.fingerprints()?;
        if fingerprints == now {
            return Ok(());
        }
        let is_changed = |kind: &FileKind| fingerprints[*kind] != now[*kind];
        let changed: Vec<FileKind> = FileKind::ALL.into_iter().filter(is_changed).collect();
        let (mut steps, mut result) = (Vec::new(), Ok(()));
        for kind in changed {
            match self.read_changed(kind, fingerprints[kind]) {
                Ok((step, fingerprint)) => {
                    fingerprints[kind] = fingerprint;
                    steps.push(step);
                }
                // What the others say counts all the same: somebody may have been locked there.
                Err(error) => result = Err(error),
            }
        }
        let new_drop_ins = fingerprints.drop_ins != now.drop_ins;
        if steps.is_empty() && !new_drop_ins {
            return result;
        }
        let work = self.copies.work();
        steps.iter().cloned().for_each(|step| work.take(step));
        self.rematch(&mut steps)?;
        if new_drop_ins || steps.iter().any(may_void_grants) {
            fingerprints.drop_ins = self.read_grants(now.drop_ins, &mut steps);
            self.record_grants();
        }
        self.publish(steps, fingerprints);
        result
    }

    /// Who has been given sudo by another program, or lost it. What was so is not known at first.
    fn record_grants(&mut self) {
        let before = self.copies.public();
        if !before.has(FileKind::Passwd) {
            return;
        }
        let events = outside::grants(&before, self.copies.work());
        if let Err(error) = self.state.record(events) {
            tracing::error!(%error, "it can not be recorded that other programs have changed the drop-ins of sudo");
        }
    }

    fn read_changed(
        &self,
        kind: FileKind,
        before: Option<Fingerprint>,
    ) -> Result<(Step, Option<Fingerprint>), DatabaseError> {
        let (content, fingerprint) = self.disk.read_whole(kind, before)?;
        let file =
            content.as_deref().map(|content| LineFile::parse(kind, content)).unwrap_or_else(|| LineFile::absent(kind));
        let known = self.copies.public();
        plausible(kind, known.file(kind), &file)?;
        let names = known.file(kind).differences(&file);
        Ok((Step::File { kind, file: Box::new(file), names }, fingerprint))
    }

    /// Gives the accounts of the files their rows. `steps` are made already, and get these.
    fn rematch(&mut self, steps: &mut Vec<Step>) -> Result<(), DatabaseError> {
        let (next_user, next_group) = (self.next_user, self.next_group);
        if steps.is_empty() {
            return Ok(());
        }
        let mut edits = self.match_users(&changed_names(steps, FileKind::Passwd));
        edits.extend(self.match_groups(&changed_names(steps, FileKind::Group)));
        let events = match self.origin {
            // They were there before there was a trail.
            Origin::Builtin => Vec::new(),
            Origin::Added => outside::events(&self.copies.public(), self.copies.work(), steps, &edits),
        };
        if let Err(error) = self.state.commit(&edits, None, || audit::bodies(&events)) {
            (self.next_user, self.next_group) = (next_user, next_group);
            self.copies.abandon();
            return Err(error.into());
        }
        self.origin = Origin::Added;
        let work = self.copies.work();
        edits.iter().for_each(|edit| work.apply(edit));
        steps.extend(edits.into_iter().map(Step::Edit));
        Ok(())
    }

    fn match_users(&mut self, names: &HashSet<String>) -> Vec<Edit> {
        if names.is_empty() {
            return Vec::new();
        }
        let before = self.copies.public();
        let (view, origin) = (&*self.copies.work(), self.origin);
        let known: Vec<_> =
            view.users().iter().filter(|row| concerns(view, names, FileKind::Passwd, &row.name)).collect();
        let known: Vec<_> = known.into_iter().map(|row| (row.id, row.name.as_str(), row.uid.0)).collect();
        let file = view.file(FileKind::Passwd);
        let mut present: Vec<_> =
            users_in(file).filter(|(name, _)| names.contains(*name)).map(|(name, uid)| (name, uid.0)).collect();
        // The superuser is number one, wherever its line stands.
        present.sort_by_key(|(name, uid)| (*name, *uid) != ("root", Uid::ROOT.0));
        let matching = match_accounts(&known, &present, |old, new| is_renamed_user(&before, view, old, new));
        let edit = |id, new| Edit::User { id, old: view.users().shared(id), new };
        let mut edits: Vec<Edit> = matching.gone.iter().flat_map(|id| view.api_keys().removals(*id)).collect();
        edits.extend(matching.gone.iter().filter_map(|id| view.second_factors().removal(*id)));
        edits.extend(matching.gone.iter().map(|id| edit(*id, None)));
        for (id, name, uid) in matching.kept {
            let Some(row) = view.user(id).filter(|row| row.name != name || row.uid.0 != uid) else { continue };
            // Whoever it is now, an old password does not come back by itself.
            let new = UserRow { name, uid: Uid(uid), kept_hash: None, ..row.clone() };
            edits.push(edit(id, Some(Arc::new(new))));
        }
        let mut next = self.next_user;
        for (name, uid) in matching.new {
            let id = AccountId(next);
            next += 1;
            let (email, microsoft_account, kept_hash, extras) = (String::new(), false, None, None);
            let row = UserRow { id, name, uid: Uid(uid), origin, email, microsoft_account, kept_hash, extras };
            edits.push(Edit::User { id, old: None, new: Some(Arc::new(row)) });
        }
        self.next_user = next;
        edits
    }

    fn match_groups(&mut self, names: &HashSet<String>) -> Vec<Edit> {
        if names.is_empty() {
            return Vec::new();
        }
        let before = self.copies.public();
        let (view, origin) = (&*self.copies.work(), self.origin);
        let known: Vec<_> =
            view.groups().iter().filter(|row| concerns(view, names, FileKind::Group, &row.name)).collect();
        let known: Vec<_> = known.into_iter().map(|row| (row.id, row.name.as_str(), row.gid.0)).collect();
        let file = view.file(FileKind::Group);
        let present: Vec<_> =
            groups_in(file).filter(|(name, _)| names.contains(*name)).map(|(name, gid)| (name, gid.0)).collect();
        let matching = match_accounts(&known, &present, |old, new| is_renamed_group(&before, view, old, new));
        let edit = |id, new| Edit::Group { id, old: view.groups().shared(id), new };
        let mut edits: Vec<Edit> = matching.gone.iter().map(|id| edit(*id, None)).collect();
        for (id, name, gid) in matching.kept {
            let Some(row) = view.group(id).filter(|row| row.name != name || row.gid.0 != gid) else { continue };
            edits.push(edit(id, Some(Arc::new(GroupRow { name, gid: Gid(gid), ..row.clone() }))));
        }
        let mut next = self.next_group;
        for (name, gid) in matching.new {
            let id = AccountId(next);
            next += 1;
            let row = GroupRow { id, name, gid: Gid(gid), origin, limits: None };
            edits.push(Edit::Group { id, old: None, new: Some(Arc::new(row)) });
        }
        self.next_group = next;
        edits
    }
}

/// usermod(8) leaves everything else of a line that it renames, and the password. What the line
/// was is not known at the first reading after a start; then the number alone says it.
fn is_renamed_user(before: &View, now: &View, old: &str, new: &str) -> bool {
    let behind_the_name = |line: &[u8]| line.splitn(2, |byte| *byte == b':').nth(1).map(<[u8]>::to_vec);
    let password = |view: &View, name| view.entry(FileKind::Shadow, name).map(|entry| entry.text(shadow::PASSWORD));
    let Some(line) = before.line(FileKind::Passwd, old) else { return true };
    let same_line = now.line(FileKind::Passwd, new).is_some_and(|now| behind_the_name(now) == behind_the_name(line));
    let password_before = password(before, old).filter(|field| is_hash(field.trim_start_matches('!')));
    same_line || (password_before.is_some() && password_before == password(now, new))
}

fn is_renamed_group(before: &View, now: &View, old: &str, new: &str) -> bool {
    let members = |view: &View, name| view.line(FileKind::Group, name).and_then(group_of);
    before.line(FileKind::Group, old).is_none() || members(before, old) == members(now, new)
}

/// The names whose lines of this file differ. All others have the row that fits them.
fn changed_names(steps: &[Step], of: FileKind) -> HashSet<String> {
    let files = steps.iter().filter_map(|step| match step {
        Step::File { kind, names, .. } if *kind == of => Some(names),
        Step::File { .. } | Step::Edit(_) | Step::Grants(_) => None,
    });
    files.flatten().cloned().collect()
}

/// Whether a row may have to change: its line did, or it has none.
fn concerns(view: &View, names: &HashSet<String>, kind: FileKind, name: &str) -> bool {
    names.contains(name) || view.line(kind, name).is_none()
}

/// A file that is being written in place, or was emptied by mistake, would bury every account.
fn plausible(kind: FileKind, known: &LineFile, file: &LineFile) -> Result<(), DatabaseError> {
    let superuser =
        |file: &LineFile| file.entries().any(|(_, line)| ids(line).is_some_and(|(uid, _)| uid == Uid::ROOT.0));
    let believable = match kind {
        FileKind::Passwd => superuser(file),
        FileKind::Shadow | FileKind::Group => known.entries().next().is_none() || file.entries().next().is_some(),
        FileKind::Gshadow | FileKind::Smbpasswd | FileKind::UsernameMap | FileKind::Aliases => true,
    };
    if believable { Ok(()) } else { Err(DatabaseError::Implausible { kind }) }
}
