//! sudo for users and groups: the drop-in is written and shown to visudo before anything changes.

use std::collections::HashSet;

use accountd_protocol::refusal::{Field, Invalid, Problem, Refusal};
use accountd_protocol::sudo::{
    MAX_COMMANDS, MAX_TEXT, SudoChange, SudoCommands, SudoFault, SudoGrant, SudoList, SudoProblem,
};

use crate::agent::Agent;
use crate::database::Draft;
use crate::error::Error;
use crate::sudoers::{self, DropIns, Grant, Grantee, Kind, Prepared, Sudo, Unchecked};

/// What becomes of the drop-in of an account.
#[derive(Debug)]
pub enum PlannedSudo {
    Unchanged,
    /// It is there in this text afterwards.
    Granted {
        prepared: Prepared,
        sudo: Sudo,
        before: Sudo,
    },
    Revoked,
}

/// The same for the moment under the lock, where nothing may be taken away yet.
#[derive(Debug)]
pub enum SudoEdit {
    Unchanged,
    /// `before` is what the change was made from.
    Granted {
        grant: Grant,
        sudo: Sudo,
        before: Sudo,
    },
    Revoked,
}

impl PlannedSudo {
    pub fn edit(&self) -> SudoEdit {
        match self {
            PlannedSudo::Unchanged => SudoEdit::Unchanged,
            PlannedSudo::Granted { prepared, sudo, before } => {
                SudoEdit::Granted { grant: prepared.grant().clone(), sudo: sudo.clone(), before: before.clone() }
            }
            PlannedSudo::Revoked => SudoEdit::Revoked,
        }
    }
}

impl SudoEdit {
    /// Refuses what was made from a grant that is another one by now: a list that is not named would
    /// be the old one.
    pub fn enter(&self, draft: &mut Draft<'_>, grantee: Grantee) -> Result<(), Refusal> {
        match self {
            SudoEdit::Granted { before, .. } if draft.sudo(grantee) != *before => Err(Refusal::Busy),
            SudoEdit::Unchanged | SudoEdit::Granted { .. } | SudoEdit::Revoked => {
                self.enter_new(draft, grantee);
                Ok(())
            }
        }
    }

    /// For an account that has just got its id, and so has nothing yet.
    pub fn enter_new(&self, draft: &mut Draft<'_>, grantee: Grantee) {
        match self {
            SudoEdit::Unchanged => {}
            SudoEdit::Granted { grant, sudo, .. } => draft.grant_sudo(grantee, sudo.clone(), grant),
            SudoEdit::Revoked => draft.revoke_sudo(grantee),
        }
    }
}

impl Agent {
    /// For an account that is to be made.
    pub(super) fn plan_new_sudo(&self, kind: Kind, name: &str, wanted: &SudoCommands) -> Result<PlannedSudo, Refusal> {
        self.plan_commands((kind, name), Sudo::None, wanted)
    }

    /// For an account that is called `names.0` and will be called `names.1`.
    pub(super) fn plan_sudo(
        &self,
        grantee: Grantee,
        names: (&str, &str),
        wanted: Option<&SudoChange>,
    ) -> Result<PlannedSudo, Refusal> {
        let before = self.database.view().sudo(grantee);
        match wanted.and_then(|wanted| changed(&before, wanted)) {
            Some(Ok(commands)) => self.plan_commands((grantee.kind(), names.1), before, &commands),
            Some(Err(problem)) => Err(Refusal::invalid(Field::Sudo, problem)),
            None if before.is_granted() && names.0 != names.1 => self.plan_rename(grantee, names, before),
            None => Ok(PlannedSudo::Unchanged),
        }
    }

