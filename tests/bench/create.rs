//! One account is created while 1,000, 10,000 and 100,000 others exist, beside `useradd`.
//!
//! Both make lines in passwd, shadow, group and gshadow, without a home and with the hash given
//! (none at all). curl times its request itself, bash times `useradd` itself, so that neither
//! pays for this program. Syncs and bytes are counted by strace in a run that is not timed.

use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio};

use crate::median;
use crate::traced::{self, Written};
use crate::world::World;

pub const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const OWN_ROUNDS: usize = 15;
/// The first uid of those that are there already, above all that is made here.
const FIRST: usize = 200_000;

pub fn run(sizes: &[usize]) {
    println!("\ncreate one account: milliseconds (median), syncs and MiB written per account");
    println!("| existing | what                          |      ms | syncs |    MiB | useradd / this |");
    println!("|---------:|-------------------------------|--------:|------:|-------:|---------------:|");
    for size in sizes {
        Row::all(*size).iter().for_each(|row| println!("{row}"));
    }
}

struct Row {
    size: usize,
    what: &'static str,
    milliseconds: f64,
    written: Option<Written>,
    ratio: Option<f64>,
}

impl std::fmt::Display for Row {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let written = self.written.as_ref().map_or_else(
            || format!("{:>5} | {:>6}", "", ""),
            |written| format!("{:>5} | {:>6.2}", written.syncs, written.bytes as f64 / f64::from(1 << 20)),
        );
        let ratio = self.ratio.map_or(String::new(), |ratio| format!("{ratio:.1} ×"));
        write!(out, "| {:>8} | {:<29} | {:>7.1} | {written} | {ratio:>14} |", self.size, self.what, self.milliseconds)
    }
}

impl Row {
    fn all(size: usize) -> Vec<Self> {
        let bench = Bench::with_users(size);
        bench.create("warm-up", &bench.plain("warmup"));
        let plain = bench.rounds("plain", OWN_ROUNDS, |name| bench.plain(name));
        let full = bench.rounds("full", OWN_ROUNDS, |name| bench.full(name));
        let plain_written = bench.written("traced", &bench.plain("traced"));
        let full_written = bench.written("traced-full", &bench.full("tracedfull"));
        let rounds = if size < 100_000 { 7 } else { 3 };
        let peer = median((0..rounds).map(|round| bench.useradd(&format!("peer{round}"))).collect());
        let peer_written = bench.useradd_traced("peertraced");
        let behind = bench.create("behind", &bench.plain("behind"));
        let row = |what, milliseconds, written, ratio| Row { size, what, milliseconds, written, ratio };
        vec![
            row("useradd -M -p HASH", peer, Some(peer_written), None),
            row("accountd, hash given, no home", plain, Some(plain_written), Some(peer / plain)),
            row("accountd, password, home, SMB", full, Some(full_written), Some(peer / full)),
            row("accountd, right after useradd", behind, None, Some(peer / behind)),
        ]
    }
}

struct Bench {
    world: World,
}

impl Bench {
    fn with_users(size: usize) -> Self {
        let world = World::start();
        let line = |make: &dyn Fn(usize) -> String| {
            (0..size).fold(String::new(), |mut text, number| {
                let _ = writeln!(text, "{}", make(number));
                text
            })
        };
        let uid = |number: usize| FIRST + number;
        let hash = "$6$saltsaltsaltsalt$hOxG3zXfAZ4hN1lTyJ8nmgFlAUOZ6yhhQ.1jBqd3r1C8mYQ1r7lcp1sDzWDLyJ6W0cN2YkSjv9S6UBUvKxPzX0";
        append(
            &world,
            "samba/smbpasswd",
            &line(&|number| {
                format!("n{number}:{}:{}:{:032X}:[U          ]:LCT-65000000:", uid(number), "X".repeat(32), number)
            }),
        );
        append(&world, "gshadow", &line(&|number| format!("n{number}:!::")));
        append(&world, "group", &line(&|number| format!("n{number}:x:{}:", uid(number))));
        append(&world, "shadow", &line(&|number| format!("n{number}:{hash}:19000:0:99999:7:::")));
        append(
            &world,
            "passwd",
            &line(&|number| {
                format!("n{number}:x:{0}:{0}:Number {number}:/mnt/tank/home/n{number}:/bin/sh", uid(number))
            }),
        );
        Self { world }
    }

    /// A request for an account with nothing that takes time.
    fn plain(&self, name: &str) -> String {
        serde_json::json!({
            "bsdusr_username": name, "bsdusr_uid": fresh_uid(), "bsdusr_full_name": name, "bsdusr_creategroup": true,
            "bsdusr_password_disabled": true, "bsdusr_home": "/nonexistent",
        })
        .to_string()
    }

    fn full(&self, name: &str) -> String {
        serde_json::json!({
            "bsdusr_username": name, "bsdusr_uid": fresh_uid(), "bsdusr_full_name": name, "bsdusr_creategroup": true,
            "bsdusr_password": "correct horse", "bsdusr_home": "/mnt/tank/home",
        })
        .to_string()
    }

    fn rounds(&self, prefix: &str, rounds: usize, request: impl Fn(&str) -> String) -> f64 {
        let create = |round| self.create(prefix, &request(&format!("{prefix}{round}")));
        median((0..rounds).map(create).collect())
    }

    /// Milliseconds of one request, by curl's own clock.
    fn create(&self, what: &str, body: &str) -> f64 {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "120", "-H", "Content-Type: application/json", "--data-binary", body])
            .args(["-o", "/dev/null", "-w", "%{http_code} %{time_total}", "--user"])
            .arg(format!("root:{}", self.world.admin_password()))
            .arg(format!("{}/api/v1.0/account/users/", self.world.api()))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (status, seconds) = text.split_once(' ').unwrap();
        assert_eq!(status, "201", "{what}: {body}");
        seconds.parse::<f64>().unwrap() * 1000.0
    }

    /// Milliseconds of one useradd, by the clock of the shell that runs it.
    fn useradd(&self, name: &str) -> f64 {
        let script = format!("s=$EPOCHREALTIME; useradd -M -p '$6$salt$hash' {name}; r=$?; echo $s $EPOCHREALTIME $r");
        let text = self.world.run(&["bash", "-c", &script]);
        let words: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(words[2], 0.0, "useradd failed: {text}");
        (words[1] - words[0]) * 1000.0
    }

    fn useradd_traced(&self, name: &str) -> Written {
        let log = self.world.client_file("strace");
        let mut strace = traced::strace(&log);
        let inside = self.world.inside(&["useradd", "-M", "-p", "$6$salt$hash", name]);
        strace.arg(inside.get_program()).args(inside.get_args()).stdin(Stdio::null());
        assert!(strace.status().unwrap().success());
        traced::count(&log)
    }

    /// What the agent writes for one request.
    fn written(&self, what: &str, body: &str) -> Written {
        let create = || {
            self.create(what, body);
        };
        traced::attached(self.world.process("agent"), &self.world.client_file("strace"), create)
    }
}

fn fresh_uid() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(3_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
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
