//! What an account owns outside of the account files and its home: its crontab(1), at(1) jobs, the
//! mark that lets its services linger (loginctl(1)), its mail spool.
//!
//! Found by name, or by uid where the name does not say whose it is. The directories are root's,
//! but some of them can be written to by a group of a service: no link in them is followed.
//! Nothing here can fail an account's change, which is made already; what does not work is logged.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use accountd_config::{Deletion, Leftover, Mail};
use accountd_protocol::id::Uid;
use tracing::{info, warn};

use crate::suspension::{ASIDE, aside};

pub const CRONTABS: &str = "var/spool/cron/crontabs";
pub const AT: [&str; 2] = ["var/spool/cron/atjobs", "var/spool/cron/atspool"];
pub const LINGER: &str = "var/lib/systemd/linger";
pub const MAIL: &str = "var/mail";
/// How often a removal is tried.
const REMOVALS: usize = 3;
/// Begins the name of mail that was given to root. No account can be called so.
const KEPT_MAIL: &str = ".accountd-kept-";

/// What is named after `name` in one of the directories.
pub fn place_of(root: &Path, directory: &str, name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    // Others may have made an account that is called `..` or `a/b`.
    let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else { return None };
    Some(root.join(directory).join(name))
}

/// Everything that is named after `name`, and the crontab and the mark while they are moved aside.
fn named(root: &Path, name: &str) -> Option<[PathBuf; 5]> {
    let [crontab, linger, mail] = [CRONTABS, LINGER, MAIL].map(|directory| place_of(root, directory, name));
    let (crontab, linger, mail) = (crontab?, linger?, mail?);
    let (no_crontab, no_linger) = (aside(&crontab), aside(&linger));
    Some([crontab, linger, mail, no_crontab, no_linger])
}

/// Whether something is there that is named after `name` and does not belong to `owner`.
pub fn are_left_to(root: &Path, name: &str, owner: Uid) -> bool {
    let strange = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|status| status.uid() != owner.0);
    named(root, name).is_some_and(|paths| paths.iter().any(strange))
}

/// All names that something is named after. `None` where that can not be listed.
pub fn names(root: &Path) -> Option<HashSet<OsString>> {
    let mut names = HashSet::new();
    for directory in [CRONTABS, LINGER, MAIL] {
        match fs::read_dir(root.join(directory)) {
            Ok(mut entries) => entries.try_for_each(|entry| {
                let name = entry?.file_name();
                names.insert(name.to_str().and_then(|name| name.strip_prefix(ASIDE)).map_or(name.clone(), Into::into));
                Ok(())
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
        .ok()?;
    }
    Some(names)
}

/// Removes what `deletion` says of the account `name`; at jobs only where `uid` was nobody else's.
pub fn remove(root: &Path, name: &str, uid: Option<Uid>, deletion: &Deletion) {
    if let Some([crontab, linger, mail, suspended_crontab, suspended_linger]) = named(root, name) {
        if deletion.crontab == Leftover::Remove {
            [crontab, suspended_crontab].iter().for_each(|path| remove_file(path));
        }
        if deletion.linger == Leftover::Remove {
            [linger, suspended_linger].iter().for_each(|path| remove_file(path));
        }
        match deletion.mail {
            Mail::Remove => remove_file(&mail),
            Mail::GiveToRoot => attempt("give to root", &mail, give_to_root(&mail, name)),
            Mail::Keep => {}
        }
    }
    if let Some(uid) = uid.filter(|_| deletion.at_jobs == Leftover::Remove) {
        AT.iter().for_each(|directory| remove_jobs(&root.join(directory), uid));
    }
}

/// Gives what is named after `old` the name `new` and the owner `uid`. What is there under the new
/// name already stays.
pub fn rename(root: &Path, old: &str, new: &str, uid: Uid) {
    let (Some(before), Some(after)) = (named(root, old), named(root, new)) else { return };
    for (from, to) in before.iter().zip(&after) {
        let owned = open_own(from).and_then(|file| give(&file, from, uid));
        attempt("give to its user", from, owned);
        if from != to && fs::symlink_metadata(to).is_err() {
            attempt("rename", from, fs::rename(from, to));
        }
    }
}

/// Tried more than once: nobody comes back to it.
fn remove_file(path: &Path) {
    let mut removed = fs::remove_file(path);
    for _ in 1..REMOVALS {
        if removed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            removed = fs::remove_file(path);
        }
    }
    attempt("remove", path, removed);
}

/// A regular file under one name.
fn open_own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let status = file.metadata()?;
    if !status.is_file() || status.nlink() != 1 {
        return Err(io::Error::other("it is not a file of its own"));
    }
    Ok(file)
}

/// The mark for lingering is root's, whoever it is for.
fn give(file: &File, path: &Path, uid: Uid) -> io::Result<()> {
    let status = file.metadata()?;
    if status.uid() == 0 || status.uid() == uid.0 || path.parent().is_some_and(|parent| parent.ends_with(LINGER)) {
        return Ok(());
    }
    fchown(file, Some(uid.0), None)
}

fn give_to_root(mail: &Path, name: &str) -> io::Result<()> {
    let file = open_own(mail)?;
    let uid = file.metadata()?.uid();
    fchown(&file, Some(0), None)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let kept = mail.with_file_name(format!("{KEPT_MAIL}{name}-{uid}"));
    if fs::symlink_metadata(&kept).is_ok() {
        return Err(io::Error::other("mail of such an account is kept already"));
    }
    fs::rename(mail, &kept)?;
    info!(kept = %kept.display(), "the mail of an account is root's now");
    Ok(())
}

fn remove_jobs(directory: &Path, uid: Uid) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if fs::symlink_metadata(&path).is_ok_and(|status| status.is_file() && status.uid() == uid.0) {
            remove_file(&path);
        }
    }
}

