//! What the agent has recorded beside changes: logins, refused credentials and refused operations;
//! and the audit trail as it is asked for.

use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;

use accountd_protocol::agent::Decision;
use accountd_protocol::audit::{
    Actor, AuditAction, AuditFilter, AuditPage, AuditVerdict, Outcome, Target, TargetKind, Word,
};
use accountd_protocol::conclusion::{Concluded, Conclusion};
use accountd_protocol::login::Proof;
use accountd_protocol::notify::{State, notify};
use accountd_protocol::refusal::Refusal;

use crate::agent::Agent;
use crate::audit::{self, Attempt, Name, Subject};
use crate::error::Error;
use crate::identity::authorized_keys::fingerprint;
use crate::identity::handles::Caller;
use crate::sys::termination::{self, Told};

/// Of a name that somebody says to have, in characters. Names of accounts are shorter.
const LONGEST_NAME: usize = 64;

impl Agent {
    /// Starts what stores logins and refusals, and what ends the agent in order.
    pub fn start_clerk(self: &Arc<Self>) -> Result<(), Error> {
        let agent = self.clone();
        let named = std::thread::Builder::new().name("clerk".into());
        named.spawn(move || agent.clerk.serve(&agent.database)).map_err(Error::Clerk)?;
        let (agent, mut told) = (self.clone(), termination::told().map_err(Error::Signals)?);
        let named = std::thread::Builder::new().name("signals".into());
        named
            .spawn(move || {
                let mut byte = [0];
                while told.read_exact(&mut byte).is_ok() {
                    match Told::by(byte[0]) {
                        Told::Reload => agent.reload(),
                        Told::End => agent.end_in_order(),
                    }
                }
            })
            .map_err(Error::Clerk)?;
        Ok(())
    }

    fn end_in_order(&self) {
        notify(State::Stopping);
        if let Err(refusal) = self.clerk.store_all(&self.database) {
            tracing::error!(%refusal, "the last logins and refusals are not recorded");
        }
        std::process::exit(0);
    }

    /// Who asks, by the name that the account has now.
    pub(crate) fn actor(&self, caller: Caller) -> Actor {
        let Caller { account, source, .. } = caller;
        let name = self.database.known_view().user(account).map(|row| row.name.clone()).unwrap_or_default();
        Actor::Caller { account, name, source, key: caller.key() }
    }

    pub(crate) fn record_refused_operation(
        &self,
        actor: Actor,
        (action, subject): (AuditAction, &Subject),
        refusal: &Refusal,
    ) {
        if !audit::is_change(action) && *refusal != Refusal::NotPermitted {
            return;
        }
        let (target, outcome) = (self.target(subject), Outcome::Refused(audit::reason(refusal)));
        self.clerk.refused(Attempt { actor, action, target, outcome, method: None }, Name::Known);
    }

    pub(crate) fn record_refused_credential(&self, user: &str, source: IpAddr, refusal: &Refusal) {
        let (actor, action) = (claimed(user, source), AuditAction::OpenHandle);
        let outcome = Outcome::Refused(audit::reason(refusal));
        let method = Some(Word::Borrowed("password"));
        self.clerk.refused(Attempt { actor, action, target: None, outcome, method }, self.is_known(user));
    }

    /// Of a key that there is, with its owner's name; of another nobody knows whose it is to be.
    pub(crate) fn record_refused_api_key(&self, owner: Option<&str>, source: IpAddr, refusal: &Refusal) {
        let (actor, action) = (claimed(owner.unwrap_or_default(), source), AuditAction::OpenHandle);
        let outcome = Outcome::Refused(audit::reason(refusal));
        let name = if owner.is_some() { Name::Known } else { Name::MadeUp };
        let method = Some(Word::Borrowed("api key"));
        self.clerk.refused(Attempt { actor, action, target: None, outcome, method }, name);
    }

    /// Whose it says to be is known where it was given out here.
    pub(crate) fn record_refused_token(&self, owner: Option<&str>, source: IpAddr, refusal: &Refusal) {
        let (actor, action) = (claimed(owner.unwrap_or_default(), source), AuditAction::OpenHandle);
        let outcome = Outcome::Refused(audit::reason(refusal));
        let name = if owner.is_some() { Name::Known } else { Name::MadeUp };
        let method = Some(Word::Borrowed("token"));
        self.clerk.refused(Attempt { actor, action, target: None, outcome, method }, name);
    }

    pub(crate) fn record_refused_key(&self, user: &str, key: &[u8], source: IpAddr) {
        let (actor, action, method) = (claimed(user, source), AuditAction::OfferKey, Some(by_key(key)));
        let outcome = Outcome::Refused("not a key of the account that lets it in".into());
        self.clerk.refused(Attempt { actor, action, target: None, outcome, method }, self.is_known(user));
    }

