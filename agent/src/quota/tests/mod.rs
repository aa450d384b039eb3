//! The quotas of an agent on a plain directory: the ledger, and the kernel where there is one that counts.

mod count;
mod kernel;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use accountd_protocol::agent::{GroupChange, NewGroup, NewUser, QuotaEnd, UserChange, Window};
use accountd_protocol::audit::Actor;
use accountd_protocol::ended::OtherProcesses;
use accountd_protocol::id::AccountId;
use accountd_protocol::limits::{LimitsChange, Root};
use accountd_protocol::precondition::Precondition;
use accountd_protocol::quota::{QuotaAnswer, QuotaBackend, QuotaExceeded, QuotaReport, QuotaRequest, QuotaUse};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::removal::DeletedHome;

use crate::agent::Agent;
use crate::scratch;

const ROOT: Actor = Actor::Agent;
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n";
const GROUP: &str = "root:x:0:\n";

struct World {
    directory: tempfile::TempDir,
    agent: Option<Agent>,
}

impl World {
    fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    fn below(parent: &Path) -> Self {
        let directory = tempfile::tempdir_in(parent).unwrap();
        fs::create_dir_all(directory.path().join("mnt/tank")).unwrap();
        scratch::write_etc(directory.path(), &[("passwd", PASSWD), ("group", GROUP), ("accountd.toml", "")]);
        let mut world = Self { directory, agent: None };
        world.restart();
        world
    }

    /// Ends the agent as a crash does: no session has said anything.
    fn restart(&mut self) {
        self.agent = None;
        self.agent = Some(scratch::agent(self.directory.path()));
    }

    fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    fn create(&self, name: &str, limits: LimitsChange) -> AccountId {
        let new = scratch::new_user(name, &format!("/mnt/tank/{name}"));
        self.agent().create_user(&ROOT, NewUser { limits, ..new }).unwrap().0.id
    }

    fn limit(&self, id: AccountId, limits: LimitsChange) {
        let change = UserChange { limits, ..UserChange::default() };
        self.agent().update_user(&ROOT, id, change, &Precondition::None).unwrap();
    }

    fn home(&self, name: &str) -> PathBuf {
        self.directory.path().join("mnt/tank").join(name)
    }

    fn write(&self, (name, id): (&str, AccountId), file: &str, size: usize) {
        let path = self.home(name).join(file);
        fs::write(&path, vec![b'a'; size]).unwrap();
        let uid = self.agent().get_user(id).unwrap().uid;
        chown(path, Some(uid.0), None).unwrap();
    }

    fn ask(&self, of: (AccountId, u64), request: QuotaRequest) -> Result<QuotaAnswer, Refusal> {
        self.agent().quotas.answer(of, request)
    }

    fn lease(&self, of: (AccountId, u64), bytes: u64) -> QuotaAnswer {
        self.ask(of, QuotaRequest::Lease(QuotaUse { bytes, files: 0 })).unwrap()
    }

    fn report(&self, id: AccountId) -> QuotaReport {
        self.agent().get_quota(id).unwrap()
    }

    fn used(&self, id: AccountId) -> (u64, u64) {
        let QuotaUse { bytes, files } = self.report(id).used;
        (bytes, files)
    }

    /// Scans, and waits for the end.
    fn scan(&self, id: AccountId) {
        self.settle_scans();
        self.agent().start_scan(&ROOT, id).unwrap();
        self.settle_scans();
    }

    fn settle_scans(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.agent().list_scans().is_empty() {
            assert!(Instant::now() < end, "a scan does not end");
            std::thread::yield_now();
        }
    }
}

fn bytes(limit: u64) -> LimitsChange {
    LimitsChange { bytes: Some(Some(limit)), ..LimitsChange::default() }
}

fn leased(bytes: u64) -> QuotaAnswer {
    QuotaAnswer::Leased(QuotaUse { bytes, files: 0 })
}

const OVER: QuotaAnswer = QuotaAnswer::Exceeded(QuotaExceeded::Bytes(1000));

