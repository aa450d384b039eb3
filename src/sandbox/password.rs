//! The administrator's password: from a file, or made.

use std::fs;
use std::path::Path;

use super::error::SandboxError;

/// Letters and digits that are not mistaken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
const LENGTH: usize = 20;

/// Root's password in the sandbox.
pub enum Password {
    Given(String),
    Made(String),
}

impl Password {
    pub fn text(&self) -> &str {
        match self {
            Password::Given(text) | Password::Made(text) => text,
        }
    }

    /// A password that nobody has seen yet is shown, this once.
    pub fn show_if_made(&self) {
        if let Password::Made(text) = self {
            eprintln!("the administrator is root, with the password {text}");
        }
    }
}

pub fn choose(file: Option<&Path>) -> Result<Password, SandboxError> {
    let Some(file) = file else { return make() };
    let text = fs::read_to_string(file).map_err(SandboxError::file("read", file))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let fits = (1..=511).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(Password::Given(text.to_owned())) } else { Err(SandboxError::Password) }
}

fn make() -> Result<Password, SandboxError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| SandboxError::Password)?;
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
    Ok(Password::Made(letters.map(|letter| char::from(*letter)).collect()))
}
