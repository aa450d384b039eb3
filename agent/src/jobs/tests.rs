//! Jobs that nobody works on.

use accountd_protocol::batch::Together;
use accountd_protocol::id::Uid;

use super::*;
use crate::identity::candidate::PasswordState;
use crate::identity::handles::Way;

const ANNA: AccountId = AccountId(7);
const NOW: Duration = Duration::ZERO;

fn caller(account: AccountId) -> Caller {
    Caller { account, uid: Uid(1000), password: PasswordState::Current, source: None, way: Way::Local }
}

fn work(account: AccountId) -> Work {
    let batch = Batch { items: Vec::new(), together: Together::AllOrNone, effect: Effect::Made };
    Work { by: Actor::Agent, caller: caller(account), task: Task::Batch(batch) }
}

#[test]
fn a_job_that_waits_is_cancelled_at_once_and_by_nobody_else() {
    let jobs = Jobs::default();
    let [first, second] = [(); 2].map(|()| jobs.begin(work(ANNA), NOW).unwrap().id);
    assert_eq!(jobs.cancel(first, AccountId(8)).unwrap_err(), Refusal::NotFound);
    assert_eq!(jobs.cancel(first, ANNA).unwrap().state, JobState::Cancelled);
    assert_eq!(jobs.next(Line::Accounts).0, second, "nobody works on it any more");
    assert_eq!(jobs.get(first, caller(ANNA), Passwords::Left).unwrap().state, JobState::Cancelled);
}

#[test]
fn only_so_many_wait() {
    let jobs = Jobs::default();
    for _ in 0..MOST_WAITING {
        jobs.begin(work(ANNA), NOW).unwrap();
    }
    assert_eq!(jobs.begin(work(ANNA), NOW).unwrap_err(), Refusal::Busy);
    jobs.next(Line::Accounts);
    jobs.begin(work(ANNA), NOW).unwrap();
}

#[test]
fn of_what_is_over_the_oldest_gives_way_and_what_is_not_over_stays() {
    let jobs = Jobs::default();
    let waiting = jobs.begin(work(ANNA), NOW).unwrap().id;
    let (first, _) = jobs.next(Line::Accounts);
    assert_eq!(first, waiting);
    let over: Vec<JobId> = (1..MOST)
        .map(|_| {
            let id = jobs.begin(work(ANNA), NOW).unwrap().id;
            jobs.cancel(id, ANNA).unwrap();
            id
        })
        .collect();
    let last = jobs.begin(work(ANNA), NOW).unwrap().id;
    let is_known = |id: &JobId| jobs.get(*id, caller(ANNA), Passwords::Left).is_ok();
    assert!(!is_known(&over[0]) && over[1..].iter().all(is_known));
    assert!(is_known(&waiting) && is_known(&last));
}

#[test]
fn a_job_whose_worker_has_panicked_has_failed() {
    let jobs = Jobs::default();
    let id = jobs.begin(work(ANNA), NOW).unwrap().id;
    jobs.end(id, Ending::failed());
    let job = jobs.get(id, caller(ANNA), Passwords::Left).unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert!(matches!(job.result, Some(JobResult::Refused(Refusal::Internal(_)))));
}
