//! A backup held against the accounts of an agent on a plain directory, tried or taken over.

use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::audit::Actor;
use accountd_protocol::backup::Backup;
use accountd_protocol::batch::Effect;
use accountd_protocol::id::Uid;
use accountd_protocol::import::{Choices, Import, ImportOutcome, ImportReport, Settlement};
use accountd_protocol::job::{JobResult, JobState};
use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::identity::candidate::PasswordState;
use crate::identity::handles::{Caller, Way};
use crate::jobs::{Task, Work};
use crate::scratch;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\naccountd-api:x:990:990::/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nusers:x:100:\naccountd-api:x:990:\n";

struct World {
    _directory: tempfile::TempDir,
    agent: Arc<Agent>,
}

impl World {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("mnt/tank")).unwrap();
        let files = [("passwd", PASSWD), ("group", GROUP), ("accountd.toml", config), ("shells", "/bin/sh\n")];
        scratch::write_etc(directory.path(), &files);
        let agent = Arc::new(scratch::agent(directory.path()));
        agent.start_jobs().unwrap();
        Self { agent, _directory: directory }
    }

    fn import(&self, backup: Backup, choices: &Value, effect: Effect) -> Option<JobResult> {
        let account = self.agent.database.view().user_named("root").unwrap().id;
        let caller =
            Caller { account, uid: Uid::ROOT, password: PasswordState::Current, source: None, way: Way::Local };
        let choices: Choices = serde_json::from_value(choices.clone()).unwrap();
        let import = Import { backup: Box::new(backup), choices, effect };
        let work = Work { by: Actor::Agent, caller, task: Task::Import(import) };
        let job = self.agent.jobs.begin(work, Duration::from_secs(60)).unwrap();
        assert!(matches!(job.state, JobState::Done | JobState::Failed), "{job:?}");
        job.result
    }

    #[track_caller]
    fn tried(&self, backup: Backup, choices: &Value) -> ImportReport {
        match self.import(backup, choices, Effect::Tried) {
            Some(JobResult::Import(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn refused(&self, backup: Backup, choices: &Value) -> Refusal {
        match self.import(backup, choices, Effect::Tried) {
            Some(JobResult::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }
}

fn user(name: &str, number: u32, other: Value) -> Value {
    let ageing = json!({"last_change": 20000, "min_days": 0, "max_days": 99999, "warn_days": 7,
                        "inactive_days": null, "expires": null});
    let mut user = json!({
        "name": name, "id": 1, "uid": number, "gid": number, "group": name, "full_name": "", "email": "",
        "microsoft_account": false, "home": "/nonexistent", "home_mode": null, "shell": "/bin/sh", "password": "*",
        "ageing": ageing, "samba": null, "kept_password": null, "password_history": [], "sudo": null, "keys": "",
    });
    user.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    user
}

fn group(name: &str, gid: u32, other: Value) -> Value {
    let mut group = json!({"name": name, "id": 1, "gid": gid, "password": "!", "administrators": [], "members": [],
                           "sudo": null});
    group.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    group
}

/// A whole backup of these, and nothing else.
fn backup(other: Value) -> Backup {
    let mut backup = json!({
        "format": "accountd-backup", "version": 1, "machine": "other", "created": "2026-11-26T00:00:00Z",
        "password_rules": {}, "groups": [], "builtin_groups": [], "users": [], "sha256": "",
    });
    backup.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    serde_json::from_value::<Backup>(backup).unwrap().sealed().0
}

/// `anna` and her group.
fn anna(of_user: Value, of_group: Value) -> Backup {
    backup(json!({"users": [user("anna", 3101, of_user)], "groups": [group("anna", 3101, of_group)]}))
}

type Open = Vec<(Field, Problem)>;
type Dealt = Vec<(Field, Problem, Settlement)>;

/// What is open, and what was settled and how, of everything.
fn said(report: &ImportReport) -> (Open, Dealt) {
    let open = report.items.iter().flat_map(|item| &item.open);
    let settled = report.items.iter().flat_map(|item| &item.settled);
    (
        open.map(|Invalid { field, problem }| (*field, problem.clone())).collect(),
        settled.map(|settled| (settled.conflict.field, settled.conflict.problem.clone(), settled.by.clone())).collect(),
    )
}

fn outcomes(report: &ImportReport) -> Vec<ImportOutcome> {
    report.items.iter().map(|item| item.outcome).collect()
}

fn missing(name: &str) -> Problem {
    Problem::NoSuch(name.into())
}

#[test]
fn a_backup_of_another_version_or_with_names_for_nobody_is_refused_as_a_whole() {
    let world = World::new("");
    let other = backup(json!({"version": 2}));
    assert_eq!(world.refused(other, &json!({})), Refusal::invalid(Field::Backup, Problem::Unsupported));
    let alone = backup(json!({"users": [user("anna", 3101, json!({"group": "users"}))]}));
    let choices = json!({"accounts": {"anna": {"rename_group": "berta"}}});
    assert_eq!(world.refused(alone, &choices), Refusal::invalid(Field::Accounts, missing("group anna")));
}

#[test]
fn a_group_of_the_system_that_is_not_here_is_dropped_and_one_of_a_service_takes_nobody() {
    let world = World::new("");
    let of = |name: &str| {
        let members = json!([{"name": name, "members": ["anna"]}]);
        let (users, groups) = ([user("anna", 3101, json!({}))], [group("anna", 3101, json!({}))]);
        backup(json!({"builtin_groups": members, "users": users, "groups": groups}))
    };
    let dropped = world.tried(of("games"), &json!({"on_missing": "drop"}));
    assert_eq!(said(&dropped), (vec![], vec![(Field::Groups, missing("games"), Settlement::Dropped)]));
    let skipped = world.tried(of("users"), &json!({"skip": ["users"]}));
    let expected = [ImportOutcome::Created, ImportOutcome::Skipped, ImportOutcome::Created];
    assert_eq!((outcomes(&skipped), said(&skipped).0), (expected.to_vec(), vec![]));
    let service = world.tried(of("accountd-api"), &json!({}));
    assert_eq!(said(&service).0, [(Field::Groups, Problem::ServiceAccount)]);
}

#[test]
fn rules_for_passwords_that_can_not_be_are_open_and_others_stay_where_that_is_chosen() {
    let world = World::new("");
    let bad = world.tried(backup(json!({"password_rules": {"min_length": 100_000}})), &json!({}));
    assert!(matches!(&said(&bad).0[..], [(Field::Rule(_), Problem::NotFrom { .. })]), "{bad:?}");
    let here = backup(json!({"password_rules": {"min_length": 12}}));
    assert!(matches!(world.import(here, &json!({}), Effect::Made), Some(JobResult::Import(_))));
    let other = || backup(json!({"password_rules": {"min_length": 9}}));
    let kept = world.tried(other(), &json!({"on_policy": "skip"}));
    assert_eq!(outcomes(&kept), [ImportOutcome::Skipped]);
    assert!(matches!(&said(&kept).1[..], [(Field::Rule(_), Problem::SetOtherwise(12), Settlement::Skipped)]));
    let changed = world.tried(other(), &json!({"on_policy": "overwrite"}));
    assert_eq!(outcomes(&changed), [ImportOutcome::Changed]);
}

#[test]
fn what_a_group_can_not_be_called_or_held_to_is_said() {
    let world = World::new("");
    world.agent.create_group(&Actor::Agent, scratch::new_group("Team")).unwrap();
    let case = world.tried(backup(json!({"groups": [group("team", 3200, json!({}))]})), &json!({}));
    assert_eq!(said(&case).0, [(Field::GroupName, Problem::CaseDuplicate("Team".into()))]);
    let renamed = backup(json!({"groups": [group("my team", 3200, json!({}))]}));
    let renamed = world.tried(renamed, &json!({"accounts": {"my team": {"rename": "crew"}}}));
    assert_eq!(outcomes(&renamed), [ImportOutcome::Created]);
    assert!(
        matches!(&said(&renamed).1[..], [(Field::GroupName, Problem::Name(_), Settlement::Renamed)]),
        "{renamed:?}"
    );
    let quota = json!({"limits": {"quota": {"bytes": 1, "soft_bytes": 2, "files": null, "soft_files": null}}});
    let mut limited = serde_json::to_value(accountd_protocol::limits::Limits::default()).unwrap();
    limited.as_object_mut().unwrap().extend(quota["limits"].as_object().unwrap().clone());
    let limited = backup(json!({"groups": [group("crew", 3200, json!({"limits": limited}))]}));
    let limited = world.tried(limited, &json!({}));
    assert!(matches!(&said(&limited).0[..], [(Field::Limit(_), Problem::SoftAboveHard)]), "{limited:?}");
}

#[test]
fn a_primary_group_without_a_name_is_one_that_is_here_and_no_services() {
    let world = World::new("");
    let with = |gid: u32| backup(json!({"users": [user("anna", 3101, json!({"group": null, "gid": gid}))]}));
    assert_eq!(said(&world.tried(with(4999), &json!({}))).0, [(Field::PrimaryGroup, missing("4999"))]);
    assert_eq!(said(&world.tried(with(990), &json!({}))).0, [(Field::PrimaryGroup, Problem::ServiceAccount)]);
    let made = world.import(with(100), &json!({}), Effect::Made);
    assert!(matches!(made, Some(JobResult::Import(_))), "{made:?}");
    let id = world.agent.database.view().user_named("anna").unwrap().id;
    assert_eq!(world.agent.get_user(id).unwrap().gid.0, 100);
}

#[test]
fn keys_need_a_home_and_hashes_have_to_be_some() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n";
    let world = World::new("");
    let keys = world.tried(anna(json!({"keys": key}), json!({})), &json!({}));
    assert_eq!(said(&keys).0, [(Field::SshKeys, Problem::HomeNotWritable)]);
    let own = world.tried(anna(json!({"own_password": "$pbkdf2-md5$1$x$y"}), json!({})), &json!({}));
    assert_eq!(said(&own).0, [(Field::PasswordHash, Problem::BadHash)]);
}

#[test]
fn what_is_overwritten_keeps_its_numbers_and_a_try_changes_nothing() {
    let world = World::new("");
    let first = world.import(anna(json!({}), json!({})), &json!({}), Effect::Made);
    assert!(matches!(first, Some(JobResult::Import(_))), "{first:?}");
    let other = anna(json!({"full_name": "Anna", "group": "users", "gid": 100}), json!({"members": ["anna"]}));
    let tried = world.tried(other, &json!({"on_name": "overwrite"}));
    assert_eq!(outcomes(&tried), [ImportOutcome::Changed; 2], "{tried:?}");
    let kept = (Field::PrimaryGroup, Problem::SetOtherwise(3101), Settlement::Kept);
    assert!(said(&tried).1.contains(&kept), "{tried:?}");
    let view = world.agent.database.view();
    assert!(view.groups_of_member("anna").is_empty());
    assert_eq!(world.agent.get_user(view.user_named("anna").unwrap().id).unwrap().full_name.as_str(), "");
}

#[test]
fn a_drop_in_of_sudo_is_left_out_where_there_is_no_sudo_and_that_is_chosen() {
    let world = World::new("");
    let with_sudo = || anna(json!({"sudo": "\"anna\" ALL=(ALL) ALL\n"}), json!({}));
    assert!(matches!(&said(&world.tried(with_sudo(), &json!({}))).0[..], [(Field::Sudo, Problem::NoSudo(_))]));
    let dropped = world.tried(with_sudo(), &json!({"on_missing": "drop"}));
    assert!(matches!(&said(&dropped).1[..], [(Field::Sudo, Problem::NoSudo(_), Settlement::Dropped)]), "{dropped:?}");
    assert_eq!(outcomes(&dropped), [ImportOutcome::Created; 2]);
}

#[test]
fn where_no_number_is_free_nobody_is_renumbered() {
    let world = World::new("[ids]\nusers = { first = 3000, last = 3000 }\n");
    world.agent.create_user(&Actor::Agent, scratch::new_user("here", "/nonexistent")).unwrap();
    let taken = backup(json!({"users": [user("anna", 3000, json!({"group": "users"}))]}));
    let tried = world.tried(taken, &json!({"on_id": "renumber"}));
    assert_eq!(said(&tried).0, [(Field::Uid, Problem::NoneFree)]);
}

#[test]
fn whose_home_can_not_be_made_is_said_and_then_nobody_is() {
    let world = World::new("");
    std::fs::write(world._directory.path().join("mnt/tank/file"), "").unwrap();
    let users = [
        user("anna", 3101, json!({"home": "/mnt/tank/anna", "group": "users", "gid": 100})),
        user("berta", 3102, json!({"home": "/mnt/tank/file/berta", "group": "users", "gid": 100})),
    ];
    let made = world.import(backup(json!({"users": users})), &json!({}), Effect::Made);
    let Some(JobResult::Import(report)) = made else { panic!("{made:?}") };
    assert_eq!(outcomes(&report), [ImportOutcome::Created, ImportOutcome::Refused], "{report:?}");
    assert!(matches!(&said(&report).0[..], [(Field::Home, _)]), "{report:?}");
    let view = world.agent.database.view();
    assert!(view.user_named("anna").is_none() && view.user_named("berta").is_none());
    assert!(!world._directory.path().join("mnt/tank/anna").exists());
}
