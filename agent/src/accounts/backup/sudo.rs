//! Drop-ins of sudo in a backup: each about its account alone, and taken by visudo(8).

use accountd_protocol::import::{OnMissing, Settlement};
use accountd_protocol::refusal::{Field, Problem, Refusal};
use accountd_protocol::sudo::SudoGrant;

use super::judge::{Judged, Notes, Sight};
use super::rename::Called;
use crate::accounts::sudo::PlannedSudo;
use crate::agent::Agent;
use crate::error::Error;
use crate::sudoers::{self, DropIns, Kind, Sudo, Unchecked};

impl Sight<'_> {
    /// The text as it is to be; `None` where there is none, or it is left out.
    ///
    /// It is judged by the name that it was written for: one that is about somebody else does not become the
    /// account's own by a rename.
    pub fn sudo(&self, (kind, called): (Kind, &Called), text: Option<&String>, notes: &mut Notes) -> Option<String> {
        let (text, name) = (text?, called.was.as_str());
        let problems = match sudoers::granted(text, kind, name) {
            None => vec![Problem::NotForSudoers],
            Some(SudoGrant::ByHand) if !sudoers::is_only_about(text, kind, name) => {
                vec![Problem::NoSudo("the drop-in is not about this account alone".into())]
            }
            Some(SudoGrant::ByHand) => Vec::new(),
            Some(SudoGrant::Commands(commands)) => match self.agent.check_commands(&Sudo::None, &commands) {
                Err(Refusal::Invalid(invalid)) => invalid.into_iter().map(|invalid| invalid.problem).collect(),
                Ok(()) | Err(_) => Vec::new(),
            },
        };
        let mut kept = notes.take(Field::Sudo, called.drop_in(kind, text));
        for problem in problems {
            let is_missing = matches!(problem, Problem::SudoCommand(_));
            match self.choices.on_missing {
                OnMissing::Drop if is_missing => {
                    notes.settle(Field::Sudo, problem, Settlement::Dropped);
                    kept = None;
                }
                OnMissing::Drop | OnMissing::Fail => notes.open(Field::Sudo, problem),
            }
        }
        kept
    }
}

impl Agent {
    /// Shows all drop-ins to visudo at once, and one by one only where it does not like them.
    pub(super) fn check_drop_ins(&self, judged: &mut Judged, on_missing: OnMissing) -> Result<(), Refusal> {
        let mut drop_ins = judged.drop_ins();
        let all: String = drop_ins.iter().filter_map(|(text, _)| text.as_deref()).collect();
        if all.is_empty() || sudoers::check(self.root(), &all).is_ok() {
            return Ok(());
        }
        for (text, notes) in &mut drop_ins {
            let Some(checked) = text.as_deref().map(|text| sudoers::check(self.root(), text)) else { continue };
            match checked {
                Ok(()) => {}
                Err(error @ (Unchecked::NoSudo | Unchecked::NotIncluded)) if on_missing == OnMissing::Drop => {
                    notes.settle(Field::Sudo, Problem::NoSudo(error.to_string()), Settlement::Dropped);
                    **text = None;
                }
                Err(error @ (Unchecked::NoSudo | Unchecked::NotIncluded | Unchecked::Refused(_))) => {
                    notes.open(Field::Sudo, Problem::NoSudo(error.to_string()));
                }
                Err(error @ Unchecked::Run(_)) => return Err(Error::Visudo(error).into_refusal()),
            }
        }
        Ok(())
    }

    /// A drop-in that stands ready, for an account that has `before`.
    pub(super) fn ready_drop_in(
        &self,
        (kind, name): (Kind, &str),
        text: Option<&String>,
        before: Sudo,
    ) -> Result<PlannedSudo, Refusal> {
        let Some(text) = text else {
            return Ok(if before.is_granted() { PlannedSudo::Revoked } else { PlannedSudo::Unchanged });
        };
        let sudo = Sudo::read(sudoers::granted(text, kind, name));
        let prepared = DropIns::new(self.root()).prepare(text.clone());
        let prepared = prepared.map_err(|source| Error::DropIn(source).into_refusal())?;
        Ok(PlannedSudo::Granted { prepared, sudo, before })
    }
}
