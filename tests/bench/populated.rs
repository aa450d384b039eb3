//! A sandbox with many accounts in it, and clocks for what is done to it: curl's own for a request,
//! the shell's own for a command, so that neither pays for this program.

use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::traced::{self, Written};
use crate::world::World;

/// The first uid of those that are there already.
pub const FIRST: usize = 200_000;
/// Beyond what useradd chooses, and the subordinate ranges that it gives away with it.
const FIRST_OF_OURS: usize = 1_000_000_000;
pub const HASH: &str =
    "$6$saltsaltsaltsalt$hOxG3zXfAZ4hN1lTyJ8nmgFlAUOZ6yhhQ.1jBqd3r1C8mYQ1r7lcp1sDzWDLyJ6W0cN2YkSjv9S6UBUvKxPzX0";
pub const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBwxqZzvqK0tGdeQZ3Wc3S6EeIZ1XU6Ocd9wq2U0y5dC bench";

/// How long the agent may take to read everything.
const READING: Duration = Duration::from_secs(600);

pub struct Populated {
    pub world: World,
    next_uid: AtomicUsize,
}

/// What a request came to.
pub struct Timed {
    pub milliseconds: f64,
    pub body: String,
}

impl Populated {
    pub fn with_users(size: usize) -> Self {
        let world = World::start();
        let lines = |make: &dyn Fn(usize) -> String| {
            (0..size).fold(String::new(), |mut text, number| {
                let _ = writeln!(text, "{}", make(number));
                text
            })
        };
        let uid = |number: usize| FIRST + number;
        let smb = |number| {
            format!("n{number}:{}:{}:{:032X}:[U          ]:LCT-65000000:", uid(number), "X".repeat(32), number)
        };
        let passwd =
            |number| format!("n{number}:x:{0}:{0}:Number {number}:/mnt/tank/home/n{number}:/bin/sh", uid(number));
        append(&world, "samba/smbpasswd", &lines(&smb));
        append(&world, "gshadow", &lines(&|number| format!("n{number}:!::")));
        append(&world, "group", &lines(&|number| format!("n{number}:x:{}:", uid(number))));
        append(&world, "shadow", &lines(&|number| format!("n{number}:{HASH}:19000:0:99999:7:::")));
        append(&world, "passwd", &lines(&passwd));
        let populated = Self { world, next_uid: AtomicUsize::new(FIRST_OF_OURS) };
        populated.warm_up();
        populated
    }

    /// Until the agent has read what was appended: a million accounts take it longer than a request waits.
    fn warm_up(&self) {
        let request = self.new_user("warmup", json!({"bsdusr_password_disabled": true}));
        let end = Instant::now() + READING;
        while self.send("POST", "/account/users/", Some(&request)).0 != "201" {
            assert!(Instant::now() < end, "the accounts are not read");
        }
    }

    pub fn fresh_uid(&self) -> usize {
        self.next_uid.fetch_add(1, Ordering::Relaxed)
    }

    /// The request for an account, with what is particular to it.
    pub fn new_user(&self, name: &str, particular: Value) -> Value {
        let mut request = json!({
            "bsdusr_username": name, "bsdusr_uid": self.fresh_uid(), "bsdusr_full_name": name,
            "bsdusr_creategroup": true, "bsdusr_home": "/nonexistent",
        });
        for (key, value) in particular.as_object().unwrap() {
            request[key] = value.clone();
        }
        request
    }

    /// Creates it; gives its id.
    pub fn create(&self, name: &str, particular: Value) -> (f64, u64) {
        let timed = self.request("POST", "/account/users/", Some(&self.new_user(name, particular)), 201);
        let user: Value = serde_json::from_str(&timed.body).unwrap();
        (timed.milliseconds, user["id"].as_u64().unwrap())
    }

    /// One request, which has to be answered with `status`, by curl's own clock.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Timed {
        let (code, timed) = self.send(method, path, body);
        assert_eq!(code, status.to_string(), "{method} {path}: {:.500}", timed.body);
        timed
    }

    /// The status, and what it came to.
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (String, Timed) {
        let answer = self.world.client_file(&format!("answer-{:?}", std::thread::current().id()));
        let sent = answer.with_extension("body");
        let mut command = self.curl();
        command.args(["--request", method, "-w", "%{http_code} %{time_total}", "-o"]).arg(&answer);
        if let Some(body) = body {
            fs::write(&sent, body.to_string()).unwrap();
            command.arg("--data-binary").arg(format!("@{}", sent.display()));
        }
        let output = command.arg(format!("{}/api/v1.0{path}", self.world.api())).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (code, seconds) = said.split_once(' ').unwrap();
        let body = fs::read_to_string(&answer).unwrap_or_default();
        (code.to_owned(), Timed { milliseconds: seconds.parse::<f64>().unwrap() * 1000.0, body })
    }

    pub fn curl(&self) -> Command {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--max-time",
            "300",
            "-H",
            "Content-Type: application/json",
            "-H",
            "Expect:",
            "--user",
        ]);
        command.arg(format!("root:{}", self.world.admin_password())).stdin(Stdio::null());
        command
    }

    /// Milliseconds of a command inside, by the clock of the shell that runs it.
    pub fn shell(&self, command: &str) -> f64 {
        let script = format!("s=$EPOCHREALTIME; {command}; r=$?; echo $s $EPOCHREALTIME $r");
        let text = self.world.run(&["bash", "-c", &script]);
        let words: Vec<f64> =
            text.lines().last().unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(words[2], 0.0, "{command} failed: {text}");
        (words[1] - words[0]) * 1000.0
    }

    /// What a command inside writes.
    pub fn written_by_command(&self, command: &[&str]) -> Written {
        let log = self.world.client_file("strace");
        let mut strace = traced::strace(&log);
        let inside = self.world.inside(command);
        strace.arg(inside.get_program()).args(inside.get_args()).stdin(Stdio::null());
        assert!(strace.status().unwrap().success(), "{command:?}");
        traced::count(&log)
    }

    /// What the agent writes while `work` runs.
    pub fn written(&self, work: impl FnOnce()) -> Written {
        traced::attached(self.world.process("agent"), &self.world.client_file("strace"), work)
    }

    /// Resident memory of a program in MiB (proc_pid_status(5)).
    pub fn resident(&self, program: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.world.process(program))).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

/// As an editor would: a whole new file in the place of the old one.
fn append(world: &World, name: &str, lines: &str) {
    let path = world.root().join("etc").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = fs::read_to_string(&path).unwrap_or_default() + lines;
    let new = path.with_extension("bench");
    fs::write(&new, text).unwrap();
    if let Ok(status) = fs::metadata(&path) {
        fs::set_permissions(&new, status.permissions()).unwrap();
    }
    fs::rename(new, path).unwrap();
}
