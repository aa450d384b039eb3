//! JSON as this API has always spelled it: `", "` between items, `": "` after keys, UTF-8 as it is.
//! Keys are sorted by whoever builds the object (a `BTreeMap`).

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

pub fn text(content: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    // Writing to memory can't fail, and every key here is a string.
    let _ = content.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced));
    String::from_utf8(bytes).unwrap_or_default()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn separate<W: ?Sized + Write>(writer: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { writer.write_all(b", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn separators_have_a_blank_and_letters_stay_as_they_are() {
        let content = json!({"a": [1, "ä\n"], "b": {"c": true, "d": {}}, "e": []});
        assert_eq!(super::text(&content), r#"{"a": [1, "ä\n"], "b": {"c": true, "d": {}}, "e": []}"#);
    }
}
