//! JSON as this API spells it: without blanks, with the characters of HTML as `\u003c`, and a newline
//! behind it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

pub fn text(content: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    // Writing to memory can't fail, and every key here is a string.
    let _ = content.serialize(&mut Serializer::with_formatter(&mut bytes, Escaped));
    bytes.push(b'\n');
    String::from_utf8(bytes).unwrap_or_default()
}

struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_escaped) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(c) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// What a browser could take for HTML, or for the end of a line of JavaScript.
fn is_escaped(c: char) -> bool {
    matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn html_and_line_separators_are_escaped_and_letters_are_not() {
        let content = json!({"a": ["<b>&", "ä\n\"\u{2028}\u{2029}"], "c<": {}});
        let expected = r#"{"a":["\u003cb\u003e\u0026","ä\n\"\u2028\u2029"],"c\u003c":{}}"#;
        assert_eq!(super::text(&content), format!("{expected}\n"));
    }
}
