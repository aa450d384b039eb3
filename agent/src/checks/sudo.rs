//! Drop-ins of ours below sudoers.d: for accounts that there are, about them, and such that sudo
//! reads them (sudoers(5)). Whether the rules in them are right is for visudo(8) to say.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use accountd_protocol::checks::CheckedObject;

use super::finding::{Area, Fault, Found};
use super::repair::Repair;
use crate::database::View;
use crate::sudoers::{DIRECTORY, Grantee, is_about};

/// Begins the name of every drop-in of ours.
const PREFIX: &str = "accountd-";
/// sudo reads no name that ends so, or that has a dot in it.
const BACKUP: char = '~';

/// A drop-in as it was seen.
#[derive(Debug)]
pub struct DropIn {
    pub name: String,
    /// `None` where it can't be read.
    pub text: Option<String>,
    pub owner: u32,
    pub mode: u32,
}

/// What there is of ours, and what looks like it. An error where that can't be listed.
pub fn read(root: &Path) -> io::Result<Vec<DropIn>> {
    let directory = root.join(DIRECTORY);
    let listed = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut drop_ins = Vec::new();
    for entry in listed {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let is_read = name.starts_with(PREFIX) && !name.contains('.') && !name.ends_with(BACKUP);
        let Some(status) = is_read.then(|| fs::symlink_metadata(directory.join(&name)).ok()).flatten() else {
            continue;
        };
        let text = status.is_file().then(|| fs::read(directory.join(&name)).ok()).flatten();
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        drop_ins.push(DropIn { name, text, owner: status.uid(), mode: status.mode() });
    }
    drop_ins.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(drop_ins)
}

/// What is wrong with them.
pub fn check(view: &View, drop_ins: &[DropIn]) -> Vec<Found> {
    drop_ins.iter().flat_map(|drop_in| look(view, drop_in)).collect()
}

fn look(view: &View, drop_in: &DropIn) -> Vec<Found> {
    let file = format!("/{DIRECTORY}/{}", drop_in.name);
    let object = |name: Option<&str>| CheckedObject {
        file: file.clone(),
        name: name.map(str::to_owned),
        ..CheckedObject::default()
    };
    let Some(grantee) = Grantee::of_file(&drop_in.name) else {
        let message = "has a name like a drop-in of accountd, but is none; sudo reads it".to_owned();
        return vec![Found::new(Area::Sudo, Fault::NotOurs, object(None), message)];
    };
    let name = match grantee {
        Grantee::User(id) => view.user(id).map(|row| row.name.as_str()),
        Grantee::Group(id) => view.group(id).map(|row| row.name.as_str()),
    };
    let revoke = Repair::RevokeSudo { grantee };
    let Some(name) = name else {
        let message = "is for an account that is gone".to_owned();
        return vec![Found::new(Area::Sudo, Fault::NoAccount, object(None), message).repaired_by(revoke)];
    };
    let mut found = Vec::new();
    if !drop_in.text.as_ref().is_some_and(|text| is_about(text, grantee.kind(), name)) {
        let message = format!("has no rule for '{}', whose drop-in it is", name.escape_debug());
        found.push(Found::new(Area::Sudo, Fault::NotItsAccounts, object(Some(name)), message).repaired_by(revoke));
    }
    if drop_in.owner != 0 || drop_in.mode & 0o022 != 0 {
        let message = "can be written by others than root: sudo does not read it".to_owned();
        found.push(Found::new(Area::Sudo, Fault::WrongOwner, object(Some(name)), message));
    }
    found
}
