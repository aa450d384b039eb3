//! An account file as its numbered lines, each looked at once for all checks.

use std::collections::HashMap;

use accountd_protocol::checks::CheckedObject;

use crate::database::{FileKind, View};

/// The lines of one file.
#[derive(Debug)]
pub struct Sheet<'a> {
    pub kind: FileKind,
    pub rows: Vec<Row<'a>>,
    /// The line that counts for each name.
    first: HashMap<&'a str, &'a [u8]>,
}

#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Counted from 1.
    pub number: usize,
    pub line: &'a [u8],
    /// The name that programs find the line by; `None` where it is no entry.
    pub name: Option<&'a str>,
    /// Whether it is the first line of its name: only that counts.
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    First,
    /// Another line of the same name comes before it.
    Behind,
}

impl<'a> Sheet<'a> {
    pub fn of(view: &'a View, kind: FileKind) -> Self {
        let (mut first, mut rows, mut number) = (HashMap::new(), Vec::new(), 1);
        for line in view.file(kind).lines() {
            let name = kind.key(line);
            let is_behind = name.is_some_and(|name| first.contains_key(name));
            let standing = if is_behind { Standing::Behind } else { Standing::First };
            if let Some(name) = name.filter(|_| !is_behind) {
                first.insert(name, line);
            }
            rows.push(Row { number, line, name, standing });
            // An alias can go over several lines.
            number += 1 + line.iter().filter(|byte| **byte == b'\n').count();
        }
        Self { kind, rows, first }
    }

    /// The lines that count, with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &Row<'a>)> {
        let first = self.rows.iter().filter(|row| row.standing == Standing::First);
        first.filter_map(|row| Some((row.name?, row)))
    }

    /// The line that counts for a name.
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.first.get(name).copied()
    }

    /// What a finding in a line is about.
    pub fn object(&self, row: &Row<'_>) -> CheckedObject {
        CheckedObject { line: Some(row.number), name: row.name.map(str::to_owned), ..file(self.kind) }
    }
}

impl<'a> Row<'a> {
    /// A field, as it stands there; empty where there is none.
    pub fn field(&self, field: usize) -> &'a [u8] {
        self.line.split(|byte| *byte == b':').nth(field).unwrap_or_default()
    }

    /// The names of a comma-separated field. Empty ones count too, but not that of an empty field.
    pub fn names(&self, field: usize) -> impl Iterator<Item = &'a [u8]> {
        let field = Some(self.field(field)).filter(|field| !field.is_empty());
        field.into_iter().flat_map(|field| field.split(|byte| *byte == b','))
    }

    /// How many fields there are.
    pub fn length(&self) -> usize {
        self.line.iter().filter(|byte| **byte == b':').count() + 1
    }
}

/// A decimal number and nothing else.
pub fn decimal<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// A field for people.
pub fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).escape_debug().to_string()
}

/// A finding about a whole file.
pub fn file(kind: FileKind) -> CheckedObject {
    let path = match kind.place() {
        ("", name) => format!("/etc/{name}"),
        (directory, name) => format!("/etc/{directory}/{name}"),
    };
    CheckedObject { file: path, ..CheckedObject::default() }
}
