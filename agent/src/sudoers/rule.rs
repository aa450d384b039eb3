//! What stands in a drop-in (sudoers(5), "User specification" and "Quotes").

use accountd_protocol::refusal::Problem;
use accountd_protocol::sudo::{SudoCommand, SudoCommands, SudoGrant, SudoList};

use super::Kind;

const HEADER: &str = "# Written by accountd. A change by hand stays until the grant is taken away.\n";
/// Began the drop-ins of earlier versions.
const OLD_HEADER: &str = "# Written by accountd; a change here is overwritten.\n";
/// On every host, as anybody.
const WHERE: &str = " ALL=(ALL) ";
const WITH_PASSWORD: &str = "PASSWD: ";
const WITHOUT_PASSWORD: &str = "NOPASSWD: ";
/// What ends a command, or begins a comment, where it is not escaped ("Other special characters").
/// A command has neither blanks in its path nor backslashes.
const SPECIAL: [char; 4] = [',', ':', '=', '#'];

/// The text of the drop-in of the account `name`: one rule for each command. Of several rules for
/// one command sudo goes by the last, so those without a password come last.
///
/// The name is always in double quotes, where `ALL` and the names of aliases are ordinary names.
/// There is no way to write a backslash or a line break there, and some first characters mean
/// something else than a name; who is called so can't be granted anything.
pub fn rule(kind: Kind, name: &str, commands: &SudoCommands) -> Result<String, Problem> {
    let quoted = quoted(kind, name)?;
    let rules = commands.places().map(|(list, _, command)| format!("{quoted}{WHERE}{}\n", written(list, command)));
    Ok(rules.fold(HEADER.to_owned(), |text, rule| text + &rule))
}

/// A command with its tag, as it stands in a rule.
pub fn written(list: SudoList, command: &SudoCommand) -> String {
    let tag = match list {
        // As it always was; there is nothing before it whose tag it could have.
        SudoList::Commands if command.is_all() => "",
        SudoList::Commands => WITH_PASSWORD,
        SudoList::CommandsWithoutPassword => WITHOUT_PASSWORD,
    };
    let mut text = tag.to_owned();
    for c in command.as_str().chars() {
        text.extend(SPECIAL.contains(&c).then_some('\\'));
        text.push(c);
    }
    text
}

/// What a drop-in lets the account `name` do; `None` where it is not about it. Whatever this
/// program would not write exactly so is somebody else's.
pub fn granted(text: &str, kind: Kind, name: &str) -> Option<SudoGrant> {
    if !is_about(text, kind, name) {
        return None;
    }
    Some(commands(text, kind, name).map_or(SudoGrant::ByHand, SudoGrant::Commands))
}

fn commands(text: &str, kind: Kind, name: &str) -> Option<SudoCommands> {
    let rules = text.strip_prefix(HEADER).or_else(|| text.strip_prefix(OLD_HEADER))?;
    let quoted = quoted(kind, name).ok()?;
    let mut read = SudoCommands::default();
    for line in rules.lines() {
        let allowed = rest_of(line, &quoted)?.strip_prefix(WHERE)?;
        let (list, command) = match allowed.strip_prefix(WITHOUT_PASSWORD) {
            Some(command) => (&mut read.commands_without_password, command),
            None => (&mut read.commands, allowed.strip_prefix(WITH_PASSWORD).unwrap_or(allowed)),
        };
        list.push(SudoCommand::new(unescaped(command)).ok()?);
    }
    let again = rule(kind, name, &read).ok()?;
    (again.strip_prefix(HEADER) == Some(rules)).then_some(read)
}

fn unescaped(command: &str) -> String {
    let mut characters = command.chars();
    let mut text = String::new();
    while let Some(c) = characters.next() {
        text.push(if c == '\\' { characters.next().unwrap_or(c) } else { c });
    }
    text
}

/// Whether a drop-in is about the account `name`, whatever it lets it do: somebody may have put
/// other commands into it.
pub fn is_about(text: &str, kind: Kind, name: &str) -> bool {
    let Ok(quoted) = quoted(kind, name) else { return false };
    text.lines().any(|line| rest_of(line, &quoted).is_some())
}

