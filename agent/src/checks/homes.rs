//! Homes: there, their account's, writable by nobody else, and nobody else's (pwck(8),
//! sshd_config(5), StrictModes).

use std::collections::HashMap;

use accountd_protocol::checks::CheckedObject;
use accountd_protocol::id::AccountId;
use accountd_protocol::key_advice::Writers;
use accountd_protocol::text::FieldPath;

use super::finding::{Area, Fault, Found, named};
use super::repair::Repair;
use super::sheet::{Sheet, decimal};
use crate::database::View;
use crate::database::entry::passwd;
use crate::homes::{Form, HomeKind, Homes, Seen, Status};

/// Accounts below this uid are the system's (login.defs(5), UID_MIN): of their homes nothing is
/// said but that they are missing.
pub const FIRST_ORDINARY: u32 = 1000;

/// An account and its home.
#[derive(Clone, Debug)]
pub struct HomeOf {
    pub home: FieldPath,
    name: String,
    uid: u32,
    /// The stable id, where root may set owner and mode of the home.
    repairable: Option<AccountId>,
    is_ordinary: bool,
    /// Whether others have it too, or one in it, or it lies in another's.
    is_alone: bool,
}

impl HomeOf {
    /// What a finding about it is about.
    fn object(&self) -> CheckedObject {
        let name = Some(self.name.clone());
        CheckedObject { file: self.home.to_string(), name, ..CheckedObject::default() }
    }
}

/// The homes that the lines name; not those that stand for none.
pub fn homes_of(view: &View, users: &Sheet<'_>, places: &Homes) -> Vec<HomeOf> {
    let home_of = |(name, row): (&str, &super::sheet::Row<'_>)| {
        let home = FieldPath::new(std::str::from_utf8(row.field(passwd::HOME)).ok()?).ok()?;
        let uid = decimal::<u32>(row.field(passwd::UID))?;
        let row_of_store = view.user_named(name).filter(|row| row.uid.0 == uid);
        let in_pool = places.is_in_pool(&home);
        let is_ordinary = in_pool || uid >= FIRST_ORDINARY && !row_of_store.is_some_and(|row| row.is_builtin());
        let repairable = row_of_store.filter(|_| in_pool).map(|row| row.id);
        Some(HomeOf { home, name: name.to_owned(), uid, repairable, is_ordinary, is_alone: true })
    };
    users.entries().filter_map(home_of).filter(|home| !HomeKind::is_none(&home.home)).collect()
}

/// Homes that several have, and homes in homes. Marks those that are not alone.
pub fn overlapping(homes: &mut [HomeOf]) -> Vec<Found> {
    let (mut found, mut touched) = (Vec::new(), Vec::new());
    let mut by_path: HashMap<&str, usize> = HashMap::new();
    for (index, home) in homes.iter().enumerate().filter(|(_, home)| home.is_ordinary) {
        match by_path.get(home.home.as_str()) {
            None => drop(by_path.insert(home.home.as_str(), index)),
            Some(first) => {
                touched.extend([index, *first]);
                let both = homes.get(*first).map(|first| named(&[first.name.clone(), home.name.clone()]));
                let message = format!("the home {} is that of {}", home.home, both.unwrap_or_default());
                found.push(Found::new(Area::Home, Fault::Shared, home.object(), message));
            }
        }
    }
    for (index, home) in homes.iter().enumerate().filter(|(_, home)| home.is_ordinary) {
        let mut above = home.home.as_str();
        while let Some((parent, _)) = above.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            above = parent;
            if let Some((outer, other)) = by_path.get(parent).and_then(|outer| Some((*outer, homes.get(*outer)?))) {
                touched.extend([index, outer]);
                let message = format!(
                    "the home of '{}' lies in that of '{}', {}",
                    home.name.escape_debug(),
                    other.name.escape_debug(),
                    other.home
                );
                found.push(Found::new(Area::Home, Fault::Nested, home.object(), message));
                break;
            }
        }
    }
    for index in touched {
        if let Some(home) = homes.get_mut(index) {
            home.is_alone = false;
        }
    }
    found
}

