//! What an operation is called in the audit trail, whom it is about, and why it was refused.

use accountd_protocol::agent::Operation;
use accountd_protocol::audit::AuditAction;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::{Field, Invalid, Refusal};
use accountd_protocol::repository::RepositoryRef;

/// The longest reason, in characters.
const LONGEST: usize = 300;

/// Whom an operation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Nobody,
    User(AccountId),
    Group(AccountId),
    NewUser(String),
    NewGroup(String),
    Repository(RepositoryRef),
}

/// The name of an operation, and whom it is about.
pub fn subject(operation: &Operation) -> (AuditAction, Subject) {
    match operation {
        Operation::ListUsers(_) => (AuditAction::ListUsers, Subject::Nobody),
        Operation::GetUser(id) | Operation::ListKeys(id) => (AuditAction::GetUser, Subject::User(*id)),
        Operation::FindUser(_) => (AuditAction::GetUser, Subject::Nobody),
        Operation::FindGroup(_) | Operation::ResolveGroups(_) => (AuditAction::GetGroup, Subject::Nobody),
        Operation::SetKeys { id, .. } => (AuditAction::UpdateUser, Subject::User(*id)),
        Operation::SetMembers { id, .. } => (AuditAction::UpdateGroup, Subject::Group(*id)),
        Operation::CreateUser(new) => (AuditAction::CreateUser, Subject::NewUser(new.name.as_str().to_owned())),
        Operation::Batch(_) => (AuditAction::Batch, Subject::Nobody),
        Operation::Export => (AuditAction::Export, Subject::Nobody),
        Operation::Import(_) => (AuditAction::Import, Subject::Nobody),
        Operation::GetJob(..) | Operation::ListJobs | Operation::CancelJob(_) => {
            (AuditAction::ListShells, Subject::Nobody)
        }
        Operation::CreateUsers(_) => (AuditAction::CreateUser, Subject::Nobody),
        Operation::UpdateUser { id, .. } | Operation::DisableUser { id, .. } => {
            (AuditAction::UpdateUser, Subject::User(*id))
        }
        Operation::DeleteUser { id, .. } => (AuditAction::DeleteUser, Subject::User(*id)),
        Operation::RepairKeys(id) => (AuditAction::RepairKeys, Subject::User(*id)),
        Operation::SetPassword { id, .. } => (AuditAction::SetPassword, Subject::User(*id)),
        Operation::GetHome(id) => (AuditAction::GetHome, Subject::User(*id)),
        Operation::ListMemberships(id) => (AuditAction::ListMemberships, Subject::User(*id)),
        Operation::SetMemberships { id, .. } => (AuditAction::SetMemberships, Subject::User(*id)),
        Operation::SetRoles { id, .. } => (AuditAction::UpdateUser, Subject::User(*id)),
        Operation::ListGroups(_) => (AuditAction::ListGroups, Subject::Nobody),
        Operation::GetGroup(id) => (AuditAction::GetGroup, Subject::Group(*id)),
        Operation::CreateGroup(new) => (AuditAction::CreateGroup, Subject::NewGroup(new.name.as_str().to_owned())),
        Operation::UpdateGroup { id, .. } => (AuditAction::UpdateGroup, Subject::Group(*id)),
        Operation::DeleteGroup { id, .. } => (AuditAction::DeleteGroup, Subject::Group(*id)),
        Operation::ListShells | Operation::GetSystem => (AuditAction::ListShells, Subject::Nobody),
        Operation::ListAudit(_) => (AuditAction::ListAudit, Subject::Nobody),
        Operation::ListBans => (AuditAction::ListBans, Subject::Nobody),
        Operation::ShowMetrics => (AuditAction::ShowMetrics, Subject::Nobody),
        Operation::ListConnections(_) => (AuditAction::ListConnections, Subject::Nobody),
        Operation::CloseConnection(_) | Operation::CloseSession(_) => (AuditAction::CloseConnection, Subject::Nobody),
        Operation::GetQuota(id) => (AuditAction::GetQuota, Subject::User(*id)),
        Operation::ListQuotas(_) | Operation::ListQuotaFileSystems | Operation::ListScans => {
            (AuditAction::GetQuota, Subject::Nobody)
        }
        Operation::StartScan(id) | Operation::CancelScan(id) => (AuditAction::ScanQuota, Subject::User(*id)),
        Operation::LiftBan(_) => (AuditAction::LiftBan, Subject::Nobody),
        Operation::VerifyAudit => (AuditAction::VerifyAudit, Subject::Nobody),
        Operation::ChangeOwnPassword { .. } => (AuditAction::ChangeOwnPassword, Subject::Nobody),
        Operation::Check { .. } => (AuditAction::Check, Subject::Nobody),
        Operation::RepairChecks(_) => (AuditAction::RepairChecks, Subject::Nobody),
        Operation::ListApiKeys(id) => (AuditAction::ListApiKeys, Subject::User(*id)),
        Operation::CreateApiKey { user, .. } => (AuditAction::CreateApiKey, Subject::User(*user)),
        Operation::DeleteApiKey { user, .. } => (AuditAction::DeleteApiKey, Subject::User(*user)),
        Operation::GetPolicy => (AuditAction::GetPolicy, Subject::Nobody),
        Operation::SetPolicy { .. } => (AuditAction::SetPolicy, Subject::Nobody),
        Operation::GetTwoFactor(id) => (AuditAction::GetTwoFactor, Subject::User(*id)),
        Operation::BeginTwoFactor(id) => (AuditAction::BeginTwoFactor, Subject::User(*id)),
        Operation::ConfirmTwoFactor { user, .. } => (AuditAction::ConfirmTwoFactor, Subject::User(*user)),
        Operation::CancelTwoFactor { user, .. } => (AuditAction::CancelTwoFactor, Subject::User(*user)),
        Operation::CreateToken { .. } => (AuditAction::CreateToken, Subject::Nobody),
        Operation::RevokeToken(_) => (AuditAction::RevokeToken, Subject::Nobody),
        Operation::ListRepositories => (AuditAction::ListRepositories, Subject::Nobody),
        Operation::GetRepository(which) => (AuditAction::GetRepository, Subject::Repository(which.clone())),
        Operation::CreateRepository(new) => {
            let name = RepositoryRef::Name(new.name.as_str().to_owned());
            (AuditAction::CreateRepository, Subject::Repository(name))
        }
        Operation::UpdateRepository { repository, .. } => {
            (AuditAction::UpdateRepository, Subject::Repository(repository.clone()))
        }
        Operation::DeleteRepository(which) => (AuditAction::DeleteRepository, Subject::Repository(which.clone())),
        Operation::FindGrantee { repository, .. } => {
            (AuditAction::GetRepository, Subject::Repository(repository.clone()))
        }
        Operation::GrantRepository { repository, .. } => {
            (AuditAction::GrantRepository, Subject::Repository(repository.clone()))
        }
        Operation::PullRepository(which) => (AuditAction::PullRepository, Subject::Repository(which.clone())),
        Operation::ListSshKeys(id) => (AuditAction::GetUser, Subject::User(*id)),
        Operation::FindSshKey(_) => (AuditAction::GetUser, Subject::Nobody),
        Operation::ChangeOwnProfile { .. } => (AuditAction::ChangeOwnPassword, Subject::Nobody),
        Operation::AddSshKey { user, .. } | Operation::DeleteSshKey { user, .. } => {
            (AuditAction::UpdateUser, Subject::User(*user))
        }
    }
}

