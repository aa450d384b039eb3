//! What accounts leave outside of the account files, of accounts that there are not: crontabs,
//! at(1) jobs, marks for lingering, mail.

use std::collections::BTreeMap;

use accountd_protocol::checks::CheckedObject;

use super::finding::{Area, Fault, Found};
use super::left::{Belongings, Kept};
use super::repair::{Belonging, Repair};
use crate::suspension::ASIDE;

/// Begins the names of what is nobody's on purpose: mail that was given to root, files in work.
const HIDDEN: char = '.';

/// `is_user` and `is_uid` say whether somebody has a name or a uid; `certainly` whether that is
/// known for sure.
pub fn check(
    belongings: &Belongings,
    is_user: impl Fn(&str) -> bool,
    is_uid: impl Fn(u32) -> bool,
    certainly: bool,
) -> Vec<Found> {
    let mut found = Vec::new();
    for Kept { belonging, path, name } in &belongings.named {
        if name.starts_with(HIDDEN) || is_user(name) {
            continue;
        }
        let (area, what) = words(*belonging);
        let object = CheckedObject { file: path.clone(), name: Some(name.clone()), ..CheckedObject::default() };
        let message = format!("{what} of '{}', which is no account", name.escape_debug());
        let repair = Repair::Forget { belonging: *belonging, name: name.clone(), uid: None };
        found.push(Found::new(area, Fault::NoAccount, object, message).repaired_if(certainly, repair));
    }
    let mut jobs: BTreeMap<u32, (usize, &str)> = BTreeMap::new();
    for (uid, path) in belongings.jobs.iter().filter(|(uid, _)| !is_uid(*uid)) {
        jobs.entry(*uid).or_insert((0, path)).0 += 1;
    }
    found.extend(jobs.into_iter().map(|(uid, (count, path))| {
        let object = CheckedObject { file: path.to_owned(), number: Some(uid), ..CheckedObject::default() };
        let message = format!("{count} files of jobs of the uid {uid}, which no account has");
        let repair = Repair::Forget { belonging: Belonging::AtJobs, name: String::new(), uid: Some(uid) };
        Found::new(Area::AtJobs, Fault::NoAccount, object, message).repaired_if(certainly, repair)
    }));
    found
}

/// What was moved aside for a lock that others have lifted since. Setting it free is a change of the
/// account, and not a repair.
pub fn check_suspended(belongings: &Belongings, is_open: impl Fn(&str) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    for Kept { belonging, path, name } in &belongings.named {
        let Some(name) = name.strip_prefix(ASIDE).filter(|name| is_open(name)) else { continue };
        let (area, what) = words(*belonging);
        let object = CheckedObject { file: path.clone(), name: Some(name.to_owned()), ..CheckedObject::default() };
        let name = name.escape_debug();
        let message =
            format!("{what} of '{name}' is moved aside, but the account is not locked: unlock it here once more");
        found.push(Found::new(area, Fault::Suspended, object, message));
    }
    found
}

fn words(belonging: Belonging) -> (Area, &'static str) {
    match belonging {
        Belonging::Crontab => (Area::Crontab, "the crontab"),
        Belonging::Linger => (Area::Linger, "the mark for lingering"),
        Belonging::Mail => (Area::Mail, "the mail"),
        Belonging::AtJobs => (Area::AtJobs, "jobs"),
    }
}
