//! Batches of an agent on a plain directory, worked on to their ends.

use std::sync::Arc;
use std::time::Duration;

use accountd_protocol::agent::{NewPassword, NewUser, RandomPassword, UserChange};
use accountd_protocol::batch::BatchItem;
use accountd_protocol::id::{AccountRef, Uid};
use accountd_protocol::precondition::Precondition;

use super::*;
use crate::identity::candidate::PasswordState;
use crate::identity::handles::Way;
use crate::jobs::{Task, Work};
use crate::scratch;

fn agent() -> (tempfile::TempDir, Arc<Agent>) {
    let directory = tempfile::tempdir().unwrap();
    let passwd = "root:x:0:0:root:/root:/bin/sh\n";
    scratch::write_etc(directory.path(), &[("passwd", passwd), ("group", "root:x:0:\n"), ("accountd.toml", "")]);
    let agent = Arc::new(scratch::agent(directory.path()));
    agent.start_jobs().unwrap();
    (directory, agent)
}

fn run(agent: &Agent, items: Vec<BatchItem>) -> JobResult {
    run_to(Effect::Made, agent, items)
}

fn run_to(effect: Effect, agent: &Agent, items: Vec<BatchItem>) -> JobResult {
    let account = agent.database.view().user_named("root").unwrap().id;
    let caller = Caller { account, uid: Uid::ROOT, password: PasswordState::Current, source: None, way: Way::Local };
    let batch = Batch { items, together: Together::AllOrNone, effect };
    let work = Work { by: Actor::Agent, caller, task: Task::Batch(batch) };
    agent.jobs.begin(work, Duration::from_secs(60)).unwrap().result.unwrap()
}

fn update(who: AccountRef, change: UserChange) -> BatchItem {
    BatchItem::Update { who, change: Box::new(change), only_if: Precondition::None }
}

#[test]
fn an_item_about_nobody_is_refused_however_it_calls_them() {
    let (_directory, agent) = agent();
    let calls = [AccountRef::Id(AccountId(404)), AccountRef::Name("nobody-here".into()), AccountRef::Number(4711)];
    let items = calls.into_iter().map(|who| update(who, UserChange::default())).collect();
    let JobResult::Batch(outcomes) = run(&agent, items) else { panic!("it is no batch") };
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, ItemOutcome::Refused(Refusal::NotFound))), "{outcomes:?}");
}

#[test]
fn a_password_is_given_or_made_and_not_both() {
    let (_directory, agent) = agent();
    let both = UserChange {
        random_password: RandomPassword::Made,
        password: Some(Secret::new("a password".into())),
        ..UserChange::default()
    };
    let JobResult::Batch(outcomes) = run(&agent, vec![update(AccountRef::Caller, both)]) else {
        panic!("it is no batch")
    };
    let refused = Refusal::invalid(Field::RandomPassword, Problem::MustBeAbsent);
    assert!(matches!(&outcomes[..], [ItemOutcome::Refused(refusal)] if *refusal == refused), "{outcomes:?}");
}

#[test]
fn a_batch_of_too_many_items_is_refused_as_a_whole() {
    let (_directory, agent) = agent();
    let items = (0..=MOST_ITEMS).map(|_| BatchItem::Unread(Vec::new())).collect();
    let JobResult::Refused(refusal) = run(&agent, items) else { panic!("it is not refused") };
    let too_many = Problem::TooMany { max: MOST_ITEMS, actual: MOST_ITEMS + 1 };
    assert_eq!(refusal, Refusal::invalid(Field::Items, too_many));
}

#[test]
fn a_password_that_is_only_tried_is_judged_and_not_set() {
    let (directory, agent) = agent();
    let new = NewUser {
        password: NewPassword::Clear(Secret::new("an old Password 1".into())),
        ..scratch::new_user("anna", "/nonexistent")
    };
    let (user, _) = agent.create_user(&Actor::Agent, new).unwrap();
    let shadow = || std::fs::read(directory.path().join("etc/shadow")).unwrap();
    let before = shadow();
    let tried = |password: &str| {
        let change = UserChange { password: Some(Secret::new(password.into())), ..UserChange::default() };
        run_to(Effect::Tried, &agent, vec![update(AccountRef::Id(user.id), change)])
    };
    let good = tried("a good and long Password 1");
    assert!(matches!(&good, JobResult::Batch(outcomes) if matches!(outcomes[..], [ItemOutcome::Done(_)])), "{good:?}");
    let none = tried("");
    let is_refused = |outcomes: &[ItemOutcome]| matches!(outcomes, [ItemOutcome::Refused(Refusal::Invalid(_))]);
    assert!(matches!(&none, JobResult::Batch(outcomes) if is_refused(outcomes)), "{none:?}");
    assert_eq!(shadow(), before);
}
