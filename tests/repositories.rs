//! Repositories, with the git and the Mercurial that everybody has.

mod changed_outside;
mod commanded;
mod hostile;
mod interrupted;
mod permissions;
mod pulled;
mod served;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::rest::Answer;
use crate::v2::Nas;
use crate::world::World;

pub const SETTINGS: &str = "[accounts]\npermit_root = \"keys\"\nshared_uid = \"allowed\"\n\
                            [bans]\nignore = [\"127.0.0.0/8\", \"::1\"]\n\
                            [repositories]\nroot = \"/mnt/tank/repositories\"\n";

/// A sandbox with `anna` and `berta`, who have shells, and `carla`, who has none; each has a key.
pub struct Stage {
    pub nas: Nas,
}

impl Stage {
    pub fn start() -> Self {
        Self::of(World::start())
    }

    pub fn with(settings: &str) -> Self {
        Self::of(World::start_with(&format!("{SETTINGS}{settings}")))
    }

    fn of(world: World) -> Self {
        let stage = Self { nas: Nas::of(world) };
        for (name, shell) in [("anna", "/bin/bash"), ("berta", "/bin/bash"), ("carla", "/usr/sbin/nologin")] {
            let (_, public) = stage.nas.world.make_key(name, "ed25519");
            let home = format!("/mnt/tank/home/{name}");
            let user = json!({"username": name, "full_name": name, "password": "pw", "shell": shell, "home": home,
                "keys": [public]});
            stage.nas.post("/users", &user);
        }
        stage
    }

    pub fn create(&self, name: &str, kind: &str, more: &Value) -> Value {
        let mut body = json!({"name": name, "kind": kind, "owner": "anna", "private": true});
        let more = more.as_object().into_iter().flatten();
        more.for_each(|(field, value)| body[field] = value.clone());
        self.nas.post("/repositories", &body)
    }

    /// The path of REST for a repository by its name.
    pub fn path(name: &str) -> String {
        format!("/repositories/{}", name.replace('/', "%2F"))
    }

    #[track_caller]
    pub fn grant(&self, name: &str, whom: &Value, access: &str) -> Value {
        let mut body = whom.clone();
        body["access"] = access.into();
        self.nas.rest.post(&format!("{}/grants", Self::path(name)), &body.to_string()).object(200)
    }

    /// Who may do what as REST says it: `user berta write`.
    #[track_caller]
    pub fn grants(&self, name: &str) -> Vec<String> {
        let listed = self.nas.rest.get(&format!("{}/grants", Self::path(name))).object(200);
        let items = listed["items"].as_array().unwrap().iter();
        let said = items.map(|item| {
            let access = item["access"].as_str().unwrap();
            match (item["user"]["username"].as_str(), item["group"]["groupname"].as_str()) {
                (Some(user), _) => format!("user {user} {access}"),
                (None, Some(group)) => format!("group {group} {access}"),
                (None, None) => format!("others {access}"),
            }
        });
        said.collect()
    }

    /// On disk, seen from outside.
    pub fn disk(&self, name: &str) -> PathBuf {
        self.nas.disk.path("/mnt/tank/repositories").join(name)
    }

    /// A directory of a client's.
    pub fn local(&self, name: &str) -> PathBuf {
        self.nas.world.client_file(name)
    }

    /// `ssh` as this user, as one text.
    pub fn ssh_line(&self, user: &str) -> String {
        let key = self.nas.world.client_file(user);
        let options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR \
                       -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes";
        format!("ssh -F /dev/null -i {} {options}", key.display())
    }

    pub fn url(&self, user: &str, name: &str) -> String {
        format!("ssh://{user}@127.0.0.1:{}/{name}", self.nas.world.ssh().port())
    }

    /// A command of git's client as this user.
    pub fn git(&self, user: &str, directory: &Path, arguments: &[&str]) -> Output {
        let mut git = Command::new("git");
        git.current_dir(directory).env("HOME", self.local("")).env("GIT_CONFIG_NOSYSTEM", "1");
        git.env("GIT_SSH_COMMAND", self.ssh_line(user)).env_remove("SSH_AUTH_SOCK");
        git.args(["-c", "user.name=A", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(arguments);
        git.output().unwrap()
    }

    pub fn hg(&self, user: &str, directory: &Path, arguments: &[&str]) -> Output {
        let mut hg = Command::new("hg");
        hg.current_dir(directory).env("HGRCPATH", "").env("HGPLAIN", "1").env("HGUSER", user);
        hg.args(["--config", &format!("ui.ssh={}", self.ssh_line(user))]).args(arguments);
        hg.output().unwrap()
    }

    /// A clone of a repository of git's with one more commit, pushed.
    #[track_caller]
    pub fn clone_and_push(&self, user: &str, name: &str, file: &str) -> PathBuf {
        let clone = self.clone(user, name, &format!("{user}-{file}"));
        self.commit(user, &clone, file);
        succeeds(&self.git(user, &clone, &["push", "-q", "origin", "HEAD:refs/heads/main"]));
        clone
    }

    #[track_caller]
    pub fn clone(&self, user: &str, name: &str, directory: &str) -> PathBuf {
        let to = self.local(directory);
        let url = self.url(user, name);
        succeeds(&self.git(user, &self.local(""), &["clone", "-q", &url, to.to_str().unwrap()]));
        to
    }

    #[track_caller]
    pub fn commit(&self, user: &str, clone: &Path, file: &str) {
        std::fs::write(clone.join(file), file).unwrap();
        succeeds(&self.git(user, clone, &["add", "."]));
        succeeds(&self.git(user, clone, &["commit", "-q", "-m", file]));
    }

    pub fn push(&self, user: &str, clone: &Path) -> Output {
        self.git(user, clone, &["push", "-q", "origin", "HEAD:refs/heads/main"])
    }

    pub fn can_read(&self, user: &str, name: &str) -> bool {
        self.git(user, &self.local(""), &["ls-remote", &self.url(user, name)]).status.success()
    }

    pub fn pull(&self, name: &str) -> Answer {
        self.nas.rest.post(&format!("{}/pull", Self::path(name)), "{}")
    }

    /// What getfacl(1) says of a file in a repository, by names.
    pub fn acl(&self, path: &str) -> String {
        let inside = format!("/mnt/tank/repositories/{path}");
        self.nas.world.run(&["getfacl", "--omit-header", "--absolute-names", &inside])
    }
}

#[track_caller]
pub fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
