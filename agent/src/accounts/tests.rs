//! The core's own requests, where no dialect reaches it: on a plain directory.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;

use accountd_protocol::agent::{GroupChange, NewGroup, NewUser, RandomPassword, SharedGid, UserChange};
use accountd_protocol::audit::Actor;
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::list::{Direction, Filter, SortBy, SortKey, Window};
use accountd_protocol::name::{NewGroupName, NewUserName};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::removal::{DeletedHome, HomeStays};
use accountd_protocol::secret::Secret;
use accountd_protocol::ssh_key::KeyTitle;
use accountd_protocol::sudo::SudoCommands;
use accountd_protocol::text::FieldPath;

use crate::agent::Agent;
use crate::homes::RetirementError;
use crate::identity::authorized_keys::{MAX_BYTES, MAX_KEYS};
use crate::scratch;

const ROOT: Actor = Actor::Agent;
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n\
                      accountd-api:x:990:990::/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\naccountd-api:x:990:\n";

struct World {
    directory: tempfile::TempDir,
    agent: Agent,
}

impl World {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        scratch::write_etc(directory.path(), &[("passwd", PASSWD), ("group", GROUP), ("accountd.toml", config)]);
        let agent = scratch::agent(directory.path());
        Self { directory, agent }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join("etc").join(name), text).unwrap();
    }

    /// uid and gid of a new user with a group of its own.
    fn create(&self, name: &str, uid: Option<u32>) -> Result<(u32, u32), Refusal> {
        let (user, _) = self.agent.create_user(&ROOT, new_user(name, uid))?;
        Ok((user.uid.0, user.gid.0))
    }

    #[track_caller]
    fn refused(&self, uid: u32, problem: Problem) {
        assert_eq!(self.create("refused", Some(uid)), Err(Refusal::invalid(Field::Uid, problem)), "{uid}");
    }
}

fn new_user(name: &str, uid: Option<u32>) -> NewUser {
    NewUser { uid, ..scratch::new_user(name, "/nonexistent") }
}

fn new_group(name: &str, gid: Option<u32>) -> NewGroup {
    NewGroup { gid, ..scratch::new_group(name) }
}

#[test]
fn a_user_gets_the_first_number_that_is_free_as_uid_and_as_gid() {
    let world = World::new("");
    assert_eq!(world.create("anna", None), Ok((3000, 3000)));
    world.agent.create_group(&ROOT, new_group("team", Some(3001))).unwrap();
    assert_eq!(world.create("berta", None), Ok((3002, 3002)));
    assert_eq!(world.create("carla", Some(3001)), Ok((3001, 3003)), "the private group has the next free gid");
    assert_eq!(world.agent.create_group(&ROOT, new_group("auto", None)).unwrap().gid.0, 3004);
}

#[test]
fn what_stands_for_nobody_or_for_systemd_is_not_chosen_from_any_range() {
    let world =
        World::new("[ids]\nusers = { first = 61183, last = 65537 }\ngroups = { first = 65533, last = 65537 }\n");
    assert_eq!(world.create("a", None), Ok((61_183, 61_183)));
    assert_eq!(world.create("b", None), Ok((65_520, 65_520)));
    for name in ["c", "d", "e"] {
        let gid = world.agent.create_group(&ROOT, new_group(name, None)).unwrap().gid.0;
        assert!(matches!(gid, 65_533 | 65_536 | 65_537), "{gid}");
    }
    let refused = world.agent.create_group(&ROOT, new_group("f", None)).unwrap_err();
    assert_eq!(refused, Refusal::invalid(Field::Gid, Problem::NoneFree));
}

#[test]
fn subordinate_ranges_are_passed_over_and_refused_and_read_again() {
    let world = World::new("[ids]\nusers = { first = 100000, last = 300000 }\n");
    world.write("subuid", "anna:100000:65536\n");
    world.write("subgid", "berta:165536:100\n");
    assert_eq!(world.create("a", None), Ok((165_636, 165_636)));
    world.refused(100_000, Problem::Subordinate("anna".into()));
    world.refused(165_535, Problem::Subordinate("anna".into()));
    assert_eq!(world.create("b", Some(165_536)), Ok((165_536, 3000)), "its gid can not be in berta's range");
    let group = world.agent.create_group(&ROOT, new_group("c", Some(165_537))).unwrap_err();
    assert_eq!(group, Refusal::invalid(Field::Gid, Problem::Subordinate("berta".into())));
    world.write("subuid", "");
    assert_eq!(world.create("d", Some(100_000)), Ok((100_000, 100_000)));
}

