//! Pulls with an agent and a keeper that do as a test says.

use std::fs::File;
use std::os::unix::net::UnixStream;

use accountd_protocol::agent::{AgentRequest, Answer, Generation, Grant, Reply};
use accountd_protocol::frame;
use accountd_protocol::id::{AccountId, Gid, Uid};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{CloneUri, PullSource, RepositoryFault, RepositoryKind, Scheme};
use accountd_protocol::resume::Resumed;
use accountd_protocol::session_policy::ServiceKind;
use accountd_protocol::socket;

use super::*;
use crate::agent::Agent;
use crate::counters::Counters;
use crate::order::{MAX_ORDER, Report};
use crate::registry::{MOST_SESSIONS, Registry};
use crate::spawner::Spawner;
use crate::word::Word;
use crate::{granted, scripted_agent};

/// What the agent says.
type Says = fn() -> Option<Reply>;

const TICKET: PullTicket = PullTicket(7);
const GENERATION: Generation = Generation(5);

fn grant() -> Grant {
    let mut grant = granted::grant();
    (grant.uid, grant.gid, grant.generation) = (Uid(3001), Gid(3001), GENERATION);
    grant.policy.services = [ServiceKind::Git].into();
    grant
}

fn order() -> PullOrder {
    let source = PullSource { uri: CloneUri::new("https://h/x").unwrap(), schemes: vec![Scheme::Https] };
    let (root, name) = ("/tank".to_owned(), "r".to_owned());
    PullOrder { grant: grant(), kind: RepositoryKind::Git, root, name, source, seconds: 600 }
}

/// What a pull needs, and the end where orders for keepers come.
struct Stage {
    pulls: Arc<Pulls>,
    shared: Shared,
    orders: OwnedFd,
    _agent: scripted_agent::Place,
}

impl Stage {
    /// The agent gives this to whoever takes a pull, after `before` was done.
    fn new(reply: Says, before: impl Fn(&Arc<Registry>) + Send + 'static) -> Self {
        let (place, registry) = (scripted_agent::Place::new(), Arc::new(Registry::default()));
        registry.resume(&Resumed { generation: GENERATION, changed: Vec::new() });
        let changing = registry.clone();
        place.answer(move |request| {
            assert!(matches!(request, AgentRequest::TakePull(TICKET)), "{request:?}");
            before(&changing);
            reply()
        });
        let (spawner, orders) = Spawner::pair();
        let (agent, counters) = (Arc::new(Agent::new(place.socket())), Arc::new(Counters::default()));
        let shared = Shared { agent, registry, spawner: Arc::new(spawner), counters };
        Self { pulls: Arc::default(), shared, orders, _agent: place }
    }

    fn ordered() -> Self {
        Self::new(|| Some(Ok(Answer::PullOrder(Box::new(order())))), |_| ())
    }

    fn begin(&self) {
        self.pulls.begin(TICKET, &self.shared);
    }

    /// The socket of the next session's keeper, its standard input and its output.
    fn keeper(&self) -> (UnixStream, File, File) {
        let (_, descriptors) = socket::receive(&self.orders, &mut [0; 64 * 1024]).unwrap();
        let mut descriptors = descriptors.into_iter();
        let control = UnixStream::from(descriptors.next().unwrap());
        let mut streams = descriptors.skip(1).map(File::from);
        (control, streams.next().unwrap(), streams.next().unwrap())
    }

    #[track_caller]
    fn wait_until(&self, is_so: impl Fn(&PullState) -> bool) -> PullState {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let state = self.pulls.state(TICKET).unwrap();
            if is_so(&state) {
                return state;
            }
            assert!(Instant::now() < deadline, "{state:?}");
            std::thread::yield_now();
        }
    }

    #[track_caller]
    fn end(&self) -> PullEnd {
        match self.wait_until(|state| matches!(state, PullState::Over(_))) {
            PullState::Over(end) => end,
            PullState::Running { .. } => unreachable!(),
        }
    }
}

fn report(mut keeper: &UnixStream, report: &Report) {
    frame::write(&mut keeper, report, MAX_ORDER).unwrap();
}

fn not_run(why: &str) -> PullEnd {
    PullEnd::NotRun(why.into())
}

