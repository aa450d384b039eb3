//! Messages do not tell addresses: those of IPv4 and IPv6 become `*`, and so does what follows `access_token=`.

use std::net::IpAddr;

const TOKEN: &str = "access_token=";
const MASK: &str = "*";

pub fn filtered(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let token =
            rest.strip_prefix(TOKEN).map(|behind| run(behind, |c| !matches!(c, '&' | '"') && !c.is_whitespace()));
        let word = run(rest, is_of_address);
        let taken = match token {
            Some(token) => {
                text.push_str(TOKEN);
                text.push_str(MASK);
                TOKEN.len() + token.len()
            }
            None if word.is_empty() => {
                text.push(first);
                first.len_utf8()
            }
            None => {
                text.push_str(&masked(word));
                word.len()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    text
}

fn run(text: &str, fits: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn is_of_address(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, '.' | ':')
}

/// A word of hexadecimal digits, points and colons, of which an address may have a part: a port comes behind
/// one, and punctuation.
fn masked(word: &str) -> String {
    let core = word.trim_end_matches(['.', ':']);
    let behind = word.get(core.len()..).unwrap_or_default();
    if core.parse::<IpAddr>().is_ok() {
        return format!("{MASK}{behind}");
    }
    match core.split_once(':') {
        Some((address, port)) if address.parse::<IpAddr>().is_ok() => format!("{MASK}:{port}{behind}"),
        Some(_) | None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_tokens_are_masked_and_nothing_else() {
        for (message, expected) in [
            ("dial tcp 192.0.2.7:443: refused", "dial tcp *:443: refused"),
            ("from 10.0.0.1, and 2001:db8::1.", "from *, and *."),
            ("[::1]:80 and ::ffff:192.0.2.1", "[*]:80 and *"),
            ("GET /x?access_token=abc.def&y=1 failed", "GET /x?access_token=*&y=1 failed"),
            ("failed get old user: record not found", "failed get old user: record not found"),
            ("version 1.2.3.4.5 at 12:30:45, e.g. 1.2", "version 1.2.3.4.5 at 12:30:45, e.g. 1.2"),
            ("Key: 'User.Username' Error:Field", "Key: 'User.Username' Error:Field"),
            ("ключ 192.0.2.1", "ключ *"),
        ] {
            assert_eq!(filtered(message), expected);
        }
    }
}
