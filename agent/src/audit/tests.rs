//! The whole trail on a plain directory: what is wrong with it is found, and where.

use std::fs;
use std::path::PathBuf;

use accountd_config::Audit;
use accountd_protocol::audit::{
    Actor, AuditAction, AuditEvent, AuditFilter, AuditVerdict, Moment, Outcome, OutcomeKind, Target, TargetKind,
};
use rusqlite::Connection;

use super::files::{self, AuditFile};
use super::{append, bodies, directory, go_on_from_files, page, rotate, verify};

const LIMITS: Audit = Audit { file_records: 10, keep_files: 2 };

fn at(seconds: u64) -> Moment {
    Moment { seconds, nanoseconds: 7 }
}

fn event(name: &str) -> AuditEvent {
    let target = Target { kind: TargetKind::User, id: None, name: name.into() };
    AuditEvent::done(Actor::Outside, AuditAction::CreateUser, Some(target), Vec::new())
}

/// A store that has nothing but an audit trail.
struct World {
    directory: tempfile::TempDir,
    connection: Connection,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("state.sqlite")).unwrap();
        connection.execute_batch(super::MIGRATION).unwrap();
        Self { directory, connection }
    }

    /// With records of users `u1` to `u{number}`, at those seconds.
    fn with(number: u64) -> Self {
        let world = Self::new();
        (1..=number).for_each(|number| world.append(number));
        world
    }

    /// 35 records, of which 20 are in two files.
    fn rotated() -> Self {
        let mut world = Self::with(35);
        world.rotate();
        world.rotate();
        assert_eq!(world.files().len(), 2);
        world
    }

    fn append(&self, number: u64) {
        append(&self.connection, at(number), &bodies(&[event(&format!("u{number}"))]).unwrap()).unwrap();
    }

    fn rotate(&mut self) {
        let directory = directory(&self.store());
        rotate(&mut self.connection, &directory, &LIMITS, at(0)).unwrap();
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("state.sqlite")
    }

    fn files(&self) -> Vec<AuditFile> {
        files::list(&directory(&self.store())).unwrap()
    }

    fn sql(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    fn edit(&self, file: usize, change: impl FnOnce(Vec<&str>) -> Vec<&str>) {
        let path = &self.files()[file].path;
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, change(text.lines().collect()).join("\n") + "\n").unwrap();
    }

    fn verdict(&self) -> AuditVerdict {
        verify(&self.store()).unwrap()
    }

    #[track_caller]
    fn is_whole(&self, first: u64, to: u64) {
        let verdict = self.verdict();
        assert_eq!((verdict.first, verdict.whole_to, verdict.flaw), (first, to, None));
    }

    /// That the first flaw is at this record, and what it is.
    #[track_caller]
    fn is_flawed(&self, what: &str, sequence: u64, said: &str) {
        let verdict = self.verdict();
        let flaw = verdict.flaw.unwrap_or_else(|| panic!("{what}: nothing was found"));
        assert_eq!((verdict.whole_to + 1, flaw.sequence), (sequence, sequence), "{what}: {flaw:?}");
        assert!(flaw.what.contains(said), "{what}: {flaw:?}");
    }

    fn names(&self, filter: &AuditFilter) -> (Vec<String>, Option<u64>) {
        let page = page(&self.store(), filter).unwrap();
        let name = |event: AuditEvent| event.target.map(|target| target.name).unwrap_or_default();
        (page.records.into_iter().map(|record| name(record.event)).collect(), page.next)
    }
}

