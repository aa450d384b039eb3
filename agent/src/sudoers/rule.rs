//! What stands in a drop-in (sudoers(5), "User specification" and "Quotes").

use accountd_protocol::refusal::Problem;

use super::Kind;

const HEADER: &str = "# Written by accountd; a change here is overwritten.\n";

/// The text of the drop-in of the account `name`: everything, as anybody, with the password.
///
/// The name is always in double quotes, where `ALL` and the names of aliases are ordinary names.
/// There is no way to write a backslash or a line break there, and some first characters mean
/// something else than a name; who is called so can't be granted anything.
pub fn rule(kind: Kind, name: &str) -> Result<String, Problem> {
    Ok(format!("{HEADER}{} ALL=(ALL) ALL\n", quoted(kind, name)?))
}

/// Whether a drop-in is about the account `name`, whatever it lets it do: somebody may have put
/// other commands into it.
pub fn is_about(text: &str, kind: Kind, name: &str) -> bool {
    let Ok(quoted) = quoted(kind, name) else { return false };
    text.lines().any(|line| rest_of(line, &quoted).is_some())
}

/// The text of a drop-in when its account gets another name: what it may do stays.
pub fn renamed(text: &str, kind: Kind, (old, new): (&str, &str)) -> Result<String, Problem> {
    let (old, new) = (quoted(kind, old)?, quoted(kind, new)?);
    let line = |line: &str| match rest_of(line, &old) {
        Some(rest) => format!("{new}{rest}\n"),
        None => format!("{line}\n"),
    };
    Ok(text.lines().map(line).collect())
}

/// What a rule of the account says behind its name.
fn rest_of<'a>(line: &'a str, quoted: &str) -> Option<&'a str> {
    line.strip_prefix(quoted).filter(|rest| rest.starts_with([' ', '\t']))
}

/// The account as the beginning of a rule.
fn quoted(kind: Kind, name: &str) -> Result<String, Problem> {
    let (mark, special): (&str, &[char]) = match kind {
        Kind::User => ("", &['%', '+', '#', '!']),
        Kind::Group => ("%", &['#', ':', '!']),
    };
    let unusable = |c: char| c == '\\' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if name.is_empty() || name.starts_with(special) || name.contains(unusable) {
        return Err(Problem::NotForSudoers);
    }
    Ok(format!("\"{mark}{}\"", name.replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::Value;

    use super::*;

    const USER: Kind = Kind::User;
    const GROUP: Kind = Kind::Group;

    /// Who may do what by this text, as sudo itself reads it.
    fn as_sudo_reads(text: &str) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("drop-in");
        std::fs::write(&file, text).unwrap();
        let output = Command::new("cvtsudoers").args(["-f", "json"]).arg(&file).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{text:?}: {output:?}");
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        let specs = read["User_Specs"].as_array().unwrap();
        let users = specs.iter().flat_map(|spec| spec["User_List"].as_array().unwrap());
        let pairs = users.flat_map(|user| user.as_object().unwrap().clone());
        pairs.map(|(kind, name)| (kind, name.as_str().unwrap_or("no text").to_owned())).collect()
    }

    #[test]
    fn sudo_reads_the_name_and_nothing_else() {
        let names = [
            "anna", "A.b-c_d", "machine$", "ALL", "OPS", "a b", "a;id", "a,b", "a=b", "a#b", "a@b.c", "a(b)", "*",
            "0x10", "123", "..", "a/b", "ünï", "a\"b", "\"", "Defaults", "root ALL", "a'b", "a:b", "-rf", "~", "a%b",
            "@include",
        ];
        for name in names {
            let read = as_sudo_reads(&rule(USER, name).unwrap());
            assert_eq!(read, [("username".to_owned(), name.to_owned())], "{name:?}");
            let read = as_sudo_reads(&rule(GROUP, name).unwrap());
            assert_eq!(read, [("usergroup".to_owned(), name.to_owned())], "{name:?}");
        }
    }

    #[test]
    fn a_name_that_could_mean_somebody_else_is_not_granted_anything() {
        for name in
            ["", "%wheel", "+netgroup", "#0", "!root", "a\\b", "a\\", "a\nb ALL=(ALL) ALL", "a\rb", "a\0", "a\u{2028}"]
        {
            assert_eq!(rule(USER, name), Err(Problem::NotForSudoers), "{name:?}");
        }
        for name in ["", "#0", ":nonunix", "!x", "a\\b", "a\n"] {
            assert_eq!(rule(GROUP, name), Err(Problem::NotForSudoers), "{name:?}");
        }
    }

    #[test]
    fn a_rule_of_another_name_is_about_somebody_else() {
        let text = rule(USER, "anna").unwrap();
        assert!(is_about(&text, USER, "anna") && is_about("\"anna\" ALL=/bin/ls\n", USER, "anna"));
        for name in ["ann", "anna2", "berta", "#1"] {
            assert!(!is_about(&text, USER, name), "{name}");
        }
        assert!(!is_about(&text, GROUP, "anna") && !is_about("# \"anna\" ALL=ALL\n", USER, "anna"));
    }

    #[test]
    fn a_rename_leaves_what_somebody_has_narrowed() {
        let text = "# mine\n\"anna\" ALL=(root) NOPASSWD: /bin/ls\n\"anna2\" ALL=(ALL) ALL\n";
        let expected = text.replace("\"anna\"", "\"berta\"");
        assert_eq!(renamed(text, USER, ("anna", "berta")).unwrap(), expected);
        assert_eq!(renamed(text, USER, ("anna", "a\\b")), Err(Problem::NotForSudoers));
    }
}
