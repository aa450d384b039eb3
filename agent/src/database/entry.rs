//! The fields of one line: passwd(5), shadow(5), group(5), gshadow(5).
//!
//! Read by position; an edited line keeps every field that was not touched, unknown trailing
//! ones too.

use super::file::Line;

/// A line as its colon-separated fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    fields: Vec<Vec<u8>>,
}

/// Field numbers of passwd(5).
pub mod passwd {
    pub const NAME: usize = 0;
    pub const PASSWORD: usize = 1;
    pub const UID: usize = 2;
    pub const GID: usize = 3;
    pub const GECOS: usize = 4;
    pub const HOME: usize = 5;
    pub const SHELL: usize = 6;
}

/// Field numbers of shadow(5).
pub mod shadow {
    pub const NAME: usize = 0;
    pub const PASSWORD: usize = 1;
    pub const LAST_CHANGE: usize = 2;
    pub const MIN: usize = 3;
    pub const MAX: usize = 4;
    pub const WARN: usize = 5;
    pub const INACTIVE: usize = 6;
    pub const EXPIRE: usize = 7;
}

/// Field numbers of group(5).
pub mod group {
    pub const NAME: usize = 0;
    pub const GID: usize = 2;
    pub const MEMBERS: usize = 3;
}

/// Field numbers of gshadow(5).
pub mod gshadow {
    pub const NAME: usize = 0;
    pub const PASSWORD: usize = 1;
    pub const ADMINISTRATORS: usize = 2;
    pub const MEMBERS: usize = 3;
}

impl Entry {
    pub fn parse(line: &[u8]) -> Self {
        Self { fields: line.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect() }
    }

    pub fn line(&self) -> Line {
        Line::from(self.fields.join(&b':'))
    }

    /// The bytes of a field; empty when the line is too short.
    pub fn bytes(&self, field: usize) -> &[u8] {
        self.fields.get(field).map(Vec::as_slice).unwrap_or_default()
    }

    /// A field for showing: U+FFFD where it is not UTF-8.
    pub fn text(&self, field: usize) -> String {
        String::from_utf8_lossy(self.bytes(field)).into_owned()
    }

    /// A field as a decimal number; `None` when it is empty or anything else.
    pub fn number<T: std::str::FromStr>(&self, field: usize) -> Option<T> {
        decimal(self.bytes(field))
    }

    /// How many fields there are.
    pub fn length(&self) -> usize {
        self.fields.len()
    }

    pub fn set(&mut self, field: usize, value: &str) {
        self.set_bytes(field, value.as_bytes());
    }

    pub fn set_bytes(&mut self, field: usize, value: &[u8]) {
        if self.fields.len() <= field {
            self.fields.resize(field + 1, Vec::new());
        }
        if let Some(place) = self.fields.get_mut(field) {
            *place = value.to_vec();
        }
    }

    /// The names of a comma-separated field.
    pub fn names(&self, field: usize) -> Vec<String> {
        names_in(self.bytes(field))
    }

    pub fn set_names(&mut self, field: usize, names: &[String]) {
        self.set(field, &names.join(","));
    }
}

/// uid and gid of a passwd(5) line; `None` when one of them is not a number.
pub fn ids(line: &[u8]) -> Option<(u32, u32)> {
    let mut fields = line.split(|byte| *byte == b':').skip(2);
    Some((decimal(fields.next()?)?, decimal(fields.next()?)?))
}

/// uid of a passwd(5) line or gid of a group(5) line, without looking at the fields behind it.
pub fn number_of(line: &[u8]) -> Option<u32> {
    decimal(line.split(|byte| *byte == b':').nth(2)?)
}

fn decimal<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(field).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// gid and members of a group(5) line; `None` when the gid is not a number.
pub fn group_of(line: &[u8]) -> Option<(u32, Vec<String>)> {
    let mut fields = line.split(|byte| *byte == b':').skip(group::GID);
    Some((decimal(fields.next()?)?, names_in(fields.next().unwrap_or_default())))
}

/// Everybody whom a gshadow(5) line names.
pub fn shadowing(line: &[u8]) -> impl Iterator<Item = String> {
    let fields = line.split(|byte| *byte == b':').skip(gshadow::ADMINISTRATORS).take(2);
    fields.flat_map(names_in)
}

fn names_in(field: &[u8]) -> Vec<String> {
    let names = field.split(|byte| *byte == b',').filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_line_keeps_the_other_fields() {
        let mut entry = Entry::parse(b"anna:x:1:2:\xff:/:/bin/sh:odd:\r");
        entry.set(passwd::UID, "7");
        assert_eq!(&*entry.line(), b"anna:x:7:2:\xff:/:/bin/sh:odd:\r");
    }

    #[test]
    fn only_decimal_digits_are_numbers() {
        assert_eq!(ids(b"a:x:1000:1001::/:"), Some((1000, 1001)));
        for line in ["a:x::1::/:", "a:x:-1:1::/:", "a:x:0x10:1::/:", "a:x:4294967296:1::/:", "a:x"] {
            assert_eq!(ids(line.as_bytes()), None, "{line}");
        }
        assert_eq!(Entry::parse(b"a:+5").number::<u32>(1), None);
    }

    #[test]
    fn members_come_without_empty_names() {
        assert_eq!(group_of(b"g:x:5:a,,b,").unwrap(), (5, vec!["a".to_string(), "b".into()]));
    }
}
