//! What a password is: clear text, a hash of crypt(5), or one for accountd alone.

use accountd_protocol::agent::NewPassword;
use accountd_protocol::secret::Secret;

/// Hashes that crypt(5) does not know, by how they begin. The agent looks at the rest.
const KEPT: [&str; 4] = ["$argon2id$", "$pbkdf2-sha1$", "$pbkdf2-sha256$", "$pbkdf2-sha512$"];

/// Formats of crypt(5): how they begin, the length of a hash, and how many fields stand before it.
const FORMATS: [(&str, usize, &[usize]); 8] = [
    ("$2a$", 53, &[1]),
    ("$2b$", 53, &[1]),
    ("$2y$", 53, &[1]),
    ("$1$", 22, &[1]),
    ("$5$", 43, &[1, 2]),
    ("$6$", 86, &[1, 2]),
    ("$y$", 43, &[2]),
    ("$gy$", 43, &[2]),
];

pub fn of(password: Secret) -> Result<NewPassword, String> {
    let text = password.reveal();
    if KEPT.iter().any(|prefix| text.starts_with(prefix)) {
        return Ok(NewPassword::Kept(password));
    }
    let Some((prefix, length, fields)) = FORMATS.iter().find(|(prefix, ..)| text.starts_with(prefix)) else {
        return Ok(NewPassword::Clear(password));
    };
    let rest = text.get(prefix.len()..).unwrap_or_default();
    match is_hash(rest, *length, fields) {
        true => Ok(NewPassword::Hashed(password)),
        false => Err(format!("password begins with {prefix} and is not a hash that can be verified here")),
    }
}

/// What crypt(5) prints: so many fields, then a hash of that length, all in its base 64. Whether its
/// costs can be borne, the agent says.
fn is_hash(rest: &str, length: usize, fields: &[usize]) -> bool {
    let parts: Vec<&str> = rest.split('$').collect();
    let Some((hash, before)) = parts.split_last() else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
    let costs = |text: &&str| text.split('=').all(|part| !part.is_empty() && digits(part));
    fields.contains(&before.len()) && before.iter().all(costs) && hash.len() == length && digits(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> &'static str {
        match of(Secret::new(text.into())) {
            Ok(NewPassword::Clear(_)) => "clear",
            Ok(NewPassword::Hashed(_)) => "crypt",
            Ok(NewPassword::Kept(_)) => "kept",
            Ok(NewPassword::Random | NewPassword::Disabled) => "none",
            Err(error) => {
                assert!(error.starts_with("password begins with $"), "{error}");
                "refused"
            }
        }
    }

    #[test]
    fn a_password_is_told_by_how_it_begins() {
        let sha512 = "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        let rows = [
            ("secret", "clear"),
            ("", "clear"),
            ("$", "clear"),
            ("$apr1$x$y", "clear"),
            ("$2a$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9tK", "crypt"),
            ("$2b$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9tK", "crypt"),
            ("$2a$10$abc", "refused"),
            ("$2a$14$ajq8Q7fbtFRQvXpdCq7Jcuy.Rx1h/L4J60Otx.gyNLbAYctGMJ9t:", "refused"),
            (&format!("$6$saltstring${sha512}"), "crypt"),
            (&format!("$6$rounds=9999$saltstring${sha512}"), "crypt"),
            (&format!("$6$a$b$c${sha512}"), "refused"),
            (&format!("$6$salt:x${sha512}"), "refused"),
            ("$6$saltstring$short", "refused"),
            ("$1$saltsalt$qjXMvbEw8oaL.CzflDtaK", "refused"),
            ("$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "crypt"),
            ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "crypt"),
            ("$argon2id$anything", "kept"),
            ("$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=", "kept"),
        ];
        for (text, expected) in rows {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
