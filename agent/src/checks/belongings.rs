//! What accounts leave outside of the account files, of accounts that there are not: crontabs,
//! at(1) jobs, marks for lingering, mail.

use std::collections::BTreeMap;

use accountd_protocol::checks::CheckedObject;

use super::finding::{Area, Fault, Found};
use super::left::{Belongings, Kept};
use super::repair::{Belonging, Repair};

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

fn words(belonging: Belonging) -> (Area, &'static str) {
    match belonging {
        Belonging::Crontab => (Area::Crontab, "the crontab"),
        Belonging::Linger => (Area::Linger, "the mark for lingering"),
        Belonging::Mail => (Area::Mail, "the mail"),
        Belonging::AtJobs => (Area::AtJobs, "jobs"),
    }
}
