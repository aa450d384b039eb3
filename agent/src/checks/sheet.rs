//! An account file as its numbered lines, each looked at once for all checks.

use accountd_protocol::checks::CheckedObject;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use memchr::{memchr, memchr_iter};

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
        let lines: Vec<&[u8]> = view.file(kind).lines().collect();
        let (mut first, mut rows, mut number) =
            (HashMap::with_capacity(lines.len()), Vec::with_capacity(lines.len()), 1);
        for line in lines {
            let name = kind.key(line);
            let standing = match name.map(|name| first.entry(name)) {
                Some(Entry::Occupied(_)) => Standing::Behind,
                Some(Entry::Vacant(free)) => {
                    free.insert(line);
                    Standing::First
                }
                None => Standing::First,
            };
            rows.push(Row { number, line, name, standing });
            // An alias can go over several lines.
            number += 1 + memchr_iter(b'\n', line).count();
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
        let begin = field.checked_sub(1).map_or(Some(0), |before| Some(memchr_iter(b':', self.line).nth(before)? + 1));
        let rest = begin.and_then(|begin| self.line.get(begin..)).unwrap_or_default();
        rest.get(..memchr(b':', rest).unwrap_or(rest.len())).unwrap_or_default()
    }

    /// The names of a comma-separated field. Empty ones count too, but not that of an empty field.
    pub fn names(&self, field: usize) -> impl Iterator<Item = &'a [u8]> {
        let field = Some(self.field(field)).filter(|field| !field.is_empty());
        field.into_iter().flat_map(|field| field.split(|byte| *byte == b','))
    }

    /// How many fields there are.
    pub fn length(&self) -> usize {
        memchr_iter(b':', self.line).count() + 1
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
