//! What lies around outside of the account files, listed for a check.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::repair::Belonging;
use crate::belongings::{AT, CRONTABS, LINGER, MAIL};

/// Everything that is listed.
#[derive(Debug, Default)]
pub struct Belongings {
    pub named: Vec<Kept>,
    /// The owner of each file of an at(1) job, and its path.
    pub jobs: Vec<(u32, String)>,
}

/// A file that is named after an account.
#[derive(Debug)]
pub struct Kept {
    pub belonging: Belonging,
    pub path: String,
    pub name: String,
}

impl Belongings {
    /// What can't be listed is left out; no link is followed.
    pub fn list(root: &Path) -> Self {
        let mut listed = Self::default();
        let directories = [(CRONTABS, Belonging::Crontab), (LINGER, Belonging::Linger), (MAIL, Belonging::Mail)];
        for (directory, belonging) in directories {
            let kept = files(root, directory).filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(Kept { belonging, path: format!("/{directory}/{name}"), name })
            });
            // A mailbox is locked by a file beside it.
            listed.named.extend(kept.filter(|kept| !kept.name.ends_with(".lock")));
        }
        for directory in AT {
            listed.jobs.extend(files(root, directory).filter_map(|entry| {
                let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
                let owner = fs::symlink_metadata(entry.path()).ok()?.uid();
                Some((owner, format!("/{directory}/{name}")))
            }));
        }
        listed.named.sort_by(|left, right| left.path.cmp(&right.path));
        listed.jobs.sort();
        listed
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|kept| kept.name.as_str()).filter(|name| !name.starts_with('.'))
    }

    pub fn uids(&self) -> impl Iterator<Item = u32> {
        self.jobs.iter().map(|(uid, _)| *uid)
    }
}

fn files(root: &Path, directory: &str) -> impl Iterator<Item = DirEntry> + use<> {
    let listed = fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
    listed.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
}
