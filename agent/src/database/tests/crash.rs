//! kill -9 at every step of a start and of a commit: after the next start an account is there in
//! every file, or in none, and what others did meanwhile is there too.
//!
//! The steps are the system calls that change something. This test program starts itself again
//! and strace(1) kills it when one of its threads makes the n-th call of a kind.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::database::Action;
use crate::database::entry::{Entry, group};

const ROOT_VARIABLE: &str = "ACCOUNTD_CRASH_TEST_ROOT";
const CHANGE_VARIABLE: &str = "ACCOUNTD_CRASH_TEST_CHANGE";
/// What the child ends with when its change was refused.
const REFUSED: i32 = 3;
const STEPS: [&str; 8] = ["rename", "renameat2", "link", "unlink", "fsync", "fdatasync", "pwrite64", "fchmod"];
/// More calls of one kind than a start and a commit make.
const MOST_CALLS: usize = 250;

/// What the child is doing when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    /// One change that touches every file, the state and a home.
    Change,
}

/// The program that is killed.
#[test]
fn child() {
    let Some(root) = std::env::var_os(ROOT_VARIABLE).map(PathBuf::from) else { return };
    let open = || super::open(&root, Box::new(|_| ())).unwrap();
    let Some(injection) = std::env::var_os(CHANGE_VARIABLE) else { return drop(open()) };
    let database = open();
    // The calls of the start are not counted.
    trace_myself(injection.to_str().unwrap());
    std::process::exit(if database.change(tester(), change).is_ok() { 0 } else { REFUSED });
}

#[allow(clippy::zombie_processes, reason = "strace ends with what it traces")]
fn trace_myself(injection: &str) {
    let me = std::process::id().to_string();
    let strace = Command::new("strace").args(options(injection)).args(["-p", &me]).spawn().expect("strace is needed");
    let traced = format!("TracerPid:\t{}\n", strace.id());
    let is_traced = |task: fs::DirEntry| fs::read_to_string(task.path().join("status")).unwrap().contains(&traced);
    let end = Instant::now() + Duration::from_secs(10);
    while !fs::read_dir("/proc/self/task").unwrap().all(|task| is_traced(task.unwrap())) {
        assert!(Instant::now() < end, "strace does not trace");
        std::thread::yield_now();
    }
}

/// Those of strace, for what it is to do at a call.
fn options(injection: &str) -> Vec<String> {
    let (step, _) = injection.split_once(':').unwrap();
    let (trace, inject) = (format!("trace={step}"), format!("inject={injection}"));
    ["-f", "-q", "-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned).into()
}

fn change(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    add(draft, "berta", 1001);
    draft.set_line(FileKind::Smbpasswd, "berta", line("berta:1001:X:Y:[U          ]:LCT-1:"));
    let mut wheel = Entry::parse(draft.line(FileKind::Group, "wheel").unwrap());
    wheel.set(group::MEMBERS, "anna,berta");
    draft.set_line(FileKind::Group, "wheel", Some(wheel.line()));
    let (parent, hidden, name) = ("/mnt/tank".into(), ".hidden".into(), "berta".into());
    draft.after_commit(Action::PublishHome { account: "berta".into(), parent, hidden, name });
    Ok(())
}

fn world() -> World {
    let world = World::new();
    fs::create_dir_all(world.root().join("mnt/tank/.hidden")).unwrap();
    fs::write(world.etc("samba/smbpasswd"), "").unwrap();
    drop(world.open());
    world
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    Finished,
    Refused,
}

/// Runs the child; strace does at a call what `injection` says.
fn run_until(world: &World, phase: Phase, injection: &str) -> End {
    let program = std::env::current_exe().unwrap();
    let mut command = match phase {
        Phase::Start => Command::new("strace"),
        Phase::Change => Command::new(&program),
    };
    match phase {
        Phase::Start => command.args(options(injection)).arg(&program),
        Phase::Change => command.env(CHANGE_VARIABLE, injection),
    };
    let status = command
        .args(["--exact", "database::tests::crash::child"])
        .env(ROOT_VARIABLE, world.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is needed");
    match status.signal() {
        Some(9) => End::Killed,
        _ if status.success() => End::Finished,
        _ if status.code() == Some(REFUSED) => End::Refused,
        _ => panic!("{phase:?} {injection}: {status}"),
    }
}

/// Calls `check` with a world of `world` for every place at which the child can be killed.
fn at_every_step(phase: Phase, world: impl Fn() -> World + Sync, check: impl Fn(&World, &str) + Sync) {
    let killed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for step in STEPS {
            let (world, check, killed) = (&world, &check, &killed);
            scope.spawn(move || {
                for number in 1..MOST_CALLS {
                    let world = world();
                    if run_until(&world, phase, &format!("{step}:signal=KILL:when={number}")) == End::Finished {
                        return;
                    }
                    killed.fetch_add(1, Ordering::Relaxed);
                    check(&world, &format!("{phase:?} killed at {step} {number}"));
                }
                panic!("{step} never ends");
            });
        }
    });
    assert!(killed.into_inner() > 30, "the child was hardly ever killed");
}

