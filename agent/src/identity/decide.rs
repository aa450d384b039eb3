//! The decision on a login: account state, then proof. Every way in comes through here.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use accountd_config::{KeysWithCode, PermitRoot};
use accountd_protocol::agent::{Decision, Grant, KeyOffer};
use accountd_protocol::audit::Actor;
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::login::Proof;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;
use accountd_protocol::session_policy::SessionPolicy;
use tracing::info;

use super::authorized_keys::{self, AuthorizedKey, Use};
use super::bans::{Attempt, Means, Weight, Whom};
use super::candidate::{Candidate, PasswordState};
use super::hash::Verdict;
use super::second_factor::{CodeVerdict, Shown};
use super::session_policy::{Allowed, Holder, LoginShell};
use crate::agent::Agent;
use crate::homes::{Strictness, read_authorized_keys};
use crate::pam::HERE;
use crate::sys::local_time;

/// What a login by password shows beside it.
#[derive(Clone, Copy)]
enum Second<'a> {
    Code(Option<&'a Secret>),
    /// It was right before, for this very login.
    Shown,
}

/// As what a proof counts.
fn counting(proof: &Proof) -> (Means, Weight) {
    match proof {
        Proof::Password(_) | Proof::PasswordChange { .. } => (Means::Password, Weight::Password),
        // Who has the password or the key can guess the code.
        Proof::PasswordAndCode { .. } | Proof::PublicKeyAndCode { .. } => (Means::Password, Weight::Password),
        Proof::PublicKey(_) => (Means::Key, Weight::Key),
    }
}

impl Agent {
    /// Who is it, and may they? Unknown, locked and mistaken users cost the same time. Whoever is turned
    /// away costs no hash, and gets the answer of a wrong password.
    pub fn decide(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let by_pam = || self.pam_task(user, proof, (source, now)).map(Decision::ByPam);
        let here = || self.weighed_and_counted(user, proof, source, now);
        self.turned_away(user, proof, source).or_else(by_pam).unwrap_or_else(here)
    }

    /// The same by the account files alone, where it is PAM that asks.
    pub(crate) fn decide_by_files(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let here = || self.weighed_and_counted(user, proof, source, now);
        self.turned_away(user, proof, source).unwrap_or_else(here)
    }

    fn turned_away(&self, user: &str, proof: &Proof, source: IpAddr) -> Option<Decision> {
        let checked = self.bans.check(self.attempt(user, source), counting(proof).0, Instant::now());
        checked.is_err().then(|| refused(self.bans.longest_delay()))
    }

    fn weighed_and_counted(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let decision = self.weigh(user, proof, source, now);
        self.counted(decision, self.attempt(user, source), counting(proof))
    }

    /// A decision as it counts among those on the same account and from the same source.
    pub(super) fn counted(&self, decision: Decision, attempt: Attempt, (means, weight): (Means, Weight)) -> Decision {
        match &decision {
            // While nobody can tell what the accounts are, nobody has failed.
            Decision::Refused { .. } if self.database.certain_view().is_err() => decision,
            Decision::Refused { .. } => refused(self.bans.failed(attempt, weight, Instant::now())),
            // A ban may have begun meanwhile: no more are tried at once than one after the other.
            Decision::Granted(_)
            | Decision::PasswordExpired
            | Decision::NotChanged(_)
            | Decision::CodeRequired
            | Decision::ByPam(_) => match self.bans.check(attempt, means, Instant::now()) {
                Ok(()) => decision,
                Err(_) => refused(self.bans.longest_delay()),
            },
        }
    }

    /// What has come of a decision that was granted: who is logged in has failed nothing.
    pub fn conclude(&self, conclusion: &Conclusion, now: Instant) {
        self.record_conclusion(conclusion);
        self.note_key_login(conclusion);
        let attempt = Attempt { source: conclusion.source, whom: Whom::Account(conclusion.account) };
        match conclusion.outcome {
            Concluded::LoggedIn => {
                let means = if conclusion.key.is_some() { Means::Key } else { Means::Password };
                // A ban that has begun meanwhile goes on.
                let _ = self.bans.succeeded(attempt, means, now);
            }
            Concluded::RefusedByPam => {
                self.bans.failed(attempt, Weight::Key, now);
            }
            Concluded::TooManyConnections | Concluded::AccountChanged => {}
        }
    }

    /// Who gives this name, as failures are counted.
    pub(crate) fn attempt(&self, user: &str, source: IpAddr) -> Attempt {
        if source == HERE {
            return Attempt { source, whom: self.bans.here(user) };
        }
        let account = self.database.known_view().user_named(user).map(|row| row.id);
        Attempt { source, whom: account.map_or_else(|| self.bans.nobody(user), Whom::Account) }
    }

