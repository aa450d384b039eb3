//! Changes that this program makes.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use accountd_protocol::refusal::Refusal;

use super::*;
use crate::database::first_outside;
use crate::database::{Action, FactorRow};

#[test]
fn a_new_account_is_in_every_file_and_all_else_is_as_it_was() {
    let world = World::new();
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    assert_eq!(world.read("passwd"), format!("{PASSWD}berta:x:1001:1001::/home/berta:/bin/sh\n"));
    assert_eq!(world.read("shadow"), format!("{SHADOW}berta:$6$x:20000:0:99999:7:::\n"));
    assert_eq!(world.read("group"), format!("{GROUP}berta:x:1001:\n"));
    assert_eq!(world.read("gshadow"), format!("{GSHADOW}berta:!::\n"));
    assert!(database.view().user_named("berta").is_some());
}

#[test]
fn owner_and_mode_of_a_file_survive_its_replacement() {
    let world = World::new();
    fs::set_permissions(world.etc("shadow"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(world.etc("shadow")).unwrap();
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    let after = fs::metadata(world.etc("shadow")).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
}

#[test]
fn nothing_is_left_beside_the_files() {
    let world = World::new();
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(world.root().join("etc")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".pwd.lock", "group", "gshadow", "passwd", "samba", "shadow"]);
}

#[test]
fn odd_lines_carriage_returns_and_a_missing_newline_survive() {
    let world = World::new();
    let odd = "root:x:0:0:root:/root:/bin/sh\r\n+@nis::::::\nanna:x:1000:1000::/:/bin/sh\nanna:x:7:7::/:/bin/sh\n-bad";
    world.write("passwd", odd);
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    let expected = odd.replace("+@nis", "berta:x:1001:1001::/home/berta:/bin/sh\n+@nis");
    assert_eq!(world.read("passwd"), expected);
    delete(&database, "berta");
    assert_eq!(world.read("passwd"), odd);
}

#[test]
fn a_refused_change_changes_nothing_and_its_neighbours_are_made() {
    let world = World::new();
    let database = world.open();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|number| {
                let database = &database;
                scope.spawn(move || {
                    database.change(tester(), move |draft| {
                        add(draft, &format!("user{number}"), 2000 + number);
                        if number % 3 == 0 { Err(Refusal::NotPermitted) } else { Ok(number) }
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap().map(|(number, _)| number)).collect()
    });
    for (number, result) in results.into_iter().enumerate() {
        let name = format!("user{number}");
        if number % 3 == 0 {
            assert_eq!(result, Err(Refusal::NotPermitted));
            assert!(files_with(&world.root(), &name).is_empty());
            assert!(database.view().user_named(&name).is_none());
        } else {
            assert_eq!(result, Ok(number as u32));
            assert_eq!(files_with(&world.root(), &name).len(), 4);
        }
    }
    let mut ids: Vec<_> = database.view().users().iter().map(|row| row.id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=15).collect::<Vec<_>>());
}

#[test]
fn a_second_factor_that_was_only_tried_is_none() {
    let world = World::new();
    let database = world.open();
    let anna = database.view().user_named("anna").unwrap().id;
    let row =
        move |enrolment| FactorRow { account: anna, enrolment, since: 0, sealed: vec![1], recovery: vec![], step: 0 };
    let try_out = |new: Option<FactorRow>| {
        let tried = move |draft: &mut Draft<'_>| {
            draft.set_second_factor(anna, new);
            draft.second_factors().of(anna).map(|row| row.enrolment)
        };
        database.change(tester(), move |draft| Ok(draft.try_out(tried))).unwrap().0
    };
    let enrolment = || database.view().second_factors().of(anna).map(|row| row.enrolment);
    assert_eq!((try_out(Some(row(1))), enrolment()), (Some(1), None));
    let enter = move |draft: &mut Draft<'_>| {
        draft.set_second_factor(anna, Some(row(2)));
        Ok(())
    };
    database.change(tester(), enter).unwrap();
    assert_eq!((try_out(None), enrolment()), (None, Some(2)));
}

#[test]
fn a_change_that_panics_is_refused_and_the_next_one_is_made() {
    let world = World::new();
    let database = world.open();
    let result = database.change(tester(), |draft| -> Result<(), Refusal> {
        add(draft, "berta", 1001);
        panic!("for the test");
    });
    assert!(matches!(result, Err(Refusal::Internal(_))));
    assert_eq!(world.read("passwd"), PASSWD);
    create(&database, "carla", 1001).unwrap();
    assert!(files_with(&world.root(), "berta").is_empty());
}