/// What was seen of each home, in the order of `homes`. `owner` says which account has a uid.
pub fn check(homes: &[HomeOf], seen: &[Seen], owner: impl Fn(u32) -> Option<String>) -> Vec<Found> {
    homes.iter().zip(seen).flat_map(|(home, seen)| judge(home, seen, &owner)).collect()
}

fn judge(home: &HomeOf, seen: &Seen, owner: &impl Fn(u32) -> Option<String>) -> Vec<Found> {
    let found = |fault, what: &str| {
        let message = format!("the home {} of '{}' {what}", home.home, home.name.escape_debug());
        Found::new(Area::Home, fault, home.object(), message)
    };
    match seen {
        Seen::Missing => vec![found(Fault::Missing, "does not exist")],
        Seen::NoAnswer => vec![found(Fault::NoAnswer, "could not be looked at: its file system gives no answer")],
        Seen::Unreachable(error) => vec![found(Fault::NoAnswer, &format!("could not be looked at: {error}"))],
        Seen::Linked | Seen::NotADirectory | Seen::Directory { .. } if !home.is_ordinary => Vec::new(),
        Seen::Linked => vec![found(Fault::Linked, "lies behind a symbolic link; what is there was not looked at")],
        Seen::NotADirectory => vec![found(Fault::NotADirectory, "is not a directory")],
        Seen::Directory { home: directory, ssh, keys } => {
            let ssh_path = format!("{}/.ssh", home.home);
            let key_path = format!("{ssh_path}/authorized_keys");
            let parts = [
                (Area::Home, home.home.to_string(), Some(directory)),
                (Area::Keys, ssh_path, ssh.as_ref()),
                (Area::Keys, key_path, keys.as_ref()),
            ];
            let parts = parts.into_iter().filter_map(|(area, path, status)| Some((area, path, status?)));
            parts.flat_map(|(area, path, status)| part(home, (area, path), status, owner)).collect()
        }
    }
}

