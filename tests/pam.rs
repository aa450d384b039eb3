//! `pam_accountd.so` in programs that nobody here wrote: pamtester(1), su(1), passwd(1). The stacks are those that
//! Debian's pam-auth-update(8) makes of the profile in the package.

mod account;
mod login;
mod password;
mod session;
mod socket;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::v2::Nas;
use crate::world::{World, accountd};

/// Failures that cost nothing do not begin a ban either.
const PATIENT: &str = "[bans]\nignore = [\"127.0.0.0/8\", \"0.0.0.0/32\"]\n";

struct Stage {
    nas: Nas,
}

/// What came of a program.
#[derive(Debug)]
struct Said {
    ok: bool,
    text: String,
    took: Duration,
}

impl Said {
    #[track_caller]
    fn yes(&self) {
        assert!(self.ok, "{self:?}");
    }

    /// It failed, and said this.
    #[track_caller]
    fn no(&self, why: &str) {
        assert!(!self.ok && self.text.contains(why), "{self:?} does not say {why}");
    }
}

impl Stage {
    fn start() -> Self {
        Self::of(World::start_with(PATIENT))
    }

    /// With the files of Debian's profiles in the sandbox, and a service `test` that has all of them.
    fn of(world: World) -> Self {
        let stage = Self { nas: Nas::of(world) };
        let module = accountd().with_file_name("deps").join("libpam_accountd.so");
        fs::copy(&module, stage.path("/var/lib/pam_accountd.so")).unwrap();
        let rendered = rendered();
        for name in ["auth", "account", "password", "session", "session-noninteractive"] {
            let text = fs::read_to_string(rendered.path().join(format!("etc/pam.d/common-{name}"))).unwrap();
            let text = text
                .replace("pam_accountd.so", "/var/lib/pam_accountd.so")
                .replace("pam_unix.so", "pam_unix.so nodelay");
            fs::write(stage.path(&format!("/etc/pam.d/common-{name}")), text).unwrap();
        }
        let all = ["auth", "account", "password", "session"].map(|name| format!("@include common-{name}\n"));
        stage.service("test", &all.concat());
        stage
    }

    fn path(&self, path: &str) -> PathBuf {
        self.nas.disk.path(path)
    }

    /// A service of PAM's.
    fn service(&self, name: &str, text: &str) {
        fs::write(self.path(&format!("/etc/pam.d/{name}")), text).unwrap();
    }

    fn add(&self, name: &str, uid: u32) {
        let home = format!("/mnt/tank/home/{name}");
        let user = json!({"username": name, "uid": uid, "password": "Pass-word1", "home": home, "shell": "/bin/bash"});
        self.nas.post("/users", &user);
    }

    fn set(&self, name: &str, change: Value) {
        self.nas.patch(&format!("/users/{name}"), &change).status_is(200);
    }

    /// pamtester(1) of the service `test`, which asks for what is in `input`, a line each.
    fn test(&self, name: &str, input: &str, operations: &[&str]) -> Said {
        self.of_service("test", name, (input, operations))
    }

    fn of_service(&self, service: &str, name: &str, (input, operations): (&str, &[&str])) -> Said {
        let words: Vec<&str> = ["pamtester", service, name].into_iter().chain(operations.iter().copied()).collect();
        self.says(&words, input)
    }

    /// A program in the sandbox, with this on its standard input.
    fn says(&self, words: &[&str], input: &str) -> Said {
        let begun = Instant::now();
        let mut command = self.nas.world.inside(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that does not ask has ended by then.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Said { ok: output.status.success(), text, took: begun.elapsed() }
    }

    /// The same as a user, without any group.
    fn says_as(&self, uid: u32, words: &[&str], input: &str) -> Said {
        let id = uid.to_string();
        let as_user = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "--"];
        self.says(&as_user.into_iter().chain(words.iter().copied()).collect::<Vec<_>>(), input)
    }

    /// The open sessions of PAM, as the list has them.
    fn sessions(&self, name: &str) -> Vec<Value> {
        let list = self.nas.rest.get(&format!("/connections?user={name}")).object(200);
        let all = list["items"].as_array().unwrap().clone();
        all.into_iter().filter(|one| one["client"].as_str().unwrap().starts_with("PAM ")).collect()
    }
}

/// A root directory in which pam-auth-update(8) has put the profiles together.
fn rendered() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["usr/share/pam-configs", "usr/share/pam", "etc/pam.d", "var/lib/pam"] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    let profiles = root.path().join("usr/share/pam-configs");
    fs::copy("/usr/share/pam-configs/unix", profiles.join("unix")).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("pam/accountd.pam-config"), profiles.join("accountd")).unwrap();
    for entry in fs::read_dir("/usr/share/pam").unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, root.path().join("usr/share/pam").join(path.file_name().unwrap())).unwrap();
    }
    // What debconf(7) asks and is told stays there too.
    let debconf = ["config", "templates"].map(|name| {
        let file = root.path().join(format!("{name}.dat"));
        fs::copy(format!("/var/cache/debconf/{name}.dat"), &file).unwrap();
        format!("Name: {name}\nDriver: File\nFilename: {}\n\n", file.display())
    });
    let settings = root.path().join("debconf.conf");
    fs::write(&settings, format!("Config: config\nTemplates: templates\n\n{}", debconf.concat())).unwrap();
    let mut command = Command::new("pam-auth-update");
    command.env("DEBCONF_SYSTEMRC", settings);
    command.args(["--package", "--force", "--enable", "unix", "accountd", "--root"]).arg(root.path());
    let output = command.env("DEBIAN_FRONTEND", "noninteractive").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    root
}

#[test]
fn debian_puts_the_module_behind_its_own_and_never_where_root_could_be_locked_out() {
    let root = rendered();
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(root.path().join(format!("etc/pam.d/common-{name}"))).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    for name in ["auth", "account", "password", "session"] {
        let lines = lines(name);
        let place = |module: &str| lines.iter().position(|line| line.contains(module)).unwrap_or(usize::MAX);
        assert!(place("pam_accountd.so") < usize::MAX, "{name}: {lines:?}");
        assert!(name == "session" || place("pam_unix.so") < place("pam_accountd.so"), "{name}: {lines:?}");
        let ours = &lines[place("pam_accountd.so")];
        assert!(ours.contains("ignore=ignore") || ours.contains(" optional "), "{name}: {ours}");
        let gives_way = ours.contains("authinfo_unavail=ignore") && ours.contains("user_unknown=ignore");
        assert!(gives_way || matches!(name, "password" | "session"), "{name}: {ours}");
    }
    assert!(!lines("session-noninteractive").iter().any(|line| line.contains("pam_accountd.so")));
}
