//! A password that its user changes: the present one has to be shown, and shadow(5) says when it may
//! be (passwd(1)).

use std::time::Instant;

use accountd_protocol::agent::{Echoes, UserChange};
use accountd_protocol::audit::{Actor, AuditAction};
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use super::ageing;
use super::create::SECONDS_A_DAY;
use super::state::Basis;
use super::update::Update;
use crate::agent::{Agent, now};
use crate::database::entry::{Entry, shadow};
use crate::database::{FileKind, Purpose};
use crate::identity::bans::{Attempt, Held, Weight, Whom};
use crate::identity::hash::Verdict;

impl Agent {
    /// A wrong present password counts like one that should have let somebody in.
    pub(crate) fn change_own_password(
        &self,
        by: &Actor,
        id: AccountId,
        current: &Secret,
        password: Secret,
    ) -> Result<(), Refusal> {
        let source = match by {
            Actor::Caller { source, .. } => *source,
            Actor::Claimed { .. } | Actor::Many | Actor::Outside | Actor::Agent => None,
        };
        let Some(attempt) = source.map(|source| Attempt { source, whom: Whom::Account(id) }) else {
            return self.exchange_password(by, id, current, password);
        };
        self.bans.check_delay(attempt, Instant::now()).map_err(Held::into_refusal)?;
        self.exchange_password(by, id, current, password).inspect_err(|refusal| {
            if *refusal == Refusal::invalid(Field::CurrentPassword, Problem::Wrong) {
                self.bans.failed(attempt, Weight::Password, Instant::now());
            }
        })
    }

    /// For those whose failures are counted elsewhere.
    pub(crate) fn exchange_password(
        &self,
        by: &Actor,
        id: AccountId,
        current: &Secret,
        password: Secret,
    ) -> Result<(), Refusal> {
        let view = self.database.certain_view()?;
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let entry = view.entry(FileKind::Shadow, &row.name).ok_or(Refusal::NotFound)?;
        drop(view);
        let field = entry.text(shadow::PASSWORD);
        if self.hashes.verify(current, &field) != Verdict::Right {
            return Err(Refusal::invalid(Field::CurrentPassword, Problem::Wrong));
        }
        if current.reveal() == password.reveal() {
            return Err(Refusal::invalid(Field::Password, Problem::Unchanged));
        }
        may_be_changed_now(&entry)?;
        let purpose = Purpose { actor: by.clone(), action: AuditAction::SetPassword, user: Some(id) };
        let change = UserChange { password: Some(password), ..UserChange::default() };
        let basis = Basis { shown: Some(field), ..Basis::default() };
        self.change_user(purpose, id, Update::new(change, basis)).map(drop)
    }

    /// The same without the present one, for whoever is let in by something that stands for it.
    pub(crate) fn change_own_profile(
        &self,
        by: &Actor,
        id: AccountId,
        (password, echoes): (Option<Secret>, Echoes),
    ) -> Result<(), Refusal> {
        let view = self.database.certain_view()?;
        let row = view.user(id).ok_or(Refusal::NotFound)?;
        let entry = view.entry(FileKind::Shadow, &row.name).ok_or(Refusal::NotFound)?;
        drop(view);
        let mut action = AuditAction::UpdateUser;
        if password.is_some() {
            action = AuditAction::SetPassword;
            may_be_changed_now(&entry)?;
        }
        let purpose = Purpose { actor: by.clone(), action, user: Some(id) };
        let change = UserChange { password, echoes, ..UserChange::default() };
        self.change_user(purpose, id, Update::new(change, Basis::default())).map(drop)
    }
}

fn may_be_changed_now(shadow: &Entry) -> Result<(), Refusal> {
    let aged = ageing::of(shadow);
    let day = aged.last_change.filter(|day| *day > 0);
    let earliest = day.zip(aged.min_days).map(|(day, min)| u64::from(day) + u64::from(min));
    if earliest.is_some_and(|day| now() / SECONDS_A_DAY < day) {
        return Err(Refusal::invalid(Field::Password, Problem::TooEarly));
    }
    Ok(())
}
