//! `sudo` of users and groups: null, or two lists of commands. `true` stands for everything with
//! the password, `false` for null; they are taken and never shown.

use accountd_protocol::refusal::{Field, Problem};
use accountd_protocol::sudo::{SudoChange, SudoCommand, SudoCommands, SudoGrant, SudoList, SudoProblem};
use serde_json::{Map, Value, json};

use super::input::{Given, Input};

const FIELD: &str = "sudo";
const EXPECTED: &str = "has to be null, true, false, or an object with lists of commands";
const BY_HAND: &str = "by_hand";

/// A grant as it is shown.
pub fn shown(grant: Option<&SudoGrant>) -> Value {
    let (commands, by_hand) = match grant {
        None => return Value::Null,
        Some(SudoGrant::Commands(commands)) => (commands.clone(), false),
        Some(SudoGrant::ByHand) => (SudoCommands::default(), true),
    };
    let [with, without] = [SudoList::Commands, SudoList::CommandsWithoutPassword];
    json!({with.name(): commands.list(with), without.name(): commands.list(without), BY_HAND: by_hand})
}

/// What is to become of a grant: a merge patch (RFC 7396), so a list that is not there stays, and
/// null takes one away.
pub fn change(input: &mut Input) -> Option<SudoChange> {
    match input.any(FIELD) {
        Given::Absent => None,
        Given::Null => Some(SudoChange::Nothing),
        Given::Value(Value::Bool(all)) => Some(SudoChange::certainly(all)),
        Given::Value(Value::Object(lists)) => Some(lists_of(input, lists)),
        Given::Value(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Null) => {
            input.fault(FIELD, "wrong_type", EXPECTED);
            None
        }
    }
}

/// What a new account is granted.
pub fn of_new(input: &mut Input) -> SudoCommands {
    match change(input) {
        Some(SudoChange::Lists { commands, commands_without_password }) => SudoCommands {
            commands: commands.unwrap_or_default(),
            commands_without_password: commands_without_password.unwrap_or_default(),
        },
        Some(SudoChange::All(true)) => SudoCommands::everything(),
        Some(SudoChange::All(false) | SudoChange::Nothing) | None => SudoCommands::default(),
    }
}

fn lists_of(input: &mut Input, mut lists: Map<String, Value>) -> SudoChange {
    let mut take = |list: SudoList| lists.remove(list.name()).map(|value| commands(input, list, value));
    let (commands, commands_without_password) = (take(SudoList::Commands), take(SudoList::CommandsWithoutPassword));
    for (name, value) in &lists {
        let field = format!("{FIELD}.{}", name.escape_debug());
        match (name.as_str(), value) {
            // What was shown may be sent back.
            (BY_HAND, Value::Bool(false)) => {}
            (BY_HAND, _) => input.fault(&field, "read_only", "can not be set"),
            _ => input.fault(&field, "unknown_field", "is not known here"),
        }
    }
    SudoChange::Lists { commands, commands_without_password }
}

fn commands(input: &mut Input, list: SudoList, value: Value) -> Vec<SudoCommand> {
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            input.fault(&format!("{FIELD}.{}", list.name()), "wrong_type", "has to be a list of strings");
            return Vec::new();
        }
    };
    items.into_iter().enumerate().filter_map(|(index, item)| command(input, (list, index), item)).collect()
}

fn command(input: &mut Input, (list, index): (SudoList, usize), item: Value) -> Option<SudoCommand> {
    let Value::String(command) = item else {
        input.fault(&format!("{FIELD}.{}[{index}]", list.name()), "wrong_type", "has to be a string");
        return None;
    };
    let checked = SudoCommand::new(command.as_str());
    let problem = |fault| Problem::SudoCommand(SudoProblem { list, index, command, fault });
    input.checked(Field::Sudo, checked.map_err(problem))
}
