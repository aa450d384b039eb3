//! Paths of the API: each name is one segment, whatever is in it (RFC 3986, 2.1).

/// The caller, where a path has an account.
pub const CALLER: &str = "~";

/// A segment that means exactly this text.
pub fn segment(text: &str) -> String {
    // A segment of dots alone would be a way to somewhere else.
    let dots = text.bytes().all(|byte| byte == b'.');
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !dots);
        if plain {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

pub fn user(name: &str) -> String {
    format!("/users/{}", segment(name))
}

pub fn group(name: &str) -> String {
    format!("/groups/{}", segment(name))
}

/// `?name=value&…` behind a path; empty where nothing is asked for.
pub fn query(pairs: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&segment(name));
        text.push('=');
        text.push_str(&segment(value));
    }
    text
}

/// Whether an account is called by its id.
pub fn is_id(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_segment() {
        for (name, path) in [
            ("anna", "/users/anna"),
            ("~", "/users/~"),
            ("a b%/?#", "/users/a%20b%25%2F%3F%23"),
            ("..", "/users/%2E%2E"),
            ("a.b", "/users/a.b"),
            ("\u{1b}ä+", "/users/%1B%C3%A4%2B"),
            ("smb$", "/users/smb%24"),
        ] {
            assert_eq!(user(name), path);
        }
    }

    #[test]
    fn a_query_keeps_its_values_apart() {
        assert_eq!(query(&[]), "");
        let pairs = [("username~", "a&b=c".to_owned()), ("sort", "-uid,username".to_owned())];
        assert_eq!(query(&pairs), "?username~=a%26b%3Dc&sort=-uid%2Cusername");
    }

    #[test]
    fn digits_alone_are_an_id() {
        assert!(is_id("17") && !is_id("1a") && !is_id("") && !is_id("٣"));
    }
}
