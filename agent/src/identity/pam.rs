//! Logins through PAM (`use_pam` of accountd.toml(5)): PAM says who it is, and the account decides as ever.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use accountd_protocol::agent::Decision;
use accountd_protocol::audit::Word;
use accountd_protocol::id::Uid;
use accountd_protocol::login::Proof;
use accountd_protocol::metrics::ProofKind;
use accountd_protocol::pam::{PamBeginning, PamTask, PamVerdict, PamWhom};
use accountd_protocol::secret::Secret;

use super::bans::{Means, Weight};
use super::candidate::{Candidate, PasswordState};
use super::decide::refused;
use super::second_factor::CodeVerdict;
use crate::agent::Agent;
use crate::checks::FIRST_ORDINARY;

/// The user of nobody's files.
const NOBODY: Uid = Uid(65_534);

impl Agent {
    /// How a dialogue begins. Whoever has failed too often is asked nothing, as nobody has a hash verified then.
    pub fn begin_pam(&self, user: &str, source: IpAddr, now: u64) -> PamBeginning {
        let Some(service) = self.config().login.pam() else { return PamBeginning::Native };
        if self.bans.check(self.attempt(user, source), Means::Password, Instant::now()).is_err() {
            let wait = self.bans.longest_delay().as_millis();
            return PamBeginning::Refused { wait_milliseconds: u64::try_from(wait).unwrap_or(u64::MAX) };
        }
        PamBeginning::Pam(PamTask { service, whom: self.pam_whom(user, (source, now)) })
    }

    /// Whether a proof is for PAM to judge: a password is, and a key is not.
    pub(super) fn pam_task(&self, user: &str, proof: &Proof, at: (IpAddr, u64)) -> Option<PamTask> {
        let service = self.config().login.pam()?;
        match proof {
            Proof::Password(_) | Proof::PasswordChange { .. } | Proof::PasswordAndCode { .. } => {
                Some(PamTask { service, whom: self.pam_whom(user, at) })
            }
            Proof::PublicKey(_) | Proof::PublicKeyAndCode { .. } => None,
        }
    }

    fn pam_whom(&self, user: &str, at: (IpAddr, u64)) -> PamWhom {
        self.pam_candidate(user, at).map_or(PamWhom::Nobody, |_| PamWhom::Account)
    }

    /// Where the password is kept is PAM's affair, so there need be none in shadow(5): but for the system's own
    /// accounts, which have none anywhere.
    fn pam_candidate(&self, user: &str, at: (IpAddr, u64)) -> Option<Candidate> {
        let may_have_one = |candidate: &Candidate| {
            let is_systems = candidate.uid.0 < FIRST_ORDINARY || candidate.uid == NOBODY;
            candidate.any_password_hash().is_some() || !is_systems
        };
        self.candidate(user, at).filter(|candidate| candidate.uid != Uid::ROOT && may_have_one(candidate))
    }

    /// What PAM has said, and what the account says to it. A failure of PAM's counts as a wrong password.
    pub fn decide_by_pam(
        &self,
        user: &str,
        (verdict, code): (PamVerdict, Option<&Secret>),
        source: IpAddr,
        now: u64,
    ) -> Decision {
        let (attempt, means) = (self.attempt(user, source), Means::Password);
        if self.bans.check(attempt, means, Instant::now()).is_err() {
            return refused(self.bans.longest_delay());
        }
        let decision = self.weigh_pam(self.pam_candidate(user, (source, now)), (verdict, code), now);
        self.counted(decision, attempt, (means, Weight::Password))
    }

    fn weigh_pam(
        &self,
        candidate: Option<Candidate>,
        (verdict, code): (PamVerdict, Option<&Secret>),
        now: u64,
    ) -> Decision {
        // The setting may have been taken back meanwhile.
        let is_used = self.config().login.pam().is_some();
        let Some(candidate) = candidate.filter(|_| is_used) else { return refused(Duration::ZERO) };
        match verdict {
            PamVerdict::Refused => return refused(Duration::ZERO),
            PamVerdict::PasswordExpired => return Decision::PasswordExpired,
            PamVerdict::Passed => {}
        }
        match (&candidate.factor, code) {
            (None, _) => {}
            (Some(_), None) => return Decision::CodeRequired,
            (Some(factor), Some(code)) => match self.use_code(factor, code, now) {
                CodeVerdict::Right => {}
                CodeVerdict::Wrong => return refused(Duration::ZERO),
            },
        }
        // How old a password may be that is kept elsewhere is said there.
        if candidate.password == PasswordState::Expired && candidate.any_password_hash().is_some() {
            return Decision::PasswordExpired;
        }
        let policy = self.sessions_of(&candidate).policy;
        self.granted(candidate, policy)
    }

    /// A decision behind PAM, counted and recorded.
    pub(crate) fn told_by_pam(&self, who: (&str, IpAddr), shown: Option<&Secret>, decision: &Decision) {
        let (kind, method) = match shown {
            None => (ProofKind::Password, "pam"),
            Some(_) => (ProofKind::PasswordAndCode, "pam and code"),
        };
        self.counters.decided(kind, decision);
        self.record_decision_on(who, Word::Borrowed(method), decision);
    }
}
