//! `[sessions]`: what a session over SSH may be, for everybody and by rules for some.

use std::collections::BTreeSet;

use accountd_protocol::session_policy::{Leftovers, ServiceKind, Uploads};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};

/// What is set for everybody, and the rules in the order in which they stand in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Sessions {
    #[serde(flatten)]
    pub settings: SessionSettings,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SessionRule>,
}

/// What is set for some users, by their names and by those of their groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct SessionRule {
    pub users: Vec<String>,
    /// Primary or supplementary.
    pub groups: Vec<String>,
    #[serde(flatten)]
    pub settings: SessionSettings,
}

/// The keys of `[sessions]` and of its rules; `None` where one is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    pub services: Option<BTreeSet<ServiceKind>>,
    pub umask: Option<Umask>,
    pub root: Option<SessionRoot>,
    pub uploads: Option<Uploads>,
    pub leftovers: Option<Leftovers>,
    pub tcp_forwarding: Option<TcpForwarding>,
    pub accept_environment: Option<Vec<VariablePattern>>,
    pub permit_user_environment: Option<PermitUserEnvironment>,
}

/// A file mode creation mask (umask(2)), written as an octal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Umask(u32);

/// What a session sees as `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SessionRoot {
    /// The file system as it is.
    #[default]
    None,
    /// The user's home.
    Home,
    /// An absolute path, in which `%u` stands for the user's name.
    Path(String),
}

/// Whether a session may make TCP connections for its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpForwarding {
    #[default]
    Refused,
    Allowed,
}

/// Whether `environment=` of a key counts (`PermitUserEnvironment` of sshd_config(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermitUserEnvironment {
    #[default]
    No,
    Yes,
}

/// The name of an environment variable, with `*` and `?`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariablePattern(String);

impl SessionSettings {
    /// What is set here, and what `other` sets beside it.
    pub fn or(self, other: &Self) -> Self {
        Self {
            services: self.services.or_else(|| other.services.clone()),
            umask: self.umask.or(other.umask),
            root: self.root.or_else(|| other.root.clone()),
            uploads: self.uploads.or(other.uploads),
            leftovers: self.leftovers.or(other.leftovers),
            tcp_forwarding: self.tcp_forwarding.or(other.tcp_forwarding),
            accept_environment: self.accept_environment.or_else(|| other.accept_environment.clone()),
            permit_user_environment: self.permit_user_environment.or(other.permit_user_environment),
        }
    }
}

impl Sessions {
    /// The settings of somebody: of each key the first rule that is about them and sets it, else what
    /// is set for everybody.
    pub fn settings_of(&self, is_about: impl Fn(&SessionRule) -> bool) -> SessionSettings {
        let rules = self.rules.iter().filter(|rule| is_about(rule));
        rules.fold(SessionSettings::default(), |found, rule| found.or(&rule.settings)).or(&self.settings)
    }
}

impl SessionRule {
    pub fn names(&self, user: &str, groups: &BTreeSet<&str>) -> bool {
        self.users.iter().any(|name| name == user) || self.groups.iter().any(|name| groups.contains(name.as_str()))
    }
}

impl TryFrom<toml::Table> for Sessions {
    type Error = toml::de::Error;

    fn try_from(mut table: toml::Table) -> Result<Self, Self::Error> {
        let rules = list(&mut table, "rules")?;
        Ok(Self { settings: table.try_into()?, rules })
    }
}

impl TryFrom<toml::Table> for SessionRule {
    type Error = toml::de::Error;

    fn try_from(mut table: toml::Table) -> Result<Self, Self::Error> {
        let (users, groups): (Vec<String>, Vec<String>) = (list(&mut table, "users")?, list(&mut table, "groups")?);
        if users.is_empty() && groups.is_empty() {
            return Err(toml::de::Error::custom("a rule of sessions has to name users or groups"));
        }
        Ok(Self { users, groups, settings: table.try_into()? })
    }
}

