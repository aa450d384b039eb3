//! What the dialects can ask the agent for, in the name of a caller.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::agent::{Echoes, GroupChange, NewGroup, NewUser, UserChange};
use crate::api_key::{ApiKeyId, NewApiKey};
use crate::audit::AuditFilter;
use crate::ban::BanId;
use crate::batch::Batch;
use crate::checks::{CheckedHomes, RepairOrder};
use crate::ended::OtherProcesses;
use crate::id::{AccountId, AccountRef};
use crate::import::Import;
use crate::job::{JobId, Passwords};
use crate::list::Window;
use crate::open_session::ConnectionId;
use crate::policy::PolicyChange;
use crate::precondition::Precondition;
use crate::removal::DeletedHome;
use crate::repository::{Access, Grantee, GranteeRef, NewRepository, RepositoryChange, RepositoryRef};
use crate::role::Role;
use crate::secret::Secret;
use crate::ssh_key::{KeyTitle, SshKeyId};

/// What the dialects can ask for. Each names its role in the agent's permission table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    ListUsers(Window),
    GetUser(AccountId),
    /// A user without the text of its key file.
    FindUser(AccountRef),
    CreateUser(NewUser),
    /// All of them in one commit, or none.
    CreateUsers(Vec<NewUser>),
    /// Becomes a job; the answer is the job, at its end where that does not take long.
    Batch(Batch),
    /// Everything about all accounts that are not built in, their hashes too.
    Export,
    /// Becomes a job, as a batch does.
    Import(Import),
    /// A job that the caller has begun.
    GetJob(JobId, Passwords),
    ListJobs,
    /// Ends a job that has not changed anything yet.
    CancelJob(JobId),
    UpdateUser {
        id: AccountId,
        change: UserChange,
        only_if: Precondition,
    },
    DeleteUser {
        id: AccountId,
        home: DeletedHome,
        #[serde(default)]
        processes: OtherProcesses,
        only_if: Precondition,
    },
    /// Locks a user and ends everything that runs for it.
    DisableUser {
        id: AccountId,
        processes: OtherProcesses,
        only_if: Precondition,
    },
    /// Sets owners and modes of home, `.ssh` and key file so that keys count.
    RepairKeys(AccountId),
    SetPassword {
        id: AccountId,
        password: Secret,
        only_if: Precondition,
    },
    /// The lines of a user's key file.
    ListKeys(AccountId),
    /// Replaces the key file. Writers of it through this program come one after the other; the
    /// tag is that of [`KeyFile`].
    SetKeys {
        id: AccountId,
        keys: String,
        only_if: Precondition,
    },
    /// Of the caller.
    ChangeOwnPassword {
        current: Secret,
        password: Secret,
    },
    /// The home of a user, and how far a transfer of it is.
    GetHome(AccountId),
    ListMemberships(AccountId),
    /// Replaces the supplementary groups by those of these names; unknown names are dropped.
    SetMemberships {
        id: AccountId,
        groups: Vec<String>,
    },
    /// Puts a user into the groups that give these roles, and out of those that give others. A group
    /// that is missing is made.
    SetRoles {
        id: AccountId,
        roles: BTreeSet<Role>,
        only_if: Precondition,
    },
    ListGroups(Window),
    GetGroup(AccountId),
    FindGroup(AccountRef),
    /// The ids of groups.
    ResolveGroups(Vec<AccountRef>),
    CreateGroup(NewGroup),
    UpdateGroup {
        id: AccountId,
        change: GroupChange,
        only_if: Precondition,
    },
    DeleteGroup {
        id: AccountId,
        only_if: Precondition,
    },
    /// Replaces the member list. Names that are in it may stay, whosever they are; others have to
    /// be those of users.
    SetMembers {
        id: AccountId,
        members: Vec<AccountRef>,
        only_if: Precondition,
    },
    ListShells,
    /// Looks for what is wrong with the accounts; changes nothing.
    Check {
        homes: CheckedHomes,
    },
    /// Repairs what a check has shown, as far as it was chosen.
    RepairChecks(RepairOrder),
    /// The rules for passwords.
    GetPolicy,
    SetPolicy {
        change: PolicyChange,
        only_if: Precondition,
    },
    /// The API keys of a user.
    ListApiKeys(AccountId),
    /// Of the caller.
    CreateApiKey {
        user: AccountId,
        new: NewApiKey,
    },
    DeleteApiKey {
        user: AccountId,
        id: ApiKeyId,
    },
    ListAudit(AuditFilter),
    /// Follows the whole chain of the audit trail.
    VerifyAudit,
    /// Who is turned away now.
    ListBans,
    /// Ends a ban before its time.
    LiftBan(BanId),
    GetSystem,
    /// What all programs have counted.
    ShowMetrics,
    /// The SSH connections of a user, or of all.
    ListConnections(Option<AccountId>),
    /// Ends a connection with everything that runs on it.
    CloseConnection(ConnectionId),
    /// Ends one session, by its number.
    CloseSession(u64),
    /// What a user stores and may store.
    GetQuota(AccountId),
    /// The same of all users that have a quota.
    ListQuotas(Window),
    ListQuotaFileSystems,
    /// Counts anew what a user stores.
    StartScan(AccountId),
    ListScans,
    CancelScan(AccountId),
    /// Whether a user has a second factor.
    GetTwoFactor(AccountId),
    /// Makes a secret for the caller's authenticator. It counts once it is confirmed, which has to be soon.
    BeginTwoFactor(AccountId),
    /// Shows a code of the secret that was begun: from here on the caller needs one for its password.
    ConfirmTwoFactor {
        user: AccountId,
        /// `None`: whichever was begun; else it has to be this one.
        secret: Option<Secret>,
        code: Secret,
    },
    /// Takes the second factor of a user away. Of its own account only whoever has shown a code.
    CancelTwoFactor {
        user: AccountId,
        only_if: Precondition,
    },
    /// A login token of the caller.
    CreateToken {
        /// In seconds.
        lifetime: u32,
    },
    /// Makes a token of the caller void. One that is not good is void already.
    RevokeToken(Secret),
    /// The repositories that the caller may read, without their grants.
    ListRepositories,
    GetRepository(RepositoryRef),
    CreateRepository(NewRepository),
    UpdateRepository {
        repository: RepositoryRef,
        change: RepositoryChange,
    },
    DeleteRepository(RepositoryRef),
    /// Gives somebody this access, in place of what they were given before.
    GrantRepository {
        repository: RepositoryRef,
        grantee: Grantee,
        access: Access,
    },
    /// Becomes a job, as a batch does.
    PullRepository(RepositoryRef),
    /// Somebody by name, for whoever may give them something: they need not see accounts.
    FindGrantee {
        repository: RepositoryRef,
        whom: GranteeRef,
    },
    /// The keys in a user's key file, with ids and titles.
    ListSshKeys(AccountId),
    /// Adds a line to the key file; the others stay as they are, byte for byte.
    AddSshKey {
        user: AccountId,
        title: KeyTitle,
        line: String,
    },
    /// Takes the line of a key out of the key file.
    DeleteSshKey {
        user: AccountId,
        id: SshKeyId,
    },
    /// Whose key it is.
    FindSshKey(SshKeyId),
    /// Of the caller: a password without the present one, which a token or handle stands for, and what dialects
    /// are to say again.
    ChangeOwnProfile {
        password: Option<Secret>,
        echoes: Echoes,
    },
}
