//! `pull` and `clone_uri`, from real servers of git and Mercurial.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::Server;

const ROOT: &str = "mnt/tank/repositories";

/// A repository that somebody offers over HTTP.
struct Offered {
    directory: PathBuf,
    kind: &'static str,
    server: Child,
    /// Open, so that the server can go on writing to it.
    _said: BufReader<ChildStdout>,
    url: String,
}

impl Offered {
    fn new(kind: &'static str, directory: PathBuf) -> Self {
        fs::create_dir(&directory).unwrap();
        run(&directory, &[kind, "init"]);
        commit(kind, &directory, "first");
        let arguments: &[&str] = match kind {
            "git" => &["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
            _ => &["hg", "serve", "--port", "0", "--address", "127.0.0.1"],
        };
        let mut command = quiet(&directory, arguments);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let port = match kind {
            "git" => line.split("port ").nth(1).map(digits),
            _ => line.rsplit("127.0.0.1:").next().map(digits),
        };
        let port = port.filter(|port| !port.is_empty()).unwrap_or_else(|| panic!("no port: {line}"));
        let path = if kind == "git" { "/.git" } else { "/" };
        let url = format!("http://127.0.0.1:{port}{path}");
        Self { directory, kind, server, _said: said, url }
    }

    /// The names of all that there is of a repository, whichever it is.
    fn heads(kind: &str, repository: &Path) -> String {
        let arguments: &[&str] = match kind {
            "git" => &["git", "-c", "safe.directory=*", "log", "--all", "--format=%H"],
            _ => &["hg", "--config", "trusted.users=*", "log", "--template", "{node}\\n"],
        };
        let output = quiet(repository, arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// With no configuration of whoever runs the tests.
fn quiet(directory: &Path, command: &[&str]) -> Command {
    let mut prepared = Command::new(command[0]);
    prepared.args(&command[1..]).current_dir(directory).stdin(Stdio::null());
    prepared.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("HGRCPATH", "");
    for (name, value) in [("NAME", "Anna"), ("EMAIL", "anna@example.org")] {
        prepared.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    prepared
}

fn run(directory: &Path, command: &[&str]) {
    let output = quiet(directory, command).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn commit(kind: &str, directory: &Path, name: &str) {
    fs::write(directory.join(name), name).unwrap();
    run(directory, &[kind, "add", name]);
    match kind {
        "git" => {
            run(directory, &["git", "commit", "--message", name]);
            // A server that knows nothing of git has these files only.
            run(directory, &["git", "update-server-info"]);
        }
        _ => run(directory, &["hg", "commit", "--user", "anna", "--message", name]),
    }
}

#[test]
fn a_repository_is_cloned_when_it_is_made_and_pulled_when_that_is_asked_for() {
    let server = Server::start();
    server.create_user("alice");
    for kind in ["git", "hg"] {
        let offered = Offered::new(kind, server.world.client_file(&format!("offered-{kind}")));
        let name = format!("mirrors/{kind}");
        let new = json!({"name": name, "owner_name": "alice", "repo_type": kind, "clone_uri": offered.url});
        assert_eq!(server.call("create_repo", &new), Ok(Value::Null), "{}", server.world.log());
        let mirror = server.disk.path(&format!("{ROOT}/{name}"));
        let first = Offered::heads(kind, &mirror);
        assert_eq!((first.lines().count(), &first), (1, &Offered::heads(kind, &offered.directory)));
        commit(offered.kind, &offered.directory, "second");
        assert_eq!(server.call("pull", &json!({"repo": name})), Ok(json!(format!("Pulled from {name}"))));
        assert_eq!(Offered::heads(kind, &mirror), Offered::heads(kind, &offered.directory));
        let owner = server.disk.field("etc/passwd", "alice", 2);
        assert_eq!(server.disk.owner_and_mode(&format!("{ROOT}/{name}")).0.to_string(), owner);
        drop(offered);
        let failed = format!("Unable to pull changes from \"{name}\"");
        assert_eq!(server.call("pull", &json!({"repo": name})), Err(failed), "nobody is there");
    }
}

#[test]
fn what_can_not_be_cloned_is_not_kept_and_a_secret_in_a_url_is_not_shown() {
    let server = Server::start();
    server.create_user("alice");
    let before = server.disk.everything("/mnt/tank").into_keys().filter(|path| path.ends_with("r1")).count();
    for url in [
        "http://127.0.0.1:9/nothing",
        "file:///etc",
        "/etc",
        "ext::sh -c 'touch /tmp/evil'",
        "--upload-pack=touch /tmp/evil",
        "ssh://-oProxyCommand=id/x",
    ] {
        let new = json!({"name": "r1", "owner_name": "alice", "repo_type": "git", "clone_uri": url});
        assert_eq!(server.call("create_repo", &new), Err("failed to create repository r1".into()), "{url}");
        assert_eq!(server.does("get_repos", &json!({})), json!([]), "{url}");
    }
    let after = server.disk.everything("/mnt/tank").into_keys().filter(|path| path.ends_with("r1")).count();
    assert_eq!((before, after), (0, 0));
    assert!(!server.disk.path("tmp/evil").exists());
    server.create_user("berta");
    let offered = Offered::new("git", server.world.client_file("offered"));
    let url = offered.url.replace("http://", "http://anna:hunter2@");
    let new = json!({"name": "r2", "owner_name": "alice", "repo_type": "git", "clone_uri": url});
    server.does("create_repo", &new);
    let shown = server.does("get_repo", &json!({"name": "r2"}));
    assert!(shown["clone_uri"].as_str().is_some_and(|uri| uri.starts_with("http://")), "{shown}");
    assert!(!shown.to_string().contains("hunter2") && !server.world.log().contains("hunter2"), "{shown}");
}