/// Home, `.ssh` or key file.
fn part(
    home: &HomeOf,
    (area, path): (Area, String),
    status: &Status,
    owner: &impl Fn(u32) -> Option<String>,
) -> Vec<Found> {
    let object = CheckedObject { file: path.clone(), ..home.object() };
    let new = |fault, message| Found::new(area, fault, object.clone(), message);
    if status.form == Form::Link {
        return vec![new(Fault::Linked, format!("{path} is a symbolic link: keys in it do not count"))];
    }
    let holder = (status.owner != home.uid).then(|| owner(status.owner));
    let is_safe = home.is_alone && matches!(holder, None | Some(None));
    let repair = home.repairable.map(|id| Repair::Home { id });
    let repaired = |found: Found, is_safe: bool| Found { repair: repair.clone().filter(|_| is_safe), ..found };
    let mut found = Vec::new();
    if let Some(holder) = &holder {
        let whose = match holder {
            Some(name) => format!("'{}'", name.escape_debug()),
            None => format!("the uid {}, which no account has", status.owner),
        };
        let message = format!("{path} is that of {whose} and should be that of '{}'", home.name.escape_debug());
        // Keys may be root's; they count all the same.
        if area == Area::Home || status.owner != 0 {
            found.push(repaired(new(Fault::WrongOwner, message), is_safe));
        }
    }
    if let Some(by) = Writers::of(status.mode) {
        let others = match by {
            Writers::Group => "its group",
            Writers::Others | Writers::Both => "everybody",
        };
        let message = format!("{path} can be written by {others} (mode {:04o})", status.mode);
        let writable = repaired(new(Fault::Writable, message), is_safe || home.is_alone && status.owner == 0);
        found.push(if by == Writers::Group { writable.only_a_note() } else { writable });
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::database::FileKind;
    use crate::database::planted::view_of;

    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/sbin:/bin/sh\nanna:x:3001:0::/mnt/tank/anna:/bin/sh\n\
        berta:x:3002:0::/mnt/tank/anna/:/bin/sh\ncarla:x:3003:0::/mnt/tank/anna/in:/bin/sh\n\
        dora:x:3004:0::/mnt/tank/dora:/bin/sh\nemil:x:3005:0::/nonexistent:/bin/sh\n";

    fn homes() -> Vec<HomeOf> {
        let root = tempfile::tempdir().unwrap();
        let places = Homes::new(root.path(), vec![FieldPath::new("/mnt").unwrap()]).unwrap();
        let view = view_of(&[(FileKind::Passwd, PASSWD)]);
        homes_of(&view, &Sheet::of(&view, FileKind::Passwd), &places)
    }

    fn directory(owner: u32, mode: u32) -> Seen {
        let status = |owner, mode, form| Status { owner, mode, form };
        Seen::Directory { home: status(owner, mode, Form::Directory), ssh: None, keys: None }
    }

    fn codes(found: &[Found]) -> Vec<(&str, &str, bool)> {
        let found = found.iter().map(|found| {
            (found.code.as_str(), found.object.name.as_deref().unwrap_or_default(), found.repair.is_some())
        });
        found.collect()
    }

    fn owner(uid: u32) -> Option<String> {
        (uid == 0 || uid == 3001).then(|| "somebody".to_owned())
    }

    #[test]
    fn homes_that_several_have_and_homes_in_homes_are_found() {
        let mut homes = homes();
        assert_eq!(homes.len(), 6, "one stands for none");
        let found = overlapping(&mut homes);
        assert_eq!(codes(&found), [("home.shared", "berta", false), ("home.nested", "carla", false)]);
        let alone: Vec<&str> = homes.iter().filter(|home| home.is_alone).map(|home| home.name.as_str()).collect();
        assert_eq!(alone, ["root", "daemon", "dora"]);
    }

    #[test]
    fn only_a_home_that_is_nobody_elses_is_repaired() {
        let mut homes = homes();
        overlapping(&mut homes);
        let dora: Vec<HomeOf> = homes.iter().filter(|home| home.name == "dora").cloned().collect();
        let rows = [
            (directory(3004, 0o755), vec![]),
            (directory(4711, 0o755), vec![("home.wrong_owner", "dora", true)]),
            (directory(3001, 0o755), vec![("home.wrong_owner", "dora", false)]),
            (directory(0, 0o757), vec![("home.wrong_owner", "dora", false), ("home.writable", "dora", true)]),
            (directory(3004, 0o757), vec![("home.writable", "dora", true)]),
            (Seen::Missing, vec![("home.missing", "dora", false)]),
            (Seen::Linked, vec![("home.linked", "dora", false)]),
            (Seen::NotADirectory, vec![("home.not_a_directory", "dora", false)]),
            (Seen::NoAnswer, vec![("home.no_answer", "dora", false)]),
        ];
        for (seen, expected) in rows {
            assert_eq!(codes(&check(&dora, std::slice::from_ref(&seen), owner)), expected, "{seen:?}");
        }
        let anna: Vec<HomeOf> = homes.iter().filter(|home| home.name == "anna").cloned().collect();
        assert_eq!(codes(&check(&anna, &[directory(3001, 0o757)], owner)), [("home.writable", "anna", false)]);
    }

    #[test]
    fn of_the_systems_homes_only_their_absence_is_found() {
        let homes = homes();
        let system: Vec<HomeOf> = homes.into_iter().filter(|home| home.name == "daemon").collect();
        assert!(check(&system, &[directory(0, 0o777)], owner).is_empty());
        assert_eq!(codes(&check(&system, &[Seen::Missing], owner)), [("home.missing", "daemon", false)]);
    }

    #[test]
    fn key_files_are_their_accounts_or_roots() {
        let dora: Vec<HomeOf> = homes().into_iter().filter(|home| home.name == "dora").collect();
        let status = |owner, mode, form| Status { owner, mode, form };
        let seen = |ssh, keys| Seen::Directory { home: status(3004, 0o700, Form::Directory), ssh, keys };
        let fine = seen(Some(status(0, 0o755, Form::Directory)), Some(status(3004, 0o600, Form::File)));
        assert!(check(&dora, &[fine], owner).is_empty());
        let open = seen(Some(status(3004, 0o700, Form::Directory)), Some(status(4711, 0o620, Form::File)));
        assert_eq!(
            codes(&check(&dora, &[open], owner)),
            [("keys.wrong_owner", "dora", true), ("keys.writable", "dora", true)]
        );
        let linked = seen(Some(status(3004, 0o777, Form::Link)), None);
        assert_eq!(codes(&check(&dora, &[linked], owner)), [("keys.linked", "dora", false)]);
    }
}
