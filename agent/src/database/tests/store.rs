//! A state store that is damaged: found, set aside, and put back from its good copy.

use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use accountd_protocol::identity::Identity;

use super::*;
use crate::database::edit::Edit;
use crate::database::journal::{Journal, JournalFile, LineEdit};
use crate::database::state::{Note, State};
use crate::database::{Becomes, DatabaseError, KeyFileRow, good_copy};

/// A page of SQLite.
const PAGE: usize = 4096;
/// The ids after a restore are above this.
const SKIPPED: u64 = 1_000_000;

fn store(world: &World) -> PathBuf {
    world.root().join("state.sqlite")
}

fn beside(world: &World, ending: &str) -> PathBuf {
    good_copy::beside(&store(world), ending)
}

/// Three accounts of others, of which the copy knows anna and berta, and the store carla too.
fn world() -> World {
    let world = World::new();
    {
        let database = world.open();
        create(&database, "berta", 1001).unwrap();
    }
    without_log(&world);
    let database = world.open();
    create(&database, "carla", 1002).unwrap();
    assert_eq!(id(&database, "carla"), 4);
    world
}

fn id(database: &Database, name: &str) -> u64 {
    database.view().user_named(name).unwrap().id.0
}

fn try_to_open(world: &World) -> Result<Database, DatabaseError> {
    open(&world.root(), Box::new(|_| ()))
}

/// Everything beside the store, with its content.
fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(world.root()).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: PathBuf| (path.to_string_lossy().into_owned(), fs::read(path).unwrap());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).map(file).collect();
    // How far SQLite has read the log is of no account, nor that it has found none.
    files.retain(|(name, content)| !(name.ends_with("-shm") || name.ends_with("-wal") && content.is_empty()));
    files.sort();
    files
}

/// The store as one file, so that nothing of it is in the write-ahead log. A writer that has been
/// told to end may still have it open.
fn without_log(world: &World) {
    let connection = rusqlite::Connection::open(store(world)).unwrap();
    until(|| connection.pragma_update(None, "journal_mode", "DELETE").is_ok());
}

fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "it never happened");
        std::thread::yield_now();
    }
}

fn overwrite(path: &Path, offset: usize, content: &[u8]) {
    File::options().write(true).open(path).unwrap().write_all_at(content, offset as u64).unwrap();
}

