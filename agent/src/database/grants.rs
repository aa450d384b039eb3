//! Who may use sudo, read from the drop-ins; those that have become somebody else's are mended.

use std::collections::{HashMap, HashSet};

use tracing::{error, warn};

use super::copies::Step;
use super::disk::Fingerprint;
use super::view::{Edit, View};
use super::writer::Writer;
use crate::sudoers::{self, DropIns, Grantee, Sudo, is_about};

/// Whether a step may leave a drop-in to the wrong account: one that went or was renamed.
pub fn may_void_grants(step: &Step) -> bool {
    match step {
        Step::Edit(Edit::User { old: Some(old), new, .. }) => new.as_ref().is_none_or(|new| new.name != old.name),
        Step::Edit(Edit::Group { old: Some(old), new, .. }) => new.as_ref().is_none_or(|new| new.name != old.name),
        Step::Edit(
            Edit::User { .. } | Edit::Group { .. } | Edit::Line { .. } | Edit::Sudo { .. } | Edit::Transfer { .. },
        )
        | Step::Edit(Edit::PasswordHistory { .. } | Edit::PasswordRules { .. } | Edit::ApiKey { .. })
        | Step::File { .. }
        | Step::Grants(_) => false,
    }
}

impl Writer {
    /// Reads the drop-ins, and gives the fingerprint of what was read: `before`, unless something
    /// had to be mended, which makes another reading due.
    pub(super) fn read_grants(&mut self, before: Option<Fingerprint>, steps: &mut Vec<Step>) -> Option<Fingerprint> {
        let drop_ins = match self.disk.drop_ins.read() {
            Ok(drop_ins) => drop_ins,
            Err(error) => {
                warn!(%error, "the drop-ins of sudo can not be read; they count as before");
                return before;
            }
        };
        let (renamed, work) = (renamed(steps), self.copies.work());
        let (mut grants, mut fingerprint) = (HashSet::new(), before);
        for (grantee, text) in drop_ins {
            let name = name_of(work, grantee);
            if name.is_some_and(|name| is_about(&text, grantee.kind(), name)) {
                grants.insert(grantee);
                continue;
            }
            fingerprint = None;
            let names = renamed.get(&grantee).map(String::as_str).zip(name);
            let text = names.and_then(|names| sudoers::renamed(&text, grantee.kind(), names).ok());
            if mend(&self.disk.drop_ins, grantee, text) == Sudo::Granted {
                grants.insert(grantee);
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
        | Step::Edit(Edit::PasswordHistory { .. } | Edit::PasswordRules { .. } | Edit::ApiKey { .. })
        | Step::File { .. }
        | Step::Grants(_) => None,
    };
    steps.iter().filter_map(grantee).collect()
}

/// Writes a drop-in anew for the name that its account has now. One that is for nobody, or can't be
/// written, is removed: it must not be somebody else's.
fn mend(drop_ins: &DropIns, grantee: Grantee, text: Option<String>) -> Sudo {
    let rewrite = |text: String| {
        let prepared = drop_ins.prepare(text)?;
        drop_ins.place(grantee, prepared.grant())
    };
    match text.map(rewrite) {
        Some(Ok(())) => return Sudo::Granted,
        Some(Err(error)) => warn!(?grantee, %error, "a drop-in of sudo can not be written; it is removed"),
        None => warn!(?grantee, "a drop-in of sudo is not that of its account; it is removed"),
    }
    if let Err(error) = drop_ins.remove(grantee) {
        error!(?grantee, %error, "a drop-in of sudo can not be removed");
    }
    Sudo::None
}
