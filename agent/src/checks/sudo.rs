//! Drop-ins of ours below sudoers.d: for accounts that there are, about them, and such that sudo
//! reads them (sudoers(5)); and the commands in them. Whether rules that somebody else has written
//! are right is for visudo(8) to say.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use accountd_protocol::checks::CheckedObject;
use accountd_protocol::sudo::{SudoCommand, SudoFault, SudoGrant};

use super::finding::{Area, Fault, Found};
use super::repair::Repair;
use crate::database::View;
use crate::sudoers::{DIRECTORY, Grantee, check_program, granted, is_about};

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
    let name = name_of(view, grantee);
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

/// Commands that are not there any more, or that others than root can replace by now. Looks at the
/// file system, so not to be called under the lock.
pub fn check_commands(view: &View, drop_ins: &[DropIn], root: &Path) -> Vec<Found> {
    let mut known: HashMap<SudoCommand, Result<(), SudoFault>> = HashMap::new();
    let mut found = Vec::new();
    for DropIn { name: file, text, .. } in drop_ins {
        let grantee = Grantee::of_file(file);
        let Some((grantee, name)) = grantee.and_then(|grantee| Some((grantee, name_of(view, grantee)?))) else {
            continue;
        };
        let grant = text.as_ref().and_then(|text| granted(text, grantee.kind(), name));
        let Some(SudoGrant::Commands(commands)) = grant else { continue };
        for (_, _, command) in commands.places() {
            let checked = known.entry(command.clone()).or_insert_with(|| check_program(root, command));
            found.extend(checked.as_ref().err().map(|fault| bad_command(file, name, command, fault)));
        }
    }
    found
}

fn bad_command(file: &str, name: &str, command: &SudoCommand, fault: &SudoFault) -> Found {
    let object =
        CheckedObject { file: format!("/{DIRECTORY}/{file}"), name: Some(name.to_owned()), ..CheckedObject::default() };
    let is_replaceable = matches!(fault, SudoFault::Replaceable { .. });
    let kind = if is_replaceable { Fault::ReplaceableCommand } else { Fault::MissingCommand };
    let message = format!("grants '{}', which {fault}", command.as_str().escape_debug());
    Found::new(Area::Sudo, kind, object, message)
}

fn name_of(view: &View, grantee: Grantee) -> Option<&str> {
    match grantee {
        Grantee::User(id) => view.user(id).map(|row| row.name.as_str()),
        Grantee::Group(id) => view.group(id).map(|row| row.name.as_str()),
    }
}
