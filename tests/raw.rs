//! A client of SFTP version 3 that sends what it is told to, byte by byte.
#![allow(dead_code, reason = "each of its users needs a part of it")]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::running::Running;

pub const INIT: u8 = 1;
pub const OPEN: u8 = 3;
pub const CLOSE: u8 = 4;
pub const READ: u8 = 5;
pub const WRITE: u8 = 6;
pub const LSTAT: u8 = 7;
pub const FSTAT: u8 = 8;
pub const SETSTAT: u8 = 9;
pub const FSETSTAT: u8 = 10;
pub const OPENDIR: u8 = 11;
pub const READDIR: u8 = 12;
pub const REMOVE: u8 = 13;
pub const MKDIR: u8 = 14;
pub const RMDIR: u8 = 15;
pub const REALPATH: u8 = 16;
pub const STAT: u8 = 17;
pub const RENAME: u8 = 18;
pub const READLINK: u8 = 19;
pub const SYMLINK: u8 = 20;
pub const STATUS: u8 = 101;
pub const HANDLE: u8 = 102;
pub const DATA: u8 = 103;
pub const NAME: u8 = 104;
pub const ATTRS: u8 = 105;
pub const EXTENDED: u8 = 200;
pub const EXTENDED_REPLY: u8 = 201;

pub const OK: u32 = 0;
pub const EOF: u32 = 1;
pub const NO_SUCH_FILE: u32 = 2;
pub const PERMISSION_DENIED: u32 = 3;
pub const FAILURE: u32 = 4;
pub const UNSUPPORTED: u32 = 8;

pub const READ_WRITE_CREATE: u32 = 1 | 2 | 8;
pub const APPEND: u32 = 4;
pub const TRUNCATE: u32 = 16;
pub const EXCLUSIVE: u32 = 32;
pub const SIZE: u32 = 1;
pub const OWNER: u32 = 2;
pub const PERMISSIONS: u32 = 4;
pub const TIMES: u32 = 8;
pub const NO_ATTRIBUTES: u32 = 0;

/// The bytes of a packet, put together field by field.
#[derive(Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn number(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn long(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        self = self.number(text.as_ref().len() as u32);
        self.0.extend(text.as_ref());
        self
    }
}

/// A session that is spoken to over pipes.
pub struct Raw {
    pub program: Running,
    pub input: Option<ChildStdin>,
    pub output: ChildStdout,
    next: u32,
}

/// The user that the programs run as; it has no account.
pub const USER: u32 = 3900;

/// The session program of this build.
pub fn session_program() -> PathBuf {
    crate::world::accountd().with_file_name("accountd-session")
}

/// A program as an ordinary user in a directory, with a plain umask.
pub fn as_user(program: &Path, directory: &Path) -> Command {
    as_uid(USER, program, directory)
}

pub fn as_uid(uid: u32, program: &Path, directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups"]);
    command.args(["sh", "-c", "umask 022 && exec \"$@\"", "sh"]).arg(program).current_dir(directory);
    command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command
}

/// A run of the session program as the user, whose descriptor 9 is a pipe of root's.
pub fn logged(log: &OwnedFd, directory: &Path, arguments: &[&str]) -> Command {
    let mut command = as_user(Path::new("sh"), directory);
    command.args(["-c", "exec \"$0\" \"$@\" 9>&2 2>/dev/null"]).arg(session_program()).args(arguments);
    // It comes as standard error, so that no other program that is started meanwhile has it too.
    command.stderr(log.try_clone().unwrap());
    command
}

impl Raw {
    pub fn start(mut command: Command) -> Self {
        command.stderr(Stdio::null());
        Self::spawn(command)
    }

    /// With a standard error of its own.
    pub fn spawn(mut command: Command) -> Self {
        let mut program = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (input, output) = (program.stdin.take(), program.stdout.take().unwrap());
        Self { program, input, output, next: 0 }
    }

    /// Says which version it is to be; gives what comes back behind its number.
    pub fn greet(&mut self) -> Vec<u8> {
        self.send(INIT, &Body::new().number(3));
        let (kind, body) = self.receive().unwrap();
        assert_eq!((kind, &body[..4]), (2, &[0, 0, 0, 3][..]));
        body[4..].to_vec()
    }

