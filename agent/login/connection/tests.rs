//! A connection with an agent and a spawner that do as a test says.

use std::sync::Mutex;

use accountd_protocol::agent::{AgentRequest, Answer, Generation, Reply};
use accountd_protocol::id::Gid;
use accountd_protocol::login::LinkOrder;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::resume::Resumed;

use super::*;
use crate::{granted, scripted_agent};

const ANNA: AccountId = AccountId(1);
const GENERATION: Generation = Generation(5);

fn grant() -> Grant {
    let home = b"/root".to_vec();
    Grant { account: ANNA, uid: Uid::ROOT, gid: Gid(0), home, generation: GENERATION, ..granted::grant() }
}

/// A front's connection, and what answers on it.
struct Stage {
    front: UnixStream,
    shared: Shared,
    /// Where orders come.
    orders: OwnedFd,
    concluded: Arc<Mutex<Vec<Concluded>>>,
    _agent: scripted_agent::Place,
}

impl Stage {
    /// Everybody is granted a session, after `before` was done; a conclusion is answered with `recorded`.
    fn new(recorded: fn() -> Reply, before: impl Fn(&Registry) + Send + 'static) -> Self {
        let (agent, registry) = (scripted_agent::Place::new(), Arc::new(Registry::default()));
        let concluded = Arc::new(Mutex::new(Vec::new()));
        let (heard, deciding) = (concluded.clone(), registry.clone());
        agent.answer(move |request| match request {
            AgentRequest::Decide { .. } => {
                before(&deciding);
                Some(Ok(Answer::Decision(Decision::Granted(Box::new(grant())))))
            }
            AgentRequest::Conclude(conclusion) => {
                heard.lock().unwrap().push(conclusion.outcome);
                Some(recorded())
            }
            _ => None,
        });
        registry.resume(&Resumed { generation: GENERATION, changed: Vec::new() });
        let (spawner, orders) = Spawner::pair();
        let counters = Arc::new(Counters::default());
        let way = Arc::new(Agent::new(agent.socket()));
        let shared = Shared { agent: way, registry, spawner: Arc::new(spawner), counters };
        let (front, ours) = UnixStream::pair().unwrap();
        let served = shared.clone();
        std::thread::spawn(move || serve(ours, served));
        Self { front, shared, orders, concluded, _agent: agent }
    }

    fn ask(&mut self, request: &LoginRequest) -> Option<LoginEvent> {
        frame::write(&mut self.front, request, LOGIN_CAP).unwrap();
        frame::read(&mut self.front, LOGIN_CAP).unwrap()
    }

    fn log_in(&mut self) -> Admission {
        let ends = ("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:22".parse().unwrap());
        let hello = LoginRequest::Hello { client: ends.0, server: ends.1, version: "SSH-2.0-test".into() };
        assert!(matches!(self.ask(&hello), Some(LoginEvent::Welcome)));
        let proof = Proof::PublicKey(vec![1]);
        match self.ask(&LoginRequest::Authenticate { user: "anna".into(), proof }) {
            Some(LoginEvent::Authenticated(admission)) => admission,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_login_that_can_not_be_recorded_is_none() {
    let mut stage = Stage::new(|| Err(Refusal::Busy), |_| ());
    assert_eq!(stage.log_in(), Admission::Refused);
    assert_eq!(*stage.concluded.lock().unwrap(), [Concluded::LoggedIn]);
    let service = Service::Sftp { links: LinkOrder::TargetFirst };
    let opening = Opening { service, terminal: None, environment: Vec::new() };
    assert!(stage.ask(&LoginRequest::Open(opening)).is_none(), "nobody is logged in on it");
    assert!(stage.shared.registry.connections(None).is_empty());
}

#[test]
fn an_account_that_has_changed_during_the_decision_is_not_let_in() {
    let mut stage = Stage::new(
        || Ok(Answer::Done),
        |registry| {
            let _ = registry.revoke(ANNA, Generation(GENERATION.0 + 1));
        },
    );
    assert_eq!(stage.log_in(), Admission::Refused);
    assert_eq!(*stage.concluded.lock().unwrap(), [Concluded::AccountChanged]);
}

#[test]
fn a_session_whose_keeper_ends_without_a_word_is_not_opened() {
    let mut stage = Stage::new(|| Ok(Answer::Done), |_| ());
    assert!(matches!(stage.log_in(), Admission::Granted(_)));
    let orders = stage.orders.try_clone().unwrap();
    let taken = std::thread::spawn(move || socket::receive(&orders, &mut [0; 4096]).unwrap().1.len());
    let service = Service::Sftp { links: LinkOrder::TargetFirst };
    let opening = Opening { service, terminal: None, environment: Vec::new() };
    let answer = stage.ask(&LoginRequest::Open(opening));
    assert!(matches!(&answer, Some(LoginEvent::NotOpened(why)) if why.contains("can not be started")), "{answer:?}");
    // Its control socket, where its records go, and one stream.
    assert_eq!(taken.join().unwrap(), 3);
}
