//! What other programs do to the files.

use std::time::{Duration, Instant};

use super::*;
use crate::database::View;
use crate::database::first_outside;
use crate::database::lock::PasswordLock;

fn ids(view: &View) -> Vec<(u64, String, u32)> {
    let mut ids: Vec<_> = view.users().iter().map(|row| (row.id.0, row.name.clone(), row.uid.0)).collect();
    ids.sort_unstable();
    ids
}

fn user(id: u64, name: &str, uid: u32) -> (u64, String, u32) {
    (id, name.to_owned(), uid)
}

fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "it never happened");
        std::thread::yield_now();
    }
}

#[test]
fn ids_begin_with_root_and_follow_the_file_and_survive_a_restart() {
    let world = World::new();
    world.write("passwd", "bin:x:2:2::/:/bin/sh\nanna:x:1000:1000::/:/bin/sh\nroot:x:0:0::/root:/bin/sh\n");
    let expected = [user(1, "root", 0), user(2, "bin", 2), user(3, "anna", 1000)];
    assert_eq!(ids(&world.open().view()), expected);
    let database = world.open();
    assert_eq!(ids(&database.view()), expected);
    assert!(database.view().user_named("anna").unwrap().is_builtin());
    create(&database, "berta", 1001).unwrap();
    assert!(!database.view().user_named("berta").unwrap().is_builtin());
}

#[test]
fn an_account_that_others_made_appears_and_gets_the_next_id() {
    let world = World::new();
    let database = world.open();
    world.edit("passwd", |text| text + "carla:x:1003:1003::/home/carla:/bin/sh\n");
    let view = database.view();
    assert_eq!(ids(&view), [user(1, "root", 0), user(2, "anna", 1000), user(3, "carla", 1003)]);
    assert!(!view.user_named("carla").unwrap().is_builtin());
    assert_eq!(view.names_of_uid(1003), ["carla"]);
}

#[test]
fn a_rename_and_a_new_uid_keep_the_id_and_the_old_uid_is_not_chosen() {
    let world = World::new();
    let database = world.open();
    world.edit("passwd", |text| text.replace("anna:x:1000", "anja:x:1000"));
    assert_eq!(ids(&database.view()), [user(1, "root", 0), user(2, "anja", 1000)]);
    world.edit("passwd", |text| text.replace("anja:x:1000", "anja:x:1005"));
    assert_eq!(ids(&database.view()), [user(1, "root", 0), user(2, "anja", 1005)]);
    let (free, _) = database.change(tester(), |draft| Ok(first_outside(1000..=2000, &[draft.taken_uids()]))).unwrap();
    assert_eq!(free, Some(1001));
    assert!(world.revoked_names().contains(&"anna".into()) && world.revoked_names().contains(&"anja".into()));
}

#[test]
fn a_namesake_with_another_uid_after_a_deletion_is_somebody_else() {
    let world = World::new();
    let database = world.open();
    world.edit("passwd", |text| {
        text.lines().filter(|line| !line.starts_with("anna")).fold(String::new(), |all, line| all + line + "\n")
    });
    assert_eq!(ids(&database.view()), [user(1, "root", 0)]);
    world.edit("passwd", |text| text + "anna:x:1000:1000::/home/anna:/bin/sh\n");
    assert_eq!(ids(&database.view()), [user(1, "root", 0), user(3, "anna", 1000)]);
}

#[test]
fn whoever_gets_a_freed_uid_between_two_readings_is_somebody_else() {
    let world = World::new();
    let database = world.open();
    // userdel anna; useradd berta, which gives out the number again.
    world.edit("passwd", |text| {
        text.replace("anna:x:1000:1000:Anna:/home/anna:/bin/sh:extra", "berta:x:1000:1000::/home/berta:/bin/sh")
    });
    world.edit("shadow", |text| text.replace("anna:$6$old", "berta:!"));
    assert_eq!(ids(&database.view()), [user(1, "root", 0), user(3, "berta", 1000)]);
    // usermod -l carla -d /home/carla -m berta, with a password: the same person.
    world.edit("shadow", |text| text.replace("berta:!", "berta:$6$salt$hashhashhash"));
    drop(database.view());
    let lock = PasswordLock::wait(&world.root().join("etc"), Duration::from_secs(5)).unwrap();
    world.edit("passwd", |text| text.replace("berta:x:1000:1000::/home/berta", "carla:x:1000:1000::/home/carla"));
    world.edit("shadow", |text| text.replace("berta:", "carla:"));
    drop(lock);
    assert_eq!(ids(&database.view()), [user(1, "root", 0), user(3, "carla", 1000)]);
}