    pub fn send(&mut self, kind: u8, body: &Body) {
        let mut packet = Body::new().number(body.0.len() as u32 + 1).0;
        packet.push(kind);
        packet.extend(&body.0);
        self.send_bytes(&packet);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// `None` when the session has ended.
    pub fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut length = [0; 4];
        self.output.read_exact(&mut length).ok()?;
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        self.output.read_exact(&mut packet).ok()?;
        Some((packet[0], packet[1..].to_vec()))
    }

    /// Sends a request and gives what answers it, without its id.
    pub fn ask(&mut self, kind: u8, body: Body) -> (u8, Vec<u8>) {
        self.next += 1;
        let id = self.next;
        self.send(kind, &Body(Body::new().number(id).0.into_iter().chain(body.0).collect()));
        let (kind, body) = self.receive().expect("an answer");
        assert_eq!(body[..4], id.to_be_bytes());
        (kind, body[4..].to_vec())
    }

    #[track_caller]
    pub fn status(&mut self, kind: u8, body: Body) -> u32 {
        let (kind, body) = self.ask(kind, body);
        assert_eq!(kind, STATUS, "{body:?}");
        number(&body)
    }

    #[track_caller]
    pub fn handle(&mut self, kind: u8, body: Body) -> Vec<u8> {
        let (kind, body) = self.ask(kind, body);
        assert_eq!(kind, HANDLE, "status {}", number(&body));
        body[4..].to_vec()
    }

    #[track_caller]
    pub fn open_file(&mut self, name: &str, flags: u32) -> Vec<u8> {
        self.handle(OPEN, Body::new().text(name).number(flags).number(NO_ATTRIBUTES))
    }

    #[track_caller]
    pub fn read(&mut self, handle: &[u8], offset: u64, length: u32) -> Result<Vec<u8>, u32> {
        let (kind, body) = self.ask(READ, Body::new().text(handle).long(offset).number(length));
        if kind == DATA { Ok(body[4..].to_vec()) } else { Err(number(&body)) }
    }

    pub fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) -> u32 {
        self.status(WRITE, Body::new().text(handle).long(offset).text(data))
    }

    #[track_caller]
    pub fn attributes(&mut self, kind: u8, of: impl AsRef<[u8]>) -> Attributes {
        let (kind, body) = self.ask(kind, Body::new().text(of));
        assert_eq!(kind, ATTRS, "status {}", number(&body));
        Attributes::of(&body)
    }

    /// The first name of the answer.
    #[track_caller]
    pub fn name(&mut self, kind: u8, of: &str) -> String {
        let (kind, body) = self.ask(kind, Body::new().text(of));
        assert_eq!((kind, number(&body)), (NAME, 1));
        String::from_utf8(body[8..8 + number(&body[4..]) as usize].to_vec()).unwrap()
    }

    /// What a directory has in it.
    pub fn names_in(&mut self, directory: &str) -> Vec<String> {
        let handle = self.handle(OPENDIR, Body::new().text(directory));
        let mut names = Vec::new();
        while let (NAME, body) = self.ask(READDIR, Body::new().text(&handle)) {
            let (mut rest, count) = (&body[4..], number(&body));
            for _ in 0..count {
                let name = string(&mut rest);
                string(&mut rest);
                rest = &rest[32..];
                names.push(String::from_utf8(name).unwrap());
            }
        }
        names
    }

    pub fn ends(mut self) {
        drop(self.input.take());
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        self.program.wait().unwrap();
    }
}

/// Takes the first string of these bytes.
fn string(bytes: &mut &[u8]) -> Vec<u8> {
    let length = number(bytes) as usize;
    let text = bytes[4..4 + length].to_vec();
    *bytes = &bytes[4 + length..];
    text
}

pub fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

#[derive(Debug, PartialEq, Eq)]
pub struct Attributes {
    pub size: u64,
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub modified: u32,
}

impl Attributes {
    pub fn of(body: &[u8]) -> Self {
        assert_eq!(number(body), SIZE | OWNER | PERMISSIONS | TIMES);
        let size = u64::from_be_bytes(body[4..12].try_into().unwrap());
        let rest: Vec<u32> = body[12..].chunks(4).map(number).collect();
        Self { size, uid: rest[0], gid: rest[1], mode: rest[2], modified: rest[4] }
    }
}
