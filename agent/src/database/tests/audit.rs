//! Records of the audit trail: stored with their change, or not at all.

use accountd_protocol::audit::{AuditFilter, AuditRecord};

use super::*;
use crate::audit;

/// Oldest first.
fn records(world: &World) -> Vec<AuditRecord> {
    let all = AuditFilter { limit: 100, ..AuditFilter::default() };
    let mut records = audit::page(&world.root().join("state.sqlite"), &all).unwrap().records;
    records.reverse();
    records
}

/// What is recorded, of whom.
fn said(world: &World) -> Vec<(AuditAction, String)> {
    let name = |record: &AuditRecord| record.event.target.as_ref().map_or(String::new(), |target| target.name.clone());
    records(world).iter().map(|record| (record.event.action, name(record))).collect()
}

#[test]
fn a_change_has_its_record_and_a_refused_one_has_none() {
    let world = World::new();
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    let refused = database.change(tester(), |draft| -> Result<(), Refusal> {
        add(draft, "carla", 1002);
        Err(Refusal::NotFound)
    });
    assert!(refused.is_err());
    delete(&database, "berta");
    assert_eq!(said(&world), [(AuditAction::UpdateUser, "berta".into()), (AuditAction::UpdateUser, "berta".into())]);
    let fields: Vec<_> = records(&world)[0].event.changes.iter().map(|change| change.field.to_string()).collect();
    assert_eq!(fields, ["uid", "private_group", "gid", "home", "shell"]);
}

#[test]
fn a_change_that_can_not_be_written_has_no_record() {
    let world = World::new();
    let database = world.open();
    // Nothing can be made beside the files.
    fs::create_dir(world.etc("passwd+")).unwrap();
    fs::write(world.etc("passwd+").join("full"), "").unwrap();
    let made = create(&database, "berta", 1001).is_ok();
    assert_eq!(said(&world).len(), usize::from(made));
    assert_eq!(files_with(&world.root(), "berta").len(), if made { 4 } else { 0 });
}

#[test]
fn what_other_programs_do_is_recorded_as_outside() {
    let world = World::new();
    let database = world.open();
    assert_eq!(said(&world), [], "what was there before is not recorded");
    world.edit("shadow", |text| text.replace("$6$old", "!$6$old"));
    drop(database.certain_view());
    world.edit("passwd", |text| text + "berta:x:1001:1001::/home/berta:/bin/sh\n");
    drop(database.certain_view());
    assert_eq!(said(&world), [(AuditAction::UpdateUser, "anna".into()), (AuditAction::CreateUser, "berta".into())]);
    assert!(records(&world).iter().all(|record| record.event.actor == Actor::Outside));
}

#[test]
fn a_restore_is_recorded_and_the_trail_stays_whole() {
    let world = World::new();
    create(&world.open(), "berta", 1001).unwrap();
    create(&world.open(), "carla", 1002).unwrap();
    let store = world.root().join("state.sqlite");
    for ending in ["", "-wal"] {
        fs::write(crate::database::good_copy::beside(&store, ending), "garbage").unwrap();
    }
    drop(world.open());
    let expected =
        [(AuditAction::UpdateUser, "berta"), (AuditAction::RestoreStore, ""), (AuditAction::CreateUser, "carla")];
    assert_eq!(said(&world), expected.map(|(action, name)| (action, name.to_owned())));
    assert_eq!(audit::verify(&store).unwrap().flaw, None);
}

#[test]
fn many_changes_move_into_files_while_they_are_made() {
    let world = World::new();
    let database = world.open();
    for number in 0..200 {
        create(&database, &format!("u{number}"), 2000 + number).unwrap();
    }
    drop(database.certain_view());
    let store = world.root().join("state.sqlite");
    let verdict = audit::verify(&store).unwrap();
    assert_eq!(verdict.flaw, None);
    assert!(verdict.whole_to >= 200 && verdict.first > 20, "{verdict:?}");
}

#[test]
fn another_password_of_a_group_is_recorded_and_not_said() {
    let world = World::new();
    let database = world.open();
    world.edit("gshadow", |text| text.replace("wheel:*:", "wheel:$6$secret:"));
    drop(database.certain_view());
    assert_eq!(said(&world), [(AuditAction::UpdateGroup, "wheel".into())]);
    let change = &records(&world)[0].event.changes[0];
    assert_eq!(change.field, "group_password");
    assert!(!format!("{change:?}").contains("secret"));
}
