//! The same requests to OpenSSH's sftp-server and to ours, and the answers side by side.
//!
//! Each has a fresh directory of its own and runs as the same ordinary user. Answers are compared
//! field by field, and what is on disk at the end too. Left out of the comparison is what can't be
//! the same: handles, times of this minute, free space, and the words of a status, which are for
//! people. So are packets that OpenSSH gives no answer to (kinds that it does not know) or ends at (a NUL
//! in a name, half an id): ours says that the one is unsupported and the other no name.
//! Every other difference has to be in `differences.rs`, with its reason.

mod differences;
mod extensions;
mod script;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use self::differences::DIFFERENCES;
use crate::raw::*;

const OPENSSH: &str = "/usr/lib/openssh/sftp-server";

/// One of the two, and everything that it has said.
pub struct Side {
    raw: Raw,
    directory: TempDir,
    uid: u32,
    pub answers: Vec<(String, String)>,
}

impl Side {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().expect("a user without rights");
        let directory = tempfile::Builder::new().prefix("accountd-side-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(directory.path(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
        let mut command = as_uid(nobody.uid.as_raw(), program, directory.path());
        command.args(arguments);
        let raw = Raw::start(command);
        let mut side = Self { raw, directory, uid: nobody.uid.as_raw(), answers: Vec::new() };
        let offered = side.raw.greet();
        side.note("the extensions", offered_extensions(&offered));
        side
    }

    /// Where the session begins.
    pub fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    fn note(&mut self, request: &str, answer: String) {
        let request = format!("{:03} {request}", self.answers.len());
        self.answers.push((request, answer));
    }

    /// Sends a request and notes what answers it; gives the handle, if it is one.
    pub fn ask(&mut self, request: &str, kind: u8, body: Body) -> Vec<u8> {
        let (answer, body) = self.raw.ask(kind, body);
        let shown = self.shown(answer, &body, request);
        self.note(request, shown);
        if answer == HANDLE { body[4..].to_vec() } else { b"none".to_vec() }
    }

    /// Lists a directory to its end: one request, as it were, because both answer in parts of their
    /// own size, and each directory has its own order.
    pub fn list(&mut self, request: &str, handle: &[u8]) {
        let mut entries = Vec::new();
        let end = loop {
            let (answer, body) = self.raw.ask(READDIR, Body::new().text(handle));
            if answer != NAME {
                break self.shown(answer, &body, request);
            }
            let mut fields = Fields(&body);
            for _ in 0..fields.number() {
                let (name, line) = (fields.text(), fields.text());
                // `..` is a directory of the system's.
                let attributes = self.attributes(&mut fields);
                if name != b".." {
                    entries.push(format!("{} | {} | {attributes}", name.escape_ascii(), line_shown(line)));
                }
            }
        };
        entries.sort_unstable();
        self.note(request, format!("{}\n{end}", entries.join("\n")));
    }

    fn shown(&self, answer: u8, body: &[u8], request: &str) -> String {
        let mut fields = Fields(body);
        match answer {
            STATUS => format!("status {}", fields.number()),
            HANDLE => "handle".to_owned(),
            DATA => format!("data {}", short(fields.text())),
            ATTRS => self.attributes(&mut fields),
            NAME => {
                let count = fields.number();
                let (name, line) = (fields.text(), fields.text());
                format!("{count} name {} {} flags {}", self.path_shown(name), self.path_shown(line), fields.number())
            }
            EXTENDED_REPLY if request.contains("statvfs") => statvfs(&mut fields),
            // How many handles there are in OpenSSH's depends on the limits of its process.
            EXTENDED_REPLY if request.contains("limits") => format!("limits {:?}", &fields.longs()[..3]),
            EXTENDED_REPLY => format!("reply {} {}", fields.text().escape_ascii(), fields.text().escape_ascii()),
            kind => format!("packet {kind}"),
        }
    }

    fn path_shown(&self, path: &[u8]) -> String {
        let shown = path.escape_ascii().to_string();
        shown.replace(self.directory.path().to_str().unwrap(), "HERE")
    }

    /// Times of this minute are `now`.
    fn attributes(&self, fields: &mut Fields<'_>) -> String {
        let flags = fields.number();
        let size = if flags & SIZE == 0 { 0 } else { fields.long() };
        let [uid, gid, mode, access, modified] = [(); 5].map(|()| fields.number());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
        let time = |time: u32| if now.abs_diff(time) < 120 { "now".to_owned() } else { time.to_string() };
        // The size of a directory is the file system's business.
        let size = if mode & 0o170_000 == 0o040_000 { "-".to_owned() } else { size.to_string() };
        format!("flags {flags} size {size} owner {uid}:{gid} mode {mode:o} times {} {}", time(access), time(modified))
    }