#[test]
fn edits_of_others_survive_the_next_change() {
    let world = World::new();
    let database = world.open();
    world.edit("shadow", |text| text.replace("$6$old", "$6$new"));
    world.edit("group", |text| "# mine\n".to_owned() + &text);
    create(&database, "berta", 1001).unwrap();
    assert!(world.read("shadow").contains("anna:$6$new:"));
    assert!(world.read("group").starts_with("# mine\nroot"));
}

#[test]
fn a_locked_account_is_revoked_without_anybody_asking() {
    let world = World::new();
    let database = world.open();
    world.edit("shadow", |text| text.replace("anna:$6$", "anna:!$6$"));
    until(|| world.revoked_names() == ["anna"]);
    let revoked = world.revoked.lock().unwrap()[0].clone();
    assert_eq!((revoked.account.0, revoked.uid.0), (2, 1000));
    assert_eq!(revoked.generation, database.view().generation());
}

#[test]
fn only_those_whose_rights_have_changed_are_revoked() {
    let world = World::new();
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    world.edit("passwd", |text| text.replace(":Anna:", ":Anna Other:"));
    world.edit("group", |text| text.replace("wheel:x:10:anna", "wheel:x:10:anna,berta"));
    database.view();
    assert_eq!(world.revoked_names(), ["berta"]);
    world.edit("group", |text| text.replace("wheel:x:10:anna,berta", "wheel:x:10:berta"));
    database.view();
    assert_eq!(world.revoked_names(), ["berta", "anna"]);
}

#[test]
fn a_passwd_that_is_being_written_in_place_buries_nobody() {
    let world = World::new();
    let database = world.open();
    for halfway in ["", "# kept\n", "anna:x:1000:1000::/home/anna:/bin/sh\n"] {
        fs::write(world.etc("passwd"), halfway).unwrap();
        assert_eq!(ids(&database.view()), [user(1, "root", 0), user(2, "anna", 1000)], "{halfway:?}");
        assert!(create(&database, "berta", 1001).is_err());
    }
    fs::write(world.etc("passwd"), PASSWD).unwrap();
    create(&database, "berta", 1001).unwrap();
    assert_eq!(ids(&database.view()), [user(1, "root", 0), user(2, "anna", 1000), user(3, "berta", 1001)]);
}

#[test]
fn a_view_is_given_while_another_program_keeps_the_lock() {
    let world = World::new();
    let database = world.open();
    let lock = crate::database::lock::PasswordLock::wait(&world.root().join("etc"), Duration::from_secs(15)).unwrap();
    world.edit("shadow", |text| text.replace("anna:$6$", "anna:!$6$"));
    let view = database.view();
    let entry = view.entry(FileKind::Shadow, "anna").unwrap();
    assert!(entry.bytes(1).starts_with(b"!"));
    drop(lock);
}

#[test]
fn a_shared_uid_belongs_to_the_first_in_the_file() {
    let world = World::new();
    world.edit("passwd", |text| text + "zoe:x:1000:1000::/:/bin/sh\n");
    let database = world.open();
    assert_eq!(database.view().names_of_uid(1000), ["anna", "zoe"]);
    world.edit("passwd", |text| text.replace("anna:x:1000:1000:Anna", "anna:x:1000:1000:A"));
    assert_eq!(database.view().names_of_uid(1000), ["anna", "zoe"]);
}

#[test]
fn lists_put_built_in_accounts_last_and_are_sorted_by_number() {
    let world = World::new();
    let database = world.open();
    create(&database, "zoe", 1001).unwrap();
    create(&database, "berta", 3000).unwrap();
    create(&database, "carla", 2000).unwrap();
    let view = database.view();
    let names: Vec<_> = view.users().iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["zoe", "carla", "berta", "root", "anna"]);
    let names: Vec<_> = view.groups().iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["zoe", "carla", "berta", "root", "wheel", "anna"]);
}
