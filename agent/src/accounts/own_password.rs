//! A password that its user changes: the present one has to be shown, and shadow(5) says when it may
//! be (passwd(1)).

use accountd_protocol::audit::Actor;
use accountd_protocol::id::AccountId;
use accountd_protocol::precondition::Precondition;
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::secret::Secret;

use super::ageing;
use super::create::SECONDS_A_DAY;
use crate::agent::{Agent, now};
use crate::database::FileKind;
use crate::database::entry::shadow;
use crate::identity::hash::Verdict;

impl Agent {
    pub(crate) fn change_own_password(
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
        if self.hashes.verify(current, &entry.text(shadow::PASSWORD)) != Verdict::Right {
            return Err(Refusal::invalid(Field::CurrentPassword, Problem::Wrong));
        }
        if current.reveal() == password.reveal() {
            return Err(Refusal::invalid(Field::Password, Problem::Unchanged));
        }
        let aged = ageing::of(&entry);
        let earliest = aged
            .last_change
            .filter(|day| *day > 0)
            .zip(aged.min_days)
            .map(|(day, min)| u64::from(day) + u64::from(min));
        if earliest.is_some_and(|day| now() / SECONDS_A_DAY < day) {
            return Err(Refusal::invalid(Field::Password, Problem::TooEarly));
        }
        self.set_password(by, id, password, &Precondition::None).map(drop)
    }
}
