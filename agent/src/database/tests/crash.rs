//! kill -9 at every step of a commit: after the next start an account is there in every file, or
//! in none, and what others did meanwhile is there too.
//!
//! The steps are the system calls that change something. This test program starts itself again
//! under strace(1), which kills it when one of its threads makes the n-th call of a kind.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::database::Action;
use crate::database::entry::{Entry, group};

const ROOT_VARIABLE: &str = "ACCOUNTD_CRASH_TEST_ROOT";
const STEPS: [&str; 8] = ["rename", "renameat2", "link", "unlink", "fsync", "fdatasync", "pwrite64", "fchmod"];
/// More calls of one kind than a start and a commit make.
const MOST_CALLS: usize = 60;

/// The program that is killed: one change that touches every file, the state and a home.
#[test]
fn child() {
    let Some(root) = std::env::var_os(ROOT_VARIABLE).map(PathBuf::from) else { return };
    let database = Database::open(&root, &root.join("state.sqlite"), Box::new(|_| ())).unwrap();
    database.change(change).unwrap();
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
}

/// Runs the child and kills it at the `number`-th call of `step`.
fn run_until(world: &World, step: &str, number: usize) -> End {
    let status = Command::new("strace")
        .args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={step}")])
        .args(["-e", &format!("inject={step}:signal=KILL:when={number}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "database::tests::crash::child"])
        .env(ROOT_VARIABLE, world.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace is needed");
    match status.signal() {
        Some(9) => End::Killed,
        _ if status.success() => End::Finished,
        _ => panic!("{step} {number}: {status}"),
    }
}

/// Calls `check` with a world for every place at which the child can be killed.
fn at_every_step(check: impl Fn(&World, &str) + Sync) {
    let killed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for step in STEPS {
            let (check, killed) = (&check, &killed);
            scope.spawn(move || {
                for number in 1..MOST_CALLS {
                    let world = world();
                    if run_until(&world, step, number) == End::Finished {
                        return;
                    }
                    killed.fetch_add(1, Ordering::Relaxed);
                    check(&world, &format!("killed at {step} {number}"));
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
    at_every_step(|world, at| {
        let database = world.open();
        let counter = if is_whole(world, &database, at) { &whole } else { &nothing };
        counter.fetch_add(1, Ordering::Relaxed);
        nothing_is_left_over(world, at);
        // And the next change works.
        create(&database, "carla", 1003).unwrap_or_else(|refusal| panic!("{at}: {refusal}"));
        assert_eq!(files_with(&world.root(), "carla").len(), 4, "{at}");
    });
    assert!(whole.into_inner() > 5 && nothing.into_inner() > 5, "both must happen");
}

#[test]
fn what_others_did_between_the_kill_and_the_next_start_is_kept() {
    at_every_step(|world, at| {
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
