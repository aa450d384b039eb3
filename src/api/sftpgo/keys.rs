//! The public keys of a body: each one line of authorized_keys (sshd(8)), which has to be one before the
//! agent is asked. What it says in full, the agent looks at.

use base64ct::{Base64, Encoding};

use super::words::unparsable_key;

/// What SSH's own library for Go says.
const NO_KEY: &str = "ssh: no key found";

/// The text of a key file that has these keys, one on each line.
pub fn text(keys: &[String]) -> Result<String, String> {
    let mut text = String::new();
    for (index, key) in keys.iter().enumerate() {
        text.push_str(line(key).map_err(|reason| unparsable_key(index, reason))?);
        text.push('\n');
    }
    Ok(text)
}

fn line(key: &str) -> Result<&str, &'static str> {
    let line = key.trim_matches([' ', '\t', '\r', '\n']);
    if line.contains(['\n', '\r']) {
        return Err("there is a newline in it");
    }
    let is_comment = line.starts_with('#');
    if !is_comment && (is_key(line) || behind_options(line).is_some_and(is_key)) { Ok(line) } else { Err(NO_KEY) }
}

/// A kind, and a blob that begins with the same kind (RFC 4253 §6.6).
fn is_key(text: &str) -> bool {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let (Some(kind), Some(encoded)) = (words.next(), words.next()) else { return false };
    let Ok(blob) = Base64::decode_vec(encoded) else { return false };
    let Some((length, rest)) = blob.split_first_chunk::<4>() else { return false };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    rest.get(..length) == Some(kind.as_bytes())
}

/// What follows the first blank that is in no quotation marks.
fn behind_options(line: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let at = line.find(|c| {
        let ends = !quoted && matches!(c, ' ' | '\t');
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    line.get(at..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVvCIiRKbHQZxJ2m3t7VV8f0oGFJQ4pLzFVZ4vN3xJ0";

    #[test]
    fn keys_are_lines_with_their_options() {
        let keys = [
            format!("{KEY} anna@pc"),
            format!("  {KEY}\n"),
            format!("from=\"10.0.0.0/8\",command=\"echo \\\"a b\\\"\" {KEY} x"),
        ];
        let expected = format!("{KEY} anna@pc\n{KEY}\nfrom=\"10.0.0.0/8\",command=\"echo \\\"a b\\\"\" {KEY} x\n");
        assert_eq!(text(&keys), Ok(expected));
        assert_eq!(text(&[]), Ok(String::new()));
    }

    #[test]
    fn what_is_no_key_is_named_by_its_place() {
        let rsa = KEY.replace("ssh-ed25519 ", "ssh-rsa ");
        for bad in ["", "#", "key", &rsa, &format!("#{KEY}"), &format!("from=\"a {KEY}"), "ssh-ed25519 AAAA!"] {
            let refused = text(&[KEY.to_owned(), bad.to_owned()]);
            assert_eq!(refused, Err("Could not parse key nr. 1: ssh: no key found".into()), "{bad}");
        }
        let two = text(&[format!("{KEY}\n{KEY}")]);
        assert_eq!(two, Err("Could not parse key nr. 0: there is a newline in it".into()));
    }
}