/// Whether an operation changes something: that one of these was refused is always recorded.
pub fn is_change(action: AuditAction) -> bool {
    match action {
        AuditAction::ListUsers
        | AuditAction::GetUser
        | AuditAction::GetHome
        | AuditAction::ListMemberships
        | AuditAction::ListGroups
        | AuditAction::GetGroup
        | AuditAction::ListShells
        | AuditAction::ListAudit
        | AuditAction::Check
        | AuditAction::GetPolicy
        | AuditAction::ListApiKeys
        | AuditAction::ListBans
        | AuditAction::ShowMetrics
        | AuditAction::ListConnections
        | AuditAction::GetQuota
        | AuditAction::GetTwoFactor
        | AuditAction::VerifyAudit
        | AuditAction::ListRepositories
        | AuditAction::GetRepository => false,
        AuditAction::CreateUser
        | AuditAction::UpdateUser
        | AuditAction::DeleteUser
        | AuditAction::RepairKeys
        | AuditAction::SetPassword
        | AuditAction::SetMemberships
        | AuditAction::CreateGroup
        | AuditAction::UpdateGroup
        | AuditAction::DeleteGroup
        | AuditAction::OpenHandle
        | AuditAction::Login
        | AuditAction::OfferKey
        | AuditAction::RemoveMovedHome
        | AuditAction::TakeBack
        | AuditAction::ChangeMany
        | AuditAction::RestoreStore
        | AuditAction::RemoveRecords
        | AuditAction::BeginBan
        | AuditAction::EndBan
        | AuditAction::LiftBan
        | AuditAction::CloseConnection
        | AuditAction::ScanQuota
        | AuditAction::ChangeOwnPassword
        | AuditAction::RepairChecks
        | AuditAction::SetPolicy
        | AuditAction::CreateApiKey
        | AuditAction::DeleteApiKey
        | AuditAction::Batch
        | AuditAction::Import
        | AuditAction::BeginTwoFactor
        | AuditAction::ConfirmTwoFactor
        | AuditAction::CancelTwoFactor
        | AuditAction::UseRecoveryCode
        | AuditAction::CreateToken
        | AuditAction::RevokeToken
        | AuditAction::CreateRepository
        | AuditAction::UpdateRepository
        | AuditAction::DeleteRepository
        | AuditAction::GrantRepository
        | AuditAction::PullRepository
        // It changes nothing, but gives all hashes away.
        | AuditAction::Export => true,
    }
}

