//! Texts of others on an administrator's terminal: nothing in a name moves the cursor, changes a
//! colour or turns the direction of writing (console_codes(4)).

/// As it may be shown to people: a character that does more than being seen is its number.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmful(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// As one field of a line for programs: what separates fields or lines is escaped, and the
/// backslash too, so that it can be undone.
pub fn one_field(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => shown.push_str("\\\\"),
            '\t' => shown.push_str("\\t"),
            '\n' => shown.push_str("\\n"),
            _ if is_harmful(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// The same JSON, without such a character (RFC 8259, 7: all of them can be escaped).
pub fn harmless_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut units = [0; 2];
    for character in text.chars() {
        // Blanks between the values may stay.
        if is_harmful(character) && !matches!(character, '\n' | '\r' | '\t') {
            for unit in character.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, and those without a width of their own that change how others are shown. The
/// joiners that some scripts are written with are not among them.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}31mb\u{202e}c\r\n\u{7f}";

    #[test]
    fn no_control_character_is_left_for_a_terminal() {
        assert_eq!(harmless(HOSTILE), r"a\u{1b}[2J\u{9b}31mb\u{202e}c\u{d}\u{a}\u{7f}");
        assert_eq!(harmless("Bérta Łuk 山田 👩‍🔧 a\\b"), "Bérta Łuk 山田 👩‍🔧 a\\b");
    }

    #[test]
    fn a_field_stays_one_field_of_one_line_and_can_be_read_back() {
        assert_eq!(one_field("a\tb\nc\\d"), r"a\tb\nc\\d");
        assert!(!one_field(HOSTILE).contains(|c: char| c.is_control()));
    }

    #[test]
    fn json_has_the_same_meaning_and_no_control_characters() {
        let json = serde_json::json!({"full_name": format!("{HOSTILE}\u{e0041}"), "id": 7}).to_string();
        let shown = harmless_json(&json);
        assert!(!shown.contains(is_harmful), "{shown}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(&json));
        assert_eq!(harmless_json("{\"a\": \"ä\"}\n"), "{\"a\": \"ä\"}\n");
    }
}