    pub(crate) fn record_decision(&self, who: (&str, IpAddr), proof: &Proof, decision: &Decision) {
        let method = match proof {
            Proof::Password(_) | Proof::PasswordChange { .. } => Word::Borrowed("password"),
            Proof::PasswordAndCode { .. } => Word::Borrowed("password and code"),
            Proof::PublicKey(key) | Proof::PublicKeyAndCode { key, .. } => by_key(key),
        };
        self.record_decision_on(who, method, decision);
    }

    pub(crate) fn record_decision_on(&self, (user, source): (&str, IpAddr), method: Word, decision: &Decision) {
        let (action, method) = (AuditAction::Login, Some(method));
        match decision {
            // What comes of it is told.
            Decision::Granted(_) => {}
            // Nor is this the end.
            Decision::CodeRequired | Decision::ByPam(_) => {}
            Decision::Refused { .. } => self.record_refused_login((user, source), method, (action, "not let in")),
            Decision::PasswordExpired => {
                self.record_refused_login((user, source), method, (action, "the password has to be changed first"));
            }
            Decision::NotChanged(refusal) => {
                let (action, reason) = (AuditAction::ChangeOwnPassword, audit::reason(refusal));
                self.record_refused_login((user, source), method, (action, &reason));
            }
        }
    }

    pub(crate) fn record_conclusion(&self, conclusion: &Conclusion) {
        let Conclusion { account, name, source, key, outcome } = conclusion;
        let actor = Actor::Caller { account: *account, name: name.clone(), source: Some(*source), key: None };
        let method = Some(key.as_deref().map_or(Word::Borrowed("password"), by_key));
        let attempt = |outcome| Attempt { actor, action: AuditAction::Login, target: None, outcome, method };
        let refused = |reason: &str| Outcome::Refused(reason.to_owned());
        match outcome {
            Concluded::LoggedIn => self.clerk.granted(attempt(Outcome::Granted)),
            Concluded::TooManyConnections => {
                self.clerk.refused(attempt(refused("the account has too many connections")), Name::Known);
            }
            Concluded::AccountChanged => {
                self.clerk.refused(attempt(refused("the account has changed meanwhile")), Name::Known);
            }
            Concluded::RefusedByPam => {
                self.clerk.refused(attempt(refused("PAM does not let the account in")), Name::Known);
            }
        }
    }

    fn record_refused_login(
        &self,
        (user, source): (&str, IpAddr),
        method: Option<Word>,
        (action, reason): (AuditAction, &str),
    ) {
        let (actor, outcome) = (claimed(user, source), Outcome::Refused(reason.to_owned()));
        self.clerk.refused(Attempt { actor, action, target: None, outcome, method }, self.is_known(user));
    }

    pub(crate) fn list_audit(&self, filter: &AuditFilter) -> Result<AuditPage, Refusal> {
        self.clerk.store_all(&self.database)?;
        audit::page(&self.store, filter).map_err(|error| Error::Audit(error).into_refusal())
    }

    pub(crate) fn verify_audit(&self) -> Result<AuditVerdict, Refusal> {
        self.clerk.store_all(&self.database)?;
        audit::verify(&self.store).map_err(|error| Error::Audit(error).into_refusal())
    }

    fn is_known(&self, user: &str) -> Name {
        if self.database.known_view().user_named(user).is_some() { Name::Known } else { Name::MadeUp }
    }

    fn target(&self, subject: &Subject) -> Option<Target> {
        let view = self.database.known_view();
        let (kind, id, name) = match subject {
            Subject::Nobody => return None,
            Subject::User(id) => (TargetKind::User, Some(*id), view.user(*id).map(|row| row.name.clone())),
            Subject::Group(id) => (TargetKind::Group, Some(*id), view.group(*id).map(|row| row.name.clone())),
            Subject::NewUser(name) => (TargetKind::User, None, Some(name.clone())),
            Subject::NewGroup(name) => (TargetKind::Group, None, Some(name.clone())),
            Subject::Repository(which) => (TargetKind::Repository, None, self.repository_called(which)),
        };
        Some(Target { kind, id, name: name.unwrap_or_default() })
    }
}

fn claimed(user: &str, source: IpAddr) -> Actor {
    Actor::Claimed { name: audit::shown(user, LONGEST_NAME), source }
}

fn by_key(key: &[u8]) -> Word {
    Word::Owned(format!("publickey {}", fingerprint(key)))
}
