//! Logins of other programs: by the same decision, counts and bans as those over SSH.

use std::time::Instant;

use accountd_protocol::agent::Decision;
use accountd_protocol::audit::{Actor, AuditAction, Outcome, Word};
use accountd_protocol::id::Uid;
use accountd_protocol::login::Proof;
use accountd_protocol::pam_module::PamAnswer;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use tracing::info;

use super::Asked;
use crate::agent::{Agent, now};
use crate::audit::Attempt;
use crate::identity::bans::Means;
use crate::identity::candidate::{PasswordState, Standing, standing};

impl Agent {
    pub(super) fn pam_authenticate(
        &self,
        asked: &Asked<'_>,
        password: &Secret,
        code: Option<&Secret>,
    ) -> Result<PamAnswer, Refusal> {
        let attempt = self.attempt(asked.user(), asked.source);
        // Root's programs wait as they are told to.
        if asked.peer.uid != Uid::ROOT
            && let Err(held) = self.bans.check_delay(attempt, Instant::now())
        {
            return Ok(PamAnswer::TooOften { seconds: held.rest.as_secs() + 1 });
        }
        let proof = match code {
            None => Proof::Password(password.clone()),
            Some(code) => Proof::PasswordAndCode { password: password.clone(), code: code.clone() },
        };
        let decision = self.decide_by_files(asked.user(), &proof, asked.source, now());
        let answer = match &decision {
            Decision::Granted(_) => PamAnswer::Granted,
            Decision::PasswordExpired => PamAnswer::PasswordExpired,
            Decision::CodeRequired => PamAnswer::CodeRequired,
            Decision::Refused { wait_milliseconds } => PamAnswer::Refused { wait_milliseconds: *wait_milliseconds },
            Decision::NotChanged(_) | Decision::ByPam(_) => PamAnswer::Failed,
        };
        match &answer {
            PamAnswer::Granted | PamAnswer::PasswordExpired => {
                if self.bans.succeeded(attempt, Means::Password, Instant::now()).is_err() {
                    let wait = self.bans.longest_delay().as_millis();
                    return Ok(PamAnswer::Refused { wait_milliseconds: u64::try_from(wait).unwrap_or(u64::MAX) });
                }
                self.record_pam_login(asked, code);
            }
            _ => self.record_decision((asked.user(), asked.source), &proof, &decision),
        }
        Ok(answer)
    }

    fn record_pam_login(&self, asked: &Asked<'_>, code: Option<&Secret>) {
        let (account, name, source) = (asked.account, asked.user().to_owned(), asked.address());
        let actor = Actor::Caller { account, name, source, key: None };
        let method = Some(Word::Borrowed(if code.is_some() { "password and code" } else { "password" }));
        let (action, outcome) = (AuditAction::Login, Outcome::Granted);
        self.clerk.granted(Attempt { actor, action, target: None, outcome, method });
    }

    /// However it was shown who it is: by a key of OpenSSH's, by root, by a clock of cron(8).
    pub(super) fn pam_check(&self, asked: &Asked<'_>) -> Result<PamAnswer, Refusal> {
        let view = self.database.certain_view()?;
        let state = match standing(&view, asked.user(), asked.source, now()) {
            Standing::Gone => return Ok(PamAnswer::Unknown),
            Standing::Locked => PamAnswer::Locked,
            Standing::Expired => PamAnswer::Expired,
            Standing::NotFromThere => PamAnswer::NotFromThere,
            Standing::Good(PasswordState::Expired) => PamAnswer::PasswordExpired,
            Standing::Good(PasswordState::Current) => PamAnswer::Granted,
        };
        drop(view);
        // Here nobody can tell whether a session begins, or one asks again who sits there.
        let begins = state == PamAnswer::Granted && asked.request.host.as_ref().is_some_and(|host| !host.is_empty());
        let answer = match begins.then(|| self.pam_room(asked.account)).flatten() {
            Some(most) => PamAnswer::TooManySessions { most },
            None => state,
        };
        if answer != PamAnswer::Granted {
            let service = &asked.request.service;
            info!(user = asked.user(), service, ?answer, "an account is not let in");
        }
        Ok(answer)
    }
}
