//! Directories that were being made homes when the agent was killed. Needs root: the owner counts.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::*;
use crate::database::state::{Note, State};

const FRESH: &str = "/mnt/tank/fresh";

/// A directory that was noted and filled, with that owner.
fn half_made(world: &World, owner: u32) -> PathBuf {
    drop(world.open());
    let mut state = State::open(&world.root().join("state.sqlite")).unwrap();
    state.note(&Note::Adoption(FRESH.into())).unwrap();
    let home = world.root().join(FRESH.trim_start_matches('/'));
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".profile"), "half").unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    chown(&home, Some(owner), Some(owner)).unwrap();
    home
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

fn noted(world: &World) -> Vec<String> {
    State::open(&world.root().join("state.sqlite")).unwrap().adoptions().unwrap()
}

#[test]
fn one_that_is_nobodys_home_is_emptied_and_given_back() {
    for owner in [0, 1500] {
        let world = World::new();
        let home = half_made(&world, owner);
        drop(world.open());
        let status = fs::metadata(&home).unwrap();
        assert_eq!((status.uid(), status.gid(), status.mode() & 0o7777), (0, 0, 0o755), "{owner}");
        assert!(is_empty(&home) && noted(&world).is_empty(), "{owner}");
    }
}

#[test]
fn one_that_is_a_home_or_belongs_to_an_account_stays_as_it_is() {
    let worlds: [fn(&World); 2] = [
        |world| world.edit("passwd", |text| text + "berta:x:1500:1500::/mnt//tank/fresh/:/bin/sh\n"),
        |world| world.edit("passwd", |text| text + "berta:x:1500:1500::/nonexistent:/bin/sh\n"),
    ];
    for prepare in worlds {
        let world = World::new();
        let home = half_made(&world, 1500);
        prepare(&world);
        drop(world.open());
        assert!(home.join(".profile").exists() && fs::metadata(&home).unwrap().uid() == 1500);
        assert!(noted(&world).is_empty());
        // And not at a later start either.
        world.edit("passwd", |text| text.replace("berta:x:1500:1500", "berta:x:1600:1600"));
        drop(world.open());
        assert!(home.join(".profile").exists());
    }
}

#[test]
fn one_that_is_gone_or_a_link_by_now_is_forgotten() {
    let world = World::new();
    let home = half_made(&world, 0);
    let elsewhere = world.root().join("mnt/elsewhere");
    fs::rename(&home, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &home).unwrap();
    drop(world.open());
    assert!(elsewhere.join(".profile").exists() && noted(&world).is_empty());
}

#[test]
fn the_note_goes_when_the_request_is_over() {
    let world = World::new();
    let database = world.open();
    let adoption = database.adopt(FRESH).unwrap();
    assert_eq!(noted(&world), [FRESH]);
    drop(adoption);
    // Done before what is asked for next.
    create(&database, "berta", 1001).unwrap();
    assert!(noted(&world).is_empty());
}
