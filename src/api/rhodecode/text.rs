//! JSON as Python spells it: a blank behind commas and colons, and nothing but ASCII.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

pub fn text(content: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    // Writing to memory can't fail, and every key is a string.
    let _ = content.serialize(&mut Serializer::with_formatter(&mut bytes, Python));
    String::from_utf8(bytes).unwrap_or_default()
}

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            match c {
                ' '..='~' => writer.write_all(&[c as u8])?,
                _ => c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(writer, "\\u{unit:04x}"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_not_ascii_is_escaped_as_utf_16() {
        let content = json!({"a": ["ä\n\"", "\u{1F600}\u{7f}", 1, null], "é": true});
        let expected = r#"{"a": ["\u00e4\n\"", "\ud83d\ude00\u007f", 1, null], "\u00e9": true}"#;
        assert_eq!(super::text(&content), expected);
    }
}