fn attempt(what: &str, path: &Path, result: io::Result<()>) {
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(path = %path.display(), %error, "cannot {what} what belonged to an account"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in [CRONTABS, LINGER, MAIL, AT[0], AT[1]] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        root
    }

    fn put(root: &Path, directory: &str, name: &str) -> PathBuf {
        let path = root.join(directory).join(name);
        fs::write(&path, name).unwrap();
        path
    }

    fn own_uid() -> Uid {
        Uid(nix::unistd::geteuid().as_raw())
    }

    #[test]
    fn what_the_configuration_names_is_removed_and_nobody_elses() {
        let root = root();
        let [cron, linger, job] = [(CRONTABS, "anna"), (LINGER, "anna"), (AT[0], "a0001")]
            .map(|(directory, name)| put(root.path(), directory, name));
        let others = [(CRONTABS, "berta"), (MAIL, "berta")].map(|(directory, name)| put(root.path(), directory, name));
        let mail = put(root.path(), MAIL, "anna");
        remove(root.path(), "anna", Some(Uid(4711)), &Deletion::default());
        assert!(!cron.exists() && !linger.exists() && job.exists(), "the job is another uid's");
        assert!(!mail.exists() && others.iter().all(|path| path.exists()));
        let kept = root.path().join(MAIL).join(format!("{KEPT_MAIL}anna-{}", own_uid()));
        assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
        remove(root.path(), "anna", Some(own_uid()), &Deletion::default());
        assert!(!job.exists());
    }

    #[test]
    fn what_is_to_be_kept_is_kept() {
        let root = root();
        let kept = [CRONTABS, LINGER, MAIL].map(|directory| put(root.path(), directory, "anna"));
        let keep = Leftover::Keep;
        let deletion = Deletion { crontab: keep, at_jobs: keep, linger: keep, mail: Mail::Keep };
        remove(root.path(), "anna", Some(own_uid()), &deletion);
        assert!(kept.iter().all(|path| path.exists()));
        remove(root.path(), "anna", None, &Deletion { mail: Mail::Remove, ..deletion });
        assert!(kept[0].exists() && kept[1].exists() && !kept[2].exists());
    }

    #[test]
    fn no_link_is_followed_and_no_name_leads_elsewhere() {
        let root = root();
        let secret = put(root.path(), CRONTABS, "secret");
        std::os::unix::fs::symlink(&secret, root.path().join(MAIL).join("anna")).unwrap();
        remove(root.path(), "anna", None, &Deletion::default());
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o644);
        for name in ["..", ".", "", "../crontabs/secret", "/etc/passwd"] {
            remove(root.path(), name, None, &Deletion { mail: Mail::Remove, ..Deletion::default() });
            rename(root.path(), name, "berta", own_uid());
        }
        assert!(secret.exists());
    }

    #[test]
    fn mail_takes_no_mails_place_that_is_kept_already() {
        let root = root();
        let mail = put(root.path(), MAIL, "anna");
        let kept = put(root.path(), MAIL, &format!("{KEPT_MAIL}anna-{}", own_uid()));
        remove(root.path(), "anna", None, &Deletion::default());
        assert_eq!(fs::read_to_string(&mail).unwrap(), "anna");
        assert_eq!(fs::metadata(&mail).unwrap().permissions().mode() & 0o777, 0o600, "it is root's alone");
        assert_eq!(fs::read_to_string(kept).unwrap(), format!("{KEPT_MAIL}anna-{}", own_uid()));
    }

    #[test]
    fn what_is_listed_is_what_is_looked_for() {
        let root = root();
        assert_eq!(names(root.path()), Some(HashSet::new()));
        put(root.path(), CRONTABS, "anna");
        put(root.path(), MAIL, "berta");
        assert_eq!(names(root.path()), Some(HashSet::from(["anna".into(), "berta".into()])));
        fs::remove_dir_all(root.path().join(MAIL)).unwrap();
        fs::write(root.path().join(MAIL), "").unwrap();
        assert_eq!(names(root.path()), None);
    }

    #[test]
    fn a_rename_takes_everything_along_but_replaces_nothing() {
        let root = root();
        for directory in [CRONTABS, MAIL] {
            put(root.path(), directory, "anna");
        }
        put(root.path(), MAIL, "berta");
        rename(root.path(), "anna", "berta", own_uid());
        assert_eq!(fs::read_to_string(root.path().join(CRONTABS).join("berta")).unwrap(), "anna");
        assert_eq!(fs::read_to_string(root.path().join(MAIL).join("berta")).unwrap(), "berta");
        assert!(are_left_to(root.path(), "anna", Uid(4711)) && !are_left_to(root.path(), "anna", own_uid()));
    }

    #[test]
    fn what_can_not_be_removed_stays_and_the_rest_goes() {
        let root = root();
        let odd = root.path().join(CRONTABS).join("anna");
        fs::create_dir(&odd).unwrap();
        let linger = put(root.path(), LINGER, "anna");
        remove(root.path(), "anna", None, &Deletion::default());
        assert!(odd.is_dir() && !linger.exists());
    }
}