#[test]
fn numbers_that_can_not_be_an_accounts_are_refused_and_others_of_systemds_are_not() {
    let world = World::new("[accounts]\nshared_uid = \"allowed\"\n");
    for uid in [0, 61_184, 65_519, 65_534, 65_535, 1 << 31, u32::MAX] {
        world.refused(uid, Problem::Reserved);
    }
    world.refused(990, Problem::ServiceAccount);
    assert_eq!(world.create("homed", Some(60_001)), Ok((60_001, 60_001)));
    assert_eq!(world.create("container", Some(524_288)), Ok((524_288, 524_288)));
}

#[test]
fn a_uid_is_shared_only_where_that_is_allowed() {
    let world = World::new("");
    world.create("anna", Some(3001)).unwrap();
    world.refused(3001, Problem::Duplicate("anna".into()));
    let berta = world.agent.create_user(&ROOT, new_user("berta", Some(3002))).unwrap().0.id;
    let change = || UserChange { uid: Some(3001), ..UserChange::default() };
    let refused = world.agent.update_user(&ROOT, berta, change(), &Precondition::None).unwrap_err();
    assert_eq!(refused, Refusal::invalid(Field::Uid, Problem::Duplicate("anna".into())));

    let world = World::new("[accounts]\nshared_uid = \"allowed\"\n");
    world.create("anna", Some(3001)).unwrap();
    let berta = world.agent.create_user(&ROOT, new_user("berta", Some(3002))).unwrap().0.id;
    assert_eq!(world.agent.update_user(&ROOT, berta, change(), &Precondition::None).unwrap().0.uid.0, 3001);
    assert_eq!(world.create("carla", None), Ok((3000, 3000)), "a number that is chosen is nobody else's");
}

#[test]
fn the_number_of_an_account_that_is_gone_is_had_by_asking_for_it_alone() {
    let world = World::new("");
    let (anna, _) = world.agent.create_user(&ROOT, new_user("anna", None)).unwrap();
    world.agent.delete_user(&ROOT, anna.id, (DeletedHome::Keep, OtherProcesses::Left), Precondition::None).unwrap();
    assert_eq!(world.create("berta", None), Ok((3001, 3001)));
    assert_eq!(world.create("carla", Some(3000)), Ok((3000, 3000)));
    let team = world.agent.create_group(&ROOT, new_group("team", Some(3500))).unwrap();
    world.agent.delete_group(&ROOT, team.id, Precondition::None).unwrap();
    assert_eq!(world.create("doris", Some(3500)), Ok((3500, 3002)), "who asks for a uid does not ask for a group's");
}

