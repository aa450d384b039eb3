//! Problems of the API (RFC 9457), in the words of the command line: a field is the flag that it was
//! given with.

use std::fmt;

use serde::Deserialize;

use crate::error::Status;

/// How fields of the API are called in a command: all that is not `--` and the field's own name.
pub type Flags = &'static [(&'static str, &'static str)];

#[derive(Clone, Debug, Deserialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub errors: Vec<Fault>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    pub field: String,
    pub message: String,
}

/// A request that was refused. Nothing has been changed, but for the few kinds that say otherwise.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What was to be done, as in "add user anna".
    pub doing: String,
    pub problem: Problem,
    pub flags: Flags,
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { doing, problem, .. } = self;
        write!(out, "cannot {doing}: {}", problem.title)?;
        // The detail of faults is their list; beside that it says what the title does not.
        if problem.errors.is_empty() && problem.kind == "not-found" {
            write!(out, " ({})", problem.detail.trim_end_matches('.'))?;
        }
        Ok(())
    }
}

impl Refused {
    pub fn status(&self) -> Status {
        match self.problem.status {
            401 | 403 => Status::NotPermitted,
            // The agent behind it does not answer.
            503 => Status::NotReachable,
            _ => Status::Failed,
        }
    }

    /// Whether it was about another state of the resource.
    pub fn is_stale(&self) -> bool {
        self.problem.status == 412
    }

    /// A line for each field, by its flag.
    pub fn faults(&self) -> impl Iterator<Item = String> {
        self.problem.errors.iter().map(|fault| format!("{} {}", called(&fault.field, self.flags), fault.message))
    }

    /// Items of a list are called by their number among those that were given: `given` has that of each
    /// item that was sent, and nothing of one that was there already, which is called `present`.
    pub fn renumber(&mut self, list: &str, given: &[Option<usize>]) {
        for Fault { field, .. } in &mut self.problem.errors {
            let index =
                field.strip_prefix(list).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
            match index.and_then(|index: usize| given.get(index)) {
                Some(Some(number)) => *field = format!("{list}[{number}]"),
                Some(None) => *field = "present".to_owned(),
                None => {}
            }
        }
    }

    pub fn next(&self) -> String {
        let next = match self.problem.kind.as_str() {
            "unauthenticated" => "Nothing has been changed. Check the name and the password, or the token.",
            "not-permitted" => {
                "Nothing has been changed. Ask an administrator, or be one: accountctl role list shows who has a role."
            }
            "too-many-failures" => {
                "Nothing has been looked at. Wait, or have an administrator lift it: accountctl ban list shows what there is."
            }
            "password-expired" => "Nothing has been changed. Set a new one with accountctl user passwd.",
            "not-found" => "Nothing has been changed. The verb list shows what there is; digits alone are an id.",
            "conflict" => "Nothing has been changed. Choose something else, or change first what is in the way.",
            "invalid-values" | "invalid-query" => "Nothing has been changed. Correct this; --help explains each flag.",
            "builtin" => "Nothing has been changed. A built-in account can be locked instead.",
            "last-administrator" => "Nothing has been changed. Make somebody else an administrator first.",
            "precondition-failed" => "Nothing has been changed. Look at it again, and decide anew.",
            "busy" => "Nothing has been changed. Another program is changing accounts; call again in a moment.",
            "no-space" => "Nothing has been changed. Make room on the file system of the account files.",
            "unavailable" | "internal" => "Look whether a change has been made, and what the log of accountd says.",
            _ => return self.problem.detail.clone(),
        };
        next.to_owned()
    }
}

/// `home_mode` is `--home-mode`; `keys[2]` is the third of the flag that `keys` has, and `[2].uid` is in the
/// third item.
fn called(field: &str, flags: Flags) -> String {
    if let Some((index, field)) = field.strip_prefix('[').and_then(|field| field.split_once(']')) {
        let number = index.parse::<usize>().map_or_else(|_| index.to_owned(), |index| (index + 1).to_string());
        return format!(
            "item {number}:{}",
            field.strip_prefix('.').map(|field| format!(" {field}")).unwrap_or_default()
        );
    }
    let (name, place) = match field.strip_suffix(']').and_then(|field| field.rsplit_once('[')) {
        Some((name, index)) => (name, index.parse::<usize>().ok().map(|index| format!(" (number {})", index + 1))),
        None => (field, None),
    };
    let known = flags.iter().find(|(known, _)| *known == name).map(|(_, flag)| (*flag).to_owned());
    let flag = known.unwrap_or_else(|| format!("--{}", name.replace('_', "-")));
    flag + &place.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_called_by_its_flag() {
        let flags: Flags = &[("username", "NAME"), ("keys", "--key")];
        assert_eq!(called("home_mode", flags), "--home-mode");
        assert_eq!(called("username", flags), "NAME");
        assert_eq!(called("keys[2]", flags), "--key (number 3)");
        assert_eq!(called("keys[x]", flags), "--key");
        let fault = |field: &str| Fault { field: field.into(), message: String::new() };
        let errors = vec![fault("keys[0]"), fault("keys[2]"), fault("keys"), fault("keys[9]")];
        let problem = Problem { kind: String::new(), title: String::new(), status: 422, detail: String::new(), errors };
        let mut refused = Refused { doing: String::new(), problem, flags };
        refused.renumber("keys", &[None, Some(0), Some(1)]);
        let fields: Vec<&str> = refused.problem.errors.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["present", "keys[1]", "keys", "keys[9]"]);
        assert_eq!((called("[2].uid", flags), called("[0]", flags)), ("item 3: uid".into(), "item 1:".into()));
    }
}
