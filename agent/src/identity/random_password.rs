//! Passwords out of the kernel's randomness (getrandom(2)), to be read out and typed: no letter looks like
//! another or like a digit.

use accountd_config::PasswordPolicy;
use accountd_protocol::secret::Secret;
use zeroize::Zeroizing;

const LOWER: &[u8] = b"abcdefghjkmnpqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS: &[u8] = b"23456789";
/// Only where a policy wants all four classes.
const OTHERS: &[u8] = b"-+=.";
/// With 55 letters and digits, more than 92 bits.
const LEAST: usize = 16;

/// Draws until there is something of each class: every such password is as likely as any other.
pub fn make(policy: &PasswordPolicy) -> Result<Secret, getrandom::Error> {
    let classes: &[&[u8]] =
        if policy.min_classes > 3 { &[LOWER, UPPER, DIGITS, OTHERS] } else { &[LOWER, UPPER, DIGITS] };
    let letters = classes.concat();
    let length = LEAST.max(usize::from(policy.min_length));
    loop {
        let password = draw(&letters, length)?;
        if classes.iter().all(|class| password.bytes().any(|letter| class.contains(&letter))) {
            return Ok(Secret::new(password.as_str().to_owned()));
        }
    }
}

/// Each letter as likely as any other: bytes from the last multiple of their number on are passed over.
fn draw(letters: &[u8], length: usize) -> Result<Zeroizing<String>, getrandom::Error> {
    let even = 256 - 256 % letters.len();
    let mut password = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while password.len() < length {
        getrandom::fill(&mut *bytes)?;
        let drawn = bytes.iter().map(|byte| usize::from(*byte)).filter(|number| *number < even);
        let drawn = drawn.filter_map(|number| letters.get(number % letters.len()));
        let missing = length - password.len();
        password.extend(drawn.take(missing).map(|letter| char::from(*letter)));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn policy(min_length: u16, min_classes: u8) -> PasswordPolicy {
        PasswordPolicy { min_length, min_classes, history: 0, min_days: 0, max_days: 99_999, warn_days: 7 }
    }

    #[test]
    fn a_password_has_every_class_and_no_letter_that_looks_like_another() {
        for (length, classes, expected) in [(1, 1, 16), (16, 3, 16), (40, 4, 40), (511, 4, 511)] {
            let made = make(&policy(length, classes)).unwrap();
            let text = made.reveal();
            assert_eq!(text.len(), expected);
            assert!(!text.contains(['l', 'I', '1', 'O', '0', 'o', 'i']), "{text}");
            let is_in = |class: fn(char) -> bool| text.contains(class);
            assert!(is_in(|c| c.is_ascii_lowercase()) && is_in(|c| c.is_ascii_uppercase()));
            assert!(is_in(|c| c.is_ascii_digit()));
            assert_eq!(is_in(|c| !c.is_ascii_alphanumeric()), classes == 4);
        }
    }

    #[test]
    fn no_letter_is_more_likely_than_another() {
        let letters = [LOWER, UPPER, DIGITS].concat();
        let mut counts: HashMap<char, u32> = HashMap::new();
        for letter in draw(&letters, 550_000).unwrap().chars() {
            *counts.entry(letter).or_default() += 1;
        }
        // 10,000 each; the standard deviation is about 100, a bias would be 25 percent.
        assert_eq!(counts.len(), 55);
        assert!(counts.values().all(|count| (9_200..10_800).contains(count)), "{counts:?}");
    }
}