    fn weigh(&self, user: &str, proof: &Proof, source: IpAddr, now: u64) -> Decision {
        let candidate = self.candidate(user, (source, now));
        match proof {
            Proof::Password(password) => self.decide_password(candidate, (password, Second::Code(None)), (source, now)),
            Proof::PasswordAndCode { password, code } => {
                self.decide_password(candidate, (password, Second::Code(Some(code))), (source, now))
            }
            Proof::PasswordChange { current, password, code } => {
                match self.change_on_the_way(candidate, (current, password), code.as_ref(), source) {
                    // The account as it is now, and the new password, decide.
                    Ok(()) => {
                        let candidate = self.candidate(user, (source, now));
                        self.decide_password(candidate, (password, Second::Shown), (source, now))
                    }
                    Err(decision) => decision,
                }
            }
            Proof::PublicKey(blob) => self.decide_key(candidate, (blob, None), (source, now)),
            Proof::PublicKeyAndCode { key, code } => self.decide_key(candidate, (key, Some(code)), (source, now)),
        }
    }

    /// Whether a signature by this key would let the user in. A client may offer all that it has: the
    /// first of a connection counts for all.
    pub fn key_acceptable(&self, user: &str, blob: &[u8], (source, offer): (IpAddr, KeyOffer), now: u64) -> bool {
        let attempt = self.attempt(user, source);
        if self.bans.check(attempt, Means::Key, Instant::now()).is_err() {
            return false;
        }
        let candidate = self.candidate(user, (source, now));
        let acceptable = candidate.is_some_and(|candidate| self.admitted(candidate, blob, (source, now)).is_some());
        if !acceptable && offer == KeyOffer::First {
            self.bans.failed(attempt, Weight::Key, Instant::now());
        }
        acceptable
    }

    /// An account that may have sessions: not a service's, and uid 0 only where it is permitted.
    pub(super) fn candidate(&self, user: &str, (source, now): (IpAddr, u64)) -> Option<Candidate> {
        // When it can't be told what the accounts are now, nobody gets in.
        let view = self.database.certain_view().ok()?;
        let candidate = Candidate::find(&view, user, now)?;
        let uid = candidate.uid;
        let refused = self.is_service(&view, uid) || (uid == Uid::ROOT && self.permit_root() == PermitRoot::No);
        (!refused && candidate.may_come_from(source)).then_some(candidate)
    }

    fn grant(&self, mut candidate: Candidate, policy: SessionPolicy) -> Grant {
        // Sessions of other programs are counted here, those over SSH by who opens them.
        if let Some(most) = &mut candidate.limits.sessions {
            let others = u32::try_from(self.pam_sessions.count(candidate.account)).unwrap_or(u32::MAX);
            *most = most.saturating_sub(others);
        }
        let home = Path::new(OsStr::from_bytes(&candidate.home));
        let quota = (!candidate.limits.quota.is_none()).then(|| self.quotas.backend_of(home));
        let grant = candidate.granted(policy, quota, self.service_uids());
        Grant { pam: self.config().login.pam(), ..grant }
    }

    pub(super) fn granted(&self, candidate: Candidate, policy: SessionPolicy) -> Decision {
        Decision::Granted(Box::new(self.grant(candidate, policy)))
    }

