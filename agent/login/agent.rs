//! Questions to the agent, over a few connections that are kept.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use accountd_protocol::agent::{AgentRequest, Answer, Decision, KeyOffer, QuotaEnd, Reply};
use accountd_protocol::client::ClientError;
use accountd_protocol::conclusion::Conclusion;
use accountd_protocol::frame::FrameError;
use accountd_protocol::id::AccountId;
use accountd_protocol::kept_clients::KeptClients;
use accountd_protocol::login::Proof;
use accountd_protocol::metrics::LoginReport;
use accountd_protocol::pam::{PamBeginning, PamVerdict};
use accountd_protocol::quota::{QuotaAnswer, QuotaRequest};
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{PullOrder, PullTicket, RepositoryFault};
use accountd_protocol::secret::Secret;
use tracing::{debug, warn};

/// The most connections that are kept for later.
const KEPT: usize = 8;

/// How long a session waits for an agent that is being started again.
const RESTART_PATIENCE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(100);

/// Whether a login is in the audit trail, or will be.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    Yes,
    No,
}

/// The way to the agent. When it can't be reached, the answer is no.
#[derive(Debug)]
pub struct Agent {
    clients: KeptClients,
}

impl Agent {
    pub fn new(socket: PathBuf) -> Self {
        Self { clients: KeptClients::new(socket, KEPT) }
    }

    pub fn key_acceptable(&self, user: String, key: Vec<u8>, source: IpAddr, offer: KeyOffer) -> bool {
        let request = AgentRequest::OfferKey { user, key, source, offer };
        matches!(self.clients.call(&request), Ok(Ok(Answer::KeyAcceptable(true))))
    }

    pub fn decide(&self, user: String, proof: Proof, source: IpAddr) -> Decision {
        self.decision(&AgentRequest::Decide { user, proof, source })
    }

    /// The same behind PAM; the code where one was asked for.
    pub fn decide_by_pam(&self, who: (String, IpAddr), verdict: PamVerdict, code: Option<Secret>) -> Decision {
        let (user, source) = who;
        self.decision(&AgentRequest::DecideByPam { user, verdict, code, source })
    }

    /// How a dialogue begins; `None`: nobody can say that now.
    pub fn begin_pam(&self, user: String, source: IpAddr) -> Option<PamBeginning> {
        match self.clients.call(&AgentRequest::BeginPam { user, source }) {
            Ok(Ok(Answer::PamBeginning(beginning))) => Some(beginning),
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        }
    }

    fn decision(&self, request: &AgentRequest) -> Decision {
        match self.clients.call(request) {
            Ok(Ok(Answer::Decision(decision))) => decision,
            Ok(Ok(_)) => {
                warn!("the agent did not answer with a decision; the login is refused");
                Decision::Refused { wait_milliseconds: 0 }
            }
            Ok(Err(refusal)) => {
                warn!(%refusal, "the agent does not decide; the login is refused");
                Decision::Refused { wait_milliseconds: 0 }
            }
            Err(error) => {
                warn!(%error, "the agent can not be asked; the login is refused");
                Decision::Refused { wait_milliseconds: 0 }
            }
        }
    }

    /// What has come of a decision that was granted.
    pub fn conclude(&self, conclusion: Conclusion) -> Recorded {
        match self.clients.call(&AgentRequest::Conclude(conclusion)) {
            Ok(Ok(_)) => Recorded::Yes,
            Ok(Err(refusal)) => {
                warn!(%refusal, "the agent does not record a login");
                Recorded::No
            }
            Err(error) => {
                warn!(%error, "the agent can not be told of a login");
                Recorded::No
            }
        }
    }

    /// What a session asks for. `None`: the agent can't be asked, and nobody knows what it has heard.
    pub fn quota(&self, of: (AccountId, u64), request: QuotaRequest) -> Option<QuotaAnswer> {
        let (account, session) = of;
        match self.ask_patiently(&AgentRequest::Quota { account, session, request }) {
            Ok(Ok(Answer::Quota(answer))) => Some(answer),
            Ok(Ok(_)) => None,
            Ok(Err(refusal)) => {
                warn!(%refusal, session, "the agent leases nothing");
                None
            }
            Err(error) => {
                warn!(%error, session, "the agent can not be asked for quota");
                None
            }
        }
    }

    pub fn quota_ended(&self, of: (AccountId, u64), how: QuotaEnd) {
        let (account, session) = of;
        if let Err(error) = self.ask_patiently(&AgentRequest::QuotaEnded { account, session, how }) {
            warn!(%error, session, "the agent can not be told that a session has no quota any more");
        }
    }