    fn plan_rename(&self, grantee: Grantee, names: (&str, &str), before: Sudo) -> Result<PlannedSudo, Refusal> {
        let text = self.drop_ins().text(grantee).map_err(|source| Error::DropIn(source).into_refusal())?;
        let text = sudoers::renamed(&text.unwrap_or_default(), grantee.kind(), names);
        let text = text.map_err(|problem| Refusal::invalid(Field::Sudo, problem))?;
        let sudo = Sudo::read(sudoers::granted(&text, grantee.kind(), names.1));
        let prepared = self.prepare_drop_in(text)?;
        Ok(PlannedSudo::Granted { prepared, sudo, before })
    }

    fn plan_commands(
        &self,
        (kind, name): (Kind, &str),
        before: Sudo,
        commands: &SudoCommands,
    ) -> Result<PlannedSudo, Refusal> {
        if commands.is_empty() {
            return Ok(if before.is_granted() { PlannedSudo::Revoked } else { PlannedSudo::Unchanged });
        }
        self.check_commands(&before, commands)?;
        let text = sudoers::rule(kind, name, commands).map_err(|problem| Refusal::invalid(Field::Sudo, problem))?;
        let prepared = self.prepare_drop_in(text)?;
        Ok(PlannedSudo::Granted { prepared, sudo: Sudo::commands(commands), before })
    }

    /// Every command of a list that is another one than before, and all that is wrong.
    pub(super) fn check_commands(&self, before: &Sudo, commands: &SudoCommands) -> Result<(), Refusal> {
        let actual = commands.places().count();
        if actual > MAX_COMMANDS {
            return Err(Refusal::invalid(Field::Sudo, Problem::TooMany { max: MAX_COMMANDS, actual }));
        }
        let actual = commands.places().map(|(_, _, command)| command.as_str().len()).sum();
        if actual > MAX_TEXT {
            return Err(Refusal::invalid(Field::Sudo, Problem::TooLong { max: MAX_TEXT, actual }));
        }
        let same = same_lists(before, commands);
        let (mut seen, mut invalid) = (HashSet::new(), Vec::new());
        for (list, index, command) in commands.places() {
            let checked = match seen.insert((list.name(), command)) {
                false => Err(SudoFault::Twice),
                true if same.contains(&list) => Ok(()),
                true => sudoers::check_program(self.root(), command),
            };
            if let Err(fault) = checked {
                let problem = SudoProblem { list, index, command: command.to_string(), fault };
                invalid.push(Invalid { field: Field::Sudo, problem: Problem::SudoCommand(problem) });
            }
        }
        if invalid.is_empty() { Ok(()) } else { Err(Refusal::Invalid(invalid)) }
    }

    fn prepare_drop_in(&self, text: String) -> Result<Prepared, Refusal> {
        match sudoers::check(self.root(), &text) {
            Ok(()) => {}
            Err(error @ (Unchecked::NoSudo | Unchecked::NotIncluded)) => {
                return Err(Refusal::invalid(Field::Sudo, Problem::NoSudo(error.to_string())));
            }
            Err(error @ (Unchecked::Run(_) | Unchecked::Refused(_))) => return Err(Error::Visudo(error).into_refusal()),
        }
        self.drop_ins().prepare(text).map_err(|source| Error::DropIn(source).into_refusal())
    }

    fn drop_ins(&self) -> DropIns {
        DropIns::new(self.root())
    }
}

fn same_lists(before: &Sudo, commands: &SudoCommands) -> Vec<SudoList> {
    let Some(SudoGrant::Commands(before)) = before.grant() else { return Vec::new() };
    [SudoList::Commands, SudoList::CommandsWithoutPassword]
        .into_iter()
        .filter(|list| before.list(*list) == commands.list(*list))
        .collect()
}

