//! `accountctl user import`: many users from a file, in one request.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;
use zeroize::Zeroizing;

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::Repeatable;
use crate::follow;
use crate::outcome;
use crate::output::{Format as Printed, plain};
use crate::path::query;
use crate::session::Session;

/// Stands for standard input.
const STDIN: &str = "-";
/// One more than the API takes: it says so itself.
const MOST_BYTES: u64 = 16 * 1024 * 1024 + 1;

#[derive(Clone, Debug, clap::Args)]
pub struct Import {
    /// Table (CSV) or list (JSON) of users; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What is in the file, where its name does not end so
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Each by itself, instead of all or none
    #[arg(long)]
    best_effort: bool,
    /// Look at everything, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repeatable: Repeatable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Csv,
    Json,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        match () {
            () if ending.eq_ignore_ascii_case("csv") => Some(Format::Csv),
            () if ending.eq_ignore_ascii_case("json") => Some(Format::Json),
            () => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv",
            Format::Json => "application/json",
        }
    }
}

impl Import {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        let format = self.format.or_else(|| Format::of(&self.file)).ok_or_else(|| Error::Usage {
            what: format!("{}: is it a table or a list?", self.file.display()),
            next: "Say it with --format csv or --format json.",
        })?;
        let text = read(&self.file)?;
        let names = names(format, &text);
        if !self.dry_run && asks_for_passwords(format, &text) {
            session.output.shows_all()?;
        }
        let flags = [("atomic", !self.best_effort), ("dry_run", self.dry_run)];
        let path = format!("/users:batch{}", query(&flags.map(|(name, is_so)| (name, is_so.to_string()))));
        let request = Request::post_text(path, "import users", (format.media_type(), text));
        let answer = session.client.send(&request.idempotency_key(self.repeatable.idempotency_key))?;
        let (result, judgement) = finished(session, answer)?;
        if session.output.format == Printed::Json {
            session.output.json(&Answer { text: result.to_string(), tag: None })?;
        } else {
            outcome::show(session, &result, &names)?;
        }
        if self.dry_run {
            session.output.note("Nothing has been changed: it was tried only.");
        }
        judgement
    }
}

/// What came of it, once it is over, and whether all of it was done.
fn finished(session: &Session, answer: Answer) -> Result<(Value, Result<(), Error>), Error> {
    let begun = answer.value();
    let Some(id) = begun["id"].as_str() else {
        let refused = begun["refused"].as_u64().unwrap_or_default();
        return Ok((begun, if refused > 0 { Err(Error::NotAllDone) } else { Ok(()) }));
    };
    let mut job = follow::to_its_end(session, id)?.value();
    let judgement = follow::judged(&job, "import users".to_owned());
    Ok((job["result"].take(), judgement))
}

fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::new());
    if path == Path::new(STDIN) {
        io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    } else {
        File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text)).map_err(failed)?;
    }
    Ok(text)
}

/// What the items are called. Where the file is not understood there are none: the API says why.
fn names(format: Format, text: &str) -> Vec<String> {
    match format {
        Format::Json => {
            let items: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
            items
                .iter()
                .map(|item| plain(if item["username"].is_null() { &item["user"] } else { &item["username"] }))
                .collect()
        }
        Format::Csv => {
            let mut table = csv::Reader::from_reader(text.as_bytes());
            let Ok(fields) = table.headers().cloned() else { return Vec::new() };
            let columns: Vec<usize> =
                ["username", "user"].iter().filter_map(|name| fields.iter().position(|field| field == *name)).collect();
            let lines = table.records().map_while(Result::ok);
            let name = |line: csv::StringRecord| {
                let mut cells = columns.iter().filter_map(|column| line.get(*column));
                cells.find(|cell| !cell.is_empty()).unwrap_or_default().to_owned()
            };
            lines.map(name).collect()
        }
    }
}

/// Whether some item is to have a password that is made.
fn asks_for_passwords(format: Format, text: &str) -> bool {
    const FIELD: &str = "random_password";
    match format {
        Format::Json => {
            let items: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
            items.iter().any(|item| item[FIELD] == true)
        }
        Format::Csv => {
            let mut table = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
            let place = table.headers().ok().and_then(|fields| fields.iter().position(|name| name.trim() == FIELD));
            let Some(place) = place else { return false };
            table.records().map_while(Result::ok).any(|line| line.get(place).is_some_and(|cell| cell == "true"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_ends_with() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(
            (of("a.csv"), of("a.JSON"), of("a"), of("a.txt"), of("-")),
            (Some(Format::Csv), Some(Format::Json), None, None, None)
        );
    }

    #[test]
    fn a_file_asks_for_passwords_by_one_field() {
        let table =
            |cell: &str| asks_for_passwords(Format::Csv, &format!("\u{feff}random_password,username\n{cell},anna\n"));
        assert_eq!((table("true"), table("false"), table("")), (true, false, false));
        assert!(!asks_for_passwords(Format::Csv, "username\ntrue\n"));
        let list =
            |value: &str| asks_for_passwords(Format::Json, &format!(r#"[{{}}, {{"random_password": {value}}}]"#));
        assert_eq!((list("true"), list("false"), list("null")), (true, false, false));
    }

    #[test]
    fn items_are_called_by_their_names() {
        let table = "op,user,username\ncreate,,anna\nupdate,berta,\n";
        assert_eq!(names(Format::Csv, table), ["anna", "berta"]);
        assert_eq!(names(Format::Csv, "full_name,username\n\"A, B\",anna\n"), ["anna"]);
        let list = r#"[{"op": "create", "username": "anna"}, {"op": "delete", "user": 12}, {}]"#;
        assert_eq!(names(Format::Json, list), ["anna", "12", ""]);
        assert_eq!(names(Format::Json, "rubbish"), Vec::<String>::new());
    }
}
