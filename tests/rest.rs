//! curl as a client of the REST front, and what its requests have left on disk.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A client with a Basic credential.
#[derive(Clone, Debug)]
pub struct Rest {
    pub base: String,
    pub credential: String,
}

/// What curl has received; header names in lower case.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Rest {
    /// `address` is `http://HOST:PORT`.
    pub fn new(address: &str, user: &str, password: &str) -> Self {
        Self { base: format!("{address}/api/v1.0"), credential: format!("{user}:{password}") }
    }

    /// The same for our own API.
    pub fn v2(address: &str, user: &str, password: &str) -> Self {
        Self { base: format!("{address}/api/v2"), credential: format!("{user}:{password}") }
    }

    /// The same for SFTPGo's API.
    pub fn sftpgo(address: &str, user: &str, password: &str) -> Self {
        Self { base: format!("{address}/api/v1"), credential: format!("{user}:{password}") }
    }

    /// The same API with another credential.
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        Self { base: self.base.clone(), credential: format!("{user}:{password}") }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.curl("GET", path, &[], None)
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.json("POST", path, body)
    }

    pub fn put(&self, path: &str, body: &str) -> Answer {
        self.json("PUT", path, body)
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.curl("DELETE", path, &[], None)
    }

    pub fn json(&self, method: &str, path: &str, body: &str) -> Answer {
        self.curl(method, path, &["-H", "Content-Type: application/json"], Some(body.as_bytes()))
    }

    pub fn curl(&self, method: &str, path: &str, options: &[&str], body: Option<&[u8]>) -> Answer {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--include", "--globoff", "--path-as-is", "--max-time", "60"]);
        command.args(["--request", method, "--user", &self.credential, "-H", "Expect:"]).args(options);
        if body.is_some() {
            command.args(["--data-binary", "@-"]);
        }
        command.arg(format!("{}{path}", self.base)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(body.unwrap_or_default()).unwrap();
        let output = child.wait_with_output().unwrap();
        Answer::parse(&String::from_utf8(output.stdout).unwrap())
    }

    /// The id of a user that is made by this request.
    pub fn create_user(&self, body: &str) -> u64 {
        let answer = self.post("/account/users/", body);
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.value()["id"].as_u64().unwrap()
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self { status: status.unwrap_or(0), headers: lines.filter_map(header).collect(), body: body.to_owned() }
    }

    pub fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Asserts status and body.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body));
    }

    #[track_caller]
    pub fn status_is(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
    }

    /// Asserts the status and gives the object.
    #[track_caller]
    pub fn object(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.value()
    }
}

/// The root directory of a sandbox, seen from outside.
#[derive(Clone, Debug)]
pub struct Disk(pub PathBuf);

impl Disk {
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// The line of an account file that begins with `name:`; there is no second one.
    #[track_caller]
    pub fn line(&self, path: &str, name: &str) -> Option<String> {
        let text = self.text(path);
        let mut lines = text.lines().filter(|line| line.split(':').next() == Some(name));
        let line = lines.next().map(str::to_owned);
        assert_eq!(lines.next(), None, "{name} twice in {path}");
        line
    }

    /// One field of such a line, counted from 0.
    #[track_caller]
    pub fn field(&self, path: &str, name: &str, index: usize) -> String {
        let line = self.line(path, name).unwrap_or_else(|| panic!("no {name} in {path}"));
        line.split(':').nth(index).unwrap_or_default().to_owned()
    }

    /// uid, gid and permission bits.
    #[track_caller]
    pub fn owner_and_mode(&self, path: &str) -> (u32, u32, u32) {
        let status = std::fs::symlink_metadata(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (status.uid(), status.gid(), status.mode() & 0o7777)
    }

    /// Every file below `path`: its content, owner and mode; without locks of the account files, which
    /// the agent takes by itself when it reads what others have changed.
    pub fn everything(&self, path: &str) -> BTreeMap<PathBuf, (Vec<u8>, u32, u32, u32)> {
        let mut found = BTreeMap::new();
        collect(&self.path(path), &mut found);
        found
    }
}

/// `passwd.lock` and `passwd.1234` of shadow-utils' way to lock.
fn is_lock(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((file, end)) = name.rsplit_once('.') else { return false };
    let locks = end == "lock" || end.bytes().all(|byte| byte.is_ascii_digit());
    locks && ["passwd", "shadow", "group", "gshadow"].contains(&file)
}

fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, u32, u32, u32)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if is_lock(&path) {
            continue;
        }
        let status = std::fs::symlink_metadata(&path).unwrap();
        let content = match status.file_type() {
            kind if kind.is_dir() => {
                collect(&path, found);
                Vec::new()
            }
            kind if kind.is_symlink() => std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            kind if kind.is_file() => std::fs::read(&path).unwrap(),
            _ => Vec::new(),
        };
        found.insert(path, (content, status.uid(), status.gid(), status.mode()));
    }
}