/// What is granted afterwards; `None` where it is what is granted already.
fn changed(before: &Sudo, wanted: &SudoChange) -> Option<Result<SudoCommands, Problem>> {
    let new = match (wanted, before.grant()) {
        (SudoChange::All(all), _) if before.shows_as_all() == *all => return None,
        (SudoChange::All(true), _) => SudoCommands::everything(),
        (SudoChange::All(false) | SudoChange::Nothing, _) => SudoCommands::default(),
        (SudoChange::Lists { .. }, Some(SudoGrant::ByHand)) => return Some(Err(Problem::SudoByHand)),
        (SudoChange::Lists { commands, commands_without_password }, Some(SudoGrant::Commands(now))) => SudoCommands {
            commands: commands.as_ref().unwrap_or(&now.commands).clone(),
            commands_without_password: commands_without_password
                .as_ref()
                .unwrap_or(&now.commands_without_password)
                .clone(),
        },
        (SudoChange::Lists { commands, commands_without_password }, None) => SudoCommands {
            commands: commands.clone().unwrap_or_default(),
            commands_without_password: commands_without_password.clone().unwrap_or_default(),
        },
    };
    let is_same = Sudo::commands(&new) == *before;
    (!is_same).then_some(Ok(new))
}

#[cfg(test)]
mod tests {
    use accountd_protocol::sudo::SudoCommand;

    use super::*;

    fn list(commands: &[&str]) -> Vec<SudoCommand> {
        commands.iter().map(|command| SudoCommand::new(*command).unwrap()).collect()
    }

    fn commands(with: &[&str], without: &[&str]) -> SudoCommands {
        SudoCommands { commands: list(with), commands_without_password: list(without) }
    }

    fn lists(with: Option<&[&str]>, without: Option<&[&str]>) -> SudoChange {
        SudoChange::Lists { commands: with.map(list), commands_without_password: without.map(list) }
    }

    #[test]
    fn a_checkbox_that_is_sent_back_as_it_is_shown_changes_nothing() {
        let everything = Sudo::commands(&SudoCommands::everything());
        let without_password = Sudo::commands(&commands(&[], &["ALL"]));
        let some = Sudo::commands(&commands(&["/bin/ls"], &[]));
        for (before, shown) in
            [(&everything, true), (&without_password, true), (&some, false), (&Sudo::None, false), (&by_hand(), true)]
        {
            assert_eq!(changed(before, &SudoChange::All(shown)), None, "{before:?}");
        }
        assert_eq!(changed(&some, &SudoChange::All(true)), Some(Ok(SudoCommands::everything())));
        assert_eq!(changed(&everything, &SudoChange::All(false)), Some(Ok(SudoCommands::default())));
        assert_eq!(changed(&by_hand(), &SudoChange::All(false)), Some(Ok(SudoCommands::default())));
    }

    fn by_hand() -> Sudo {
        Sudo::of(SudoGrant::ByHand)
    }

    #[test]
    fn a_list_that_is_left_out_stays() {
        let before = Sudo::commands(&commands(&["/bin/ls"], &["/bin/id"]));
        let rows = [
            (lists(Some(&["/bin/cat"]), None), Some(commands(&["/bin/cat"], &["/bin/id"]))),
            (lists(None, Some(&[])), Some(commands(&["/bin/ls"], &[]))),
            (lists(Some(&[]), Some(&[])), Some(SudoCommands::default())),
            (lists(Some(&["/bin/ls"]), None), None),
            (lists(None, None), None),
            (SudoChange::Nothing, Some(SudoCommands::default())),
        ];
        for (wanted, expected) in rows {
            assert_eq!(changed(&before, &wanted), expected.map(Ok), "{wanted:?}");
        }
        let first = changed(&Sudo::None, &lists(Some(&["/bin/ls"]), None));
        assert_eq!(first, Some(Ok(commands(&["/bin/ls"], &[]))));
        assert_eq!(changed(&Sudo::None, &lists(Some(&[]), None)), None);
    }

    #[test]
    fn what_somebody_has_written_is_taken_away_whole_or_stays() {
        assert_eq!(changed(&by_hand(), &lists(Some(&["/bin/ls"]), None)), Some(Err(Problem::SudoByHand)));
        assert_eq!(changed(&by_hand(), &SudoChange::certainly(true)), Some(Err(Problem::SudoByHand)));
        assert_eq!(changed(&by_hand(), &SudoChange::Nothing), Some(Ok(SudoCommands::default())));
    }
}
