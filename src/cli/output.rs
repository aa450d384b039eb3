//! What a command prints: columns for people at a terminal, fields between tabs for programs, the
//! API's JSON, or ids alone.

use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value};

use crate::client::Answer;
use crate::error::Error;
use crate::table::{self, Table};
use crate::text::{harmless, harmless_json, one_field};

/// Where a terminal does not say how wide it is.
const USUAL_WIDTH: usize = 80;
/// Columns that other commands take, beside the ids of shapes.
const NUMBERS: [&str; 4] = ["session", "number", "uid", "gid"];

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Presentation {
    /// Print the API's JSON
    #[arg(long, global = true, conflicts_with = "quiet")]
    pub json: bool,
    /// Print ids only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Agree beforehand to what would be asked
    #[arg(long, short, global = true)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal of so many columns.
    Columns(usize),
    Tabs,
    Json,
    Ids,
}

/// How objects of one kind are shown.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What an object is called by.
    pub id: &'static str,
    /// Columns of a list.
    pub columns: &'static [&'static str],
    /// The order of fields of a single object; others come behind.
    pub fields: &'static [&'static str],
    /// An object of the API as one with a simple value for each column; `None` keeps it out of a
    /// list.
    pub present: fn(&Value) -> Option<Value>,
}

#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub format: Format,
}

impl Output {
    pub fn new(presentation: &Presentation) -> Self {
        let format = match (presentation.json, presentation.quiet) {
            (true, _) => Format::Json,
            (false, true) => Format::Ids,
            (false, false) if io::stdout().is_terminal() => Format::Columns(width()),
            (false, false) => Format::Tabs,
        };
        Self { format }
    }

    pub fn write(&self, text: &str) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
    }

    /// A note beside the output, for people.
    pub fn note(&self, text: &str) {
        if !matches!(self.format, Format::Json | Format::Ids) {
            // Standard error may be gone; the output is what counts.
            let _ = writeln!(io::stderr(), "{}", harmless(text));
        }
    }

    /// A single object.
    pub fn object(&self, shape: &Shape, answer: &Answer) -> Result<(), Error> {
        let shown = (shape.present)(&answer.value()).unwrap_or_default();
        match self.format {
            Format::Json => self.json(answer),
            Format::Ids => self.ids(shape, &[answer.value()]),
            Format::Columns(_) => self.write(&table::fields(&self.named(shape, &shown))),
            Format::Tabs => {
                let named = self.named(shape, &shown);
                let lines: String = named.iter().map(|(name, value)| format!("{name}\t{value}\n")).collect();
                self.write(&lines)
            }
        }
    }

    /// A list that an answer has under a name.
    pub fn items(&self, shape: &Shape, answer: &Answer, name: &str) -> Result<(), Error> {
        if self.format == Format::Json {
            return self.json(answer);
        }
        let mut rows = Rows::new(*self, *shape, shape.columns);
        rows.page(items(&answer.value(), name))
    }

    /// Refuses to print ids alone where there is something that is said only once.
    pub fn shows_all(&self) -> Result<(), Error> {
        if self.format != Format::Ids {
            return Ok(());
        }
        Err(Error::Usage {
            what: "--quiet would not print what is said only once".into(),
            next: "Nothing has been changed. Leave --quiet out, or take --json.",
        })
    }

    pub fn json(&self, answer: &Answer) -> Result<(), Error> {
        if answer.text.is_empty() { Ok(()) } else { self.write(&format!("{}\n", harmless_json(&answer.text))) }
    }

    /// The tag of a resource, for `--if-match`.
    pub fn tag(&self, answer: &Answer) -> Result<(), Error> {
        self.write(&format!("{}\n", harmless(answer.tag.as_deref().unwrap_or_default())))
    }

    pub fn ids(&self, shape: &Shape, items: &[Value]) -> Result<(), Error> {
        let shown = items.iter().filter_map(shape.present);
        let lines: String = shown.map(|item| format!("{}\n", one_field(&plain(&item[shape.id])))).collect();
        self.write(&lines)
    }

    fn named(&self, shape: &Shape, object: &Value) -> Vec<(String, String)> {
        let empty = Map::new();
        let fields = object.as_object().unwrap_or(&empty);
        let others = fields.keys().filter(|name| !shape.fields.contains(&name.as_str()));
        let known = shape.fields.iter().copied().filter(|name| fields.contains_key(*name));
        let names = known.chain(others.map(String::as_str));
        names.map(|name| (one_field(name), self.cell(&fields[name]))).collect()
    }

    fn cell(&self, value: &Value) -> String {
        let text = plain(value);
        match self.format {
            Format::Columns(_) if text.is_empty() => "-".to_owned(),
            Format::Columns(_) | Format::Json | Format::Ids => harmless(&text),
            Format::Tabs => one_field(&text),
        }
    }
}

/// The lines of a list, page by page.
#[derive(Debug)]
pub struct Rows {
    output: Output,
    shape: Shape,
    columns: Vec<String>,
    table: Table,
}

impl Rows {
    pub fn new(output: Output, shape: Shape, columns: &[&str]) -> Self {
        let headings = columns.iter().map(|name| name.replace('_', " ").to_uppercase()).collect();
        let room = if let Format::Columns(room) = output.format { Some(room) } else { None };
        let ids = columns.iter().map(|name| *name == shape.id || NUMBERS.contains(name)).collect();
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        Self { output, shape, columns, table: Table::new(headings, ids, room) }
    }

    pub fn page(&mut self, items: &[Value]) -> Result<(), Error> {
        let lines = match self.output.format {
            Format::Ids => return self.output.ids(&self.shape, items),
            Format::Columns(_) => {
                let rows = self.rows(items);
                self.table.lines(&rows)
            }
            Format::Tabs | Format::Json => {
                self.rows(items).into_iter().map(|row| format!("{}\n", row.join("\t"))).collect()
            }
        };
        self.output.write(&lines)
    }

    fn rows(&self, items: &[Value]) -> Vec<Vec<String>> {
        let shown = items.iter().filter_map(self.shape.present);
        let row = |item: Value| self.columns.iter().map(|name| self.output.cell(&item[name.as_str()])).collect();
        shown.map(row).collect()
    }
}

/// The list that an answer has under a name.
pub fn items<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An object that is shown as it is.
pub fn as_it_is(object: &Value) -> Option<Value> {
    Some(object.clone())
}

/// A value in one line: nothing for null, `yes` and `no`, a comma between the items of a list.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(_) => value.to_string(),
    }
}

fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(USUAL_WIDTH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_one_line_for_people_and_for_programs() {
        let (people, programs) = (Output { format: Format::Columns(80) }, Output { format: Format::Tabs });
        let rows = [
            (json!(null), "-", ""),
            (json!(true), "yes", "yes"),
            (json!(["a", "b"]), "a,b", "a,b"),
            (json!([]), "-", ""),
            (json!("a\tb\\"), r"a\u{9}b\", r"a\tb\\"),
            (json!("\u{1b}[31m"), r"\u{1b}[31m", r"\u{1b}[31m"),
            (json!(7), "7", "7"),
        ];
        for (value, shown, field) in rows {
            assert_eq!((people.cell(&value).as_str(), programs.cell(&value).as_str()), (shown, field), "{value}");
        }
    }

    #[test]
    fn known_fields_come_in_their_order_and_new_ones_behind() {
        let shape = Shape { id: "id", columns: &[], fields: &["username", "id", "gone"], present: as_it_is };
        let named = Output { format: Format::Tabs }.named(&shape, &json!({"id": 1, "a_new_one": 2, "username": "u"}));
        let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["username", "id", "a_new_one"]);
    }
}
