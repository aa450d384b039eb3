//! What the agent has found wrong with a user, in words that name the member of this API.

use accountd_protocol::refusal::{Field, Invalid, LimitField, Problem};

use crate::advice;

pub fn of_all(invalid: &[&Invalid]) -> String {
    let all: Vec<String> = invalid.iter().map(|one| of(one)).collect();
    all.join("; ")
}

fn of(Invalid { field, problem }: &Invalid) -> String {
    match (field, problem) {
        // Each key has a line of its own.
        (Field::SshKeys, Problem::BadKey { line, reason }) => unparsable_key(line.saturating_sub(1), reason),
        (_, Problem::Keys(keys)) => advice::text(keys),
        (field, problem) => format!("{} {problem}", member(*field)),
    }
}

pub fn unparsable_key(index: usize, reason: &str) -> String {
    format!("Could not parse key nr. {index}: {reason}")
}

fn member(field: Field) -> &'static str {
    match field {
        Field::UserName => "username",
        Field::Uid => "uid",
        Field::Home | Field::HomeMode => "home_dir",
        Field::Password
        | Field::PasswordHash
        | Field::PasswordDisabled
        | Field::CurrentPassword
        | Field::RandomPassword
        | Field::Rule(_) => "password",
        Field::PrimaryGroup | Field::GroupName | Field::Gid => "gid",
        Field::SshKeys => "public_keys",
        Field::Limit(limit) => limit_member(limit),
        // Nothing of these is ever asked for here.
        Field::FullName
        | Field::Email
        | Field::Shell
        | Field::Groups
        | Field::Sudo
        | Field::Locked
        | Field::MinDays
        | Field::MaxDays
        | Field::WarnDays
        | Field::InactiveDays
        | Field::Expires
        | Field::MustChange
        | Field::EndProcesses
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
        | Field::KeyTitle => "user",
    }
}

fn limit_member(limit: LimitField) -> &'static str {
    match limit {
        LimitField::Quota => "quota_size",
        LimitField::Sessions => "max_sessions",
        LimitField::Bandwidth => "upload_bandwidth",
        LimitField::Permissions | LimitField::Echo => "permissions",
        LimitField::Idle | LimitField::Networks | LimitField::Root => "user",
    }
}