#[test]
fn a_trail_is_whole_before_and_after_its_records_move_into_files() {
    World::new().is_whole(1, 0);
    World::with(5).is_whole(1, 5);
    let mut world = World::rotated();
    world.is_whole(1, 35);
    assert_eq!(world.files().iter().map(|file| file.first).collect::<Vec<_>>(), [1, 11]);
    world.append(36);
    world.is_whole(1, 36);
    // What was removed is recorded, and the chain begins behind it; the file goes one rotation later.
    world.rotate();
    world.is_whole(11, 37);
    assert_eq!(world.files().len(), 3);
    let newest = page(&world.store(), &AuditFilter { limit: 1, ..AuditFilter::default() }).unwrap().records.remove(0);
    assert_eq!(newest.event.action, AuditAction::RemoveRecords);
    assert_eq!(newest.event.changes[0].old.as_deref(), Some("1-10"));
    (38..60).for_each(|number| world.append(number));
    world.rotate();
    assert_eq!(world.files().iter().map(|file| file.first).collect::<Vec<_>>(), [11, 21, 31]);
    world.is_whole(21, 60);
}

#[test]
fn what_is_wrong_in_the_store_is_found_at_its_record() {
    let damage: [(&str, &str, u64, &str); 10] = [
        (
            "a changed name",
            "UPDATE audit SET record = replace(record, 'u24', 'u25') WHERE sequence = 24",
            24,
            "not what",
        ),
        (
            "a changed time",
            "UPDATE audit SET record = replace(record, ':7}', ':8}') WHERE sequence = 35",
            35,
            "not what",
        ),
        ("a changed hash", "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 30", 30, "not what"),
        ("a short hash", "UPDATE audit SET hash = x'00' WHERE sequence = 30", 30, "can not be read"),
        ("another number", "UPDATE audit SET sequence = 99 WHERE sequence = 35", 35, "record 99 is there"),
        ("one removed", "DELETE FROM audit WHERE sequence = 28", 28, "record 29 is there"),
        ("the first removed", "DELETE FROM audit WHERE sequence = 21", 21, "record 22 is there"),
        ("the tail cut", "DELETE FROM audit WHERE sequence > 33", 34, "noted 35 records"),
        ("all rows removed", "DELETE FROM audit", 21, "noted 35 records"),
        (
            "two swapped",
            "UPDATE audit SET sequence = 99 WHERE sequence = 22; UPDATE audit SET sequence = 22 WHERE sequence = 23;
             UPDATE audit SET sequence = 23 WHERE sequence = 99",
            22,
            "not what",
        ),
    ];
    for (what, sql, sequence, said) in damage {
        let world = World::rotated();
        world.sql(sql);
        world.is_flawed(what, sequence, said);
    }
}

#[test]
fn an_end_that_is_not_the_noted_one_is_found() {
    let world = World::rotated();
    world.sql("UPDATE audit_ends SET hash = zeroblob(32) WHERE end = 'head'");
    world.is_flawed("another head", 36, "not the one");
    let world = World::rotated();
    world.sql("UPDATE audit_ends SET sequence = 34 WHERE end = 'head'");
    world.is_flawed("an older head", 36, "behind the last");
}

type Change = fn(Vec<&str>) -> Vec<&str>;

#[test]
fn what_is_wrong_in_a_file_is_found_at_its_record() {
    let damage: [(&str, Change, u64, &str); 6] = [
        (
            "one removed",
            |mut lines| {
                lines.remove(3);
                lines
            },
            14,
            "record 15 is there",
        ),
        (
            "one twice",
            |mut lines| {
                lines.insert(4, lines[3]);
                lines
            },
            15,
            "once more",
        ),
        (
            "two swapped",
            |mut lines| {
                lines.swap(3, 4);
                lines
            },
            14,
            "record 15 is there",
        ),
        (
            "the tail cut",
            |mut lines| {
                lines.truncate(7);
                lines
            },
            18,
            "record 21 is there",
        ),
        (
            "a line cut",
            |mut lines| {
                lines[5] = &lines[5][..90];
                lines
            },
            16,
            "can not be read",
        ),
        (
            "no line",
            |mut lines| {
                lines.insert(0, "");
                lines
            },
            11,
            "can not be read",
        ),
    ];
    for (what, change, sequence, said) in damage {
        let world = World::rotated();
        world.edit(1, change);
        world.is_flawed(what, sequence, said);
    }
    let world = World::rotated();
    fs::remove_file(&world.files()[0].path).unwrap();
    world.is_flawed("a file removed", 1, "record 11 is there");
}

