//! What a new sandbox begins with: directories, what programs need in `etc`, accounts.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::SandboxError;
use super::machine;
use super::namespace::OF_THE_MACHINE;

/// Whether the sandbox is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    New,
    Again,
}

/// Directory, mode, owner.
const DIRECTORIES: [(&str, u32, u32); 27] = [
    ("etc", 0o755, 0),
    ("home", 0o755, 0),
    ("mnt", 0o755, 0),
    ("mnt/tank", 0o755, 0),
    ("root", 0o700, 0),
    ("run", 0o755, 0),
    ("run/accountd", 0o755, 0),
    ("run/lock", 0o1777, 0),
    ("tmp", 0o1777, 0),
    ("var", 0o755, 0),
    ("var/cache", 0o755, 0),
    ("var/lib", 0o755, 0),
    ("var/lib/accountd", 0o700, 0),
    ("var/lib/accountd-ssh", 0o700, SSH_ID),
    ("var/log", 0o755, 0),
    ("var/mail", 0o755, 0),
    ("var/spool", 0o755, 0),
    ("var/tmp", 0o1777, 0),
    ("var/lib/samba", 0o755, 0),
    ("etc/accountd", 0o755, 0),
    ("etc/samba", 0o755, 0),
    ("var/lib/systemd", 0o755, 0),
    ("var/lib/systemd/linger", 0o755, 0),
    ("var/spool/cron", 0o755, 0),
    ("var/spool/cron/atjobs", 0o1770, 1),
    ("var/spool/cron/atspool", 0o1770, 1),
    ("var/spool/cron/crontabs", 0o1730, 0),
];

/// Wider than the defaults, so that everything can be tried.
const CONFIG: &str = "# accountd.toml(5). Read when the sandbox starts.\n\n\
                      [accounts]\npermit_root = \"keys\"\nshared_uid = \"allowed\"\n\n\
                      [bans]\nignore = [\"127.0.0.0/8\", \"::1\"]\n\n\
                      [alist]\nenabled = true\n\n\
                      [repositories]\nroot = \"/mnt/tank/repositories\"\n";
const ALIASES: &str = "# aliases(5)\nmailer-daemon: postmaster\npostmaster: root\n";

pub const API_ID: u32 = 990;
pub const SSH_ID: u32 = 991;

/// Name, uid and gid, home, shell.
const USERS: [(&str, u32, &str, &str); 8] = [
    ("root", 0, "/root", "/bin/bash"),
    ("daemon", 1, "/usr/sbin", "/usr/sbin/nologin"),
    ("bin", 2, "/bin", "/usr/sbin/nologin"),
    ("sys", 3, "/dev", "/usr/sbin/nologin"),
    ("mail", 8, "/var/mail", "/usr/sbin/nologin"),
    ("nobody", 65534, "/nonexistent", "/usr/sbin/nologin"),
    ("accountd-api", API_ID, "/nonexistent", "/usr/sbin/nologin"),
    ("accountd-ssh", SSH_ID, "/nonexistent", "/usr/sbin/nologin"),
];

const GROUPS: [(&str, u32); 22] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("lp", 7),
    ("mail", 8),
    ("wheel", 10),
    ("ftp", 14),
    ("kmem", 15),
    ("sudo", 27),
    ("shadow", 42),
    ("utmp", 43),
    ("staff", 50),
    ("games", 60),
    ("crontab", 101),
    ("users", 100),
    ("nogroup", 65534),
    ("accountd-api", API_ID),
    ("accountd-ssh", SSH_ID),
];

const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files\nnetworks: files\n\
                        protocols: files\nservices: files\n";
const SHELLS: &str = "/bin/sh\n/bin/bash\n/bin/csh\n/usr/sbin/nologin\n";
const SHADOW_GID: u32 = 42;

/// Makes what is missing; what is there stays.
pub fn plant(root: &Path) -> Result<Planted, SandboxError> {
    let mounted = OF_THE_MACHINE.iter().filter(|name| Path::new("/").join(name).is_dir()).map(|name| (*name, 0o755, 0));
    for (name, mode, owner) in DIRECTORIES.into_iter().chain(mounted) {
        let path = root.join(name);
        if !path.is_dir() {
            fs::create_dir(&path).map_err(SandboxError::file("make", &path))?;
            fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(SandboxError::file("protect", &path))?;
            chown(&path, Some(owner), Some(owner)).map_err(SandboxError::file("give away", &path))?;
        }
    }
    if !root.join("etc/accountd/accountd.toml").exists() {
        write(root, "etc/accountd/accountd.toml", CONFIG, 0o644, 0)?;
    }
    if root.join("etc/passwd").exists() {
        return Ok(Planted::Again);
    }
    machine::take(&root.join("etc"))?;
    write(root, "etc/nsswitch.conf", NSSWITCH, 0o644, 0)?;
    write(root, "etc/shells", SHELLS, 0o644, 0)?;
    write(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", 0o644, 0)?;
    write(root, "etc/hostname", "sandbox\n", 0o644, 0)?;
    write(root, "etc/aliases", ALIASES, 0o644, 0)?;
    // Who is logged in, and who was: recorded only where there are such files (utmp(5)).
    link(root, "var/run", "/run")?;
    write(root, "run/utmp", "", 0o644, 0)?;
    write(root, "var/log/wtmp", "", 0o644, 0)?;
    write(root, "etc/subuid", "", 0o644, 0)?;
    write(root, "etc/subgid", "", 0o644, 0)?;
    plant_accounts(root)?;
    Ok(Planted::New)
}

/// passwd comes last: its being there says that all the rest is.
fn plant_accounts(root: &Path) -> Result<(), SandboxError> {
    let (mut passwd, mut shadow, mut group, mut gshadow) = (String::new(), String::new(), String::new(), String::new());
    for (name, id, home, shell) in USERS {
        let gid = if id == 65534 { 65534 } else { id };
        passwd.push_str(&format!("{name}:x:{id}:{gid}:{name}:{home}:{shell}\n"));
        shadow.push_str(&format!("{name}:*:20000:0:99999:7:::\n"));
    }
    for (name, gid) in GROUPS {
        group.push_str(&format!("{name}:x:{gid}:\n"));
        gshadow.push_str(&format!("{name}:*::\n"));
    }
    write(root, "etc/gshadow", &gshadow, 0o640, SHADOW_GID)?;
    write(root, "etc/group", &group, 0o644, 0)?;
    write(root, "etc/shadow", &shadow, 0o640, SHADOW_GID)?;
    write(root, "etc/passwd", &passwd, 0o644, 0)
}

/// Root's password, set by chpasswd(8) inside the namespace.
pub fn set_password(password: &str) -> Result<(), SandboxError> {
    let run = |source| SandboxError::Run { program: "chpasswd".into(), source };
    let mut child = Command::new("chpasswd")
        .args(["--crypt-method", "SHA512"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(run)?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "root:{password}").map_err(run)?;
    }
    let output = child.wait_with_output().map_err(run)?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SandboxError::Failed { program: "chpasswd".into(), message })
}

fn write(root: &Path, name: &str, text: &str, mode: u32, gid: u32) -> Result<(), SandboxError> {
    let path = root.join(name);
    fs::write(&path, text).map_err(SandboxError::file("write", &path))?;
    fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(SandboxError::file("protect", &path))?;
    chown(&path, Some(0), Some(gid)).map_err(SandboxError::file("give away", &path))
}

fn link(root: &Path, name: &str, target: &str) -> Result<(), SandboxError> {
    let path = root.join(name);
    match std::os::unix::fs::symlink(target, &path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(SandboxError::file("make", &path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
