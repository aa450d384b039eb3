//! What is wrong with the values of a request: this API's names of fields, and a stable code for each
//! kind of problem.

use std::borrow::Cow;

use accountd_protocol::name::NameError;
use accountd_protocol::refusal::{Field, Invalid, Problem, Unread};
use accountd_protocol::repository::{CloneUriError, RepositoryNameError, RepositoryProblem};
use accountd_protocol::sudo::{SudoFault, SudoProblem};
use accountd_protocol::text::TextError;
use serde::Serialize;

use super::{limits, policy};
use crate::advice;

/// What the fields of a request belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
    Repository,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Repository => "repository",
        }
    }
}

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub field: String,
    pub code: Cow<'static, str>,
    pub message: String,
    /// Whether the value is good by itself, and only what exists is in its way.
    #[serde(skip)]
    pub conflict: Conflict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    No,
    WithWhatExists,
}

impl Fault {
    pub fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into(), conflict: Conflict::No }
    }

    /// One of an item of a batch, as it comes back.
    pub fn read(Unread { field, code, message }: Unread) -> Self {
        Self { field, code: code.into(), message, conflict: Conflict::No }
    }

    /// The same on its way.
    pub fn unread(self) -> Unread {
        Unread { field: self.field, code: self.code.into_owned(), message: self.message }
    }

    /// What the agent has found.
    pub fn of(kind: Kind, invalid: &Invalid) -> Self {
        let Invalid { field: of, problem } = invalid;
        let field = of;
        let field = match problem {
            // The lines of the file are the items of the list.
            Problem::BadKey { line, .. } => format!("{}[{}]", name(kind, *field), line.saturating_sub(1)),
            Problem::SudoCommand(SudoProblem { list, index, .. }) => {
                format!("{}.{}[{index}]", name(kind, *field), list.name())
            }
            _ => name(kind, *field).to_owned(),
        };
        Self { conflict: conflict(problem), ..Self::new(field, code(problem), message(*of, problem)) }
    }
}

fn name(kind: Kind, field: Field) -> &'static str {
    match (field, kind) {
        (Field::UserName, _) => "username",
        (Field::Uid, _) => "uid",
        (Field::FullName, _) => "full_name",
        (Field::Email, _) => "email",
        (Field::Home, _) => "home",
        (Field::HomeMode, _) => "home_mode",
        (Field::Shell, _) => "shell",
        (Field::Password, _) => "password",
        (Field::PasswordHash, _) => "password_hash",
        (Field::PrimaryGroup | Field::Gid, _) => "gid",
        (Field::Groups, _) => "groups",
        (Field::SshKeys, _) => "keys",
        // A group of the user's own has its name.
        (Field::GroupName, Kind::User | Kind::Repository) => "username",
        (Field::GroupName, Kind::Group) => "groupname",
        (Field::Sudo, _) => "sudo",
        (Field::Locked, _) => "locked",
        (Field::PasswordDisabled, _) => "password_disabled",
        (Field::Members, _) => "members",
        (Field::MinDays, _) => "min_days",
        (Field::MaxDays, _) => "max_days",
        (Field::WarnDays, _) => "warn_days",
        (Field::InactiveDays, _) => "inactive_days",
        (Field::Expires, _) => "expires",
        (Field::MustChange, _) => "must_change",
        (Field::CurrentPassword, _) => "current",
        (Field::Items, _) => "items",
        (Field::ApiKeyName, _) => "name",
        (Field::ApiKeys, _) => "api_keys",
        (Field::Roles, _) => "roles",
        (Field::Backup, _) => "backup",
        (Field::Skip, _) => "skip",
        (Field::Accounts, _) => "accounts",
        (Field::RandomPassword, _) => "random_password",
        (Field::Rule(rule), _) => policy::path(rule),
        (Field::Limit(limit), _) => limits::path(limit),
        (Field::EndProcesses, _) => "end_processes",
        (Field::Code, _) => "code",
        (Field::CodeSecret, _) => "secret",
        (Field::Lifetime, _) => "lifetime",
        (Field::Repository(field), _) => field.name(),
        (Field::KeyTitle, _) => "title",
    }
}

fn message(field: Field, problem: &Problem) -> String {
    match problem {
        Problem::Wrong if field == Field::Code => "is wrong, or was used before".into(),
        Problem::Keys(found) => advice::text(found),
        // Which one it is the field says.
        Problem::BadKey { reason, .. } => format!("is not a public key: {reason}"),
        Problem::NotRepairable { path, fault } => advice::not_repairable(path, fault),
        problem => problem.to_string(),
    }
}

