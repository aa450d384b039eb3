//! A user of the machine who looks at everything that can be looked at.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;

use crate::running::Running;
use crate::v2::Nas;

/// What nobody but root may find: passwords on their way, and what begins a hash of one.
const SECRETS: [&str; 3] = ["a-first-s3cret", "a-second-s3cret", "$6$"];

/// Reads all that it can, again and again, until its input ends; then says where it has found secrets.
const SPY: &str = r#"
import glob, os, select, sys
secrets = [secret.encode() for secret in sys.argv[1:]]
places = ["/etc/*", "/etc/*/*", "/var/lib/*/*", "/run/*/*", "/tmp/*", "/mnt/tank/home/*", "/proc/[0-9]*/cmdline",
          "/proc/[0-9]*/environ", "/proc/[0-9]*/maps"]
found, rounds = set(), 0
own = "/proc/%d/" % os.getpid()
print("looking", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    rounds += 1
    for path in (path for place in places for path in glob.glob(place, include_hidden=True)):
        try:
            if path.startswith(own):
                continue
            with open(path, "rb") as file:
                text = file.read(1 << 20)
        except OSError:
            continue
        found |= {(path, secret.decode()) for secret in secrets if secret in text}
print(rounds, sorted(found), flush=True)
"#;

/// Runs until it is dropped.
struct Spy(Running, BufReader<std::process::ChildStdout>);

impl Spy {
    fn start(nas: &Nas) -> Self {
        let user = ["setpriv", "--reuid", "3999", "--regid", "3999", "--clear-groups", "python3", "-c", SPY];
        let mut command = nas.world.inside(&[&user[..], &SECRETS].concat());
        let mut spy = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut said = BufReader::new(spy.stdout.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        Self(spy, said)
    }

    /// How often it has looked, and what it has found.
    fn report(mut self) -> (u32, String) {
        drop(self.0.stdin.take());
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        let (rounds, found) = line.trim().split_once(' ').unwrap();
        (rounds.parse().unwrap(), found.to_owned())
    }
}

#[test]
fn nobody_sees_a_password_or_a_hash_while_accounts_are_made_and_changed() {
    let nas = Nas::start();
    let spy = Spy::start(&nas);
    for number in 0..12 {
        let user = format!("user{number}");
        nas.post("/users", &json!({"username": user, "password": SECRETS[0]}));
        nas.put(&format!("/users/{user}/password"), &json!({"password": SECRETS[1]})).status_is(204);
        assert!(nas.world.with_password(&user, SECRETS[1]).logs_in());
        nas.rest.get("/backups/current").status_is(200);
        if number % 2 == 0 {
            nas.rest.delete(&format!("/users/{user}")).status_is(204);
        }
    }
    let (rounds, found) = spy.report();
    assert!(rounds > 12, "{rounds}");
    // How each of the tests hands a password to ssh is no business of accountd.
    assert_eq!(found, "[]");
}

/// Every file below a directory, and who may read it.
fn files(directory: &Path, found: &mut BTreeMap<PathBuf, fs::Metadata>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let status = entry.metadata().unwrap();
        if status.is_dir() {
            files(&entry.path(), found);
        } else {
            found.insert(entry.path(), status);
        }
    }
}

#[test]
fn whatever_has_a_hash_in_it_is_readable_by_root_alone() {
    let mut nas = Nas::of(crate::world::World::start_with("[passwords]\nhistory = 3\n"));
    for password in ["one", "two", "three"] {
        let user = json!({"username": format!("u-{password}"), "password": password});
        nas.post("/users", &user);
        nas.put("/users/u-one/password", &json!({"password": format!("{password} more")})).status_is(204);
    }
    // At the end of the agent everything is in the store itself; a good copy of it is made at every start.
    nas.world.restart();
    let mut all = BTreeMap::new();
    ["etc", "var", "run", "tmp", "mnt"].iter().for_each(|name| files(&nas.world.root().join(name), &mut all));
    let has_hash = |path: &Path| {
        let text = fs::read(path).unwrap_or_default();
        text.windows(3).any(|window| window == b"$6$") || path.ends_with("smbpasswd")
    };
    let secret: Vec<_> = all.iter().filter(|(path, status)| status.is_file() && has_hash(path)).collect();
    let names: Vec<String> =
        secret.iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    for expected in ["shadow", "smbpasswd", "state.sqlite.good"] {
        assert!(names.iter().any(|name| name == expected), "no {expected} in {names:?}");
    }
    let is_store = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("state.sqlite");
    for path in all.keys().filter(is_store) {
        assert_eq!((all[path].uid(), all[path].mode() & 0o077), (0, 0), "{}", path.display());
    }
    for (path, status) in secret {
        // shadow(5) is of a group on Debian.
        let is_shadow = path.ends_with("etc/shadow") || path.ends_with("etc/shadow-");
        let open = if is_shadow { 0o027 } else { 0o077 };
        assert_eq!((status.uid(), status.mode() & open), (0, 0), "{}", path.display());
    }
}

#[test]
fn what_a_key_file_leads_to_is_not_shown() {
    let nas = Nas::start();
    let home = "/mnt/tank/home/anna";
    nas.post("/users", &json!({"username": "anna", "uid": 3001, "password": "pw", "home": home}));
    nas.post("/users", &json!({"username": "bert", "uid": 3002, "password": "pw", "home": "/mnt/tank/home/bert"}));
    let (_, key) = nas.world.make_key("a_key", "ed25519");
    nas.put("/users/bert/keys", &json!({"keys": [key]})).status_is(200);
    nas.put("/users/anna/keys", &json!({"keys": [key]})).status_is(200);
    let file = nas.disk.path(&format!("{home}/.ssh/authorized_keys"));
    let anna = nas.rest.as_user("anna", "pw");
    for target in ["/etc/shadow", "/mnt/tank/home/bert/.ssh/authorized_keys", "/proc/self/environ", "/dev/zero"] {
        fs::remove_file(&file).unwrap();
        symlink(target, &file).unwrap();
        for shown in [anna.get("/users/~/keys"), nas.rest.get("/users/anna/keys"), nas.rest.get("/users/anna")] {
            assert!(!shown.body.contains("ssh-ed25519") && !shown.body.contains("$6$"), "{target}: {}", shown.body);
        }
    }
    fs::remove_file(&file).unwrap();
    fs::hard_link(nas.disk.path("/etc/shadow"), &file).or_else(|_| fs::write(&file, "")).unwrap();
    assert!(!anna.get("/users/~/keys").body.contains("$6$"));
}