#[test]
fn a_pull_for_which_there_is_no_order_says_why() {
    let rows: [(Says, &str); 4] = [
        (|| None, "the agent can not be asked"),
        (|| Some(Ok(Answer::Done)), "the agent gives no order for it"),
        (|| Some(Err(Refusal::Busy)), &Refusal::Busy.to_string()),
        (|| Some(Err(RepositoryFault::PullNotRun("its owner is gone".into()).into())), "its owner is gone"),
    ];
    for (reply, why) in rows {
        let stage = Stage::new(reply, |_| ());
        stage.begin();
        assert_eq!(stage.end(), not_run(why));
    }
}

#[test]
fn nothing_is_run_for_an_owner_who_has_changed_or_has_too_many_sessions() {
    let ordered = || Some(Ok(Answer::PullOrder(Box::new(order()))));
    let stage = Stage::new(ordered, |registry| {
        let _ = registry.revoke(AccountId(1), Generation(GENERATION.0 + 1));
    });
    stage.begin();
    assert_eq!(stage.end(), not_run("its owner's account has changed"));
    let stage = Stage::ordered();
    let period = stage.shared.registry.period(Duration::ZERO).unwrap();
    let register = |_| stage.shared.registry.register_alone(&grant(), period, SessionService::Command);
    let all: Vec<Registration> = (0..MOST_SESSIONS).map(register).collect();
    stage.begin();
    assert_eq!(stage.end(), not_run("its owner has too many sessions"));
    drop(all);
    // Nobody can tell whether it has changed, and one is waited for until that can be told.
    assert!(stage.shared.registry.pause());
    stage.begin();
    assert_eq!(stage.end(), not_run("it is not known whether accounts have changed"));
}

#[test]
fn a_session_that_does_not_start_is_said() {
    let stage = Stage::ordered();
    stage.begin();
    report(&stage.keeper().0, &Report::NotStarted("no".into()));
    assert_eq!(stage.end(), not_run("its session can not be started"));
}

#[test]
fn how_far_a_pull_is_and_what_it_says_last_is_known() {
    let stage = Stage::ordered();
    stage.begin();
    let (keeper, mut input, mut output) = stage.keeper();
    report(&keeper, &Report::Started);
    let mut source = String::new();
    input.read_to_string(&mut source).unwrap();
    assert!(source.contains("https://h/x"), "{source}");
    output.write_all(b"Receiving objects:  45% (9/20)\r").unwrap();
    stage.wait_until(|state| *state == PullState::Running { done: 9, total: 20 });
    output.write_all(b"Receiving objects: 100% (20/20), done.\n").unwrap();
    drop(output);
    report(&keeper, &Report::Ended(Ending::Exited(0)));
    assert_eq!(stage.end(), PullEnd::Done("Receiving objects: 100% (20/20), done.".into()));
    assert!(!stage.pulls.cancel(PullTicket(8)), "one that nobody knows");
}

#[test]
fn a_pull_that_is_cancelled_while_its_session_starts_is_ended_when_it_has() {
    let stage = Stage::ordered();
    stage.begin();
    let (mut keeper, _input, output) = stage.keeper();
    assert!(stage.pulls.cancel(TICKET));
    report(&keeper, &Report::Started);
    let mut word = [0; 2];
    keeper.read_exact(&mut word).unwrap();
    assert_eq!(Word::of(Some(word)), Word::End(Farewell::Closed));
    drop(output);
    report(&keeper, &Report::Ended(Ending::Killed(15)));
    assert_eq!(stage.end(), PullEnd::Ended);
}

#[test]
fn what_was_written_over_is_not_shown_and_controls_are_none() {
    let said = b"remote: Counting: 1%\rremote: Counting: 100%, done.\n\x1b[2Jx\n\nFrom git://h/x\n";
    assert_eq!(readable(said), "remote: Counting: 100%, done.\n?[2Jx\nFrom git://h/x");
    assert_eq!(readable(b"a\r\nb\r"), "a\nb");
}

#[test]
fn progress_is_the_last_that_was_said() {
    let said = b"Receiving objects:   5% (1/20)\rReceiving objects:  45% (9/20), 1 MiB\rReceiving obj";
    assert_eq!(progress(said), Some((9, 20)));
    for nothing in [&b""[..], b"Receiving objects: (a/b)", b"Receiving objects: 5% (1/0)", b"Receiving objects: ("] {
        assert_eq!(progress(nothing), None);
    }
}