fn code(problem: &Problem) -> &'static str {
    match problem {
        Problem::Required => "required",
        Problem::MustBeAbsent => "must_be_absent",
        Problem::Name(error) => name_code(error),
        Problem::Text(error) => text_code(error),
        Problem::Duplicate(_) => "duplicate",
        Problem::CaseDuplicate(_) => "case_duplicate",
        Problem::Reserved => "reserved",
        Problem::Subordinate(_) => "subordinate",
        Problem::NoneFree => "none_free",
        Problem::ServiceAccount => "service_account",
        Problem::Builtin => "builtin",
        Problem::NoSuch(_) => "no_such",
        Problem::NotAShell => "not_a_shell",
        Problem::OutsideRoots(_) => "outside_roots",
        Problem::NotMounted(_) => "not_mounted",
        Problem::PoolRoot => "pool_root",
        Problem::NotADirectory => "not_a_directory",
        Problem::NotOwned => "not_owned",
        Problem::InUse(_) => "in_use",
        Problem::BadMode => "bad_mode",
        Problem::TooMany { .. } => "too_many",
        Problem::TooLong { .. } => "too_long",
        Problem::ControlCharacters => "bad_characters",
        Problem::TooManyCharacters { .. } => "too_long",
        Problem::Past => "past",
        Problem::BadHash => "bad_hash",
        Problem::BadKey { .. } => "bad_key",
        Problem::HomeNotWritable => "home_not_writable",
        Problem::NotForSudoers => "not_for_sudoers",
        Problem::NoSudo(_) => "no_sudo",
        Problem::SudoCommand(problem) => sudo_code(&problem.fault),
        Problem::SudoByHand => "changed_by_hand",
        Problem::SharedUid(_) => "shared_uid",
        Problem::TransferRunning => "transfer_running",
        Problem::HoldsHome(_) => "holds_home",
        Problem::SoftAboveHard => "soft_above_hard",
        Problem::Zero => "zero",
        Problem::TooLarge(_) => "too_large",
        Problem::NotAPlainPath => "not_a_plain_path",
        Problem::Wrong => "wrong",
        Problem::Unchanged => "unchanged",
        Problem::TooEarly => "too_early",
        Problem::TooShort(_) => "too_short",
        Problem::TooFewClasses(_) => "too_few_classes",
        Problem::Recent(_) => "recent",
        Problem::NotFrom { .. } => "out_of_range",
        Problem::MoreThan(_) => "too_large",
        Problem::LessThanMinDays => "less_than_min_days",
        Problem::Unsupported => "unsupported",
        Problem::Twice => "twice",
        Problem::GivenBy(_) => "given_by_group",
        Problem::Damaged => "damaged",
        Problem::SetOtherwise(_) => "set_otherwise",
        Problem::HomeStays(_) => "home_stays",
        Problem::Keys(_) => "keys_would_not_count",
        Problem::NotRepairable { .. } => "not_repairable",
        Problem::NotBegun => "not_begun",
        Problem::Repository(problem) => repository_code(problem),
    }
}

fn repository_code(problem: &RepositoryProblem) -> &'static str {
    match problem {
        RepositoryProblem::Name(error) => match error {
            RepositoryNameError::Empty => "required",
            RepositoryNameError::TooLong { .. } => "too_long",
            RepositoryNameError::TooDeep { .. } => "too_deep",
            RepositoryNameError::EmptyComponent => "empty_component",
            RepositoryNameError::BadCharacters(_) => "bad_characters",
            RepositoryNameError::BadStart => "bad_start",
            RepositoryNameError::TakenEnding(_) => "reserved",
        },
        RepositoryProblem::CloneUri(error) => match error {
            CloneUriError::Empty => "required",
            CloneUriError::TooLong { .. } => "too_long",
            CloneUriError::BadCharacters | CloneUriError::BadAuthority => "bad_url",
            CloneUriError::UnknownScheme | CloneUriError::Scheme(_) => "bad_scheme",
            CloneUriError::Password(_) => "no_credentials",
        },
        RepositoryProblem::Nested(_) => "nested",
        RepositoryProblem::InTheWay => "in_the_way",
        RepositoryProblem::Owns(_) => "owns_repositories",
        RepositoryProblem::IsOwner => "is_owner",
        RepositoryProblem::OthersOnlyRead => "others_only_read",
    }
}

