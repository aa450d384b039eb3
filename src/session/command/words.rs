//! A command line cut into words as sh(1) would (POSIX, Shell Command Language, 2.2), as long as
//! nothing in it would be expanded but names of files.

/// The words, as patterns (glob(7)): a character that the quotes kept from meaning anything has a
/// backslash before it. `None`: a shell would do more with it than cut it.
pub fn patterns(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut word, mut rest) = (Vec::new(), None::<Vec<u8>>, line);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b' ' | b'\t' => words.extend(word.take()),
            b'\'' => {
                let end = rest.iter().position(|byte| *byte == b'\'')?;
                let (quoted, after) = rest.split_at(end);
                quoted.iter().for_each(|byte| push_literal(word.get_or_insert_default(), *byte));
                word.get_or_insert_default();
                rest = after.get(1..)?;
            }
            b'"' => rest = double_quoted(word.get_or_insert_default(), rest)?,
            b'\\' => {
                let (literal, after) = rest.split_first()?;
                push_literal(word.get_or_insert_default(), *literal);
                rest = after;
            }
            b'~' if word.is_some() => word.get_or_insert_default().push(b'~'),
            b'#' if word.is_none() => return None,
            _ if is_special(*byte) => return None,
            byte => word.get_or_insert_default().push(*byte),
        }
    }
    words.extend(word);
    Some(words)
}

/// The words where none is a pattern.
pub fn literals(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    patterns(line)?.into_iter().map(|word| literal(&word)).collect()
}

/// What a pattern stands for that stands for one thing only.
pub fn literal(pattern: &[u8]) -> Option<Vec<u8>> {
    let (mut literal, mut rest) = (Vec::new(), pattern);
    if pattern.first() == Some(&b'~') {
        return None;
    }
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                literal.push(*escaped);
                rest = after;
            }
            b'*' | b'?' | b'[' => return None,
            byte => literal.push(*byte),
        }
    }
    Some(literal)
}

/// What follows the quotes that end; `None` where something in them would be expanded.
fn double_quoted<'a>(word: &mut Vec<u8>, mut rest: &'a [u8]) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some(rest),
            b'$' | b'`' => return None,
            b'\\' => match rest.split_first()? {
                (escaped @ (b'"' | b'\\' | b'$' | b'`'), after) => {
                    push_literal(word, *escaped);
                    rest = after;
                }
                (b'\n', after) => rest = after,
                _ => push_literal(word, b'\\'),
            },
            byte => push_literal(word, *byte),
        }
    }
}

fn push_literal(word: &mut Vec<u8>, byte: u8) {
    if matches!(byte, b'\\' | b'*' | b'?' | b'[' | b']') || (byte == b'~' && word.is_empty()) {
        word.push(b'\\');
    }
    word.push(byte);
}

/// Outside of quotes, only a shell knows what to do with it.
fn is_special(byte: u8) -> bool {
    byte.is_ascii_control() || b"|&;<>()$`{}!\"'\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(line: &str) -> Option<Vec<String>> {
        patterns(line.as_bytes())
            .map(|words| words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    #[test]
    fn words_are_what_sh_makes_of_them() {
        assert_eq!(cut("scp -t  a\tb ").unwrap(), ["scp", "-t", "a", "b"]);
        assert_eq!(cut("a 'b c'd \"e f\" \\ g ''").unwrap(), ["a", "b cd", "e f", " g", ""]);
        assert_eq!(cut(r#""a\"b\\c\d""#).unwrap(), [r#"a"b\\c\\d"#]);
        assert_eq!(cut("\"a\\\nb\"").unwrap(), ["ab"], "a line goes on behind a backslash");
        assert_eq!(cut("").unwrap(), [""; 0]);
        assert_eq!(cut("git-upload-pack 'a'\\''b'").unwrap(), ["git-upload-pack", "a'b"]);
    }

    #[test]
    fn what_was_quoted_is_no_pattern() {
        assert_eq!(cut("*.txt '*.txt' \\? ~/a '~/b' a~").unwrap(), ["*.txt", "\\*.txt", "\\?", "~/a", "\\~/b", "a~"]);
        assert_eq!(literals(b"'*.txt' a\\~ '~'").unwrap(), [b"*.txt".to_vec(), b"a~".to_vec(), b"~".to_vec()]);
        for line in ["*.txt", "a?", "[a]", "~/a"] {
            assert_eq!(literals(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_only_a_shell_can_do_is_not_cut() {
        for line in [
            "a; b", "a | b", "a $HOME", "a `b`", "a > b", "a (b)", "a 'b", "a \"$b\"", "a \\", "a\nb", "# a", "{a,b}",
            "a & b", "! a",
        ] {
            assert_eq!(cut(line), None, "{line}");
        }
    }
}