/// A refusal in words, with every field that was wrong. What stood in a secret field is never said.
pub fn reason(refusal: &Refusal) -> String {
    let said = match refusal.invalid_fields() {
        Some(invalid) => fields(invalid),
        None => several(refusal).unwrap_or_else(|| refusal.to_string()),
    };
    shown(&said, LONGEST)
}

/// The first of several objects that are wrong; or the fields of one that could not be read, without
/// their values.
fn several(refusal: &Refusal) -> Option<String> {
    if let Refusal::TooManyFailures { .. } = refusal {
        // Without the time, so that all are counted as one.
        return Some("too many failures before".into());
    }
    if let Refusal::Unread(faults) = refusal {
        let faults: Vec<String> =
            faults.iter().take(10).map(|fault| format!("{}: {}", fault.field, fault.code)).collect();
        return Some(faults.join("; "));
    }
    let Refusal::InvalidItems(items) = refusal else { return None };
    let items: Vec<String> =
        items.iter().take(10).map(|item| format!("item {}: {}", item.index, fields(&item.invalid))).collect();
    Some(items.join("; "))
}

fn fields(invalid: &[Invalid]) -> String {
    let fields: Vec<String> = invalid.iter().map(field).collect();
    fields.join("; ")
}

fn field(Invalid { field, problem }: &Invalid) -> String {
    let name = serde_json::to_string(field).unwrap_or_default();
    let name = name.trim_matches('"');
    match field {
        Field::Limit(limit) => format!("{} {problem}", limit.name()),
        Field::Rule(rule) => format!("{} {problem}", rule.name()),
        Field::Repository(field) => format!("{} {problem}", field.name()),
        Field::Password
        | Field::PasswordHash
        | Field::SshKeys
        | Field::CurrentPassword
        | Field::Code
        | Field::CodeSecret => {
            format!("{name} is not acceptable")
        }
        Field::UserName
        | Field::Uid
        | Field::FullName
        | Field::Email
        | Field::Home
        | Field::HomeMode
        | Field::Shell
        | Field::PrimaryGroup
        | Field::Groups
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
        | Field::RandomPassword
        | Field::EndProcesses
        | Field::Members
        | Field::ApiKeyName
        | Field::Roles
        | Field::ApiKeys
        | Field::Items
        | Field::Backup
        | Field::Skip
        | Field::Accounts
        | Field::Lifetime
        | Field::KeyTitle => format!("{name} {problem}"),
    }
}

/// A text of somebody who is not believed: escaped and cut.
pub fn shown(text: &str, longest: usize) -> String {
    let mut escaped = text.escape_debug();
    let mut shown: String = escaped.by_ref().take(longest).collect();
    if escaped.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use accountd_protocol::refusal::Problem;

    use super::*;

    #[test]
    fn a_reason_names_the_fields_and_no_secret() {
        let refusal = Refusal::Invalid(vec![
            Invalid { field: Field::Uid, problem: Problem::Duplicate("anna\n".into()) },
            Invalid { field: Field::Password, problem: Problem::NoSuch("hunter2".into()) },
        ]);
        assert_eq!(reason(&refusal), "uid is already in use: anna\\n; password is not acceptable");
    }

    #[test]
    fn a_long_name_is_cut_and_control_characters_are_escaped() {
        assert_eq!(shown("a\u{1b}[2J", 64), "a\\u{1b}[2J");
        assert_eq!(shown(&"x".repeat(100), 3), "xxx…");
    }
}