#[test]
fn sessions_lease_what_the_files_of_an_account_leave_them() {
    let world = World::new();
    let anna = world.create("anna", LimitsChange::default());
    world.write(("anna", anna), "old", 300);
    assert_eq!(world.lease((anna, 1), 1 << 40), leased(1 << 40), "nothing is limited yet");
    world.limit(anna, bytes(1000));
    assert_eq!(world.lease((anna, 1), 500), leased(500));
    assert_eq!(world.lease((anna, 2), 201), OVER);
    assert_eq!(world.lease((anna, 2), 200), leased(200));
    let back = QuotaRequest::Return { unused: QuotaUse { bytes: 5000, files: 9 }, freed: QuotaUse::default() };
    assert_eq!(world.ask((anna, 2), back), Ok(QuotaAnswer::Taken));
    assert_eq!(world.lease((anna, 1), 201), OVER, "it got back no more than it had");
    world.limit(anna, bytes(2000));
    assert_eq!(world.lease((anna, 1), 1200), leased(1200));
    let used = QuotaUse { bytes: 2000, files: 1 };
    let limits = world.report(anna).limits;
    assert_eq!(world.ask((anna, 3), QuotaRequest::Use), Ok(QuotaAnswer::Use { limits, used }));
    assert_eq!((limits.bytes, world.report(anna).backend), (Some(2000), QuotaBackend::Ledger));
    assert_eq!(world.ask((AccountId(99), 1), QuotaRequest::Use), Err(Refusal::NotFound));
}

#[test]
fn what_is_said_to_be_freed_is_looked_for_before_a_lease_is_refused() {
    let world = World::new();
    let anna = world.create("anna", bytes(1000));
    world.write(("anna", anna), "old", 900);
    world.scan(anna);
    assert_eq!(world.lease((anna, 1), 600), OVER);
    let freed = QuotaRequest::Return { unused: QuotaUse::default(), freed: QuotaUse { bytes: 900, files: 1 } };
    world.ask((anna, 1), freed).unwrap();
    assert_eq!((world.used(anna), world.lease((anna, 1), 600)), ((0, 0), OVER), "it was not true");
    assert_eq!(world.used(anna), (900, 1));
    fs::remove_file(world.home("anna").join("old")).unwrap();
    world.ask((anna, 1), freed).unwrap();
    assert_eq!(world.lease((anna, 1), 600), leased(600));
}

