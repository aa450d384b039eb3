//! Directories that are not as they were, and a file system that refuses.

use super::*;

#[test]
fn a_repository_whose_directory_is_gone_is_its_owners_alone_and_can_be_deleted() {
    let world = World::new("");
    world.create("r").unwrap();
    let berta = Grantee::User(world.user("berta"));
    world.grant("root", berta, Access::Write).unwrap();
    let unchanged =
        world.agent.update_repository((&ROOT, world.caller("anna")), &named("r"), RepositoryChange::default());
    assert_eq!(unchanged.unwrap().grants.len(), 2);
    fs::remove_dir_all(world.path("r")).unwrap();
    assert_eq!(world.get("berta").map(drop), Err(RepositoryFault::NotFound.into()));
    let seen = world.get("anna").unwrap();
    assert_eq!((seen.access, seen.private, seen.grants.len()), (Access::Admin, true, 0));
    let refused = world.grant("anna", berta, Access::Read).map(drop);
    assert_eq!(refused, Err(RepositoryFault::NoRoot("r is not there".into()).into()));
    world.agent.delete_repository((&ROOT, world.caller("anna")), &named("r")).unwrap();
    assert_eq!(world.get("root").map(drop), Err(RepositoryFault::NotFound.into()));
}

#[test]
fn a_root_that_others_can_change_or_that_is_elsewhere_is_not_used() {
    let world = World::new("");
    world.create("r").unwrap();
    world.grant("root", Grantee::User(world.user("berta")), Access::Read).unwrap();
    let tank = world.directory.path().join("tank");
    fs::set_permissions(&tank, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(world.get("berta").map(drop), Err(RepositoryFault::NotFound.into()), "what lies there is not believed");
    assert_eq!(world.get("root").unwrap().grants.len(), 0);
    let why = |refused: Result<Repository, Refusal>| match refused.map(drop) {
        Err(Refusal::Repository(RepositoryFault::NoRoot(why))) => why,
        other => panic!("{other:?}"),
    };
    assert!(why(world.create("s")).contains("others than root can write"));
    fs::rename(world.path(""), world.directory.path().join("away")).unwrap();
    assert!(why(world.create("s")).contains("others than root can write"));
    fs::set_permissions(&tank, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../away", tank.join("repositories")).unwrap();
    let why = why(world.create("s"));
    assert!(why.starts_with("/tank/repositories: "), "{why}");
    assert!(!world.directory.path().join("away/s").exists());
}

#[test]
fn what_is_in_the_way_stays_where_it_is() {
    let world = World::new("");
    world.create("r").unwrap();
    let in_the_way = Refusal::invalid(Field::Repository(RepositoryField::Name), RepositoryProblem::InTheWay.into());
    fs::create_dir(world.path("mine")).unwrap();
    assert_eq!(world.create("mine").map(drop), Err(in_the_way.clone()));
    // A directory between that is somebody else's.
    chown(world.path("mine"), Some(world.uid("berta")), None).unwrap();
    assert_eq!(world.create("mine/s").map(drop), Err(in_the_way.clone()));
    assert_eq!(fs::read_dir(world.path("mine")).unwrap().count(), 0);
    fs::write(world.path(".accountd-trash"), "").unwrap();
    let deleted = world.agent.delete_repository((&ROOT, world.caller("root")), &named("r"));
    assert!(matches!(deleted, Err(Refusal::Repository(RepositoryFault::NotMade(_)))), "{deleted:?}");
    assert_eq!(world.get("anna").unwrap().access, Access::Admin, "it is there still");
    chown(world.path(".accountd-new"), Some(world.uid("berta")), None).unwrap();
    assert_eq!(world.create("s").map(drop), Err(in_the_way));
    fs::remove_file(world.path(".accountd-trash")).unwrap();
    chown(world.path(".accountd-new"), Some(0), None).unwrap();
    world.create("a/s").unwrap();
    world.create("a/t").unwrap();
    world.agent.delete_repository((&ROOT, world.caller("root")), &named("a/s")).unwrap();
    assert!(world.path("a/t/HEAD").exists() && !world.path("a/s").exists());
}

#[test]
fn what_can_not_be_removed_at_a_start_is_tried_at_the_next() {
    let world = World::new("");
    world.create("r").unwrap();
    world.create("s").unwrap();
    let book = &world.agent.repositories.book;
    let row = book.find(&named("r")).unwrap();
    book.put(RepositoryRow { stage: Stage::Going, ..row }, Vec::new()).unwrap();
    let begun = world.path(".accountd-new");
    fs::remove_dir(&begun).unwrap();
    assert!(matches!(world.agent.repositories.ground.sweep(), Ok(())), "there is nothing to sweep");
    for in_the_way in [&begun, &world.path(".accountd-trash")] {
        fs::write(in_the_way, "").unwrap();
    }
    assert!(matches!(world.agent.repositories.ground.sweep(), Err(GroundError::InTheWay)));
    world.agent.recover_repositories();
    assert!(world.path("r").exists() && book.all().len() == 2);
    for in_the_way in [&begun, &world.path(".accountd-trash")] {
        fs::remove_file(in_the_way).unwrap();
    }
    world.agent.recover_repositories();
    assert!(!world.path("r").exists() && world.path("s").exists() && book.all().len() == 1);
}

#[test]
fn a_file_system_without_lists_and_what_else_can_fail_is_told_apart() {
    let of = |number| GroundError::from(std::io::Error::from_raw_os_error(number));
    assert!(matches!(of(libc::EOPNOTSUPP), GroundError::Fault(RepositoryFault::NoAcls)));
    assert!(matches!(of(libc::EDQUOT), GroundError::NoSpace));
    assert!(matches!(of(libc::EEXIST), GroundError::InTheWay));
    assert!(matches!(of(libc::EIO), GroundError::Io(error) if error.raw_os_error() == Some(libc::EIO)));
}
