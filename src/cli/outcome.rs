//! What came of each item of many, as lines.

use serde_json::{Value, json};

use crate::error::Error;
use crate::output::{Format, Output, Rows, Shape, as_it_is, items, plain};
use crate::session::Session;

const COLUMNS: &[&str] = &["item", "name", "outcome", "id", "reason"];
const WITH_PASSWORDS: &[&str] = &["item", "name", "outcome", "id", "password", "reason"];

/// `names` are those of the items, as far as they are known. Ids alone are those of what was done.
pub fn show(session: &Session, result: &Value, names: &[String]) -> Result<(), Error> {
    let line = |item: &Value| {
        let index = item["index"].as_u64().unwrap_or_default();
        let name = usize::try_from(index).ok().and_then(|index| names.get(index));
        json!({
            "item": index + 1,
            "name": name,
            "outcome": plain(&item["outcome"]).replace('_', " "),
            "id": item["id"],
            "password": item["password"],
            "reason": reason(&item["problem"]),
        })
    };
    let lines = items(result, "items").iter().map(line);
    let is_called = |line: &Value| session.output.format != Format::Ids || !line["id"].is_null();
    let passwords = Passwords::of(result);
    let columns = if passwords == Passwords::Said { WITH_PASSWORDS } else { COLUMNS };
    let shape = Shape { id: "id", columns, fields: columns, present: as_it_is };
    Rows::new(passwords.whole(session.output), shape, columns).page(&lines.filter(is_called).collect::<Vec<_>>())?;
    passwords.note(session.output);
    Ok(())
}

/// Whether passwords were made for some of the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passwords {
    None,
    /// And are in this answer.
    Said,
    /// And were in an earlier one, or are in none.
    Unsaid,
}

impl Passwords {
    fn of(result: &Value) -> Self {
        let passwords = || items(result, "items").iter().filter_map(|item| item.get("password"));
        if passwords().any(|password| !password.is_null()) {
            return Passwords::Said;
        }
        if passwords().next().is_some() { Passwords::Unsaid } else { Passwords::None }
    }

    /// A password that is cut is lost.
    fn whole(self, output: Output) -> Output {
        match (self, output.format) {
            (Passwords::Said, Format::Columns(_)) => Output { format: Format::Columns(usize::MAX) },
            (Passwords::Said | Passwords::None | Passwords::Unsaid, _) => output,
        }
    }

    fn note(self, output: Output) {
        match self {
            Passwords::None => {}
            Passwords::Said => output.note("The passwords are shown this once, and nowhere else."),
            Passwords::Unsaid => output.note("Passwords were made, and are not shown again: have others made."),
        }
    }
}

/// The faults of a problem, or what it is about as a whole.
fn reason(problem: &Value) -> String {
    let faults: Vec<String> = items(problem, "errors")
        .iter()
        .map(|fault| format!("{} {}", plain(&fault["field"]), plain(&fault["message"])))
        .collect();
    if faults.is_empty() { plain(&problem["title"]) } else { faults.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_said_not_said_again_or_not_made() {
        let of = |items: Value| Passwords::of(&json!({"items": items}));
        assert_eq!(of(json!([{"index": 0, "password": null}, {"index": 1, "password": "pw"}])), Passwords::Said);
        assert_eq!(of(json!([{"index": 0, "password": null}, {"index": 1}])), Passwords::Unsaid);
        assert_eq!(of(json!([{"index": 1}])), Passwords::None);
        let narrow = Output { format: Format::Columns(20) };
        assert_eq!(Passwords::Said.whole(narrow).format, Format::Columns(usize::MAX));
        assert_eq!(Passwords::None.whole(narrow).format, Format::Columns(20));
    }

    #[test]
    fn a_reason_names_the_fields() {
        let fault = |field: &str| json!({"field": field, "code": "c", "message": "is no good"});
        assert_eq!(
            reason(&json!({"title": "T", "errors": [fault("uid"), fault("home")]})),
            "uid is no good; home is no good"
        );
        assert_eq!(reason(&json!({"title": "T", "errors": []})), "T");
        assert_eq!(reason(&Value::Null), "");
    }
}
