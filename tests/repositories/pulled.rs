//! Pulls, from real servers on this machine.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{SETTINGS, Stage, said, succeeds};
use crate::running::Running;
use crate::v2::Nas;
use crate::world::{World, wait_for};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A repository of git's with a branch, a tag and a packed history.
fn source(stage: &Stage) -> std::path::PathBuf {
    let base = stage.local("served");
    std::fs::create_dir_all(&base).unwrap();
    let work = base.join("work");
    succeeds(&stage.git("anna", &base, &["init", "-q", work.to_str().unwrap()]));
    stage.commit("anna", &work, "one");
    succeeds(&stage.git("anna", &work, &["tag", "v1"]));
    succeeds(&stage.git("anna", &base, &["clone", "-q", "--bare", "work", "x.git"]));
    base
}

fn git_daemon(base: &Path) -> (Running, u16) {
    let port = free_port();
    // Not by `git daemon`, whose child would stay when that is killed, and hold what this process writes to.
    let programs = Command::new("git").arg("--exec-path").output().unwrap().stdout;
    let mut daemon = Command::new(Path::new(String::from_utf8(programs).unwrap().trim()).join("git-daemon"));
    daemon.args(["--listen=127.0.0.1", &format!("--port={port}"), "--export-all", "--reuseaddr"]);
    daemon.arg(format!("--base-path={}", base.display())).arg(base).stdout(Stdio::null()).stderr(Stdio::null());
    daemon.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    let running = Running::start(&mut daemon);
    wait_for("git daemon", || answers(port));
    (running, port)
}

/// The job of a pull, when it is over.
#[track_caller]
fn ended(stage: &Stage, answer: &crate::rest::Answer) -> Value {
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.value()["id"].as_str().unwrap().to_owned();
    let mut job = Value::Null;
    wait_for("a pull to end", || {
        job = stage.nas.rest.get(&format!("/jobs/{id}")).object(200);
        !matches!(job["state"].as_str(), Some("waiting" | "running"))
    });
    job
}

/// What came of a pull, whether or not it was waited for.
#[track_caller]
fn outcome(stage: &Stage, name: &str) -> (u16, Value) {
    let answer = stage.pull(name);
    match answer.status {
        202 => {
            let job = ended(stage, &answer);
            match job["state"].as_str() {
                Some("done") => (200, job["result"].clone()),
                _ => (job["problem"]["status"].as_u64().unwrap_or_default() as u16, job["problem"].clone()),
            }
        }
        status => (status, answer.value()),
    }
}

#[test]
fn all_that_a_server_of_git_has_is_pulled_as_the_owner_and_again() {
    let stage = Stage::start();
    let base = source(&stage);
    let (_daemon, port) = git_daemon(&base);
    stage.create("m", "git", &json!({"clone_uri": format!("git://127.0.0.1:{port}/x.git")}));
    stage.grant("m", &json!({"user": "berta"}), "read");
    let (status, pulled) = outcome(&stage, "m");
    assert_eq!(status, 200, "{pulled}");
    assert_eq!(pulled["name"], "m");
    let clone = stage.clone("berta", "m", "bertas");
    assert!(clone.join("one").exists(), "the reader has what the pull has brought");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(stage.disk("m/objects")).unwrap());
    let anna = stage.nas.rest.get("/users/anna").object(200)["uid"].as_u64().unwrap();
    assert_eq!(u64::from(owner), anna);
    let work = base.join("work");
    stage.commit("anna", &work, "two");
    succeeds(&stage.git("anna", &work, &["push", "-q", "../x.git", "HEAD:main", ":refs/tags/v1"]));
    assert_eq!(outcome(&stage, "m").0, 200);
    succeeds(&stage.git("berta", &clone, &["pull", "-q"]));
    assert!(clone.join("two").exists());
    let refs = succeeds(&stage.git("berta", &clone, &["ls-remote", "origin"]));
    assert!(!refs.contains("refs/tags/v1"), "what is gone there goes here: {refs}");
    let audit = stage.nas.rest.get("/audit?target=m&action=pull_repository").object(200);
    assert_eq!(audit["items"].as_array().unwrap().len(), 2);
}

