//! A table of CSV (RFC 4180) as the items of a batch: the first line names the fields, each other
//! line is an item. An empty cell says nothing of its field.

use serde_json::{Map, Value, json};

use super::error::Error;
use super::faults::Fault;
use super::listing::{boolean, number};

/// What the cells of a column stand for. What is none of it is left as it is, for the field itself
/// to be refused by.
fn value(column: &str, cell: &str) -> Value {
    let text = || json!(cell);
    match column {
        "uid" | "gid" | "min_days" | "max_days" | "warn_days" | "inactive_days" => {
            number::<u64>(cell).map_or_else(text, |number| json!(number))
        }
        "locked" | "password_disabled" | "sudo" | "microsoft_account" | "must_change" | "delete_home"
        | "random_password" => boolean(cell).map_or_else(text, |boolean| json!(boolean)),
        "user" => number::<u64>(cell).map_or_else(text, |id| json!(id)),
        "groups" => json!(cell.split_ascii_whitespace().collect::<Vec<_>>()),
        "keys" => json!(cell.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>()),
        _ => text(),
    }
}

/// One object for each line but the first. Without a column `op`, all of them are to be made.
pub fn objects(body: &[u8]) -> Result<Vec<Map<String, Value>>, Error> {
    // Spreadsheets begin with the mark.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let mut table = csv::ReaderBuilder::new().from_reader(body);
    let columns = table.headers().map_err(|error| malformed(body, &error))?.clone();
    if let Some(twice) = twice(&columns) {
        let message = "is the name of two columns";
        return Err(Error::Fields(vec![Fault::new(twice.escape_debug().to_string(), "duplicate", message)]));
    }
    let line = |line: csv::Result<csv::StringRecord>| {
        let line = line.map_err(|error| malformed(body, &error))?;
        let cells = columns.iter().zip(line.iter()).filter(|(_, cell)| !cell.is_empty());
        let mut object: Map<String, Value> =
            cells.map(|(column, cell)| (column.trim().to_owned(), value(column.trim(), cell))).collect();
        object.entry("op").or_insert_with(|| json!("create"));
        Ok(object)
    };
    table.records().map(line).collect()
}

fn twice(columns: &csv::StringRecord) -> Option<&str> {
    let (index, _) =
        columns.iter().enumerate().find(|(index, column)| columns.iter().take(*index).any(|c| c == *column))?;
    columns.get(index)
}

/// Not the reader's own words: they may repeat what was sent.
fn malformed(body: &[u8], error: &csv::Error) -> Error {
    let place = error.position().and_then(|place| usize::try_from(place.byte()).ok());
    let place = place.map_or_else(String::new, |begin| format!(" (line {})", line_of(body, begin)));
    let reason = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8",
        csv::ErrorKind::UnequalLengths { .. } => "has a line with more or fewer cells than the first",
        _ => "is not CSV",
    };
    Error::Malformed(format!("The table {reason}{place}."))
}

/// The line that a record begins in, counted from 1. The reader's own count is one behind where
/// lines end with CR LF, and a record may begin for it with what ends the one before.
fn line_of(body: &[u8], begin: usize) -> usize {
    let (before, record) = body.split_at(begin.min(body.len()));
    let ends = record.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    1 + before.iter().chain(ends).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        objects(text.as_bytes()).map_or_else(|error| error.problem()["detail"].clone(), |objects| json!(objects))
    }

    #[test]
    fn each_line_is_an_object_of_the_cells_that_are_not_empty() {
        let table =
            "\u{feff}username,uid,groups,locked,full_name\r\nanna,3001,a b,true,\"Anna, \"\"A\"\"\"\nberta,,,,\n";
        let expected = json!([
            {"op": "create", "username": "anna", "uid": 3001, "groups": ["a", "b"], "locked": true, "full_name": "Anna, \"A\""},
            {"op": "create", "username": "berta"},
        ]);
        assert_eq!(read(table), expected);
        let table = "op,user,delete_home\nupdate,7,\ndelete,anna,true\n";
        let expected = json!([{"op": "update", "user": 7}, {"op": "delete", "user": "anna", "delete_home": true}]);
        assert_eq!(read(table), expected);
    }

    #[test]
    fn what_is_no_number_stays_a_text_for_its_field_to_refuse() {
        assert_eq!(read("username,uid\nanna,x\n"), json!([{"op": "create", "username": "anna", "uid": "x"}]));
    }

    #[test]
    fn a_table_that_can_not_be_meant_is_refused_with_its_line() {
        assert_eq!(
            read("a,b\n1,2\n1\n"),
            json!("The table has a line with more or fewer cells than the first (line 3).")
        );
        assert!(read("a,b\r\n1,2\r\n1\r\n").as_str().unwrap().ends_with("(line 3)."));
        assert!(read("a,b\r\n\"1\r\n\",2\r\n\r\n1\r\n").as_str().unwrap().ends_with("(line 5)."));
        assert_eq!(read("a,a\n1,2\n"), json!("a is the name of two columns."));
        assert!(objects(b"a\n\xff\n").is_err());
    }
}
