//! What the agent has found wrong, in words that name the member of this API.

use accountd_protocol::refusal::{Field, Invalid, LimitField, Problem};

use crate::advice;

pub fn of_all(invalid: &[Invalid]) -> String {
    let all: Vec<String> = invalid.iter().map(of).collect();
    all.join("; ")
}

fn of(Invalid { field, problem }: &Invalid) -> String {
    match problem {
        Problem::Keys(keys) => advice::text(keys),
        problem => format!("{} {problem}", member(*field)),
    }
}

fn member(field: Field) -> &'static str {
    match field {
        // A user's own group has its name.
        Field::UserName | Field::GroupName | Field::PrimaryGroup | Field::Gid => "username",
        Field::Password
        | Field::PasswordHash
        | Field::PasswordDisabled
        | Field::CurrentPassword
        | Field::RandomPassword
        | Field::Rule(_) => "password",
        Field::Home | Field::HomeMode => "the home directory",
        Field::SshKeys => "key",
        Field::KeyTitle => "title",
        Field::Code => "code",
        Field::CodeSecret => "secret",
        Field::Locked => "disabled",
        Field::Roles => "role",
        Field::Limit(limit) => limit_member(limit),
        // Nothing of these is ever asked for here.
        Field::Uid
        | Field::FullName
        | Field::Email
        | Field::Shell
        | Field::Groups
        | Field::Sudo
        | Field::MinDays
        | Field::MaxDays
        | Field::WarnDays
        | Field::InactiveDays
        | Field::Expires
        | Field::MustChange
        | Field::EndProcesses
        | Field::Members
        | Field::ApiKeyName
        | Field::ApiKeys
        | Field::Items
        | Field::Backup
        | Field::Skip
        | Field::Accounts
        | Field::Lifetime
        | Field::Repository(_) => "user",
    }
}

fn limit_member(limit: LimitField) -> &'static str {
    match limit {
        LimitField::Permissions => "permission",
        LimitField::Root => "base_path",
        LimitField::Echo => "sso_id",
        LimitField::Quota | LimitField::Sessions | LimitField::Bandwidth | LimitField::Idle | LimitField::Networks => {
            "user"
        }
    }
}
