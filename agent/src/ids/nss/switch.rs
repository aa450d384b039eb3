//! nsswitch.conf(5): where users and groups come from besides the account files.

use super::Question;

/// What the account database itself reads, or what is made from the same files.
const THE_FILES: [&str; 3] = ["files", "compat", "db"];

/// The other sources, in the order of the file. Actions in brackets are left out: a name or a
/// number is taken if any source has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Switch {
    users: Vec<String>,
    groups: Vec<String>,
}

impl Switch {
    /// A database without a line has the files alone.
    pub fn parse(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        Self { users: others(&text, "passwd"), groups: others(&text, "group") }
    }

    /// Each source once.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let groups_only = self.groups.iter().filter(|name| !self.users.contains(name));
        self.users.iter().chain(groups_only).map(String::as_str)
    }

    /// Whether a source is one of those for what is asked.
    pub fn answers(&self, source: &str, question: &Question) -> bool {
        let sources = match question {
            Question::UserNamed(_) | Question::Uid(_) => &self.users,
            Question::GroupNamed(_) | Question::Gid(_) => &self.groups,
        };
        sources.iter().any(|name| name == source)
    }
}

/// The last line of a database counts.
fn others(text: &str, database: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let found = lines.filter_map(|line| line.split_once(':')).rfind(|(name, _)| name.trim() == database);
    let mut others: Vec<String> = Vec::new();
    for name in found.map(|(_, sources)| without_actions(sources)).unwrap_or_default().split_whitespace() {
        if is_source(name) && !THE_FILES.contains(&name) && !others.iter().any(|other| other == name) {
            others.push(name.to_owned());
        }
    }
    others
}

fn without_actions(sources: &str) -> String {
    let mut inside = false;
    let outside = sources.chars().map(|character| {
        let was_inside = inside;
        inside = character == '[' || (inside && character != ']');
        if was_inside || inside { ' ' } else { character }
    });
    outside.collect()
}

/// glibc makes the name of a library of it.
fn is_source(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<String>, Vec<String>) {
        let Switch { users, groups } = Switch::parse(text.as_bytes());
        (users, groups)
    }

    #[test]
    fn the_files_are_left_out_and_so_are_actions_and_comments() {
        let text = "# passwd: nothing\npasswd:\t files  [NOTFOUND=return SUCCESS=merge]sss [!UNAVAIL=return] ldap # nis\n\
                    group: compat systemd db systemd\nshadow: files sss\n";
        assert_eq!(parsed(text), (vec!["sss".into(), "ldap".into()], vec!["systemd".into()]));
    }

    #[test]
    fn without_a_line_there_are_the_files_alone() {
        for text in ["", "passwd:\ngroup: files\n", "hosts: dns\n", "passwd files sss\n", "passwd: files [sss"] {
            assert_eq!(parsed(text), (vec![], vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_of_a_library_is_no_source() {
        assert_eq!(parsed("passwd: ../../tmp/x a/b sss\n").0, ["sss"]);
        assert_eq!(parsed("passwd: files\n passwd : winbind\n").0, ["winbind"]);
    }

    #[test]
    fn a_source_is_asked_what_it_is_there_for() {
        let switch = Switch::parse(b"passwd: files sss\ngroup: files systemd sss\n");
        assert_eq!(switch.sources().collect::<Vec<_>>(), ["sss", "systemd"]);
        assert!(switch.answers("sss", &Question::Uid(5)) && switch.answers("systemd", &Question::Gid(5)));
        assert!(!switch.answers("systemd", &Question::UserNamed("a".into())));
    }
}
