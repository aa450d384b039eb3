//! The dialect's names of fields and its words for what is wrong with them.

use accountd_protocol::name::NameError;
use accountd_protocol::refusal::{Field, Problem};
use accountd_protocol::removal::HomeStays;
use accountd_protocol::text::TextError;

use super::form::Form;
use super::place::{Action, Kind, Place};
use crate::advice;

pub const REQUIRED: &str = "This field is required.";
pub const NOT_NULL: &str = "This field cannot be null.";
pub const NO_SUCH_CHOICE: &str = "Select a valid choice. That choice is not one of the available choices.";

/// The key under which a field's messages are listed.
pub fn key(place: Place, field: Field) -> &'static str {
    match (field, place.kind) {
        (Field::UserName, _) => "bsdusr_username",
        (Field::Uid, _) => "bsdusr_uid",
        (Field::FullName, _) => "bsdusr_full_name",
        (Field::Email, _) => "bsdusr_email",
        (Field::Home | Field::HomeMode, _) => "bsdusr_home",
        (Field::Shell, _) => "bsdusr_shell",
        (Field::Password, _) => "bsdusr_password",
        (Field::PrimaryGroup, _) => "bsdusr_group",
        (Field::Groups, _) if place.action == Action::Memberships => "bsduser_to_group",
        (Field::Groups, _) => "bsdusr_to_group",
        (Field::SshKeys, _) => "bsdusr_sshpubkey",
        (Field::GroupName, Kind::Group) => "bsdgrp_group",
        (Field::Gid, Kind::Group) => "bsdgrp_gid",
        (Field::GroupName | Field::Gid, Kind::User) => "bsdusr_creategroup",
        (Field::PasswordHash, _) => "bsdusr_password_hash",
        (Field::Locked, _) => "bsdusr_locked",
        (Field::PasswordDisabled, _) => "bsdusr_password_disabled",
        (Field::Members, _) => "bsdgrp_users",
        (Field::Sudo, Kind::User) => "bsdusr_sudo",
        (Field::Sudo, Kind::Group) => "bsdgrp_sudo",
        // The dialect has no fields for how long passwords last, so nothing is wrong with them.
        (
            Field::MinDays
            | Field::MaxDays
            | Field::WarnDays
            | Field::InactiveDays
            | Field::Expires
            | Field::MustChange
            | Field::CurrentPassword
            | Field::EndProcesses
            | Field::RandomPassword
            | Field::Rule(_)
            | Field::Limit(_)
            | Field::ApiKeyName
            | Field::Roles
            | Field::ApiKeys
            | Field::Items
            | Field::Backup
            | Field::Skip
            | Field::Accounts
            | Field::Repository(_)
            | Field::Code
            | Field::CodeSecret
            | Field::Lifetime
            | Field::KeyTitle,
            _,
        ) => "bsdusr_password",
    }
}

