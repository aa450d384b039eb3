//! Patterns with `*` and `?` (PATTERNS in ssh_config(5)).

/// Whether `text` is like `pattern`, where `*` is any run and `?` any one character. Greedy with
/// one point of return: linear in the text for each `*`.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_any_run_and_question_marks_any_one_character() {
        for (pattern, text) in
            [("LC_*", "LC_ALL"), ("LC_*", "LC_"), ("*", ""), ("a?c", "abc"), ("*a*b", "xaxxb"), ("", "")]
        {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("LC_*", "LANG"), ("?", ""), ("a?", "abc"), ("*a*b", "xaxx"), ("", "a"), ("a", "A")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_cost_little() {
        assert!(!like(&"*a".repeat(500), &"a".repeat(499)));
    }
}