/// Serves files with a password, or leads elsewhere (python3's http.server).
const SERVER: &str = r#"
import base64, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith('/redirected'):
            self.send_response(302); self.send_header('Location', sys.argv[2]); self.end_headers(); return
        if self.headers.get('Authorization') != 'Basic ' + base64.b64encode(b'anna:hunter@2').decode():
            self.send_response(401); self.send_header('WWW-Authenticate', 'Basic realm="x"'); self.end_headers(); return
        super().do_GET()
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer): pass
server = Server(('127.0.0.1', 0), lambda *a: Handler(*a, directory=sys.argv[1]))
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Passes requests with the same password on to another server.
const PROXY: &str = r#"
import base64, http.server, sys, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get('Authorization') != 'Basic ' + base64.b64encode(b'anna:hunter@2').decode():
            self.send_response(401); self.send_header('WWW-Authenticate', 'Basic realm="x"'); self.end_headers(); return
        own = ('host', 'authorization', 'connection')
        headers = {name: value for name, value in self.headers.items() if name.lower() not in own}
        answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1] + self.path, headers=headers))
        body = answer.read()
        self.send_response(200); self.send_header('Content-Type', answer.headers['Content-Type'])
        self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

fn http_server(base: &Path, location: &str) -> (Running, u16) {
    python(SERVER, &[base.to_str().unwrap(), location])
}

/// A server that says its port first.
fn python(script: &str, arguments: &[&str]) -> (Running, u16) {
    let mut server = Command::new("python3");
    server.args(["-c", script]).args(arguments).stdout(Stdio::piped());
    let mut running = Running::start(&mut server);
    let mut line = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap();
    (running, port)
}

