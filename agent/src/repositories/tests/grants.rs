//! What is given to whom, and what follows from it.

use super::*;

#[test]
fn whoever_is_in_a_group_has_what_the_group_was_given_and_no_more() {
    let world = World::new("");
    world.create("r").unwrap();
    assert_eq!(world.get("carla").map(drop), Err(RepositoryFault::NotFound.into()));
    world.grant("root", world.devs(), Access::Admin).unwrap();
    assert_eq!(world.get("carla").unwrap().access, Access::Admin);
    let berta = Grantee::User(world.user("berta"));
    assert_eq!(world.grant("carla", berta, Access::Admin).unwrap().grants.len(), 3);
    world.grant("root", world.devs(), Access::Write).unwrap();
    assert_eq!(world.get("carla").unwrap().access, Access::Write);
    assert_eq!(world.grant("carla", berta, Access::Read).map(drop), Err(Refusal::NotPermitted));
    let said: Vec<(String, Access)> =
        world.get("root").unwrap().grants.into_iter().map(|grant| (grant.name, grant.access)).collect();
    assert_eq!(said[..2], [("berta".to_owned(), Access::Admin), ("devs".to_owned(), Access::Write)]);
    let filter = AuditFilter { action: Some(AuditAction::GrantRepository), limit: 1, ..AuditFilter::default() };
    let last = world.agent.list_audit(&filter).unwrap().records.remove(0);
    let change = format!("{:?}", last.event.changes);
    assert!(change.contains("group devs: admin") && change.contains("group devs: write"), "{change}");
}

#[test]
fn what_members_have_made_is_the_owners_where_their_group_writes_no_more_and_others_keep_theirs() {
    let world = World::new("");
    let ops = world.group("ops", None, &["berta"]);
    let dora = NewUser { primary_group: PrimaryGroup::Existing(ops), ..scratch::new_user("dora", "/nonexistent") };
    world.agent.create_user(&ROOT, dora).unwrap();
    world.create("r").unwrap();
    for group in [world.devs(), Grantee::Group(ops)] {
        world.grant("root", group, Access::Write).unwrap();
    }
    // A group that nobody knows, by setfacl(1).
    let top = fs::File::open(world.path("r")).unwrap();
    let (mut list, _) = acl::of(&top).unwrap();
    list.set(Tag::Group(999_999), READ | WRITE | SEARCH);
    acl::write(&top, Which::Access, &list).unwrap();
    for name in ["berta", "carla", "dora"] {
        let file = world.path("r").join(name);
        fs::write(&file, name).unwrap();
        chown(&file, Some(world.uid(name)), None).unwrap();
    }
    world.grant("root", world.devs(), Access::Read).unwrap();
    let owner = |name: &str| fs::metadata(world.path("r").join(name)).unwrap().uid();
    assert_eq!([owner("carla"), owner("berta")], [world.uid("anna"), world.uid("berta")]);
    assert_eq!(owner("dora"), world.uid("dora"), "a primary group is one too");
}

#[test]
fn entries_follow_groups_and_go_with_them() {
    let world = World::new("");
    world.create("r").unwrap();
    let ops = world.group("ops", Some(5000), &[]);
    world.grant("root", world.devs(), Access::Write).unwrap();
    world.grant("root", Grantee::Group(ops), Access::Read).unwrap();
    let Grantee::Group(devs) = world.devs() else { unreachable!() };
    let before = world.gid("devs");
    let change = GroupChange { gid: Some(5001), ..GroupChange::default() };
    world.agent.update_group(&ROOT, devs, change, Precondition::None).unwrap();
    world.follow();
    for name in ["", "HEAD"] {
        assert_eq!(world.entry(name, Tag::Group(before)), None);
        assert!(world.entry(name, Tag::Group(5001)).is_some_and(|bits| bits & WRITE != 0), "{name}");
    }
    world.agent.delete_group(&ROOT, ops, Precondition::None).unwrap();
    // Before anybody has looked, another has its number and is given something.
    let next = world.group("next", Some(5000), &[]);
    world.grant("root", Grantee::Group(next), Access::Read).unwrap();
    world.follow();
    assert_eq!(world.entry("", Tag::Group(5000)), Some(READ | SEARCH));
    world.agent.delete_group(&ROOT, next, Precondition::None).unwrap();
    world.follow();
    assert_eq!(world.entry("", Tag::Group(5000)), None);
    assert_eq!(world.entry("HEAD", Tag::Group(5000)), None);
    assert!(world.entry("HEAD", Tag::Group(5001)).is_some());
}

