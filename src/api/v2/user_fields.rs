//! Fields of a user that are not simply a text.

use accountd_protocol::refusal::{Field, Problem};

use super::input::{Given, Input};

/// Permission bits, as an octal text like everywhere else: `"0750"`.
pub fn home_mode(input: &mut Input) -> Option<u32> {
    let given = input.text("home_mode").value()?;
    let octal = !given.is_empty() && given.len() <= 4 && given.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u32::from_str_radix(&given, 8).ok().filter(|_| octal);
    input.checked(Field::HomeMode, mode.ok_or(Problem::BadMode))
}

/// The text of a key file from `keys`: a list of its lines.
pub fn key_text(input: &mut Input) -> Option<String> {
    let lines = match input.texts("keys") {
        Given::Absent | Given::Null => return None,
        Given::Value(lines) => lines,
    };
    for (index, line) in lines.iter().enumerate() {
        let place = format!("keys[{index}]");
        if line.contains(['\n', '\r']) {
            input.fault(&place, "bad_characters", "has to be one line");
        } else if line.trim().is_empty() {
            input.fault(&place, "required", "must not be empty");
        }
    }
    Some(lines.join("\n"))
}