/// What to tell the client. `form` is what it sent, for the messages that repeat it.
pub fn text(place: Place, field: Field, problem: &Problem, form: &Form) -> String {
    match problem {
        Problem::Required => required(place, field),
        Problem::MustBeAbsent => "Leave this field blank.".into(),
        Problem::Name(error) => name(field, error),
        Problem::Text(error) => field_text(field, error, &form.given(key(place, field))),
        Problem::Duplicate(existing) => duplicate(field, existing, &form.given(key(place, field))),
        Problem::CaseDuplicate(existing) => format!("The name \"{existing}\" already exists; it differs only in case."),
        Problem::Reserved => "This value is reserved and cannot be used.".into(),
        Problem::Subordinate(owner) => {
            format!("This is in the subordinate range of \"{owner}\", who could become it, and cannot be used.")
        }
        Problem::ServiceAccount => "This belongs to a service of this system and cannot be used.".into(),
        Problem::Builtin => "This attribute cannot be changed".into(),
        Problem::NoSuch(what) => no_such(field, what),
        Problem::NotAShell => no_choice(&form.given(key(place, field))),
        Problem::OutsideRoots(_) if form.given(key(place, field)) == "/root" => {
            "Home directory has to start with /mnt/ or be /nonexistent".into()
        }
        Problem::OutsideRoots(_) => "The path must reside within a volume mount point".into(),
        Problem::NotMounted(point) => format!("Nothing is mounted at {point}, where this path lies."),
        Problem::PoolRoot => "Volume root directories cannot be used as user home directories.".into(),
        Problem::NotADirectory => "Path for home directory already exists and is not a directory".into(),
        Problem::NotOwned => "Path for home directory, or a directory above it, belongs to somebody else".into(),
        Problem::InUse(by) => format!("This is in use by {by}."),
        Problem::BadMode => "Please provide a valid value for home_mode attribute".into(),
        Problem::TooMany { max, actual } => too_many(field, *max, *actual),
        Problem::TooLong { max, actual } => too_many_bytes(*max, *actual),
        Problem::ControlCharacters => "This field cannot contain line breaks, NUL or other control characters.".into(),
        Problem::BadHash => "This is not a password hash that can be verified here.".into(),
        Problem::BadKey { line, reason } => format!("Line {line} is not a public key: {reason}."),
        Problem::HomeNotWritable => "The home directory is not writable. Leave this field blank.".into(),
        Problem::NotForSudoers => "This name cannot be given sudo rights.".into(),
        Problem::SudoCommand(problem) => format!("Sudo rights cannot be given: {problem}."),
        Problem::SharedUid(others) => format!("The User ID is that of {others} too."),
        Problem::SudoByHand => "These sudo rights were changed by hand and cannot be replaced here.".into(),
        Problem::NoSudo(reason) => format!("Sudo rights cannot be given: {reason}."),
        Problem::SoftAboveHard | Problem::Zero | Problem::TooLarge(_) | Problem::NotAPlainPath => {
            format!("This value {problem}.")
        }
        Problem::Wrong => "This is not the present password.".into(),
        Problem::Unchanged => "This is the present password.".into(),
        Problem::TooEarly => "The password was changed too short a time ago.".into(),
        Problem::TooShort(least) => format!("Ensure this value has at least {least} characters."),
        Problem::TooFewClasses(least) => {
            format!("The password needs {least} of: lower case letters, upper case letters, digits, other characters.")
        }
        Problem::Recent(last) => format!("This is one of the last {last} passwords."),
        Problem::NotFrom { least, most } => format!("Ensure this value is from {least} to {most}."),
        Problem::MoreThan(most) => format!("Ensure this value is less than or equal to {most}."),
        Problem::LessThanMinDays => "This is less than the days between two changes.".into(),
        Problem::Unsupported => "This is not supported.".into(),
        Problem::TooManyCharacters { max, .. } => format!("This is longer than {max} characters."),
        Problem::Past => "This is not in the future.".into(),
        Problem::Twice => "This is the user of another object too.".into(),
        // No dialect but ours takes backups or roles.
        Problem::Damaged | Problem::SetOtherwise(_) | Problem::GivenBy(_) | Problem::NotBegun => problem.to_string(),
        Problem::Repository(problem) => format!("The user {problem}."),
        Problem::TransferRunning => "The home directory is being transferred. Please try again later.".into(),
        Problem::HoldsHome(other) => format!("The home directory of {other} lies in it, so it cannot be moved."),
        Problem::NoneFree => "No number is free for this.".into(),
        Problem::HomeStays(reason) => home_stays(reason),
        Problem::Keys(advice) => advice::text(advice),
        Problem::NotRepairable { path, fault } => advice::not_repairable(path, fault),
    }
}

pub fn too_long(max: usize, actual: usize) -> String {
    format!("Ensure this value has at most {max} characters (it has {actual}).")
}

fn too_many_bytes(max: usize, actual: usize) -> String {
    format!("Ensure this value has at most {max} bytes (it has {actual}).")
}

pub fn no_choice(given: &str) -> String {
    format!("Select a valid choice. {given} is not one of the available choices.")
}

fn required(place: Place, field: Field) -> String {
    match (field, place.action) {
        (Field::Password, Action::Create) => "Password is required".into(),
        (Field::Home, _) => NOT_NULL.into(),
        _ => REQUIRED.into(),
    }
}

fn name(field: Field, error: &NameError) -> String {
    match error {
        NameError::Empty => REQUIRED.into(),
        NameError::TooLong { max, actual } => too_long(*max, *actual),
        NameError::BadStart if field == Field::GroupName => {
            "Name must begin with a letter, a digit or an underscore.".into()
        }
        NameError::BadStart => "Name must begin with a letter or an underscore and not a \"-\".".into(),
        NameError::BadCharacters(characters) => format!("name contains invalid characters: {characters}"),
        NameError::DollarInside => "The character $ is only allowed as the final character.".into(),
        NameError::TrailingDot => "Name must not end with a \".\".".into(),
        NameError::AllDigits => "Name must not be a number.".into(),
        NameError::Reserved => "This name is reserved and cannot be used.".into(),
    }
}

/// A text's length is in bytes, which are characters only where all of them are ASCII.
fn field_text(field: Field, error: &TextError, given: &str) -> String {
    match error {
        TextError::Empty if field == Field::Home => NOT_NULL.into(),
        TextError::Empty => REQUIRED.into(),
        TextError::TooLong { max, actual } if given.is_ascii() => too_long(*max, *actual),
        TextError::TooLong { max, actual } => too_many_bytes(*max, *actual),
        TextError::BadCharacters(characters) => bad_characters(field, characters),
        TextError::NotAbsolute => "The path must be absolute.".into(),
        TextError::DotComponent => "The path must not contain \".\" or \"..\".".into(),
    }
}

