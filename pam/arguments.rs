//! The words behind the module's name in a file of pam.d(5).

use std::ffi::CStr;
use std::path::PathBuf;
use std::time::Duration;

use accountd_protocol::pam_module::SOCKET;

/// Longer than the hash of a password takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Longer nobody waits for a login.
const LONGEST: u64 = 120;

#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub socket: PathBuf,
    /// How long an answer is waited for.
    pub timeout: Duration,
    pub password: PasswordFrom,
    /// Whether everything that happens is logged.
    pub is_talkative: bool,
}

/// Where a password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// From a module before this one, or else from the user.
    FirstOrUser,
    /// From a module before this one alone.
    First,
}

impl Arguments {
    /// With the words that are none.
    pub fn parse(words: &[&CStr]) -> (Self, Vec<String>) {
        let mut arguments =
            Self { socket: SOCKET.into(), timeout: TIMEOUT, password: PasswordFrom::FirstOrUser, is_talkative: false };
        let unknown = words.iter().map(|word| word.to_string_lossy()).filter(|word| !arguments.take(word));
        let unknown = unknown.map(|word| word.into_owned()).collect();
        (arguments, unknown)
    }

    fn take(&mut self, word: &str) -> bool {
        match word.split_once('=') {
            Some(("socket", path)) if path.starts_with('/') => self.socket = path.into(),
            Some(("timeout", seconds)) => match seconds.parse() {
                Ok(seconds) if (1..=LONGEST).contains(&seconds) => self.timeout = Duration::from_secs(seconds),
                Ok(_) | Err(_) => return false,
            },
            Some(_) => return false,
            None => match word {
                "try_first_pass" => self.password = PasswordFrom::FirstOrUser,
                "use_first_pass" | "use_authtok" => self.password = PasswordFrom::First,
                "debug" => self.is_talkative = true,
                _ => return false,
            },
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_and_what_is_none_is_said() {
        let (arguments, unknown) = Arguments::parse(&[]);
        assert_eq!((arguments.socket.to_str(), arguments.password), (Some(SOCKET), PasswordFrom::FirstOrUser));
        assert!(unknown.is_empty() && !arguments.is_talkative);
        let words = [
            c"use_first_pass",
            c"timeout=3",
            c"socket=/run/x",
            c"debug",
            c"timeout=0",
            c"timeout=x",
            c"socket=x",
            c"nullok",
            c"x=y",
            c"\xff",
        ];
        let (arguments, unknown) = Arguments::parse(&words);
        assert_eq!(
            arguments,
            Arguments {
                socket: "/run/x".into(),
                timeout: Duration::from_secs(3),
                password: PasswordFrom::First,
                is_talkative: true
            }
        );
        assert_eq!(unknown, ["timeout=0", "timeout=x", "socket=x", "nullok", "x=y", "\u{fffd}"]);
    }
}
