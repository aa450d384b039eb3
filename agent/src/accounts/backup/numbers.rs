//! Numbers of a backup on this machine: as they are where that can be, else as it was chosen.

use std::collections::HashMap;

use accountd_config::SharedUid;
use accountd_protocol::backup::Backup;
use accountd_protocol::import::{AccountChoice, Choices, OnId, Settlement};
use accountd_protocol::refusal::{Field, Problem, Refusal};

use super::judge::{Notes, Sight};
use crate::ids::{Number, Question};

/// What the accounts of a backup have been given so far, and what is held for them.
#[derive(Default)]
pub(super) struct Given {
    uids: HashMap<u32, String>,
    gids: HashMap<u32, String>,
    pub held: Vec<Number>,
}

/// The number that an account has in the backup, and the one that was named for it.
pub(super) struct Wanted {
    pub recorded: u32,
    pub named: Option<u32>,
    pub on_id: OnId,
}

impl Given {
    /// Keeps every number that is named from being chosen for another account.
    pub fn holding(backup: &Backup, choices: &Choices, sight: &Sight<'_>) -> Self {
        let uids = backup.users.iter().map(|user| user.uid);
        let gids = backup.groups.iter().map(|group| group.gid);
        let named = choices.accounts.values().flat_map(|choice| [choice.uid, choice.gid]).flatten();
        let held = uids.chain(gids).chain(named).map(|number| sight.agent.ids.hold(number)).collect();
        Self { held, ..Self::default() }
    }

    /// Two of the backup may share a uid where that is allowed; with somebody who is here only if it is named.
    pub fn uid(
        &mut self,
        sight: &Sight<'_>,
        name: &str,
        wanted: &Wanted,
        notes: &mut Notes,
    ) -> Result<Option<(u32, SharedUid)>, Refusal> {
        let uid = wanted.number();
        let is_shared = sight.agent.shared_uid() == SharedUid::Allowed;
        let here = sight.view.names_of_uid(uid).first().map(|name| (*name).to_owned());
        let here = here.filter(|_| !is_shared || wanted.named.is_none());
        let other = self.uids.get(&uid).filter(|_| !is_shared).cloned().or(here);
        let usable = sight.agent.usable_uid(sight.view, sight.outside, uid);
        let usable = usable.and_then(|()| other.map_or(Ok(()), |other| Err(Problem::Duplicate(other))));
        let chosen = match settled(usable, wanted) {
            Ok(()) => Some(uid),
            Err((problem, OnId::Fail)) => {
                notes.open(Field::Uid, problem);
                None
            }
            Err((problem, OnId::Renumber)) => {
                let number = sight.agent.ids.choose_uid(&sight.agent.database)?;
                self.renumbered((Field::Uid, problem), wanted, number, notes)
            }
        };
        let Some(uid) = chosen else { return Ok(None) };
        let is_another = self.uids.insert(uid, name.to_owned()).is_some() || !sight.view.names_of_uid(uid).is_empty();
        Ok(Some((uid, if is_another { SharedUid::Allowed } else { SharedUid::Refused })))
    }

    pub fn gid(
        &mut self,
        sight: &Sight<'_>,
        name: &str,
        wanted: &Wanted,
        notes: &mut Notes,
    ) -> Result<Option<u32>, Refusal> {
        let gid = wanted.number();
        let here = || sight.view.names_of_gid(gid).first().map(|name| (*name).to_owned());
        let other = self.gids.get(&gid).cloned().or_else(here);
        let usable = sight.agent.usable_gid(sight.view, sight.outside, gid);
        let usable = usable
            .and_then(|()| other.map_or(Ok(()), |other| Err(Problem::Duplicate(other))))
            .and_then(|()| sight.outside.lacks(&Question::Gid(gid)));
        let chosen = match settled(usable, wanted) {
            Ok(()) => Some(gid),
            Err((problem, OnId::Fail)) => {
                notes.open(Field::Gid, problem);
                None
            }
            Err((problem, OnId::Renumber)) => {
                let number = sight.agent.ids.choose_gid(&sight.agent.database)?;
                self.renumbered((Field::Gid, problem), wanted, number, notes)
            }
        };
        chosen.into_iter().for_each(|gid| _ = self.gids.insert(gid, name.to_owned()));
        Ok(chosen)
    }

    fn renumbered(
        &mut self,
        (field, problem): (Field, Problem),
        wanted: &Wanted,
        number: Option<Number>,
        notes: &mut Notes,
    ) -> Option<u32> {
        let Some(number) = number else {
            notes.open(field, Problem::NoneFree);
            return None;
        };
        let to = number.number;
        self.held.push(number);
        notes.settle(field, problem, Settlement::Renumbered { from: wanted.recorded, to });
        Some(to)
    }
}

impl Wanted {
    pub fn of(recorded: u32, named: Option<u32>, choice: &AccountChoice, choices: &Choices) -> Self {
        Self { recorded, named, on_id: choice.on_id.unwrap_or(choices.on_id) }
    }

    fn number(&self) -> u32 {
        self.named.unwrap_or(self.recorded)
    }
}

/// What was named has to be so, and nobody meant root's number.
fn settled(usable: Result<(), Problem>, wanted: &Wanted) -> Result<(), (Problem, OnId)> {
    usable.map_err(|problem| {
        let is_settled = wanted.named.is_none() && problem != Problem::Reserved;
        (problem, if is_settled { wanted.on_id } else { OnId::Fail })
    })
}