/// Whether the whole change is there; half of it is a failure.
fn is_whole(world: &World, database: &Database, at: &str) -> bool {
    let view = database.view();
    let signs = [
        files_with(&world.root(), "berta").len() == 4,
        world.read("samba/smbpasswd").starts_with("berta:"),
        world.read("group").contains("wheel:x:10:anna,berta"),
        world.root().join("mnt/tank/berta").is_dir(),
        !world.root().join("mnt/tank/.hidden").exists(),
        view.user_named("berta").is_some_and(|row| row.id == AccountId(3) && row.uid == Uid(1001)),
        view.group_named("berta").is_some(),
    ];
    let nothing = files_with(&world.root(), "berta").is_empty();
    assert!(signs == [true; 7] || (signs == [false; 7] && nothing), "{at}: {signs:?}");
    signs[0]
}

fn nothing_is_left_over(world: &World, at: &str) {
    for entry in fs::read_dir(world.root().join("etc")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".lock") || name == ".pwd.lock", "{at}: {name}");
        assert!(!name.contains("accountd"), "{at}: {name}");
    }
}

#[test]
fn killed_anywhere_the_account_is_there_whole_or_not_at_all() {
    let (whole, nothing) = (AtomicUsize::new(0), AtomicUsize::new(0));
    at_every_step(Phase::Change, world, |world, at| {
        let database = world.open();
        let counter = if is_whole(world, &database, at) { &whole } else { &nothing };
        counter.fetch_add(1, Ordering::Relaxed);
        nothing_is_left_over(world, at);
        // And the next change works.
        create(&database, "carla", 1003).unwrap_or_else(|refusal| panic!("{at}: {refusal}"));
        assert_eq!(files_with(&world.root(), "carla").len(), 4, "{at}");
    });
    let (whole, nothing) = (whole.into_inner(), nothing.into_inner());
    assert!(whole > 5 && nothing > 5, "both must happen: {whole} and {nothing}");
}

#[test]
fn what_others_did_between_the_kill_and_the_next_start_is_kept() {
    at_every_step(Phase::Change, world, |world, at| {
        let extra = [
            ("group", "zoe:x:2000:\n"),
            ("shadow", "zoe:!:20000:0:99999:7:::\n"),
            ("passwd", "zoe:x:2000:2000::/home/zoe:/bin/sh\n"),
        ];
        for (file, line) in extra {
            world.edit(file, |text| text + line);
        }
        world.edit("shadow", |text| text.replace("anna:$6$old", "anna:$6$new"));
        let database = world.open();
        is_whole_beside(world, &database, at);
        for (file, line) in extra {
            assert!(world.read(file).contains(line), "{at}: {file}");
        }
        assert!(world.read("shadow").contains("anna:$6$new:"), "{at}");
        assert!(database.view().user_named("zoe").is_some(), "{at}");
    });
}

/// As [`is_whole`], but a stranger may have got the id of an account that was not made.
fn is_whole_beside(world: &World, database: &Database, at: &str) {
    let files = files_with(&world.root(), "berta").len();
    assert!(files == 0 || files == 4, "{at}: {files}");
    assert_eq!(world.read("group").contains("wheel:x:10:anna,berta"), files == 4, "{at}");
    assert_eq!(world.root().join("mnt/tank/berta").is_dir(), files == 4, "{at}");
    assert_eq!(database.view().user_named("berta").is_some(), files == 4, "{at}");
}

#[test]
fn a_start_that_is_killed_anywhere_is_made_good_by_the_next_one() {
    at_every_step(Phase::Start, world, |world, at| {
        let database = world.open();
        nothing_is_left_over(world, at);
        assert_eq!(create(&database, "carla", 1003).unwrap().0, AccountId(3), "{at}");
    });
}

#[test]
fn a_restore_that_is_killed_anywhere_is_made_good_by_the_next_start() {
    let damaged = || {
        let world = world();
        fs::write(world.root().join("state.sqlite"), "garbage").unwrap();
        fs::remove_file(world.root().join("state.sqlite-wal")).unwrap();
        world
    };
    at_every_step(Phase::Start, damaged, |world, at| {
        let database = world.open();
        assert_eq!(database.view().user_named("anna").unwrap().id, AccountId(2), "{at}");
        assert!(create(&database, "carla", 1003).unwrap().0.0 > 1_000_000, "{at}");
    });
}

#[test]
fn a_change_that_is_refused_because_a_sync_failed_is_not_made_at_the_next_start_either() {
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for step in ["fsync", "fdatasync", "pwrite64", "rename"] {
            let refused = &refused;
            scope.spawn(move || {
                for number in 1..25 {
                    let (world, at) = (world(), format!("{step} {number} failed"));
                    let end = run_until(&world, Phase::Change, &format!("{step}:error=EIO:when={number}"));
                    let is_whole = is_whole(&world, &world.open(), &at);
                    assert_eq!(end, if is_whole { End::Finished } else { End::Refused }, "{at}");
                    nothing_is_left_over(&world, &at);
                    refused.fetch_add(usize::from(!is_whole), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(refused.into_inner() > 5, "hardly anything was refused");
}
