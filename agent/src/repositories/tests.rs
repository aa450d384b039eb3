//! Repositories on a plain directory: what lists and grants come to together, and what is said where the file system
//! or an account is not as it was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{GroupChange, NewGroup, NewUser, PrimaryGroup, Reply, SessionQuestion, SessionReply};
use accountd_protocol::audit::{Actor, AuditAction, AuditFilter};
use accountd_protocol::frame::{self, AGENT_ANSWER_CAP, AGENT_REQUEST_CAP};
use accountd_protocol::id::{AccountId, AccountRef, Uid};
use accountd_protocol::job::JobResult;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::repository::{
    Access, CloneUri, Grantee, LONGEST_DESCRIPTION, MOST_GRANTS, NewRepository, Repository, RepositoryChange,
    RepositoryFault, RepositoryField, RepositoryKind, RepositoryName, RepositoryProblem, RepositoryRef,
};

use super::acl::{self, Acl, READ, SEARCH, Tag, WRITE, Which};
use super::ground::GroundError;
use super::work::{self, Rights};
use crate::agent::Agent;
use crate::database::{RepositoryRow, Stage};
use crate::identity::candidate::PasswordState;
use crate::identity::handles::{Caller, Way};
use crate::jobs::{Task, Work};
use crate::scratch;

const ROOT: Actor = Actor::Agent;
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\naccountd-api:x:990:990::/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\naccountd-api:x:990:\n";

pub struct World {
    directory: tempfile::TempDir,
    pub agent: Arc<Agent>,
}

impl World {
    /// With `anna`, who owns what is made, `berta` and `carla`, and `carla` in the group `devs`.
    pub fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = format!("[repositories]\nroot = \"/tank/repositories\"\n{config}");
        scratch::write_etc(directory.path(), &[("passwd", PASSWD), ("group", GROUP), ("accountd.toml", &config)]);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(directory.path().join("tank")).unwrap();
        let world = Self { agent: Arc::new(scratch::agent(directory.path())), directory };
        for name in ["anna", "berta", "carla"] {
            world.agent.create_user(&ROOT, scratch::new_user(name, "/nonexistent")).unwrap();
        }
        world.group("devs", None, &["carla"]);
        world
    }

    fn group(&self, name: &str, gid: Option<u32>, members: &[&str]) -> AccountId {
        let request = NewGroup { gid, ..scratch::new_group(name) };
        let id = self.agent.create_group(&ROOT, request).unwrap().id;
        for member in members {
            self.agent.set_memberships(&ROOT, self.user(member), &[name.to_owned()]).unwrap();
        }
        id
    }

    fn user(&self, name: &str) -> AccountId {
        self.agent.database.view().user_named(name).unwrap().id
    }

    fn uid(&self, name: &str) -> u32 {
        self.agent.database.view().user_named(name).unwrap().uid.0
    }

    fn devs(&self) -> Grantee {
        Grantee::Group(self.agent.database.view().group_named("devs").unwrap().id)
    }

    fn gid(&self, name: &str) -> u32 {
        self.agent.database.view().group_named(name).unwrap().gid.0
    }

    fn caller(&self, name: &str) -> Caller {
        let (account, uid) = (self.user(name), Uid(self.uid(name)));
        Caller { account, uid, password: PasswordState::Current, source: None, way: Way::Local }
    }

    pub fn create(&self, name: &str) -> Result<Repository, Refusal> {
        self.make(name, AccountRef::Name("anna".into()), "")
    }

    fn make(&self, name: &str, owner: AccountRef, description: &str) -> Result<Repository, Refusal> {
        let (name, kind) = (RepositoryName::new(name).unwrap(), RepositoryKind::Git);
        let new = NewRepository { name, kind, owner, description: description.into(), private: true, clone_uri: None };
        self.agent.create_repository((&ROOT, self.caller("root")), new)
    }

    fn grant(&self, by: &str, grantee: Grantee, access: Access) -> Result<Repository, Refusal> {
        self.agent.grant_repository((&ROOT, self.caller(by)), &named("r"), (grantee, access))
    }

    fn get(&self, by: &str) -> Result<Repository, Refusal> {
        self.agent.get_repository(self.caller(by), &named("r"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("tank/repositories").join(name)
    }

    /// What the list of a file in `r` has for somebody.
    fn entry(&self, name: &str, tag: Tag) -> Option<u8> {
        acl::of(&fs::File::open(self.path("r").join(name)).unwrap()).unwrap().0.get(tag)
    }

    fn follow(&self) {
        self.agent.follow_accounts(&self.agent.database.view());
    }
}

fn named(name: &str) -> RepositoryRef {
    RepositoryRef::Name(name.into())
}

fn grantee(problem: Problem) -> Refusal {
    Refusal::invalid(Field::Repository(RepositoryField::Grantee), problem)
}

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

#[test]
fn a_scheme_that_is_allowed_no_more_is_not_pulled_from() {
    let world = World::new("pull_schemes = [\"https\"]\n");
    let id = world.create("r").unwrap().id;
    let row = world.agent.repositories.book.find(&named("r")).unwrap();
    let caller = world.caller("anna");
    assert_eq!(world.agent.pullable(caller, &named("r")), Err(RepositoryFault::NoCloneUri.into()));
    let with = |uri: &str| {
        let clone_uri = Some(CloneUri::new(uri).unwrap());
        world.agent.repositories.book.put(RepositoryRow { clone_uri, ..row.clone() }, Vec::new()).unwrap();
        world.agent.pullable(caller, &named("r"))
    };
    assert_eq!(with("git://h/x"), Err(RepositoryFault::SchemeNotAllowed("git".into()).into()));
    assert_eq!(with("https://h/x"), Ok(id));
}

#[test]
fn a_pull_that_login_knows_nothing_of_any_more_is_given_up() {
    let world = World::new("");
    let id = world.create("r").unwrap().id;
    let row = world.agent.repositories.book.find(&named("r")).unwrap();
    let clone_uri = Some(CloneUri::new("https://h/x").unwrap());
    world.agent.repositories.book.put(RepositoryRow { clone_uri, ..row }, Vec::new()).unwrap();
    world.agent.start_jobs().unwrap();
    let (ours, mut login) = UnixStream::pair().unwrap();
    // One that was restarted: it has begun the pull, and has not heard of it when it is asked.
    let asked = std::thread::spawn(move || {
        let _: Option<Reply> = frame::read(&mut login, AGENT_ANSWER_CAP).unwrap();
        let mut asked = 0;
        while let Ok(Some(question)) = frame::read(&mut login, AGENT_ANSWER_CAP) {
            let begun = matches!(question, SessionQuestion::BeginPull(_));
            let reply = if begun { SessionReply::PullBegun } else { SessionReply::NotFound };
            asked += 1;
            frame::write(&mut login, &reply, AGENT_REQUEST_CAP).unwrap();
        }
        asked
    });
    let end = ours.try_clone().unwrap();
    world.agent.open_sessions.keep(ours).unwrap();
    let work = Work { by: ROOT, caller: world.caller("anna"), task: Task::Pull(id) };
    let job = world.agent.jobs.begin(work, Duration::from_secs(60)).unwrap();
    let refused = RepositoryFault::PullNotRun("accountd-login was restarted".into()).into();
    assert!(matches!(&job.result, Some(JobResult::Refused(why)) if *why == refused), "{job:?}");
    assert!(!world.agent.repositories.book.is_pulling(id));
    end.shutdown(std::net::Shutdown::Both).unwrap();
    let asked = asked.join().unwrap();
    assert!(asked > 2, "{asked}");
}
