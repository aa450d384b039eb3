//! Words for what keeps keys from counting, and what to do about it: the same in every dialect.

use accountd_protocol::key_advice::{KeyAdvice, KeyFault, RepairFault, Writers};

pub fn text(advice: &KeyAdvice) -> String {
    let path = &advice.path;
    match &advice.fault {
        KeyFault::NoHome => {
            format!("{path} does not exist: there is no place for keys; create it or choose another home directory.")
        }
        KeyFault::Unreachable => {
            format!("{path} cannot be entered or read by the user: keys are refused; let its owner read and enter it.")
        }
        KeyFault::Linked => format!("{path} is a symbolic link: keys are refused; put what it leads to in its place."),
        KeyFault::NotADirectory => format!("{path} is not a directory: keys are refused; replace it by one."),
        KeyFault::NotAFile => format!("{path} is not a regular file: keys are refused; remove it."),
        KeyFault::WrongOwner { owner, user } => {
            format!("{path} belongs to uid {owner}: keys are refused; change its owner to uid {user}.")
        }
        KeyFault::Writable { by, mode, wanted } => format!(
            "{path} is writable by {} (mode {mode:04o}): keys are refused; remove the permission with mode {wanted:04o}.",
            writers(*by)
        ),
        KeyFault::TooLarge { max } => format!("{path} is longer than {max} bytes: keys are refused; shorten it."),
        KeyFault::Line { line, reason } => format!("line {line} of {path} lets nobody in: {reason}."),
        KeyFault::NoKey => format!("{path} has no line that is a public key: write the keys again."),
    }
}

fn writers(by: Writers) -> &'static str {
    match by {
        Writers::Group => "its group",
        Writers::Others => "everybody",
        Writers::Both => "its group and everybody",
    }
}

/// Why a repair was not made.
pub fn not_repairable(path: &str, fault: &RepairFault) -> String {
    match fault {
        RepairFault::OwnedBy(name) => format!("{path} belongs to \"{name}\" and was not changed."),
        RepairFault::OtherNames => format!("{path} has other names (hard links) and was not changed."),
        RepairFault::Exposed => {
            format!("{path} lies in a directory that others than root can change and was not changed.")
        }
    }
}