#[test]
fn a_password_in_the_url_is_used_and_shown_to_nobody() {
    let stage = Stage::start();
    let base = source(&stage);
    succeeds(&stage.git("anna", &base.join("x.git"), &["update-server-info"]));
    let (_server, port) = http_server(&base, "/");
    let uri = |password: &str| format!("http://anna:{password}@127.0.0.1:{port}/x.git");
    stage.create("m", "git", &json!({"clone_uri": uri("hunter%402")}));
    let (status, pulled) = outcome(&stage, "m");
    assert_eq!(status, 200, "{pulled}");
    assert!(stage.clone("anna", "m", "annas").join("one").exists());
    // As it is shown it stands for the one that there is.
    let shown = stage.nas.rest.get("/repositories/m").object(200)["clone_uri"].clone();
    assert_eq!(shown, format!("http://***@127.0.0.1:{port}/x.git"));
    stage.nas.patch("/repositories/m", &json!({"clone_uri": shown})).status_is(200);
    assert_eq!(outcome(&stage, "m").0, 200);
    stage.nas.patch("/repositories/m", &json!({"clone_uri": uri("wrong-hunter")})).status_is(200);
    let (status, problem) = outcome(&stage, "m");
    assert_eq!(status, 502, "{problem}");
    for text in
        [problem.to_string(), pulled.to_string(), stage.nas.world.log(), stage.nas.rest.get("/audit?target=m").body]
    {
        assert!(!text.contains("hunter"), "{text}");
    }
    // Neither the session's directory with the password is left.
    let left = std::fs::read_dir(stage.nas.disk.path("/tmp")).unwrap().flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("accountd-git-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_server_that_leads_to_files_or_programs_leads_nowhere() {
    let stage = Stage::start();
    source(&stage);
    std::fs::write(stage.nas.disk.path("/tmp/secret"), "x").unwrap();
    for (number, location) in ["file:///mnt/tank", "ext::sh -c id", "ftp://127.0.0.1/x"].into_iter().enumerate() {
        let (_server, port) = http_server(&stage.local("served"), location);
        for kind in ["git", "hg"] {
            let name = format!("{kind}{number}");
            stage.create(&name, kind, &json!({"clone_uri": format!("http://127.0.0.1:{port}/redirected")}));
            let (status, problem) = outcome(&stage, &name);
            assert_eq!(status, 502, "{location}: {problem}");
        }
    }
}

#[test]
fn schemes_that_are_not_configured_are_refused() {
    let mut settings = SETTINGS.replace("[repositories]\n", "[repositories]\npull_schemes = [\"https\"]\n");
    settings.push('\n');
    let stage = Stage { nas: Nas::of(World::start_with(&settings)) };
    stage.nas.post("/users", &json!({"username": "anna", "full_name": "A", "password": "pw"}));
    let body = json!({"name": "m", "kind": "git", "owner": "anna", "clone_uri": "git://127.0.0.1/x"});
    let answer = stage.nas.rest.post("/repositories", &body.to_string());
    crate::v2::problem(&answer, 422, "invalid-values", &[("clone_uri", "bad_scheme")]);
    stage.create("m", "git", &json!({}));
    assert_eq!(stage.pull("m").object(409)["type"], "no-clone-uri");
}

#[test]
fn mercurial_is_pulled_from_its_own_server() {
    let stage = Stage::start();
    let work = stage.local("hgwork");
    succeeds(&stage.hg("anna", &stage.local(""), &["init", work.to_str().unwrap()]));
    std::fs::write(work.join("one"), "one").unwrap();
    succeeds(&stage.hg("anna", &work, &["commit", "-q", "-A", "-m", "one"]));
    let port = free_port();
    let mut server = Command::new("hg");
    server.args(["serve", "--address", "127.0.0.1", "--port", &port.to_string()]).current_dir(&work);
    let _server = Running::start(server.env("HGRCPATH", "").stdout(Stdio::null()).stderr(Stdio::null()));
    wait_for("hg serve", || answers(port));
    stage.create("m", "hg", &json!({"clone_uri": format!("http://127.0.0.1:{port}/")}));
    let (status, pulled) = outcome(&stage, "m");
    assert_eq!(status, 200, "{pulled}");
    // Through a server that wants a password, which is shown to nobody.
    let (_proxy, guarded) = python(PROXY, &[&format!("http://127.0.0.1:{port}")]);
    let uri = |password: &str| format!("http://anna:{password}@127.0.0.1:{guarded}/");
    stage.create("g", "hg", &json!({"clone_uri": uri("hunter%402")}));
    let (status, pulled) = outcome(&stage, "g");
    assert_eq!(status, 200, "{pulled}");
    stage.create("w", "hg", &json!({"clone_uri": uri("wrong-hunter")}));
    let (status, problem) = outcome(&stage, "w");
    assert_eq!(status, 502, "{problem}");
    assert!(![pulled.to_string(), problem.to_string(), stage.nas.world.log()].concat().contains("hunter"));
    let clone = stage.local("hgclone");
    succeeds(&stage.hg("anna", &stage.local(""), &["clone", "-q", &stage.url("anna", "g"), clone.to_str().unwrap()]));
    assert!(clone.join("one").exists());
    // git's own protocol is none of Mercurial's.
    let body = json!({"name": "n", "kind": "hg", "owner": "anna", "clone_uri": "git://127.0.0.1/x"});
    stage.nas.rest.post("/repositories", &body.to_string()).status_is(422);
}

/// Takes connections and says nothing.
fn hanging() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_server_that_hangs_is_cut_by_the_time_limit() {
    let settings = SETTINGS.replace("[repositories]\n", "[repositories]\npull_seconds = 3\n");
    let stage = Stage { nas: Nas::of(World::start_with(&settings)) };
    stage.nas.post("/users", &json!({"username": "anna", "full_name": "A", "password": "pw"}));
    let (_listener, port) = hanging();
    for (kind, scheme) in [("git", "git"), ("hg", "http")] {
        stage.create(kind, kind, &json!({"clone_uri": format!("{scheme}://127.0.0.1:{port}/x")}));
        let (status, problem) = outcome(&stage, kind);
        assert_eq!((status, &problem["type"]), (504, &json!("pull-too-long")), "{problem}");
    }
}

#[test]
fn a_pull_is_cancelled_is_alone_and_ends_with_its_account() {
    let stage = Stage::start();
    let (_listener, port) = hanging();
    stage.create("m", "git", &json!({"clone_uri": format!("git://127.0.0.1:{port}/x")}));
    let running = stage.pull("m");
    assert_eq!(running.status, 202, "{}", running.body);
    let id = running.value()["id"].as_str().unwrap().to_owned();
    let is_there = || !stage.nas.world.exec(&["pgrep", "-u", "anna", "-f", "git.*fetch"]).stdout.is_empty();
    wait_for("the program of a pull", is_there);
    assert_eq!(stage.pull("m").object(409)["type"], "pull-running");
    assert_eq!(stage.nas.rest.delete("/repositories/m").object(409)["type"], "pull-running");
    // Nothing of the URL is an argument that others see.
    let arguments = stage.nas.world.exec(&["ps", "-u", "anna", "-o", "args"]);
    assert!(!said(&arguments).contains("credentials="), "{}", said(&arguments));
    stage.nas.rest.delete(&format!("/jobs/{id}")).status_is(200);
    let state = || stage.nas.rest.get(&format!("/jobs/{id}")).object(200)["state"].clone();
    wait_for("a pull to be cancelled", || state() == "cancelled");
    wait_for("its program to end", || !is_there());
    let again = stage.pull("m");
    assert_eq!(again.status, 202, "{}", again.body);
    wait_for("the program of another pull", is_there);
    stage.nas.patch("/users/anna", &json!({"locked": true})).status_is(200);
    assert_eq!(ended(&stage, &again)["state"], "cancelled");
    assert_eq!(stage.pull("m").object(409)["type"], "pull-not-run");
    // What was cut short is a good repository still.
    stage.nas.patch("/users/anna", &json!({"locked": false})).status_is(200);
    stage.clone_and_push("anna", "m", "one");
}