fn repository_conflict(problem: &RepositoryProblem) -> Conflict {
    match problem {
        RepositoryProblem::Nested(_)
        | RepositoryProblem::InTheWay
        | RepositoryProblem::Owns(_)
        | RepositoryProblem::IsOwner => Conflict::WithWhatExists,
        RepositoryProblem::Name(_) | RepositoryProblem::CloneUri(_) | RepositoryProblem::OthersOnlyRead => Conflict::No,
    }
}

fn sudo_code(fault: &SudoFault) -> &'static str {
    match fault {
        SudoFault::Empty => "required",
        SudoFault::TooLong { .. } => "too_long",
        SudoFault::ControlCharacters => "bad_characters",
        SudoFault::Negated => "negated",
        SudoFault::Sudoedit => "sudoedit",
        SudoFault::NotAbsolute => "not_absolute",
        SudoFault::DotComponent => "dot_component",
        SudoFault::WildcardInPath | SudoFault::WildcardInArguments => "wildcard",
        SudoFault::RegularExpression => "regular_expression",
        SudoFault::Quotes => "quotes",
        SudoFault::Blanks => "blanks",
        SudoFault::DirectoryWithArguments => "directory_with_arguments",
        SudoFault::Twice => "twice",
        SudoFault::Missing(_) => "no_such",
        SudoFault::NotAProgram(_) => "not_a_program",
        SudoFault::Directory => "directory",
        SudoFault::Replaceable { .. } => "replaceable",
    }
}

fn name_code(error: &NameError) -> &'static str {
    match error {
        NameError::Empty => "required",
        NameError::TooLong { .. } => "too_long",
        NameError::BadStart => "bad_start",
        NameError::BadCharacters(_) | NameError::DollarInside | NameError::TrailingDot => "bad_characters",
        NameError::AllDigits => "all_digits",
        NameError::Reserved => "reserved",
    }
}

fn text_code(error: &TextError) -> &'static str {
    match error {
        TextError::Empty => "required",
        TextError::TooLong { .. } => "too_long",
        TextError::BadCharacters(_) => "bad_characters",
        TextError::NotAbsolute => "not_absolute",
        TextError::DotComponent => "dot_component",
    }
}

fn conflict(problem: &Problem) -> Conflict {
    match problem {
        Problem::Repository(problem) => repository_conflict(problem),
        Problem::Duplicate(_)
        | Problem::CaseDuplicate(_)
        | Problem::Subordinate(_)
        | Problem::NoneFree
        | Problem::Builtin
        | Problem::NotADirectory
        | Problem::NotOwned
        | Problem::NotMounted(_)
        | Problem::InUse(_)
        | Problem::TransferRunning
        | Problem::HoldsHome(_)
        | Problem::HomeStays(_)
        | Problem::SudoByHand
        | Problem::SharedUid(_)
        | Problem::GivenBy(_)
        | Problem::SetOtherwise(_)
        | Problem::Keys(_)
        | Problem::NotRepairable { .. } => Conflict::WithWhatExists,
        Problem::Required
        | Problem::MustBeAbsent
        | Problem::Name(_)
        | Problem::Text(_)
        | Problem::Reserved
        | Problem::ServiceAccount
        | Problem::NoSuch(_)
        | Problem::NotAShell
        | Problem::OutsideRoots(_)
        | Problem::PoolRoot
        | Problem::BadMode
        | Problem::TooMany { .. }
        | Problem::TooLong { .. }
        | Problem::ControlCharacters
        | Problem::TooManyCharacters { .. }
        | Problem::Past
        | Problem::BadHash
        | Problem::Damaged
        | Problem::BadKey { .. }
        | Problem::HomeNotWritable
        | Problem::NotForSudoers
        | Problem::NoSudo(_)
        | Problem::SudoCommand(_)
        | Problem::SoftAboveHard
        | Problem::Zero
        | Problem::TooLarge(_)
        | Problem::NotAPlainPath
        | Problem::Wrong
        | Problem::Unchanged
        | Problem::TooEarly
        | Problem::TooShort(_)
        | Problem::TooFewClasses(_)
        | Problem::Recent(_)
        | Problem::NotFrom { .. }
        | Problem::MoreThan(_)
        | Problem::LessThanMinDays
        | Problem::Unsupported
        | Problem::Twice => Conflict::No,
        Problem::NotBegun => Conflict::WithWhatExists,
    }
}