fn bad_characters(field: Field, characters: &str) -> String {
    match field {
        Field::Email => "Enter a valid email address.".into(),
        Field::FullName if characters == ":" => "The \":\" character is not allowed in a \"Full Name\".".into(),
        Field::FullName => format!("Your full name contains invalid characters ({characters})."),
        Field::Home if characters == ":" => "\"Home Directory\" cannot contain colons (:).".into(),
        Field::Home => format!("\"Home Directory\" contains invalid characters ({characters})."),
        Field::UserName
        | Field::Uid
        | Field::HomeMode
        | Field::Shell
        | Field::Password
        | Field::PasswordHash
        | Field::PrimaryGroup
        | Field::Groups
        | Field::SshKeys
        | Field::GroupName
        | Field::Gid
        | Field::Sudo
        | Field::Locked
        | Field::PasswordDisabled
        | Field::MinDays
        | Field::MaxDays
        | Field::WarnDays
        | Field::InactiveDays
        | Field::Expires
        | Field::MustChange
        | Field::CurrentPassword
        | Field::EndProcesses
        | Field::RandomPassword
        | Field::Rule(_)
        | Field::Limit(_)
        | Field::Members
        | Field::ApiKeyName
        | Field::Roles
        | Field::ApiKeys
        | Field::Items
        | Field::Backup
        | Field::Skip
        | Field::Accounts
        | Field::Repository(_)
        | Field::Code
        | Field::CodeSecret
        | Field::Lifetime
        | Field::KeyTitle => format!("This field contains invalid characters ({characters})."),
    }
}

fn duplicate(field: Field, existing: &str, given: &str) -> String {
    match field {
        Field::UserName => format!("The username \"{existing}\" already exists."),
        Field::GroupName | Field::PrimaryGroup => format!("A Group with the name \"{existing}\" already exists."),
        Field::Gid => format!("The Group ID \"{given}\" already exists."),
        Field::Uid => format!("The User ID \"{given}\" already exists."),
        Field::FullName
        | Field::Email
        | Field::Home
        | Field::HomeMode
        | Field::Shell
        | Field::Password
        | Field::PasswordHash
        | Field::Groups
        | Field::SshKeys
        | Field::Sudo
        | Field::Locked
        | Field::PasswordDisabled
        | Field::MinDays
        | Field::MaxDays
        | Field::WarnDays
        | Field::InactiveDays
        | Field::Expires
        | Field::MustChange
        | Field::CurrentPassword
        | Field::EndProcesses
        | Field::RandomPassword
        | Field::Rule(_)
        | Field::Limit(_)
        | Field::Members
        | Field::ApiKeyName
        | Field::Roles
        | Field::ApiKeys
        | Field::Items
        | Field::Backup
        | Field::Skip
        | Field::Accounts
        | Field::Repository(_)
        | Field::Code
        | Field::CodeSecret
        | Field::Lifetime
        | Field::KeyTitle => format!("This is already in use: {existing}"),
    }
}

/// Neither the home nor the account has been deleted.
fn home_stays(reason: &HomeStays) -> String {
    let reason = match reason {
        HomeStays::SharedWith(name) => format!("it is the home directory of \"{name}\" too"),
        HomeStays::Holds(name) => format!("the home directory of \"{name}\" is in it"),
        HomeStays::Outside(_) => "it does not reside within a volume mount point".into(),
        HomeStays::NotMounted(point) => format!("nothing is mounted at {point}, where it lies"),
        HomeStays::PoolRoot => "it is a volume root directory".into(),
        HomeStays::Linked => "it is a symbolic link or is reached over one".into(),
        HomeStays::NotADirectory => "it is not a directory".into(),
        HomeStays::NotOwned => "it belongs to somebody else".into(),
        HomeStays::Exposed => "it lies in a directory that others than root can change".into(),
        HomeStays::BadTrash(path) => format!("{path} can be reached by others than root"),
    };
    format!("The home directory cannot be deleted: {reason}.")
}

fn no_such(field: Field, what: &str) -> String {
    match field {
        Field::PrimaryGroup => NO_SUCH_CHOICE.into(),
        _ => no_choice(what),
    }
}

fn too_many(field: Field, max: usize, actual: usize) -> String {
    match field {
        Field::Groups => format!("A user cannot belong to more than {max} auxiliary groups."),
        _ => format!("Ensure this field has at most {max} entries (it has {actual})."),
    }
}