#[test]
fn many_at_once_get_a_number_each() {
    let world = World::new("");
    let ids: Vec<(u32, u32)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|client| {
                let world = &world;
                scope.spawn(move || -> Vec<_> {
                    (0..8).map(|number| world.create(&format!("u{client}.{number}"), None).unwrap()).collect()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let different: HashSet<u32> = ids.iter().map(|(uid, _)| *uid).collect();
    assert_eq!(different, (3000..3128).collect(), "none twice and none left out");
    assert!(ids.iter().all(|(uid, gid)| uid == gid));
}

#[test]
fn a_mail_alias_by_hand_follows_its_account_to_a_free_name() {
    let world = World::new("");
    let ids = ["anna", "berta"].map(|name| world.agent.create_user(&ROOT, new_user(name, None)).unwrap().0.id);
    world.write("aliases", "anna: root, |/bin/x\nberta: postmaster\ncarla: nobody\n");
    let rename = |id, name: &str| {
        let change = UserChange { name: Some(NewUserName::new(name).unwrap()), ..UserChange::default() };
        world.agent.update_user(&ROOT, id, change, &Precondition::None).unwrap();
        std::fs::read_to_string(world.directory.path().join("etc/aliases")).unwrap()
    };
    assert_eq!(rename(ids[0], "anne"), "anne: root, |/bin/x\nberta: postmaster\ncarla: nobody\n");
    let taken = rename(ids[1], "carla");
    assert_eq!(taken, "anne: root, |/bin/x\nberta: postmaster\ncarla: nobody\n", "that line is somebody else's");
}

#[test]
fn a_member_who_is_not_there_is_named_as_it_was_called() {
    let world = World::new("");
    let group = world.agent.create_group(&ROOT, new_group("team", None)).unwrap().id;
    let set = |members: &[AccountRef]| {
        world.agent.set_members(&ROOT, (group, AccountId(404)), members, Precondition::None).unwrap_err()
    };
    for (member, called) in [
        (AccountRef::Id(AccountId(77)), "77"),
        (AccountRef::Name("nobody-here".into()), "nobody-here"),
        (AccountRef::Number(4711), "4711"),
        (AccountRef::Caller, "~"),
    ] {
        assert_eq!(set(&[member]), Refusal::invalid(Field::Members, Problem::NoSuch(called.into())));
    }
    let many = vec![AccountRef::Caller; 10_001];
    let problem = Problem::TooMany { max: 10_000, actual: 10_001 };
    assert_eq!(set(&many), Refusal::invalid(Field::Members, problem));
}

#[test]
fn a_name_changes_its_case_and_a_primary_group_stays_where_it_is() {
    let world = World::new("");
    let (user, _) = world.agent.create_user(&ROOT, new_user("anna", None)).unwrap();
    let group = world.agent.database.view().group_named("anna").unwrap().id;
    let change = UserChange {
        name: Some(NewUserName::new("Anna").unwrap()),
        primary_group: Some(group),
        ..UserChange::default()
    };
    let (changed, _) = world.agent.update_user(&ROOT, user.id, change, &Precondition::None).unwrap();
    assert_eq!((changed.name.as_str(), changed.gid), ("Anna", user.gid));
    let change = GroupChange { name: Some(NewGroupName::new("Anna").unwrap()), ..GroupChange::default() };
    assert_eq!(world.agent.update_group(&ROOT, group, change, Precondition::None).unwrap().name, "Anna");
}

#[test]
fn a_password_of_a_change_is_given_or_made_and_no_hash_is_for_an_account_of_the_system() {
    let world = World::new("");
    let (user, _) = world.agent.create_user(&ROOT, new_user("anna", None)).unwrap();
    let both = UserChange {
        random_password: RandomPassword::Made,
        password: Some(Secret::new("a password".into())),
        ..UserChange::default()
    };
    let refused = world.agent.update_user(&ROOT, user.id, both, &Precondition::None).unwrap_err();
    assert_eq!(refused, Refusal::invalid(Field::RandomPassword, Problem::MustBeAbsent));
    let root = world.agent.database.view().user_named("root").unwrap().id;
    let hash = UserChange { password_hash: Some(Secret::new("$6$salt$hash".into())), ..UserChange::default() };
    let refused = world.agent.update_user(&ROOT, root, hash, &Precondition::None).unwrap_err();
    let invalid = refused.invalid_fields().unwrap_or_default().to_vec();
    let builtin = Invalid { field: Field::PasswordHash, problem: Problem::Builtin };
    assert!(invalid.contains(&builtin), "{invalid:?}");
}

#[test]
fn an_account_without_a_home_is_deleted_with_it() {
    let world = World::new("");
    let (user, _) = world.agent.create_user(&ROOT, new_user("anna", None)).unwrap();
    let passwd = std::fs::read_to_string(world.directory.path().join("etc/passwd")).unwrap();
    world.write("passwd", &passwd.replace(":/nonexistent:", "::"));
    let removed = (DeletedHome::Remove, OtherProcesses::Left);
    world.agent.delete_user(&ROOT, user.id, removed, Precondition::None).unwrap();
    assert_eq!(world.agent.get_user(user.id).unwrap_err(), Refusal::NotFound);
}

#[test]
fn processes_of_an_account_that_a_service_has_are_not_ended() {
    let directory = tempfile::tempdir().unwrap();
    let [passwd, group] = ["root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"];
    scratch::write_etc(directory.path(), &[("passwd", passwd), ("group", group), ("accountd.toml", "")]);
    let agent = scratch::agent(directory.path());
    // It comes after the first start, as an account of anybody does.
    let service = "accountd-api:x:990:990::/:/usr/sbin/nologin\n";
    std::fs::write(directory.path().join("etc/passwd"), format!("{passwd}{service}")).unwrap();
    std::fs::write(directory.path().join("etc/group"), format!("{group}accountd-api:x:990:\n")).unwrap();
    let id = agent.database.certain_view().unwrap().user_named("accountd-api").unwrap().id;
    let refused = agent.disable_user(&ROOT, id, OtherProcesses::Ended, &Precondition::None).unwrap_err();
    let invalid = refused.invalid_fields().unwrap_or_default().to_vec();
    assert!(invalid.iter().any(|invalid| invalid.problem == Problem::ServiceAccount), "{refused:?}");
}

#[test]
fn groups_are_found_by_id_and_sorted_by_who_may_run_anything() {
    let world = World::new("");
    world.write("sudoers", "@includedir /etc/sudoers.d\n");
    std::fs::create_dir(world.directory.path().join("etc/sudoers.d")).unwrap();
    let plain = world.agent.create_group(&ROOT, new_group("aaa", None)).unwrap().id;
    let sudo = SudoCommands::everything();
    let mighty = world.agent.create_group(&ROOT, NewGroup { sudo: sudo.clone(), ..new_group("zzz", None) }).unwrap().id;
    let user = NewUser { sudo, ..new_user("anna", None) };
    let anna = world.agent.create_user(&ROOT, user).unwrap().0.id;
    let by_sudo = || Window::part(0, 1, vec![SortKey { by: SortBy::Sudo, direction: Direction::Descending }]);
    assert_eq!(world.agent.list_groups(&by_sudo()).items[0].id, mighty);
    assert_eq!(world.agent.list_users(&by_sudo()).items[0].id, anna);
    let found = |filter: Filter| {
        let window = Window { filters: vec![filter], ..Window::part(0, 20, Vec::new()) };
        world.agent.list_groups(&window).items.iter().map(|group| group.id).collect::<Vec<_>>()
    };
    assert_eq!(found(Filter::Id(plain)), [plain]);
    assert_eq!(found(Filter::Email("a@b.cd".into())), [], "no group has one");
}

#[test]
fn what_somebody_of_the_new_name_has_left_is_not_the_renamed_accounts() {
    let world = World::new("");
    let crontabs = world.directory.path().join("var/spool/cron/crontabs");
    std::fs::create_dir_all(&crontabs).unwrap();
    let (user, _) = world.agent.create_user(&ROOT, new_user("anna", None)).unwrap();
    std::fs::write(crontabs.join("berta"), "@hourly of somebody before").unwrap();
    let change = UserChange { name: Some(NewUserName::new("berta").unwrap()), ..UserChange::default() };
    world.agent.update_user(&ROOT, user.id, change, &Precondition::None).unwrap();
    assert!(!crontabs.join("berta").exists());
}

#[test]
fn keys_of_an_account_whose_home_is_no_path_have_no_place() {
    let world = World::new("");
    let (user, _) = world.agent.create_user(&ROOT, new_user("anna", None)).unwrap();
    let passwd = std::fs::read_to_string(world.directory.path().join("etc/passwd")).unwrap();
    world.write("passwd", &passwd.replace("::/nonexistent:", "::not/absolute:"));
    world.agent.database.certain_view().unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n";
    let change = UserChange { ssh_keys: Some(key.into()), ..UserChange::default() };
    let refused = world.agent.update_user(&ROOT, user.id, change, &Precondition::None).unwrap_err();
    assert_eq!(refused, Refusal::invalid(Field::SshKeys, Problem::HomeNotWritable));
}

#[test]
fn a_home_goes_only_with_its_account_from_its_place_and_into_a_trash_that_is_roots() {
    let world = World::new("");
    let directory = |path: &str, owner: u32| {
        let path = world.directory.path().join(path);
        std::fs::create_dir_all(&path).unwrap();
        std::os::unix::fs::chown(path, Some(owner), None).unwrap();
    };
    let plan = |home: &str, uid: u32| world.agent.homes.plan_retirement(&FieldPath::new(home).unwrap(), Uid(uid));
    directory("root", 0);
    directory("nonexistent", 3000);
    directory("mnt/tank/anna", 3000);
    assert!(matches!(plan("/root", 0), Err(RetirementError::Stays(HomeStays::NotOwned))));
    assert!(matches!(plan("/nonexistent", 3000), Ok(None)));
    assert!(matches!(plan("/mnt/tank/anna", 3000), Ok(Some(_))));
    std::fs::write(world.directory.path().join("mnt/tank/.accountd-trash"), "").unwrap();
    assert!(matches!(plan("/mnt/tank/anna", 3000), Err(RetirementError::Stays(HomeStays::BadTrash(_)))));
}

#[test]
fn of_many_new_users_the_one_is_named_whose_home_can_not_be_made_and_none_is_there() {
    let world = World::new("");
    std::fs::create_dir_all(world.directory.path().join("mnt/tank")).unwrap();
    std::fs::write(world.directory.path().join("mnt/tank/file"), "").unwrap();
    let requests =
        vec![scratch::new_user("anna", "/mnt/tank/anna"), scratch::new_user("berta", "/mnt/tank/file/berta")];
    let refused = world.agent.create_users(&ROOT, requests).unwrap_err();
    let Refusal::InvalidItems(items) = refused else { panic!("{refused:?}") };
    assert_eq!(items.iter().map(|item| item.index).collect::<Vec<_>>(), [1]);
    assert!(world.agent.database.view().user_named("anna").is_none());
    assert!(!world.directory.path().join("mnt/tank/anna").exists());
}

#[test]
fn a_home_that_can_not_be_renamed_when_it_is_to_go_stays() {
    let world = World::new("");
    let home = world.directory.path().join("mnt/tank/anna");
    std::fs::create_dir_all(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(3000), None).unwrap();
    let planned = world.agent.homes.plan_retirement(&FieldPath::new("/mnt/tank/anna").unwrap(), Uid(3000));
    let retirement = planned.unwrap().unwrap();
    let trash = world.directory.path().join("mnt/tank/.accountd-trash");
    std::fs::write(&trash, "").unwrap();
    // Another try would not mend it.
    retirement.retire(world.directory.path()).unwrap();
    assert!(home.exists() && trash.is_file());
}

#[test]
fn a_group_that_shares_its_gid_keeps_it_where_that_is_said_to_be_meant() {
    let world = World::new("");
    world.agent.create_group(&ROOT, new_group("one", Some(4000))).unwrap();
    let two = NewGroup { shared_gid: SharedGid::Allowed, ..new_group("two", Some(4000)) };
    let id = world.agent.create_group(&ROOT, two).unwrap().id;
    let keep = |shared_gid| {
        let change = GroupChange { gid: Some(4000), shared_gid, ..GroupChange::default() };
        world.agent.update_group(&ROOT, id, change, Precondition::None)
    };
    assert_eq!(keep(SharedGid::Allowed).unwrap().gid.0, 4000);
    let refused = keep(SharedGid::Refused).unwrap_err();
    assert_eq!(refused.invalid_fields().unwrap_or_default()[0].field, Field::Gid);
}

/// Anna with a home, in a directory that users may look into.
fn anna_at_home(world: &World) -> (AccountId, std::path::PathBuf) {
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(world.directory.path(), open).unwrap();
    std::fs::create_dir_all(world.directory.path().join("mnt/tank")).unwrap();
    let (user, _) = world.agent.create_user(&ROOT, scratch::new_user("anna", "/mnt/tank/anna")).unwrap();
    (user.id, world.directory.path().join("mnt/tank/anna"))
}

#[test]
fn a_home_that_has_become_a_link_is_left_alone() {
    let world = World::new("");
    let (anna, home) = anna_at_home(&world);
    let moved = home.with_file_name("moved");
    std::fs::rename(&home, &moved).unwrap();
    std::os::unix::fs::symlink("moved", &home).unwrap();
    let change = UserChange { home_mode: Some(0o700), ..UserChange::default() };
    let _ = world.agent.update_user(&ROOT, anna, change, &Precondition::None);
    assert_eq!(std::fs::metadata(&moved).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(world.agent.list_ssh_keys(anna), Ok(Vec::new()));
}

#[test]
fn a_key_file_takes_so_many_keys_and_bytes_and_no_more() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let world = World::new("");
    let (anna, home) = anna_at_home(&world);
    std::fs::create_dir(home.join(".ssh")).unwrap();
    let add = |text: &str| {
        std::fs::write(home.join(".ssh/authorized_keys"), text).unwrap();
        world.agent.add_ssh_key(&ROOT, anna, (KeyTitle::new("one more").unwrap(), key)).map(drop)
    };
    let many: String = (0..MAX_KEYS).map(|number| format!("{key} {number}\n")).collect();
    let problem = Problem::TooMany { max: MAX_KEYS, actual: MAX_KEYS + 1 };
    assert_eq!(add(&many), Err(Refusal::invalid(Field::SshKeys, problem)));
    let long = format!("#{}\n", "x".repeat(MAX_BYTES - 20));
    let problem = Problem::TooLong { max: MAX_BYTES, actual: long.len() };
    assert_eq!(add(&long), Err(Refusal::invalid(Field::SshKeys, problem)));
    assert_eq!(std::fs::read_to_string(home.join(".ssh/authorized_keys")).unwrap(), long);
}

#[test]
fn a_login_of_somebody_who_is_gone_by_then_leaves_nothing() {
    let world = World::new("");
    let (account, source) = (AccountId(999), "192.0.2.1".parse().unwrap());
    let conclusion =
        Conclusion { account, name: "gone".into(), source, key: Some(vec![1]), outcome: Concluded::LoggedIn };
    world.agent.note_key_login(&conclusion);
    assert_eq!(world.agent.database.stored_ssh_keys(account), Ok(Vec::new()));
}

#[test]
fn accounts_for_clients_of_alist_are_made_as_soon_as_they_can_be_and_once() {
    let world = World::new("[alist]\nenabled = true\n[roles]\nadministrators = [\"bosses\"]\n");
    let bosses = world.agent.create_group(&ROOT, new_group("bosses", None)).unwrap().id;
    let there = |name: &str| world.agent.database.view().user_named(name).map(|row| row.id);
    world.agent.make_alist_accounts();
    assert_eq!((there("admin"), there("guest")), (None, None), "there is no pool");
    let pool = world.directory.path().join("mnt/tank");
    std::fs::create_dir_all(pool.parent().unwrap()).unwrap();
    std::fs::write(&pool, "").unwrap();
    world.agent.make_alist_accounts();
    assert_eq!((there("admin"), there("guest")), (None, None), "the pool is no directory");
    std::fs::remove_file(&pool).unwrap();
    std::fs::create_dir(&pool).unwrap();
    world.agent.make_alist_accounts();
    assert!(there("admin").is_some() && there("guest").is_some());
    let members = world.agent.database.view().groups_of_member("admin").to_vec();
    assert_eq!(members.len(), 1, "{members:?}");
    assert_eq!(world.agent.database.view().group_named("bosses").unwrap().id, bosses, "it is the one that there was");
    let passwd = std::fs::read_to_string(world.directory.path().join("etc/passwd")).unwrap();
    let without = passwd.lines().filter(|line| !line.starts_with("admin:"));
    world.write("passwd", &without.map(|line| format!("{line}\n")).collect::<String>());
    assert!(world.agent.database.certain_view().unwrap().user_named("admin").is_none());
    world.agent.make_alist_accounts();
    assert_eq!(there("admin"), None, "whoever has removed it does not get it back");
}