    /// What is to be run for a ticket, or why nothing is.
    pub fn take_pull(&self, ticket: PullTicket) -> Result<Box<PullOrder>, String> {
        match self.clients.call(&AgentRequest::TakePull(ticket)) {
            Ok(Ok(Answer::PullOrder(order))) => Ok(order),
            Ok(Ok(_)) => Err("the agent gives no order for it".into()),
            Ok(Err(Refusal::Repository(RepositoryFault::PullNotRun(why)))) => Err(why),
            Ok(Err(refusal)) => Err(refusal.to_string()),
            Err(error) => {
                warn!(%error, "the agent can not be asked what to pull");
                Err("the agent can not be asked".into())
            }
        }
    }

    /// Also of an agent that is being started again. Of what one has done that did not answer, its successor
    /// knows nothing; should it go on, more is counted than is used until the session ends.
    fn ask_patiently(&self, request: &AgentRequest) -> Result<Reply, ClientError> {
        let deadline = Instant::now() + RESTART_PATIENCE;
        loop {
            match self.clients.call(request) {
                Err(ClientError::Connect { .. } | ClientError::Closed | ClientError::Frame(FrameError::Io(_)))
                    if Instant::now() < deadline =>
                {
                    std::thread::sleep(RETRY);
                }
                reply => return reply,
            }
        }
    }

    /// What has been counted. An agent that can't be asked is told the next time.
    pub fn report(&self, report: LoginReport) {
        match self.clients.call(&AgentRequest::ReportNumbers(Box::new(report))) {
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => debug!(%refusal, "the agent does not take the numbers"),
            Err(error) => debug!(%error, "the agent can not be told the numbers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::conclusion::Concluded;
    use accountd_protocol::quota::QuotaUse;
    use accountd_protocol::refusal::Refusal;

    use super::*;
    use crate::scripted_agent::Place;

    /// What the agent says to everything.
    type Says = fn() -> Option<Reply>;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn conclusion() -> Conclusion {
        let (name, outcome) = ("anna".to_owned(), Concluded::LoggedIn);
        Conclusion { account: AccountId(1), name, source: SOURCE, key: None, outcome }
    }

    #[test]
    fn whatever_an_agent_says_that_does_not_decide_lets_nobody_in_and_leases_nothing() {
        let answers: [Says; 3] = [|| None, || Some(Err(Refusal::Busy)), || Some(Ok(Answer::Watching))];
        for answer in answers {
            let place = Place::new();
            place.answer(move |_| answer());
            let (agent, said) = (Agent::new(place.socket()), answer());
            let decision = agent.decide("anna".into(), Proof::PublicKey(vec![1]), SOURCE);
            assert!(matches!(decision, Decision::Refused { wait_milliseconds: 0 }), "{said:?}");
            assert!(!agent.key_acceptable("anna".into(), vec![1], SOURCE, KeyOffer::First), "{said:?}");
            assert_eq!(agent.quota((AccountId(1), 1), QuotaRequest::Lease(QuotaUse::default())), None, "{said:?}");
        }
    }

    #[test]
    fn a_login_is_recorded_only_when_the_agent_says_so() {
        let said: [(Says, Recorded); 3] = [
            (|| Some(Ok(Answer::Done)), Recorded::Yes),
            (|| Some(Err(Refusal::Busy)), Recorded::No),
            (|| None, Recorded::No),
        ];
        for (answer, recorded) in said {
            let place = Place::new();
            place.answer(move |_| answer());
            assert_eq!(Agent::new(place.socket()).conclude(conclusion()), recorded);
        }
    }

    #[test]
    fn an_agent_that_does_not_take_a_report_is_told_the_next_one() {
        let (place, told) = (Place::new(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
        let hears = told.clone();
        place.answer(move |request| {
            hears.lock().unwrap().push(format!("{request:?}").split([' ', '(']).next().unwrap().to_owned());
            (hears.lock().unwrap().len() > 1).then_some(Err(Refusal::Busy))
        });
        let agent = Agent::new(place.socket());
        agent.report(LoginReport::default());
        agent.report(LoginReport::default());
        agent.quota_ended((AccountId(1), 1), QuotaEnd::Lost);
        assert_eq!(*told.lock().unwrap(), ["ReportNumbers", "ReportNumbers", "QuotaEnded"]);
        // One that goes while it is told is told again: it may be being started again.
        let (place, asked) = (Place::new(), std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
        let hears = asked.clone();
        place.answer(move |_| {
            let before = hears.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            (before > 0).then_some(Err(Refusal::Busy))
        });
        Agent::new(place.socket()).quota_ended((AccountId(1), 1), QuotaEnd::Lost);
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[test]
    fn a_session_waits_for_an_agent_that_is_being_started_again() {
        let place = Place::new();
        let agent = Agent::new(place.socket());
        let used = QuotaUse { bytes: 1, files: 1 };
        let leased = std::thread::scope(|scope| {
            let asking = scope.spawn(|| agent.quota((AccountId(1), 1), QuotaRequest::Lease(used)));
            place.answer(move |_| Some(Ok(Answer::Quota(QuotaAnswer::Leased(used)))));
            asking.join().unwrap()
        });
        assert_eq!(leased, Some(QuotaAnswer::Leased(used)));
    }
}
