//! What came of each item of many, as lines.

use serde_json::{Value, json};

use crate::error::Error;
use crate::output::{Format, Rows, Shape, as_it_is, items, plain};
use crate::session::Session;

const COLUMNS: &[&str] = &["item", "name", "outcome", "id", "reason"];
const SHAPE: Shape = Shape { id: "id", columns: COLUMNS, fields: COLUMNS, present: as_it_is };

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
            "reason": reason(&item["problem"]),
        })
    };
    let lines = items(result, "items").iter().map(line);
    let is_called = |line: &Value| session.output.format != Format::Ids || !line["id"].is_null();
    Rows::new(session.output, SHAPE, COLUMNS).page(&lines.filter(is_called).collect::<Vec<_>>())
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
