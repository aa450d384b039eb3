//! What the agent counts, and the last that accountd-login has said of itself and the SSH front.
//! In memory alone: it begins at 0 with the agent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::agent::Decision;
use accountd_protocol::metrics::{
    AgentNumbers, DecisionResult, LoginNumbers, LoginReport, MAX_AGE_SECONDS, Metrics, OfferResult, ProofKind,
    RestMethod, RestResult, SshNumbers, Tally,
};
use accountd_protocol::refusal::Refusal;

use crate::agent::Agent;

#[derive(Debug, Default)]
pub struct Counters {
    decisions: Tally<(ProofKind, DecisionResult)>,
    offers: Tally<OfferResult>,
    rest: Tally<(RestMethod, RestResult)>,
    heard: Mutex<Option<(Instant, LoginReport)>>,
}

impl Counters {
    pub fn decided(&self, kind: ProofKind, decision: &Decision) {
        let result = match decision {
            Decision::Granted(_) => DecisionResult::Granted,
            Decision::Refused { .. } => DecisionResult::Refused,
            Decision::PasswordExpired => DecisionResult::PasswordExpired,
            Decision::NotChanged(_) => DecisionResult::PasswordNotChanged,
            Decision::CodeRequired => DecisionResult::CodeRequired,
            // It is asked again.
            Decision::ByPam(_) => return,
        };
        self.decisions.one((kind, result));
    }

    pub fn offered(&self, result: OfferResult) {
        self.offers.one(result);
    }

    /// A credential of REST; `refusal` where it gave no handle.
    pub fn shown(&self, method: RestMethod, refusal: Option<&Refusal>) {
        let result = match refusal {
            None => RestResult::Granted,
            Some(Refusal::BadCredentials) => RestResult::Refused,
            Some(Refusal::BadToken | Refusal::TokenExpired | Refusal::TokenVoid) => RestResult::Refused,
            Some(Refusal::CodeRequired) => RestResult::CodeRequired,
            Some(Refusal::WrongCode) => RestResult::WrongCode,
            Some(Refusal::TooManyFailures { .. }) => RestResult::TurnedAway,
            // The accounts can't be read now, or there is no place for a handle.
            Some(_) => RestResult::Undecided,
        };
        self.rest.one((method, result));
    }

    pub fn hear(&self, report: LoginReport, now: Instant) {
        *self.heard() = Some((now, report));
    }

    /// What the others have said, as far as it is not too old.
    fn others(&self, now: Instant) -> (Option<LoginNumbers>, Option<SshNumbers>) {
        let heard = self.heard();
        let Some((at, report)) = &*heard else { return (None, None) };
        let limit = Duration::from_secs(MAX_AGE_SECONDS);
        let age = now.saturating_duration_since(*at);
        let login = (age <= limit).then(|| report.login.clone());
        let ssh = report.ssh.as_ref().filter(|ssh| age.saturating_add(Duration::from_secs(ssh.age_seconds)) <= limit);
        (login, ssh.map(|ssh| ssh.numbers.clone()))
    }

    fn heard(&self) -> MutexGuard<'_, Option<(Instant, LoginReport)>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent {
    pub(crate) fn metrics(&self) -> Metrics {
        let now = Instant::now();
        let (bans_begun, bans) = self.bans.numbers(now);
        let agent = AgentNumbers {
            decisions: self.counters.decisions.numbers(),
            offers: self.counters.offers.numbers(),
            rest: self.counters.rest.numbers(),
            bans_begun,
            bans,
            changes: self.database.known_view().generation().0.into(),
        };
        let (login, ssh) = self.counters.others(now);
        Metrics { agent, login, ssh }
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::metrics::SshReport;

    use super::*;

    #[test]
    fn a_credential_that_nobody_could_look_at_is_neither_right_nor_wrong() {
        let counters = Counters::default();
        let shown = [
            (None, RestResult::Granted),
            (Some(Refusal::BadCredentials), RestResult::Refused),
            (Some(Refusal::TooManyFailures { seconds: 1 }), RestResult::TurnedAway),
            (Some(Refusal::Busy), RestResult::Undecided),
        ];
        for (refusal, result) in shown {
            let method = RestMethod::ALL[0];
            counters.shown(method, refusal.as_ref());
            let rows = counters.rest.numbers().rows();
            assert!(rows.contains(&((method, result), 1)), "{result:?} in {rows:?}");
        }
    }

    #[test]
    fn numbers_of_others_are_left_out_once_they_are_older_than_a_minute() {
        let (counters, now) = (Counters::default(), Instant::now());
        assert_eq!(counters.others(now), (None, None));
        let ssh = Some(SshReport { numbers: SshNumbers::default(), age_seconds: 50 });
        counters.hear(LoginReport { login: LoginNumbers::default(), ssh }, now);
        let there = |seconds| {
            let (login, ssh) = counters.others(now + Duration::from_secs(seconds));
            (login.is_some(), ssh.is_some())
        };
        assert_eq!(
            [there(10), there(11), there(60), there(61)],
            [(true, true), (true, false), (true, false), (false, false)]
        );
        let old = Some(SshReport { numbers: SshNumbers::default(), age_seconds: u64::MAX });
        counters.hear(LoginReport { login: LoginNumbers::default(), ssh: old }, now);
        assert_eq!(there(0), (true, false));
    }
}