#[test]
fn what_can_not_be_given_is_refused() {
    let world = World::new("");
    world.create("r").unwrap();
    let anna = Grantee::User(world.user("anna"));
    assert_eq!(world.grant("root", anna, Access::Admin).map(|it| it.grants.len()), Ok(1));
    for access in [Access::None, Access::Read, Access::Write] {
        let refused = world.grant("root", anna, access).map(drop);
        assert_eq!(refused, Err(grantee(RepositoryProblem::IsOwner.into())));
    }
    let refused = world.grant("root", Grantee::Others, Access::Write).map(drop);
    assert_eq!(refused, Err(grantee(RepositoryProblem::OthersOnlyRead.into())));
    for unknown in [Grantee::User(AccountId(999)), Grantee::Group(AccountId(999))] {
        let refused = world.grant("root", unknown, Access::Read).map(drop);
        assert_eq!(refused, Err(grantee(Problem::NoSuch("999".into()))));
    }
    // By setfacl(1), for numbers that nobody has: they take room, and are nobody's to be shown.
    let top = fs::File::open(world.path("r")).unwrap();
    let (mut list, _) = acl::of(&top).unwrap();
    for number in (900_000..).take(MOST_GRANTS) {
        list.set(if number % 2 == 0 { Tag::User(number) } else { Tag::Group(number) }, READ | SEARCH);
    }
    acl::write(&top, Which::Access, &list).unwrap();
    let refused = world.grant("root", world.devs(), Access::Read).map(drop);
    let actual = list.entries().count() + 1;
    assert_eq!(refused, Err(grantee(Problem::TooMany { max: MOST_GRANTS, actual })));
    assert_eq!(world.get("root").unwrap().grants.len(), 1, "others have an entry in any case");
}

#[test]
fn an_owner_who_is_not_there_and_a_description_that_can_not_be_are_named() {
    let world = World::new("");
    let owner = |who: AccountRef, shown: &str| {
        let field = Field::Repository(RepositoryField::Owner);
        let refused = world.make("r", who, "").map(drop);
        assert_eq!(refused, Err(Refusal::invalid(field, Problem::NoSuch(shown.into()))));
    };
    owner(AccountRef::Id(AccountId(999)), "999");
    owner(AccountRef::Number(4711), "4711");
    let field = Field::Repository(RepositoryField::Description);
    let actual = LONGEST_DESCRIPTION + 1;
    let text = "é".repeat(actual - 1) + "\u{7}";
    let problems = [Problem::TooManyCharacters { max: LONGEST_DESCRIPTION, actual }, Problem::ControlCharacters];
    let refused = world.make("r", AccountRef::Name("anna".into()), &text).map(drop);
    assert_eq!(refused, Err(Refusal::Invalid(problems.map(|problem| Invalid { field, problem }).into())));
    world.make("r", AccountRef::Caller, "two\n\tlines\r\n").unwrap();
    assert_eq!(world.get("root").unwrap().owner_name, "root");
}

#[test]
fn a_change_that_the_file_system_refuses_is_undone_and_not_tried_for_ever() {
    let world = World::new("");
    world.create("r").unwrap();
    work::tests::fill(&world.path("r").join("HEAD"));
    let berta = Grantee::User(world.user("berta"));
    let refused = world.grant("root", berta, Access::Read).map(drop).unwrap_err();
    let is_said = matches!(&refused, Refusal::NoSpace | Refusal::Repository(RepositoryFault::NotMade(_)));
    assert!(is_said, "{refused:?}");
    let row = world.agent.repositories.book.find(&named("r")).unwrap();
    assert!(row.pending.is_none() && row.grants.is_empty(), "{row:?}");
    assert_eq!(world.get("berta").map(drop), Err(RepositoryFault::NotFound.into()));
    // What was interrupted stays to be done, where it can not be done yet.
    let work = work::Work::give(Tag::User(world.uid("berta")), Rights::Read);
    let pending = RepositoryRow { pending: serde_json::to_string(&work).ok(), ..row };
    world.agent.repositories.book.put(pending, Vec::new()).unwrap();
    world.follow();
    assert!(world.agent.repositories.book.find(&named("r")).unwrap().pending.is_some());
    acl::write(&fs::File::open(world.path("r/HEAD")).unwrap(), Which::Access, &Acl::of_mode(0o660)).unwrap();
    world.follow();
    assert!(world.agent.repositories.book.find(&named("r")).unwrap().pending.is_none());
    assert_eq!(world.get("berta").unwrap().access, Access::Read);
}