    /// Everything that is on disk.
    fn disk(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.path()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let status = fs::symlink_metadata(&path).unwrap();
                let mut shown = format!("mode {:o} links {}", status.mode(), status.nlink());
                if status.is_file() {
                    shown += &format!(" size {}", status.len());
                    if status.len() < 1 << 20 {
                        shown += &format!(" {}", short(&fs::read(&path).unwrap()));
                    }
                } else if status.is_dir() {
                    directories.push(path.clone());
                }
                found.insert(self.path_shown(path.as_os_str().as_encoded_bytes()), shown);
            }
        }
        found
    }
}

/// Takes fields from an answer.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> u32 {
        let (number, rest) = self.0.split_at(4);
        self.0 = rest;
        u32::from_be_bytes(number.try_into().unwrap())
    }

    fn long(&mut self) -> u64 {
        u64::from(self.number()) << 32 | u64::from(self.number())
    }

    fn longs(&mut self) -> Vec<u64> {
        (0..self.0.len() / 8).map(|_| self.long()).collect()
    }

    fn text(&mut self) -> &'a [u8] {
        let length = self.number() as usize;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        text
    }
}

fn offered_extensions(offered: &[u8]) -> String {
    let mut fields = Fields(offered);
    let mut names = Vec::new();
    while !fields.0.is_empty() {
        names.push(format!("{} {}", fields.text().escape_ascii(), fields.text().escape_ascii()));
    }
    names.sort_unstable();
    names.join("\n")
}

/// Free space changes meanwhile; what is compared is the rest.
fn statvfs(fields: &mut Fields<'_>) -> String {
    let values = fields.longs();
    format!(
        "statvfs of {} values {:?}",
        values.len(),
        [values[0], values[1], values[2], values[5], values[9], values[10]]
    )
}

fn short(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    let end = bytes.len().min(40);
    format!("{} bytes {sum:x} {}", bytes.len(), bytes[..end].escape_ascii())
}

/// Without its time, and of a directory without its size.
fn line_shown(line: &[u8]) -> String {
    let text = line.escape_ascii().to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    let size = if words[0].starts_with('d') { "-" } else { words[4] };
    [&words[..4], &[size], &words[8..]].concat().join(" ")
}

#[test]
fn every_difference_to_openssh_has_its_reason() {
    let mut theirs = Side::start(Path::new(OPENSSH), &["-e"]);
    let mut ours = Side::start(&session_program(), &["sftp"]);
    for side in [&mut theirs, &mut ours] {
        script::run(side);
        let disk = side.disk();
        for (path, state) in disk {
            side.answers.push((format!("on disk: {path}"), state));
        }
    }
    let requests = theirs.answers.iter().filter(|(request, _)| !request.starts_with("on disk")).count();
    assert!(requests > 300, "{requests} requests");
    let mut listed: BTreeMap<&str, _> = DIFFERENCES
        .iter()
        .flat_map(|difference| difference.requests.iter().map(move |request| (*request, difference)))
        .collect();
    let mut wrong = Vec::new();
    let (theirs, ours) = (by_request(theirs.answers), by_request(ours.answers));
    for request in theirs.keys().chain(ours.keys().filter(|request| !theirs.contains_key(*request))) {
        let answers = [theirs.get(request), ours.get(request)].map(|answer| answer.map_or("nothing", String::as_str));
        // The number says where it stands in the script, and may change.
        let is_numbered = request.as_bytes()[0].is_ascii_digit();
        let name = if is_numbered { &request[4..] } else { request.as_str() };
        let difference = listed.get(name).copied();
        match difference {
            Some(difference) if answers == [difference.theirs, difference.ours] => {
                listed.remove(name);
            }
            None if answers[0] == answers[1] => {}
            _ => wrong.push(format!("{request}\n    OpenSSH: {}\n    ours:    {}", answers[0], answers[1])),
        }
    }
    wrong.extend(listed.keys().map(|request| format!("{request}: is listed, and is none any more")));
    assert!(wrong.is_empty(), "{} differences without a reason:\n{}", wrong.len(), wrong.join("\n"));
}

fn by_request(answers: Vec<(String, String)>) -> BTreeMap<String, String> {
    let count = answers.len();
    let answers: BTreeMap<_, _> = answers.into_iter().collect();
    assert_eq!(answers.len(), count, "a request has the name of another");
    answers
}