#[test]
fn a_line_with_a_newline_never_reaches_a_file() {
    let world = World::new();
    let database = world.open();
    for text in ["eve:x:1:1::/:/bin/sh\neve2:x:0:0::/:/bin/sh", "eve:x:1:1:\0:/:/bin/sh"] {
        let result = database.change(tester(), move |draft| {
            draft.set_line(FileKind::Passwd, "eve", line(text));
            Ok(())
        });
        assert!(matches!(result, Err(Refusal::Internal(_))), "{text:?}");
        assert_eq!(world.read("passwd"), PASSWD);
    }
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let world = World::new();
    let database = world.open();
    let before = fs::metadata(world.etc("passwd")).unwrap().ino();
    let ((), generation) = database
        .change(tester(), |draft| {
            let same = draft.line(FileKind::Passwd, "anna").map(Line::from);
            draft.set_line(FileKind::Passwd, "anna", same);
            Ok(())
        })
        .unwrap();
    assert_eq!(generation, database.view().generation());
    assert_eq!(fs::metadata(world.etc("passwd")).unwrap().ino(), before);
}

#[test]
fn a_deleted_account_takes_its_namesakes_lines_along_and_its_numbers_are_not_chosen_again() {
    let world = World::new();
    world.edit("passwd", |text| text + "anna:x:0:0:second:/root:/bin/sh\n");
    let database = world.open();
    delete(&database, "anna");
    assert!(files_with(&world.root(), "anna").is_empty());
    let free = |database: &Database| {
        database.change(tester(), |draft| Ok(first_outside(1000..=2000, &[draft.taken_uids()]))).unwrap().0
    };
    assert_eq!(free(&database), Some(1001));
    drop(database);
    assert_eq!(free(&world.open()), Some(1001), "after a restart too");
}

#[test]
fn a_uid_given_up_in_the_same_commit_is_not_chosen_either() {
    let world = World::new();
    let database = world.open();
    let (chosen, _) = database
        .change(tester(), |draft| {
            remove(draft, "anna");
            Ok((first_outside(1000..=2000, &[draft.taken_uids()]), first_outside(1000..=2000, &[draft.taken_gids()])))
        })
        .unwrap();
    assert_eq!(chosen, (Some(1001), Some(1001)));
}

#[test]
fn ids_are_never_given_twice() {
    let world = World::new();
    let database = world.open();
    let (first, _) = create(&database, "berta", 1001).unwrap();
    delete(&database, "berta");
    drop(database);
    let (second, _) = create(&world.open(), "berta", 1002).unwrap();
    assert_eq!((first.0, second.0), (3, 4));
}

#[test]
fn smbpasswd_is_made_for_root_alone_and_gshadow_is_not_made() {
    let world = World::new();
    fs::remove_dir(world.etc("samba")).unwrap();
    fs::remove_file(world.etc("gshadow")).unwrap();
    let database = world.open();
    create(&database, "berta", 1001).unwrap();
    database
        .change(tester(), |draft| {
            draft.set_line(FileKind::Smbpasswd, "berta", line("berta:1001:X:Y:[U          ]:LCT-1:"));
            Ok(())
        })
        .unwrap();
    assert_eq!(world.read("samba/smbpasswd"), "berta:1001:X:Y:[U          ]:LCT-1:\n");
    assert_eq!(fs::metadata(world.etc("samba/smbpasswd")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(world.etc("samba")).unwrap().mode() & 0o7777, 0o755);
    assert!(!world.etc("gshadow").exists());
}

#[test]
fn a_home_gets_its_name_with_the_account() {
    let world = World::new();
    fs::create_dir_all(world.root().join("mnt/tank/.hidden")).unwrap();
    let database = world.open();
    database
        .change(tester(), |draft| {
            add(draft, "berta", 1001);
            draft.after_commit(Action::PublishHome {
                account: "berta".into(),
                parent: "/mnt/tank".into(),
                hidden: ".hidden".into(),
                name: "berta".into(),
            });
            Ok(())
        })
        .unwrap();
    assert!(world.root().join("mnt/tank/berta").is_dir());
    assert!(!world.root().join("mnt/tank/.hidden").exists());
}

#[test]
fn an_unlocked_editor_that_comes_in_between_is_not_overwritten() {
    let world = World::new();
    let database = world.open();
    let passwd = world.etc("passwd");
    let result = database.change(tester(), move |draft| {
        let edited = format!("{PASSWD}by hand:x:9:9::/:/bin/sh\n");
        fs::write(passwd.with_extension("new"), edited).unwrap();
        fs::rename(passwd.with_extension("new"), &passwd).unwrap();
        Ok(add(draft, "berta", 1001))
    });
    assert_eq!(result.unwrap_err(), Refusal::Busy);
    assert!(world.read("passwd").contains("by hand") && !world.read("passwd").contains("berta"));
    assert!(database.view().user_named("berta").is_none());
    create(&database, "berta", 1001).unwrap();
    assert!(world.read("passwd").contains("by hand") && world.read("passwd").contains("berta"));
}