type Damage = (&'static str, fn(&World));

const DAMAGE: [Damage; 8] = [
    ("garbage", |world| fs::write(store(world), "this is no database\n".repeat(1000)).unwrap()),
    ("garbage and no log", |world| {
        without_log(world);
        fs::write(store(world), vec![0xa5; 5 * PAGE]).unwrap();
    }),
    ("cut short", |world| {
        without_log(world);
        File::options().write(true).open(store(world)).unwrap().set_len(2 * PAGE as u64).unwrap();
    }),
    ("a page in the middle zeroed", |world| {
        without_log(world);
        overwrite(&store(world), PAGE, &[0; PAGE]);
    }),
    ("empty, and the log lost", |world| {
        fs::write(store(world), "").unwrap();
        fs::remove_file(beside(world, "-wal")).unwrap();
    }),
    ("missing", |world| {
        without_log(world);
        fs::remove_file(store(world)).unwrap();
    }),
    ("missing, with its log there", |world| fs::remove_file(store(world)).unwrap()),
    ("a log of garbage", |world| {
        let length = fs::metadata(beside(world, "-wal")).unwrap().len();
        fs::write(beside(world, "-wal"), vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
    }),
];

#[test]
fn a_damaged_store_is_set_aside_and_restored_and_gives_out_no_id_again() {
    for (what, damage) in DAMAGE {
        let world = world();
        damage(&world);
        let was = fs::read(store(&world)).ok();
        let database = world.open();
        let asides: Vec<_> = files(&world).into_iter().filter(|(name, _)| name.contains(".damaged-")).collect();
        if let Some(was) = was {
            assert!(asides.iter().any(|(name, content)| !name.ends_with("-wal") && *content == was), "{what}");
        }
        // What the copy knew has its id; what was made since is new, and built in is neither.
        assert_eq!((id(&database, "anna"), id(&database, "berta")), (2, 3), "{what}");
        assert!(id(&database, "carla") > SKIPPED, "{what}");
        assert!(!database.view().user_named("carla").unwrap().is_builtin(), "{what}");
        assert!(database.view().group_named("carla").unwrap().id.0 > SKIPPED, "{what}");
        let last = create(&database, "dora", 1003).unwrap().0.0;
        drop(database);
        // After another start too.
        let database = world.open();
        assert_eq!(create(&database, "emma", 1004).unwrap().0.0, last + 1, "{what}");
        assert_eq!(id(&database, "berta"), 3, "{what}");
        let mode = fs::metadata(store(&world)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{what}");
    }
}

#[test]
fn generations_go_up_over_a_restore() {
    let world = world();
    let before = world.open().view().generation();
    fs::write(store(&world), "garbage").unwrap();
    let restored = world.open().view().generation();
    assert!(restored > before);
    assert!(world.open().view().generation() > restored);
}

#[test]
fn without_a_good_copy_nothing_is_changed_and_the_message_says_what_to_do() {
    let copies: [Damage; 4] = [
        ("no copy", |world| fs::remove_file(beside(world, ".good")).unwrap()),
        ("a copy of garbage", |world| fs::write(beside(world, ".good"), "garbage").unwrap()),
        ("a copy with a zeroed page", |world| overwrite(&beside(world, ".good"), PAGE, &[0; PAGE])),
        ("an empty copy", |world| fs::write(beside(world, ".good"), "").unwrap()),
    ];
    for (copy, spoil) in copies {
        for (what, damage) in DAMAGE {
            let world = world();
            spoil(&world);
            damage(&world);
            let is_first = fs::read(store(&world)).unwrap_or_default().is_empty() && !beside(&world, "-wal").exists();
            if is_first && !beside(&world, ".good").exists() {
                continue;
            }
            let before = files(&world);
            let Err(error) = try_to_open(&world) else { panic!("{what}, {copy}: it was opened") };
            let said = error.to_string();
            assert!(matches!(error, DatabaseError::NoGoodCopy { .. }), "{what}: {said}");
            for part in ["state.sqlite is damaged", "state.sqlite.good", "backup", "move"] {
                assert!(said.contains(part), "{what}: {said}");
            }
            assert!(files(&world) == before, "{what}: something was changed");
        }
    }
}

#[test]
fn a_store_that_is_missing_or_empty_without_a_copy_is_a_first_start() {
    for content in [None, Some("")] {
        let world = World::new();
        if let Some(content) = content {
            fs::write(store(&world), content).unwrap();
        }
        let database = world.open();
        assert!(database.view().user_named("anna").unwrap().is_builtin());
        let mode = fs::metadata(beside(&world, ".good")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_log_that_is_lost_before_it_was_ever_written_back_is_missed() {
    let lost = || {
        let world = World::new();
        drop(world.open());
        create(&world.open(), "berta", 1001).unwrap();
        fs::remove_file(beside(&world, "-wal")).unwrap();
        world
    };
    assert!(id(&lost().open(), "berta") > SKIPPED);
    let world = lost();
    fs::remove_file(beside(&world, ".good")).unwrap();
    let before = files(&world);
    assert!(matches!(try_to_open(&world), Err(DatabaseError::NoGoodCopy { .. })));
    assert!(files(&world) == before);
}

#[test]
fn an_older_store_in_place_of_the_last_one_is_found() {
    let world = world();
    without_log(&world);
    let older = fs::read(store(&world)).unwrap();
    delete(&world.open(), "carla");
    create(&world.open(), "dora", 1003).unwrap();
    without_log(&world);
    fs::write(store(&world), older).unwrap();
    let database = world.open();
    assert!(id(&database, "dora") > SKIPPED || id(&database, "dora") == 5, "{}", id(&database, "dora"));
    assert!(create(&database, "emma", 1004).unwrap().0.0 > SKIPPED);
}

fn journal() -> Journal {
    let edits = vec![LineEdit { old: None, new: Some(b"ghost:x:1500:1500::/:/bin/sh".as_slice().into()) }];
    let file = JournalFile { kind: FileKind::Passwd, after: "0".repeat(64), edits };
    Journal { files: vec![file], actions: Vec::new() }
}

#[test]
fn what_is_under_way_is_not_in_the_copy() {
    let world = World::new();
    drop(world.open());
    let mut state = State::open(&store(&world)).unwrap();
    state.commit(&[], Some(&journal()), || Ok(Vec::new())).unwrap();
    state.note(&Note::Adoption("/mnt/tank/fresh".into())).unwrap();
    state.commit(&[key_file("/home/anna")], None, || Ok(Vec::new())).unwrap();
    state.keep_good_copy().unwrap();
    let copy = State::open(&beside(&world, ".good")).unwrap();
    assert!(copy.journal().unwrap().is_none() && copy.adoptions().unwrap().is_empty());
    assert!(state.journal().unwrap().is_some());
    assert_eq!((copy.key_files().unwrap().len(), state.key_files().unwrap().len()), (0, 1));
}

fn key_file(home: &str) -> Edit {
    let identity = Identity { uid: Uid(1000), gid: Gid(1000), groups: vec![Gid(10), Gid(20)] };
    Edit::KeyFile(Box::new(KeyFileRow { home: home.into(), identity, becomes: Becomes::Removed }))
}

#[test]
fn key_files_that_wait_for_their_places_are_known_after_a_restart_until_they_have_them() {
    let world = World::new();
    let database = world.open();
    let Edit::KeyFile(row) = key_file("/home/anna") else { panic!() };
    let entered = row.clone();
    let change = move |draft: &mut Draft<'_>| {
        draft.set_key_file(*entered);
        Ok(())
    };
    database.change(tester(), change).unwrap();
    drop(database);
    let database = world.open();
    assert_eq!(database.stored_key_files(), [*row]);
    database.key_file_is_over("/home/anna".into());
    // What comes behind it is answered when that is done.
    create(&database, "berta", 3001).unwrap();
    drop(database);
    let database = world.open();
    assert!(database.stored_key_files().is_empty());
}

#[test]
fn an_old_journal_is_not_carried_out_when_the_log_is_lost() {
    let world = World::new();
    drop(world.open());
    let mut state = State::open(&store(&world)).unwrap();
    state.load().unwrap();
    // Enough for the log to be written back, were it not held while the journal is there.
    for number in 0..2000 {
        state.commit(&[], Some(&journal()), || Ok(Vec::new())).unwrap();
        if number < 1999 {
            state.note(&Note::HomeParent(format!("/mnt/{number}/{}", "x".repeat(2000)))).unwrap();
            state.clear_journal().unwrap();
        }
    }
    let read = |path: &Path| fs::read(path).unwrap();
    let found = |content: &[u8]| content.windows(5).any(|window| window == b"ghost");
    assert!(read(&store(&world)).len() > 100 * PAGE, "the log was never written back");
    assert!(!found(&read(&store(&world))) && found(&read(&beside(&world, "-wal"))));
    drop(state);
    fs::remove_file(beside(&world, "-wal")).unwrap();
    let database = world.open();
    assert!(database.view().user_named("ghost").is_none());
    assert!(!world.read("passwd").contains("ghost"));
}

#[test]
fn a_store_that_gets_damaged_while_it_is_used_ends_the_agent_and_is_restored() {
    let world = world();
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let on_damaged = Box::new(move || end.store(true, Ordering::SeqCst));
    let (root, store_path, audit) = (world.root(), store(&world), Audit::default());
    let keeping = Keeping { root: &root, store: &store_path, audit: &audit };
    let database = Database::open(keeping, Box::new(|_| ()), on_damaged).unwrap();
    let other = rusqlite::Connection::open(store(&world)).unwrap();
    other
        .execute_batch(
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 900000; PRAGMA schema_version = 900",
        )
        .unwrap();
    let refused = create(&database, "dora", 1003).unwrap_err();
    assert!(matches!(&refused, Refusal::Internal(said) if said.contains("damaged")), "{refused:?}");
    assert!(files_with(&world.root(), "dora").is_empty());
    until(|| ended.load(Ordering::SeqCst));
    // Nobody waits for an answer that never comes.
    assert!(create(&database, "emma", 1004).is_err());
    drop((database, other));
    let database = world.open();
    assert_eq!(id(&database, "berta"), 3);
    create(&database, "dora", 1003).unwrap();
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_left_alone() {
    let world = world();
    let connection = rusqlite::Connection::open(store(&world)).unwrap();
    connection.pragma_update(None, "user_version", 77).unwrap();
    drop(connection);
    let before = files(&world);
    let refused = try_to_open(&world).err().unwrap().to_string();
    assert!(refused.contains(&store(&world).display().to_string()), "{refused}");
    assert!(files(&world) == before);
}

#[test]
fn a_store_of_the_first_version_is_carried_over() {
    let world = world();
    let connection = rusqlite::Connection::open(store(&world)).unwrap();
    connection
        .execute_batch(
            "DROP TABLE floors; DROP TABLE adoptions; DROP TABLE transfers; DROP TABLE audit; DROP TABLE audit_ends;
             DROP TABLE password_history; DROP TABLE password_rules; DROP TABLE api_keys;
             DROP TABLE second_factors; DROP TABLE login_tokens; DROP TABLE token_keys; DROP TABLE password_stamps;
             DROP TABLE key_files; ALTER TABLE users DROP COLUMN extras; ALTER TABLE groups DROP COLUMN limits;
             DROP TABLE quota_counts; DROP TABLE quota_marks;
             DROP TABLE repositories; DROP TABLE repository_grants; DROP TABLE ssh_keys; DROP TABLE done;
             PRAGMA user_version = 1",
        )
        .unwrap();
    drop(connection);
    let database = world.open();
    assert_eq!((id(&database, "carla"), create(&database, "dora", 1003).unwrap().0.0), (4, 5));
}
