//! One finding: what it is about, what is wrong, and what would be done about it.

use accountd_protocol::checks::{CheckedObject, Finding, Severity};
use serde::Serialize;

use super::repair::Repair;
use crate::database::FileKind;

/// The first half of a code: where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    Passwd,
    Shadow,
    Group,
    Gshadow,
    Smbpasswd,
    UsernameMap,
    Aliases,
    Home,
    Keys,
    Sudo,
    Crontab,
    AtJobs,
    Linger,
    Mail,
    Subuid,
    Subgid,
    State,
    Nss,
}

impl Area {
    pub fn of(kind: FileKind) -> Self {
        match kind {
            FileKind::Passwd => Area::Passwd,
            FileKind::Shadow => Area::Shadow,
            FileKind::Group => Area::Group,
            FileKind::Gshadow => Area::Gshadow,
            FileKind::Smbpasswd => Area::Smbpasswd,
            FileKind::UsernameMap => Area::UsernameMap,
            FileKind::Aliases => Area::Aliases,
        }
    }

    fn slug(self) -> &'static str {
        match self {
            Area::Passwd => "passwd",
            Area::Shadow => "shadow",
            Area::Group => "group",
            Area::Gshadow => "gshadow",
            Area::Smbpasswd => "smbpasswd",
            Area::UsernameMap => "username_map",
            Area::Aliases => "aliases",
            Area::Home => "home",
            Area::Keys => "keys",
            Area::Sudo => "sudo",
            Area::Crontab => "crontab",
            Area::AtJobs => "at_jobs",
            Area::Linger => "linger",
            Area::Mail => "mail",
            Area::Subuid => "subuid",
            Area::Subgid => "subgid",
            Area::State => "state",
            Area::Nss => "nss",
        }
    }
}

/// Declares the second half of every code: what is wrong, and how bad that is.
macro_rules! faults {
    ($($name:ident $slug:literal $severity:ident)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($name),* }

        impl Fault {
            fn slug(self) -> &'static str {
                match self { $(Fault::$name => $slug),* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Fault::$name => Severity::$severity),* }
            }
        }
    };
}

faults! {
    Malformed           "malformed"             Error
    FieldCount          "field_count"           Error
    LeadingBlank        "leading_blank"         Error
    DuplicateName       "duplicate_name"        Error
    InvalidNumber       "invalid_number"        Error
    InvalidDate         "invalid_date"          Error
    EmptyPassword       "empty_password"        Error
    Missing             "missing"               Error
    WrongUid            "wrong_uid"             Error
    WrongOwner          "wrong_owner"           Error
    Writable            "writable"              Error
    NotItsAccounts      "not_its_accounts"      Error
    HoldsAccount        "holds_account"         Error
    ReplaceableCommand  "replaceable_command"   Error
    NoAnswer            "no_answer"             Error
    PasswordHere        "password_here"         Warning
    NoAccount           "no_account"            Warning
    NoGroup             "no_group"              Warning
    UnknownMember       "unknown_member"        Warning
    UnknownAdministrator "unknown_administrator" Warning
    MembersDiffer       "members_differ"        Warning
    InvalidName         "invalid_name"          Warning
    DuplicateNumber     "duplicate_number"      Warning
    ReservedNumber      "reserved_number"       Warning
    AnotherSuperuser    "another_superuser"     Warning
    UnknownPrimaryGroup "unknown_primary_group" Warning
    MissingShell        "missing_shell"         Warning
    NotAbsolute         "not_absolute"          Warning
    OverLong            "over_long"             Warning
    ControlCharacter    "control_character"     Warning
    ChangedInFuture     "changed_in_future"     Warning
    MinimumOverMaximum  "minimum_over_maximum"  Warning
    NotADirectory       "not_a_directory"       Warning
    Shared              "shared"                Warning
    Nested              "nested"                Warning
    NotOurs             "not_ours"              Warning
    Overlap             "overlap"               Warning
    MissingCommand      "missing_command"       Warning
    Suspended           "suspended"             Warning
    LetsIn              "lets_in"               Warning
    CaseDuplicate       "case_duplicate"        Note
    Linked              "linked"                Note
    Blank               "blank"                 Note
    Comment             "comment"               Note
    Nis                 "nis"                   Note
}

/// A finding as the agent has it.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    pub code: String,
    pub severity: Severity,
    pub object: CheckedObject,
    pub message: String,
    pub repair: Option<Repair>,
}

impl Found {
    pub fn new(area: Area, fault: Fault, object: CheckedObject, message: String) -> Self {
        let code = format!("{}.{}", area.slug(), fault.slug());
        Self { code, severity: fault.severity(), object, message, repair: None }
    }

    pub fn repaired_by(self, repair: Repair) -> Self {
        Self { repair: Some(repair), ..self }
    }

    /// The same, where the repair is safe only under a condition.
    pub fn repaired_if(self, is_safe: bool, repair: Repair) -> Self {
        Self { repair: is_safe.then_some(repair), ..self }
    }

    /// What is so in many places on purpose.
    pub fn only_a_note(self) -> Self {
        Self { severity: Severity::Note, ..self }
    }

    pub fn shown(&self, number: usize) -> Finding {
        Finding {
            number,
            code: self.code.clone(),
            severity: self.severity,
            object: self.object.clone(),
            message: self.message.clone(),
            repair: self.repair.as_ref().map(Repair::in_words),
        }
    }
}

/// How many names a message has.
const MOST_NAMES: usize = 10;

/// Some names for people: what would disturb a terminal is escaped.
pub fn named(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| format!("'{}'", name.escape_debug())).collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_names_is_cut_and_counted() {
        let names: Vec<String> = (0..12).map(|number| format!("n{number}")).collect();
        assert!(named(&names).ends_with("'n9' and 2 more"), "{}", named(&names));
        assert_eq!(named(&["a\u{1b}".into()]), "'a\\u{1b}'");
    }
}