/// What a key has, taken out of its table; nothing where it is not there.
fn list<T: DeserializeOwned>(table: &mut toml::Table, key: &str) -> Result<Vec<T>, toml::de::Error> {
    let list = table.remove(key).map_or(Ok(Vec::new()), toml::Value::try_into);
    list.map_err(|error| toml::de::Error::custom(format!("{key}: {error}")))
}

impl Umask {
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for Umask {
    fn default() -> Self {
        Self(0o022)
    }
}

impl TryFrom<String> for Umask {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let bits = u32::from_str_radix(&text, 8).ok().filter(|bits| digits && bits & !0o777 == 0);
        bits.map(Self).ok_or_else(|| format!("\"{text}\" is no umask: 0000 to 0777 in octal"))
    }
}

impl From<Umask> for String {
    fn from(umask: Umask) -> String {
        format!("{:04o}", umask.0)
    }
}

impl TryFrom<String> for SessionRoot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "none" => return Ok(SessionRoot::None),
            "home" => return Ok(SessionRoot::Home),
            _ => {}
        }
        let is_path = text.starts_with('/')
            && !text.chars().any(char::is_control)
            && !text.split('/').any(|part| matches!(part, "." | ".."))
            && !text.replace("%u", "").contains('%');
        match is_path {
            true => Ok(SessionRoot::Path(text)),
            false => Err(format!("\"{text}\" is no root: none, home, or an absolute path that may have %u in it")),
        }
    }
}

impl From<SessionRoot> for String {
    fn from(root: SessionRoot) -> String {
        match root {
            SessionRoot::None => "none".to_owned(),
            SessionRoot::Home => "home".to_owned(),
            SessionRoot::Path(path) => path,
        }
    }
}

impl VariablePattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for VariablePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_pattern =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_*?".contains(&byte));
        match is_pattern {
            true => Ok(Self(text)),
            false => Err(format!("\"{text}\" is no pattern of names of variables: letters, digits, _, * and ?")),
        }
    }
}

impl From<VariablePattern> for String {
    fn from(pattern: VariablePattern) -> String {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(text: &str) -> Sessions {
        toml::from_str(text).unwrap()
    }

    fn of(sessions: &Sessions, user: &str, groups: &[&str]) -> SessionSettings {
        let groups = groups.iter().copied().collect();
        sessions.settings_of(|rule| rule.names(user, &groups))
    }

    #[test]
    fn of_each_key_the_first_rule_that_sets_it_counts() {
        let sessions = sessions(
            "umask = \"0027\"\nuploads = \"atomic\"\n\
             [[rules]]\nusers = [\"anna\"]\numask = \"0002\"\n\
             [[rules]]\ngroups = [\"staff\"]\numask = \"0077\"\nroot = \"home\"\n\
             [[rules]]\nusers = [\"berta\"]\ngroups = [\"staff\"]\nroot = \"none\"\nleftovers = \"keep\"\n",
        );
        let anna = of(&sessions, "anna", &["staff", "games"]);
        assert_eq!((anna.umask, anna.uploads), (Some(Umask(0o002)), Some(Uploads::Atomic)));
        assert_eq!((anna.root, anna.leftovers), (Some(SessionRoot::Home), Some(Leftovers::Keep)));
        let berta = of(&sessions, "berta", &[]);
        assert_eq!((berta.umask, berta.root), (Some(Umask(0o027)), Some(SessionRoot::None)));
        let carla = of(&sessions, "carla", &["annas"]);
        assert_eq!(carla, sessions.settings, "nobody's rule is hers");
    }

    #[test]
    fn a_root_is_a_word_or_an_absolute_path() {
        let root = |text: &str| SessionRoot::try_from(text.to_owned());
        assert_eq!(root("home"), Ok(SessionRoot::Home));
        assert_eq!(root("/srv/%u/files"), Ok(SessionRoot::Path("/srv/%u/files".into())));
        for text in ["", "srv", "/srv/..", "/srv/./a", "/srv/%h", "/srv/%", "/srv/%%u", "/a\nb", "Home"] {
            assert!(root(text).is_err(), "{text:?}");
        }
    }
}