/// Whether a drop-in says nothing but what the account `name` may do: no settings, no other files, no
/// aliases, and no rule that has another name in it.
pub fn is_only_about(text: &str, kind: Kind, name: &str) -> bool {
    let Ok(quoted) = quoted(kind, name) else { return false };
    let is_comment = |line: &str| line.is_empty() || line == "#" || line.starts_with("# ");
    let is_own = |line: &str| rest_of(line, &quoted).is_some_and(|rest| !rest.trim_start().starts_with(','));
    let is_one = |line: &str| !line.ends_with('\\') && !line.chars().any(|c| c.is_control() && c != '\t');
    let lines = text.strip_suffix('\n').map(|text| text.split('\n'));
    lines.is_some_and(|mut lines| lines.all(|line| is_one(line) && (is_comment(line) || is_own(line))))
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

    fn all(kind: Kind, name: &str) -> Result<String, Problem> {
        rule(kind, name, &SudoCommands::everything())
    }

    /// A text as sudo itself reads it.
    fn json_of(text: &str) -> Value {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("drop-in");
        std::fs::write(&file, text).unwrap();
        let output = Command::new("cvtsudoers").args(["-f", "json"]).arg(&file).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{text:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Who may do something by this text.
    fn as_sudo_reads(text: &str) -> Vec<(String, String)> {
        let read = json_of(text);
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
            let read = as_sudo_reads(&all(USER, name).unwrap());
            assert_eq!(read, [("username".to_owned(), name.to_owned())], "{name:?}");
            let read = as_sudo_reads(&all(GROUP, name).unwrap());
            assert_eq!(read, [("usergroup".to_owned(), name.to_owned())], "{name:?}");
        }
    }

    #[test]
    fn a_name_that_could_mean_somebody_else_is_not_granted_anything() {
        for name in
            ["", "%wheel", "+netgroup", "#0", "!root", "a\\b", "a\\", "a\nb ALL=(ALL) ALL", "a\rb", "a\0", "a\u{2028}"]
        {
            assert_eq!(all(USER, name), Err(Problem::NotForSudoers), "{name:?}");
        }
        for name in ["", "#0", ":nonunix", "!x", "a\\b", "a\n"] {
            assert_eq!(all(GROUP, name), Err(Problem::NotForSudoers), "{name:?}");
        }
    }

    #[test]
    fn a_rule_of_another_name_is_about_somebody_else() {
        let text = all(USER, "anna").unwrap();
        assert!(is_about(&text, USER, "anna") && is_about("\"anna\" ALL=/bin/ls\n", USER, "anna"));
        for name in ["ann", "anna2", "berta", "#1"] {
            assert!(!is_about(&text, USER, name), "{name}");
        }
        assert!(!is_about(&text, GROUP, "anna") && !is_about("# \"anna\" ALL=ALL\n", USER, "anna"));
    }

    #[test]
    fn a_drop_in_of_one_account_is_about_nobody_else() {
        let own = "# mine\n\n\"anna\" ALL=(root) NOPASSWD: /bin/ls\n";
        assert!(is_only_about(own, USER, "anna") && is_only_about(&all(USER, "anna").unwrap(), USER, "anna"));
        let others = [
            "\"berta\" ALL=ALL\n",
            "\"anna\", \"berta\" ALL=ALL\n",
            "\"anna\" , \"berta\" ALL=ALL\n",
            "Defaults !authenticate\n",
            "#include /etc/x\n",
            "#includedir /etc/x\n",
            "#1000 ALL=ALL\n",
            "@include /etc/x\n",
            "# mine \\\n",
            "\"anna\" ALL=ALL\r\n",
            "\"anna\" ALL=ALL",
        ];
        for text in others {
            assert!(!is_only_about(&format!("{own}{text}"), USER, "anna"), "{text:?}");
        }
    }

    #[test]
    fn a_rename_leaves_what_somebody_has_narrowed() {
        let text = "# mine\n\"anna\" ALL=(root) NOPASSWD: /bin/ls\n\"anna2\" ALL=(ALL) ALL\n";
        let expected = text.replace("\"anna\"", "\"berta\"");
        assert_eq!(renamed(text, USER, ("anna", "berta")).unwrap(), expected);
        assert_eq!(renamed(text, USER, ("anna", "a\\b")), Err(Problem::NotForSudoers));
    }

    fn list(commands: &[&str]) -> Vec<SudoCommand> {
        commands.iter().map(|command| SudoCommand::new(*command).unwrap()).collect()
    }

    /// What may be run with and without a password, as sudo reads it.
    fn commands_as_sudo_reads(text: &str) -> [Vec<String>; 2] {
        let mut read = [Vec::new(), Vec::new()];
        for spec in json_of(text)["User_Specs"].as_array().unwrap() {
            for spec in spec["Cmnd_Specs"].as_array().unwrap() {
                assert_eq!(spec["runasusers"], serde_json::json!([{"username": "ALL"}]), "{text}");
                let options = spec["Options"].as_array().into_iter().flatten();
                let asked = options.filter_map(|option| option["authenticate"].as_bool()).next().unwrap_or(true);
                let commands = spec["Commands"].as_array().unwrap().iter();
                read[usize::from(!asked)]
                    .extend(commands.map(|command| command["command"].as_str().unwrap().to_owned()));
            }
        }
        read
    }

    #[test]
    fn sudo_reads_the_commands_that_were_meant() {
        let rows: [(&[&str], &[&str]); 6] = [
            (&["ALL"], &[]),
            (&[], &["ALL"]),
            (&["/usr/bin/systemctl restart smbd", "/usr/bin/id"], &["/usr/bin/id \"\"", "/usr/local/sbin/"]),
            (&["ALL", "/usr/bin/id"], &["/usr/bin/true"]),
            (&["/usr/bin/x a=b,c:d #e !f g^ %h @i (j) ~k $l", "/a,b/c=d/e:f/g#h(i)"], &["/\u{e9}/\u{fc} \u{f1}"]),
            (
                &["/usr/bin/x ALL", "/usr/bin/x NOPASSWD: ALL", "/usr/bin/x a, /usr/bin/y"],
                &["/usr/bin/x -u#0 =", "/usr/bin/x #"],
            ),
        ];
        for (with, without) in rows {
            let commands = SudoCommands { commands: list(with), commands_without_password: list(without) };
            let text = rule(USER, "anna", &commands).unwrap();
            assert_eq!(commands_as_sudo_reads(&text), [with, without], "{text}");
            assert_eq!(granted(&text, USER, "anna"), Some(SudoGrant::Commands(commands)), "{text}");
        }
    }

    #[test]
    fn what_this_program_would_not_write_was_written_by_hand() {
        let everything = Some(SudoGrant::Commands(SudoCommands::everything()));
        let old = format!("{OLD_HEADER}\"anna\" ALL=(ALL) ALL\n");
        assert_eq!(granted(&old, USER, "anna"), everything);
        assert_eq!(granted(&all(USER, "anna").unwrap(), USER, "anna"), everything);
        for rules in [
            "\"anna\" ALL=(ALL) ALL",
            "\"anna\" ALL=(ALL)  ALL\n",
            "\"anna\" ALL=(root) ALL\n",
            "\"anna\" ALL=(ALL) PASSWD: ALL\n",
            "\"anna\" ALL=(ALL) /bin/ls\n",
            "\"anna\" ALL=(ALL) PASSWD: /bin/ls, /bin/cat\n",
            "\"anna\" ALL=(ALL) PASSWD: /bin/*\n",
            "\"anna\" ALL=(ALL) NOPASSWD: !ALL\n",
            "\"anna\" ALL=(ALL) NOPASSWD: /bin/ls\n\"anna\" ALL=(ALL) ALL\n",
            "\"anna\" ALL=(ALL) ALL\n\"root\" ALL=(ALL) ALL\n",
            "\"anna\" ALL=(ALL) ALL\n# a note\n",
            "\"anna\" ALL=(ALL) ALL\n\n",
        ] {
            assert_eq!(granted(&format!("{HEADER}{rules}"), USER, "anna"), Some(SudoGrant::ByHand), "{rules}");
        }
        assert_eq!(granted(&old, USER, "berta"), None);
        assert_eq!(granted(HEADER, USER, "anna"), None);
    }
}
