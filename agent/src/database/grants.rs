//! Who may use sudo, read from the drop-ins; those that have become somebody else's are mended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::copies::Step;
use super::disk::DropInsFingerprint;
use super::edit::Edit;
use super::view::{Grants, View};
use super::writer::Writer;
use crate::sudoers::{self, DropIns, Grantee, granted};

/// A drop-in that is nobody's is looked at again after this.
const REST: Duration = Duration::from_millis(25);

/// Whether a step may leave a drop-in to the wrong account: one that went or was renamed.
pub fn may_void_grants(step: &Step) -> bool {
    match step {
        Step::Edit(Edit::User { old: Some(old), new, .. }) => new.as_ref().is_none_or(|new| new.name != old.name),
        Step::Edit(Edit::Group { old: Some(old), new, .. }) => new.as_ref().is_none_or(|new| new.name != old.name),
        Step::Edit(
            Edit::User { .. } | Edit::Group { .. } | Edit::Line { .. } | Edit::Sudo { .. } | Edit::Transfer { .. },
        )
        | Step::Edit(
            Edit::PasswordHistory { .. }
            | Edit::PasswordRules { .. }
            | Edit::ApiKey { .. }
            | Edit::KeyFile(_)
            | Edit::SecondFactor { .. }
            | Edit::PasswordStamp { .. },
        )
        | Step::File { .. }
        | Step::Grants(_) => false,
    }
}

impl Writer {
    /// Reads the drop-ins, and gives the fingerprint of what was read: `before`, unless something
    /// had to be mended, which makes another reading due.
    pub(super) fn read_grants(
        &mut self,
        before: Option<DropInsFingerprint>,
        steps: &mut Vec<Step>,
    ) -> Option<DropInsFingerprint> {
        let drop_ins = match self.disk.drop_ins.read() {
            Ok(drop_ins) => drop_ins,
            Err(error) => {
                warn!(%error, "the drop-ins of sudo can not be read; they count as before");
                return before;
            }
        };
        let (renamed, work) = (renamed(steps), self.copies.work());
        let (mut grants, mut fingerprint) = (Grants::new(), before);
        for (grantee, mut text) in drop_ins {
            let Some(name) = name_of(work, grantee) else {
                fingerprint = None;
                remove(&self.disk.drop_ins, grantee);
                continue;
            };
            let mut grant = granted(&text, grantee.kind(), name);
            if grant.is_none() {
                fingerprint = None;
                text = at_rest(&self.disk.drop_ins, grantee).unwrap_or(text);
                grant = granted(&text, grantee.kind(), name);
            }
            if grant.is_none() {
                let old = renamed.get(&grantee).map(String::as_str);
                let text = old.and_then(|old| sudoers::renamed(&text, grantee.kind(), (old, name)).ok());
                let mended = text.filter(|text| mend(&self.disk.drop_ins, grantee, text));
                grant = mended.and_then(|text| granted(&text, grantee.kind(), name));
            }
            match grant {
                Some(grant) => _ = grants.insert(grantee, Arc::new(grant)),
                None => remove(&self.disk.drop_ins, grantee),
            }
        }
        if *work.grants() != grants {
            let step = Step::Grants(grants);
            work.take(step.clone());
            steps.push(step);
        }
        fingerprint
    }
}

fn name_of(view: &View, grantee: Grantee) -> Option<&str> {
    match grantee {
        Grantee::User(id) => view.user(id).map(|row| row.name.as_str()),
        Grantee::Group(id) => view.group(id).map(|row| row.name.as_str()),
    }
}

/// Whom other programs have given another name, and their old ones.
fn renamed(steps: &[Step]) -> HashMap<Grantee, String> {
    let grantee = |step: &Step| match step {
        Step::Edit(Edit::User { id, old: Some(old), new: Some(new) }) if old.name != new.name => {
            Some((Grantee::User(*id), old.name.clone()))
        }
        Step::Edit(Edit::Group { id, old: Some(old), new: Some(new) }) if old.name != new.name => {
            Some((Grantee::Group(*id), old.name.clone()))
        }
        Step::Edit(
            Edit::User { .. } | Edit::Group { .. } | Edit::Line { .. } | Edit::Sudo { .. } | Edit::Transfer { .. },
        )
        | Step::Edit(
            Edit::PasswordHistory { .. }
            | Edit::PasswordRules { .. }
            | Edit::ApiKey { .. }
            | Edit::KeyFile(_)
            | Edit::SecondFactor { .. }
            | Edit::PasswordStamp { .. },
        )
        | Step::File { .. }
        | Step::Grants(_) => None,
    };
    steps.iter().filter_map(grantee).collect()
}

/// A drop-in that somebody may be in the middle of writing.
fn at_rest(drop_ins: &DropIns, grantee: Grantee) -> Option<String> {
    std::thread::sleep(REST);
    drop_ins.text(grantee).ok().flatten()
}

/// Whether a drop-in could be written anew for the name that its account has now.
fn mend(drop_ins: &DropIns, grantee: Grantee, text: &str) -> bool {
    let prepared = drop_ins.prepare(text.to_owned());
    let placed = prepared.and_then(|prepared| drop_ins.place(grantee, prepared.grant()));
    placed
        .inspect_err(|error| warn!(grantee = grantee.to_string(), %error, "a drop-in of sudo can not be written"))
        .is_ok()
}

/// One that is for nobody, or can't be written, must not be somebody else's.
fn remove(drop_ins: &DropIns, grantee: Grantee) {
    warn!(grantee = grantee.to_string(), "a drop-in of sudo is not that of its account; it is removed");
    if let Err(error) = drop_ins.remove(grantee) {
        error!(grantee = grantee.to_string(), %error, "a drop-in of sudo can not be removed");
    }
}
