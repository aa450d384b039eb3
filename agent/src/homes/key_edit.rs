//! One line more in a key file, or one less; every other byte stays what it is.

use serde::{Deserialize, Serialize};

use crate::identity::authorized_keys::MAX_BYTES;
use crate::identity::key_lines;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyEdit {
    Append(String),
    /// Of the lines that have the key with this fingerprint, the one at this place, counted from 0.
    Remove {
        fingerprint: String,
        place: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditFault {
    #[error("the line is not there any more")]
    NoSuchLine,
    #[error("the key file would be too long")]
    TooLong,
}

impl KeyEdit {
    pub fn apply(&self, text: &[u8]) -> Result<Vec<u8>, EditFault> {
        let edited = match self {
            KeyEdit::Append(line) => {
                let end: &[u8] = if text.is_empty() || text.ends_with(b"\n") { b"" } else { b"\n" };
                [text, end, line.as_bytes(), b"\n"].concat()
            }
            KeyEdit::Remove { fingerprint, place } => {
                let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
                let of_key = lines.iter().enumerate().filter(|(_, line)| has_key(line, fingerprint));
                let victim = of_key.map(|(index, _)| index).nth(*place).ok_or(EditFault::NoSuchLine)?;
                let kept = lines.iter().enumerate().filter(|(index, _)| *index != victim);
                kept.flat_map(|(_, line)| line.iter().copied()).collect()
            }
        };
        if edited.len() > MAX_BYTES { Err(EditFault::TooLong) } else { Ok(edited) }
    }
}

fn has_key(line: &[u8], fingerprint: &str) -> bool {
    let line = String::from_utf8_lossy(line);
    key_lines::lines(&line).iter().any(|found| found.key.as_ref().is_some_and(|key| key.fingerprint == fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const FINGERPRINT: &str = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn remove(place: usize) -> KeyEdit {
        KeyEdit::Remove { fingerprint: FINGERPRINT.to_owned(), place }
    }

    #[test]
    fn the_line_of_a_key_goes_and_every_other_byte_stays() {
        let mut before = b"# by hand\r\n\n  \tgarbage \xff\xfe\n".to_vec();
        before.extend(format!("from=\"10.0.0.0/8\" {OTHER} caf\u{e9}").bytes().chain(*b"\xe9\r\n"));
        let after = b"\n\n no newline at the end".to_vec();
        let text = [&before[..], b"no-pty ", KEY.as_bytes(), b" one\n", &after].concat();
        assert_eq!(remove(0).apply(&text).unwrap(), [&before[..], &after].concat());
        assert_eq!(remove(1).apply(&text), Err(EditFault::NoSuchLine));
        let twice = format!("{KEY} a\n{OTHER}\n{KEY} b");
        assert_eq!(remove(0).apply(twice.as_bytes()).unwrap(), format!("{OTHER}\n{KEY} b").into_bytes());
        assert_eq!(remove(1).apply(twice.as_bytes()).unwrap(), format!("{KEY} a\n{OTHER}\n").into_bytes());
    }

    #[test]
    fn a_line_comes_behind_the_last_one() {
        let append = KeyEdit::Append("new".into());
        for (text, expected) in [
            (&b""[..], &b"new\n"[..]),
            (b"old\n", b"old\nnew\n"),
            (b"old", b"old\nnew\n"),
            (b"\xff\n\n", b"\xff\n\nnew\n"),
        ] {
            assert_eq!(append.apply(text).unwrap(), expected);
        }
        assert_eq!(append.apply(&vec![b'#'; MAX_BYTES]), Err(EditFault::TooLong));
    }
}
