//! An account file as its numbered lines, each looked at once for all checks.

use accountd_protocol::checks::CheckedObject;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use memchr::memchr_iter;

use crate::database::{FileKind, View};

/// The lines of one file.
#[derive(Debug)]
pub struct Sheet<'a> {
    pub kind: FileKind,
    pub rows: Vec<Row<'a>>,
    /// Where the line that counts for each name is among the rows.
    first: HashMap<&'a str, usize>,
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
    fields: Fields,
}

/// No file has more of them; a line that has is looked at only for how many it has.
const MOST_FIELDS: usize = 9;

/// Where the fields of a line are that colons separate, found once for all who ask.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    count: usize,
    ends: [u32; MOST_FIELDS],
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
                    free.insert(rows.len());
                    Standing::First
                }
                None => Standing::First,
            };
            rows.push(Row { number, line, name, standing, fields: Fields::of(line) });
            // An alias can go over several lines.
            number += 1 + if kind == FileKind::Aliases { memchr_iter(b'\n', line).count() } else { 0 };
        }
        Self { kind, rows, first }
    }

    /// The lines that count, with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, &Row<'a>)> {
        let first = self.rows.iter().filter(|row| row.standing == Standing::First);
        first.filter_map(|row| Some((row.name?, row)))
    }

    /// The line that counts for a name.
    pub fn first(&self, name: &str) -> Option<&Row<'a>> {
        self.rows.get(*self.first.get(name)?)
    }

    /// What a finding in a line is about.
    pub fn object(&self, row: &Row<'_>) -> CheckedObject {
        CheckedObject { line: Some(row.number), name: row.name.map(str::to_owned), ..file(self.kind) }
    }
}

impl<'a> Row<'a> {
    /// A field, as it stands there; empty where there is none.
    pub fn field(&self, field: usize) -> &'a [u8] {
        if field >= self.fields.count {
            return &[];
        }
        let end = |field: usize| self.fields.ends.get(field).map(|end| *end as usize);
        let begin = field.checked_sub(1).map_or(Some(0), |before| Some(end(before)? + 1));
        begin.zip(end(field)).and_then(|(begin, end)| self.line.get(begin..end)).unwrap_or_default()
    }

    /// The names of a comma-separated field. Empty ones count too, but not that of an empty field.
    pub fn names(&self, field: usize) -> impl Iterator<Item = &'a [u8]> {
        let field = Some(self.field(field)).filter(|field| !field.is_empty());
        field.into_iter().flat_map(|field| field.split(|byte| *byte == b','))
    }

    /// How many fields there are.
    pub fn length(&self) -> usize {
        self.fields.count
    }
}

impl Fields {
    fn of(line: &[u8]) -> Self {
        let mut fields = Self::default();
        for end in memchr_iter(b':', line).chain([line.len()]) {
            if let (Some(place), Ok(end)) = (fields.ends.get_mut(fields.count), u32::try_from(end)) {
                *place = end;
            }
            fields.count += 1;
        }
        fields
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
