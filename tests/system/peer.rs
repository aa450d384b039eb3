//! A process of any user that has connections to one of the sockets of the root programs.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::running::Running;
use crate::world::World;

pub const AGENT: &str = "/run/accountd/agent.sock";
pub const LOGIN: &str = "/run/accountd/login.sock";
/// uid and gid of the fronts in every sandbox.
pub const API: (u32, u32) = (990, 990);
pub const SSH: (u32, u32) = (991, 991);

/// What speaks for it, inside the sandbox.
const PROGRAM: &str = include_str!("peer.py");

pub struct Peer {
    _program: Running,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// One of its connections.
#[derive(Clone, Copy, Debug)]
pub struct Connection(u64);

impl Peer {
    pub fn of(world: &World, (uid, gid): (u32, u32), socket: &str) -> Self {
        let (uid, gid) = (uid.to_string(), gid.to_string());
        let user = ["setpriv", "--reuid", &uid, "--regid", &gid, "--clear-groups"];
        Self::start(&mut world.inside(&[&user[..], &["python3", "-c", PROGRAM, socket]].concat()))
    }

    /// Root's, at the end of a connection that `process` has under a number.
    pub fn at(process: u32, descriptor: u32) -> Self {
        Self::start(Command::new("python3").args(["-c", PROGRAM, &format!("{process}:{descriptor}")]))
    }

    fn start(command: &mut Command) -> Self {
        let mut program = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (orders, answers) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
        Self { _program: program, orders, answers: BufReader::new(answers) }
    }

    #[track_caller]
    fn order(&mut self, order: &Value) -> Value {
        writeln!(self.orders, "{order}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {order:.200}"))
    }

    /// `None`: the kernel does not let it.
    #[track_caller]
    pub fn connect(&mut self) -> Option<Connection> {
        self.order(&json!(["connect"])).as_u64().map(Connection)
    }

    #[track_caller]
    pub fn send(&mut self, on: Connection, bytes: &[u8]) {
        self.send_with(on, bytes, 0, 0);
    }

    /// With so many bytes behind it, and so many descriptors beside it.
    #[track_caller]
    pub fn send_with(&mut self, on: Connection, bytes: &[u8], filler: usize, descriptors: usize) {
        self.order(&json!(["send", on.0, digits(bytes), filler, descriptors]));
    }

    /// The same for as long as something of it is taken; says how much that was.
    #[track_caller]
    pub fn pour(&mut self, on: Connection, bytes: &[u8], filler: usize) -> usize {
        let taken = self.order(&json!(["pour", on.0, digits(bytes), filler]));
        usize::try_from(taken.as_u64().unwrap()).unwrap()
    }

    /// What comes next; `None` when the other end has closed.
    #[track_caller]
    pub fn hear(&mut self, on: Connection) -> Option<Value> {
        Some(self.order(&json!(["frame", on.0]))).filter(|heard| !heard.is_null())
    }

    #[track_caller]
    pub fn ask(&mut self, on: Connection, request: &Value) -> Option<Value> {
        self.send(on, &framed(request.to_string().as_bytes()));
        self.hear(on)
    }

    /// The same on a connection of its own.
    #[track_caller]
    pub fn ask_anew(&mut self, request: &Value) -> Option<Value> {
        let on = self.connect().expect("a connection");
        let answer = self.ask(on, request);
        self.close(on);
        answer
    }

    pub fn close(&mut self, on: Connection) {
        self.order(&json!(["close", on.0]));
    }
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}