    /// As what something runs for an account that nobody has logged in to. Neither a locked account nor
    /// root has anything run so.
    pub(crate) fn grant_without_login(&self, account: AccountId, now: u64) -> Result<Grant, &'static str> {
        let view = self.database.certain_view().map_err(|_| "the account files can not be read")?;
        let name = view.user(account).map(|row| row.name.clone()).ok_or("its owner is gone")?;
        let candidate = Candidate::find(&view, &name, now).ok_or("its owner's account is locked or expired")?;
        if candidate.uid == Uid::ROOT || self.is_service(&view, candidate.uid) {
            return Err("its owner is root or a service of this system");
        }
        let policy = self.sessions_of(&candidate).policy;
        Ok(self.grant(candidate, policy))
    }

    /// A key, and for an account with a second factor a code beside it, where that is configured.
    fn decide_key(
        &self,
        candidate: Option<Candidate>,
        (blob, code): (&[u8], Option<&Secret>),
        (source, now): (IpAddr, u64),
    ) -> Decision {
        let admitted = candidate.and_then(|candidate| self.admitted(candidate, blob, (source, now)));
        let Some((candidate, policy)) = admitted else { return refused(Duration::ZERO) };
        match (&candidate.factor, code, self.config().two_factor.keys) {
            (None, _, _) | (Some(_), None, KeysWithCode::Alone) => self.granted(candidate, policy),
            (Some(_), None, KeysWithCode::WithCode) => Decision::CodeRequired,
            (Some(factor), Some(code), _) => match self.use_code(factor, code, now) {
                CodeVerdict::Right => self.granted(candidate, policy),
                CodeVerdict::Wrong => refused(Duration::ZERO),
            },
        }
    }

    fn decide_password(
        &self,
        candidate: Option<Candidate>,
        (password, second): (&Secret, Second<'_>),
        (source, now): (IpAddr, u64),
    ) -> Decision {
        let candidate = candidate.filter(Candidate::may_show_password);
        let hash = candidate.as_ref().and_then(Candidate::any_password_hash);
        let verdict = self.hashes.verify(password, hash.as_deref().unwrap_or_default());
        let (Verdict::Right, Some(candidate)) = (verdict, candidate) else { return refused(Duration::ZERO) };
        match (&candidate.factor, second) {
            (None, _) | (Some(_), Second::Shown) => {}
            (Some(_), Second::Code(None)) => return Decision::CodeRequired,
            (Some(factor), Second::Code(Some(code))) => match self.use_code(factor, code, now) {
                CodeVerdict::Right if candidate.password == PasswordState::Expired => {
                    // Good for the change that comes next, which shows it again.
                    let shown = Shown { account: candidate.account, enrolment: factor.enrolment, source, code };
                    self.second_factors.passes.give(shown, Instant::now());
                }
                CodeVerdict::Right => {}
                CodeVerdict::Wrong => return refused(Duration::ZERO),
            },
        }
        match candidate.password {
            PasswordState::Current => {
                if let Some(account) = candidate.password_account() {
                    self.keep_second_hash(&account, password);
                }
                let policy = self.sessions_of(&candidate).policy;
                self.granted(candidate, policy)
            }
            PasswordState::Expired => Decision::PasswordExpired,
        }
    }

    /// Puts a new password in the place of the present one, or says what is decided instead. Who has
    /// none to change costs the same time as a wrong one.
    fn change_on_the_way(
        &self,
        candidate: Option<Candidate>,
        (current, password): (&Secret, &Secret),
        code: Option<&Secret>,
        source: IpAddr,
    ) -> Result<(), Decision> {
        let Some(candidate) = candidate.filter(Candidate::may_show_password) else {
            let _ = self.hashes.verify(current, "");
            return Err(refused(Duration::ZERO));
        };
        let Candidate { account, name, factor, .. } = candidate;
        let shown =
            factor.as_ref().zip(code).map(|(row, code)| Shown { account, enrolment: row.enrolment, source, code });
        let passes = &self.second_factors.passes;
        // Which is told to nobody who does not know the present password.
        if factor.is_some() && !shown.is_some_and(|shown| passes.has(shown, Instant::now())) {
            let _ = self.hashes.verify(current, "");
            return Err(refused(Duration::ZERO));
        }
        let by = Actor::Caller { account, name: name.as_str().to_owned(), source: Some(source), key: None };
        self.exchange_password(&by, account, current, password.clone()).map_err(|refusal| match refusal {
            Refusal::NotFound => refused(Duration::ZERO),
            refusal if refusal == Refusal::invalid(Field::CurrentPassword, Problem::Wrong) => refused(Duration::ZERO),
            refusal => Decision::NotChanged(refusal),
        })?;
        shown.into_iter().for_each(|shown| passes.take(shown));
        Ok(())
    }

    /// The candidate whom this key lets in, and what a session of theirs may be. The line that counts
    /// is the first that admits the key; what it asks for and can't be had is asked of no other.
    fn admitted(
        &self,
        candidate: Candidate,
        blob: &[u8],
        (source, now): (IpAddr, u64),
    ) -> Option<(Candidate, SessionPolicy)> {
        let user = candidate.name.as_str();
        if authorized_keys::is_security_key(blob) || authorized_keys::is_certificate(blob) {
            info!(user, %source, "security keys and certificates are not taken");
            return None;
        }
        let _place = self.key_readers.enter(candidate.uid)?;
        let home = Path::new(OsStr::from_bytes(&candidate.home));
        let text = read_authorized_keys(self.homes.root(), home, &candidate.identity(), Strictness::Login);
        let allowed = self.sessions_of(&candidate);
        self.key_notices.tell((user, candidate.uid), &text, allowed.environment);
        let keys: Vec<AuthorizedKey> = authorized_keys::parse(&text).collect();
        let line = authorized_keys::line_of(&keys, blob, Use { source, now, zone: local_time::seconds })?;
        let Some(policy) = allowed.narrowed(&line.options) else {
            info!(user, %source, "the command of the key can not be run in a session of this account");
            return None;
        };
        Some((candidate, policy))
    }

    /// What sessions of somebody may be, by the settings.
    pub(super) fn sessions_of(&self, candidate: &Candidate) -> Allowed {
        let view = self.database.known_view();
        let name = candidate.name.as_str();
        let supplementary = view.groups_of_member(name).iter().map(|group| &**group);
        let groups = view.names_of_gid(candidate.gid.0).into_iter().chain(supplementary).collect();
        let shell = LoginShell::of(&candidate.shell, self.root());
        let holder = Holder { name, groups, home: &candidate.home, shell, limits: &candidate.limits };
        Allowed::of(&self.config().sessions, &holder, self.config().repositories.root.as_str())
    }
}

pub(super) fn refused(wait: Duration) -> Decision {
    Decision::Refused { wait_milliseconds: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) }
}