#[test]
fn a_flipped_bit_anywhere_in_a_file_is_found_in_its_record() {
    let world = World::rotated();
    let path = world.files()[1].path.clone();
    let text = fs::read(&path).unwrap();
    for place in (0..text.len()).step_by(5) {
        let record = 11 + text[..place].iter().filter(|byte| **byte == b'\n').count() as u64;
        let mut flipped = text.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&path, &flipped).unwrap();
        let verdict = world.verdict();
        let found = verdict.flaw.map(|flaw| flaw.sequence);
        assert_eq!(found, Some(record), "byte {place}: {}", String::from_utf8_lossy(&flipped));
    }
}

#[test]
fn a_crash_in_the_middle_of_a_rotation_is_made_good_by_the_next() {
    let mut world = World::with(25);
    let records = super::rows::oldest(&world.connection, 10).unwrap();
    files::write(&directory(&world.store()), &records).unwrap();
    world.is_whole(1, 25);
    let all = AuditFilter { limit: 100, ..AuditFilter::default() };
    assert_eq!(world.names(&all).0.len(), 25, "a record that is in both is listed once");
    world.rotate();
    world.is_whole(1, 25);
    assert_eq!((world.files().len(), super::count(&world.connection).unwrap()), (1, 15));
    // Both have it, and they differ: somebody has changed one of them.
    let mut world = World::with(25);
    let other = World::new();
    (1..=10).for_each(|number| append(&other.connection, at(number), &bodies(&[event("other")]).unwrap()).unwrap());
    files::write(&directory(&world.store()), &super::rows::oldest(&other.connection, 10).unwrap()).unwrap();
    world.is_flawed("another file", 11, "different records");
    world.rotate();
    world.is_whole(1, 25);
}

#[test]
fn a_restored_store_goes_on_behind_the_files() {
    let mut world = World::with(25);
    let copy = world.directory.path().join("copy");
    world.connection.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    (26..=45).for_each(|number| world.append(number));
    (0..3).for_each(|_| world.rotate());
    let store = world.store();
    fs::rename(&copy, &store).unwrap();
    world.connection = Connection::open(&store).unwrap();
    go_on_from_files(&world.connection, &directory(&store)).unwrap();
    // 30 records are in files; those behind are lost with the store.
    world.append(31);
    let verdict = world.verdict();
    assert_eq!((verdict.first, verdict.whole_to, verdict.flaw), (1, 31, None));
}

#[test]
fn a_list_is_newest_first_and_goes_on_where_the_page_before_ended() {
    let world = World::rotated();
    let filter = |before, limit| AuditFilter { before, limit, ..AuditFilter::default() };
    assert_eq!(world.names(&filter(None, 2)), (vec!["u35".into(), "u34".into()], Some(34)));
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let (names, next) = world.names(&filter(before, 7));
        seen.extend(names);
        before = next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=35).rev().map(|number| format!("u{number}")).collect::<Vec<_>>());
}

#[test]
fn a_filter_is_held_against_records_in_files_too() {
    let world = World::rotated();
    let refused = AuditEvent { outcome: Outcome::Refused("no".into()), ..event("u3") };
    append(&world.connection, at(99), &bodies(&[refused]).unwrap()).unwrap();
    let all = AuditFilter { limit: 100, ..AuditFilter::default() };
    let target = AuditFilter { target: Some("u3".into()), ..all.clone() };
    assert_eq!(world.names(&target), (vec!["u3".into(), "u3".into()], None));
    let outcome = AuditFilter { outcome: Some(OutcomeKind::Refused), ..all.clone() };
    assert_eq!(world.names(&outcome), (vec!["u3".into()], None));
    let time = AuditFilter { from: Some(9), to: Some(12), ..all.clone() };
    assert_eq!(world.names(&time), (vec!["u11".into(), "u10".into(), "u9".into()], None));
    assert_eq!(world.names(&AuditFilter { action: Some(AuditAction::Login), ..all }), (Vec::new(), None));
}