#[test]
fn what_others_have_removed_is_found_before_a_lease_is_refused() {
    let mut world = World::new();
    let anna = world.create("anna", bytes(1000));
    assert_eq!(world.lease((anna, 1), 900), leased(900));
    world.write(("anna", anna), "old", 900);
    let lost = super::scans::now();
    world.agent().quotas.session_ended((anna, 1), QuotaEnd::Lost);
    world.settle_scans();
    fs::remove_file(world.home("anna").join("old")).unwrap();
    assert_eq!(world.lease((anna, 2), 200), OVER, "it has just been scanned");
    let store = rusqlite::Connection::open(world.directory.path().join("state.sqlite")).unwrap();
    // What the scan has found is stored behind it, and must not come after this.
    let is_stored = || {
        store
            .query_row("SELECT coalesce(scanned >= ?1, 0) FROM quota_counts", [lost], |row| row.get::<_, bool>(0))
            .unwrap_or(false)
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !is_stored() {
        assert!(Instant::now() < end, "it is not stored");
        std::thread::yield_now();
    }
    world.agent = None;
    store.execute("UPDATE quota_counts SET scanned = 5", []).unwrap();
    drop(store);
    world.restart();
    assert_eq!((world.used(anna), world.lease((anna, 2), 200)), ((900, 1), leased(200)));
}

#[test]
fn what_is_counted_when_the_agent_ends_is_not_less_when_it_is_back() {
    let mut world = World::new();
    let anna = world.create("anna", bytes(1000));
    let berta = world.create("berta", bytes(1000));
    for id in [anna, berta] {
        assert_eq!(world.lease((id, 1), 700), leased(700));
    }
    world.write(("anna", anna), "new", 650);
    world.write(("berta", berta), "new", 100);
    world.agent().quotas.session_ended((berta, 1), QuotaEnd::Settled);
    world.restart();
    assert_eq!(world.lease((anna, 1), 351), OVER, "a scan has found 650");
    assert_eq!(world.lease((anna, 1), 350), leased(350));
    assert_eq!(world.used(berta), (700, 0), "what a session has kept is believed");
    world.restart();
    world.scan(berta);
    assert_eq!(world.used(berta), (100, 1));
}

#[test]
fn a_killed_session_keeps_its_lease_until_a_scan_has_ended() {
    let world = World::new();
    let anna = world.create("anna", bytes(1000));
    assert_eq!(world.lease((anna, 1), 900), leased(900));
    world.write(("anna", anna), "part", 400);
    world.agent().quotas.session_ended((anna, 1), QuotaEnd::Lost);
    world.settle_scans();
    assert_eq!(world.used(anna), (400, 1));
    assert_eq!(world.lease((anna, 2), 600), leased(600));
}

#[test]
fn parallel_sessions_never_have_more_than_the_limit_between_them() {
    let world = World::new();
    let anna = world.create("anna", bytes(1 << 20));
    let granted: u64 = std::thread::scope(|scope| {
        let one = |session| {
            let world = &world;
            move || (0..100).filter(|_| world.lease((anna, session), 4096) == leased(4096)).count() as u64
        };
        let threads: Vec<_> = (1..=8).map(|session| scope.spawn(one(session))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted * 4096, 1 << 20);
}

#[test]
fn the_limits_of_a_group_are_those_of_its_members_and_what_is_lifted_is_forgotten() {
    let world = World::new();
    let anna = world.create("anna", LimitsChange::default());
    let group = NewGroup { limits: bytes(1000), ..scratch::new_group("team") };
    let team = world.agent().create_group(&ROOT, group).unwrap().id;
    assert_eq!(world.lease((anna, 1), 1001), leased(1001));
    world.agent().set_memberships(&ROOT, anna, &["team".into()]).unwrap();
    world.write(("anna", anna), "new", 10);
    world.scan(anna);
    assert_eq!((world.lease((anna, 1), 991), world.used(anna)), (OVER, (10, 1)));
    let lifted = LimitsChange { bytes: Some(None), ..LimitsChange::default() };
    let change = GroupChange { limits: lifted, ..GroupChange::default() };
    world.agent().update_group(&ROOT, team, change, Precondition::None).unwrap();
    assert_eq!((world.lease((anna, 1), 991), world.used(anna)), (leased(991), (0, 0)));
}

#[test]
fn quotas_are_listed_in_the_order_of_ids_and_end_with_their_accounts() {
    let world = World::new();
    let [carla, _, anna] = ["carla", "berta", "anna"].map(|name| {
        let limits = if name == "berta" { LimitsChange::default() } else { bytes(1000) };
        world.create(name, limits)
    });
    let list = |window: &Window| {
        let page = world.agent().list_quotas(window).unwrap();
        (page.items.iter().map(|report| report.account).collect::<Vec<_>>(), page.total, page.next)
    };
    assert_eq!(list(&Window::all()), (vec![carla, anna], 2, None));
    let (first, total, next) = list(&Window::part(0, 1, Vec::new()));
    assert_eq!((first, total, next.is_some()), (vec![carla], 2, true));
    assert_eq!(list(&Window { after: next, ..Window::all() }), (vec![anna], 2, None));
    assert_eq!(list(&Window::part(1, 5, Vec::new())), (vec![anna], 2, None));
    let gone = (DeletedHome::Keep, OtherProcesses::Left);
    world.agent().delete_user(&ROOT, anna, gone, Precondition::None).unwrap();
    assert_eq!(list(&Window::all()).0, [carla]);
    assert_eq!(world.agent().get_quota(anna), Err(Refusal::NotFound));
}

#[test]
fn the_file_system_of_homes_is_shown_with_the_reason_for_its_back_end() {
    let world = World::new();
    let [shown] = world.agent().list_quota_file_systems().try_into().unwrap();
    assert_eq!(shown.backend, world.agent().quotas.backend_of(Path::new("/mnt/tank/nobody")));
    assert!(!shown.reason.is_empty() && Path::new(&shown.mount).is_dir() && !shown.kind.is_empty());
}

#[test]
fn a_scan_is_asked_for_by_whoever_may_and_only_for_who_is_there() {
    let world = World::new();
    let anna = world.create("anna", LimitsChange::default());
    assert_eq!(world.agent().start_scan(&ROOT, AccountId(99)), Err(Refusal::NotFound));
    assert_eq!(world.agent().cancel_scan(&ROOT, anna), Err(Refusal::NotFound), "there is none");
    world.write(("anna", anna), "new", 10);
    world.scan(anna);
    assert_eq!(world.used(anna), (10, 1), "without a quota too");
    assert!(world.report(anna).scanned.is_some());
}

#[test]
fn a_session_root_of_an_account_is_the_one_that_is_named_with_its_name() {
    let world = World::new();
    let root = Root::Path("/mnt/tank/shared/%u".into());
    let id = world.create("anna", LimitsChange { root: Some(Some(root)), ..bytes(1000) });
    let holder = crate::quota::holder::Holder::find(&world.agent().database.view(), id).unwrap();
    assert_eq!(holder.root, Some(PathBuf::from("/mnt/tank/shared/anna")));
}
