//! What the agent does for each operation that a caller may ask for.

use std::time::Duration;

use accountd_protocol::agent::{Answer, Operation, Reply, User};
use accountd_protocol::audit::Actor;
use accountd_protocol::repository::Repository;
use accountd_protocol::secret::Secret;

use crate::agent::Agent;
use crate::identity::handles::Caller;
use crate::jobs::{Task, Work};

/// A job that takes longer is looked at again by whoever has begun it.
const JOB_PATIENCE: Duration = Duration::from_secs(1);

impl Agent {
    /// To be called when the caller is known to be allowed to.
    pub(crate) fn perform(&self, by: &Actor, caller: Caller, operation: Operation) -> Reply {
        match operation {
            Operation::ListUsers(window) => Ok(Answer::Users(self.list_users(&window))),
            Operation::GetUser(id) => self.get_user(id).map(user),
            Operation::FindUser(who) => self.find_user(&who, caller.account).map(user),
            Operation::CreateUser(new) => self.create_user(by, new).map(user_once),
            Operation::CreateUsers(new) => self.create_users(by, new).map(Answer::Created),
            Operation::Batch(batch) => {
                let work = Work { by: by.clone(), caller, task: Task::Batch(batch) };
                self.jobs.begin(work, JOB_PATIENCE).map(job)
            }
            Operation::Export => self.export(by).map(|backup| Answer::Backup(Box::new(backup))),
            Operation::Import(import) => {
                let work = Work { by: by.clone(), caller, task: Task::Import(import) };
                self.jobs.begin(work, JOB_PATIENCE).map(job)
            }
            Operation::GetJob(id, passwords) => self.jobs.get(id, caller, passwords).map(job),
            Operation::ListJobs => Ok(Answer::Jobs(self.jobs.list(caller.account))),
            Operation::CancelJob(id) => self.jobs.cancel(id, caller.account).map(job),
            Operation::UpdateUser { id, change, only_if } => self.update_user(by, id, change, &only_if).map(user_once),
            Operation::DeleteUser { id, home, processes, only_if } => {
                self.delete_user(by, id, (home, processes), only_if).map(Answer::Ended)
            }
            Operation::DisableUser { id, processes, only_if } => {
                self.disable_user(by, id, processes, &only_if).map(Answer::Ended)
            }
            Operation::RepairKeys(id) => self.repair_keys(by, id).map(user),
            Operation::SetPassword { id, password, only_if } => self.set_password(by, id, password, &only_if).map(user),
            Operation::ListKeys(id) => self.list_keys(id).map(Answer::Keys),
            Operation::SetKeys { id, keys, only_if } => self.set_keys(by, id, keys, &only_if).map(Answer::Keys),
            Operation::GetHome(id) => self.get_home(id).map(|home| Answer::Home(Box::new(home))),
            Operation::ListMemberships(id) => self.memberships(id).map(Answer::Memberships),
            Operation::SetMemberships { id, groups } => self.set_memberships(by, id, &groups).map(Answer::Memberships),
            Operation::SetRoles { id, roles, only_if } => self.set_roles(by, id, &roles, &only_if).map(user),
            Operation::ListGroups(window) => Ok(Answer::Groups(self.list_groups(&window))),
            Operation::GetGroup(id) => self.get_group(id).map(group),
            Operation::FindGroup(which) => self.find_group(&which).map(group),
            Operation::ResolveGroups(which) => Ok(Answer::Resolved(self.resolve_groups(&which))),
            Operation::CreateGroup(new) => self.create_group(by, new).map(group),
            Operation::UpdateGroup { id, change, only_if } => self.update_group(by, id, change, only_if).map(group),
            Operation::DeleteGroup { id, only_if } => self.delete_group(by, id, only_if).map(|()| Answer::Done),
            Operation::SetMembers { id, members, only_if } => {
                self.set_members(by, (id, caller.account), &members, only_if).map(group)
            }
            Operation::ListShells => Ok(Answer::Shells(self.shells())),
            Operation::ChangeOwnPassword { current, password } => {
                self.change_own_password(by, caller.account, &current, password).map(|()| Answer::Done)
            }
            Operation::Check { homes } => self.check(homes).map(Answer::Checked),
            Operation::RepairChecks(order) => self.repair_checks(by, &order).map(Answer::Repaired),
            Operation::GetPolicy => Ok(Answer::Policy(self.get_policy()?)),
            Operation::SetPolicy { change, only_if } => self.set_policy(by, change, only_if).map(Answer::Policy),
            Operation::ListApiKeys(user) => self.list_api_keys(user).map(Answer::ApiKeys),
            Operation::CreateApiKey { user, new } => {
                self.create_api_key(by, user, new).map(|(key, secret)| Answer::NewApiKey(Box::new(key), secret))
            }
            Operation::DeleteApiKey { user, id } => self.delete_api_key(by, user, id).map(|()| Answer::Done),
            Operation::ListAudit(filter) => self.list_audit(&filter).map(Answer::Audit),
            Operation::ListBans => Ok(Answer::Bans(self.list_bans())),
            Operation::LiftBan(id) => self.lift_ban(by, id).map(|()| Answer::Done),
            Operation::VerifyAudit => self.verify_audit().map(Answer::AuditVerdict),
            Operation::GetSystem => Ok(Answer::System(self.system())),
            Operation::ListConnections(of) => self.list_connections(of).map(Answer::Connections),
            Operation::CloseConnection(id) => self.close_connection(by, caller, &id).map(|()| Answer::Done),
            Operation::CloseSession(number) => self.close_session(by, caller, number).map(|()| Answer::Done),
            Operation::GetQuota(id) => self.get_quota(id).map(|report| Answer::QuotaReport(Box::new(report))),
            Operation::ListQuotas(window) => self.list_quotas(&window).map(Answer::QuotaReports),
            Operation::ListQuotaFileSystems => Ok(Answer::QuotaFileSystems(self.list_quota_file_systems())),
            Operation::StartScan(id) => self.start_scan(by, id).map(|()| Answer::Done),
            Operation::ListScans => Ok(Answer::QuotaScans(self.list_scans())),
            Operation::CancelScan(id) => self.cancel_scan(by, id).map(|()| Answer::Done),
            Operation::GetTwoFactor(user) => self.get_two_factor(user).map(Answer::TwoFactor),
            Operation::BeginTwoFactor(user) => self.begin_two_factor(by, user).map(Answer::Enrolment),
            Operation::ConfirmTwoFactor { user, secret, code } => {
                self.confirm_two_factor(by, user, (secret.as_ref(), &code)).map(Answer::RecoveryCodes)
            }
            Operation::CancelTwoFactor { user, only_if } => {
                self.cancel_two_factor(by, user, only_if).map(|()| Answer::Done)
            }
            Operation::CreateToken { lifetime } => self.create_token(by, caller.account, lifetime).map(Answer::Token),
            Operation::RevokeToken(token) => self.revoke_token(by, caller.account, &token).map(|()| Answer::Done),
            Operation::ListSshKeys(user) => self.list_ssh_keys(user).map(Answer::SshKeys),
            Operation::AddSshKey { user, title, line } => {
                self.add_ssh_key(by, user, (title, &line)).map(|key| Answer::SshKey(Box::new(key)))
            }
            Operation::DeleteSshKey { user, id } => self.delete_ssh_key(by, user, id).map(|()| Answer::Done),
            Operation::ChangeOwnProfile { password, echoes } => {
                self.change_own_profile(by, caller.account, (password, echoes)).map(|()| Answer::Done)
            }
            Operation::FindSshKey(id) => self.find_ssh_key(id).map(|owner| Answer::Resolved(vec![owner])),
            Operation::ShowMetrics => Ok(Answer::Metrics(Box::new(self.metrics()))),
            Operation::ListRepositories => self.list_repositories(caller).map(Answer::Repositories),
            Operation::GetRepository(which) => self.get_repository(caller, &which).map(repository),
            Operation::CreateRepository(new) => self.create_repository((by, caller), new).map(repository),
            Operation::UpdateRepository { repository: which, change } => {
                self.update_repository((by, caller), &which, change).map(repository)
            }
            Operation::DeleteRepository(which) => self.delete_repository((by, caller), &which).map(|()| Answer::Done),
            Operation::GrantRepository { repository: which, grantee, access } => {
                self.grant_repository((by, caller), &which, (grantee, access)).map(repository)
            }
            Operation::FindGrantee { repository: which, whom } => {
                self.find_grantee(caller, &which, &whom).map(Answer::Grantee)
            }
            Operation::PullRepository(which) => {
                let task = Task::Pull(self.pullable(caller, &which)?);
                self.jobs.begin(Work { by: by.clone(), caller, task }, JOB_PATIENCE).map(job)
            }
        }
    }
}

fn user(user: User) -> Answer {
    Answer::User(Box::new(user))
}

/// With its new password, which is said this once.
fn user_once((user, made): (User, Option<Secret>)) -> Answer {
    match made {
        Some(made) => Answer::UserWithPassword(Box::new(user), made),
        None => Answer::User(Box::new(user)),
    }
}

fn job(job: accountd_protocol::job::Job) -> Answer {
    Answer::Job(Box::new(job))
}

fn repository(repository: Repository) -> Answer {
    Answer::Repository(Box::new(repository))
}

fn group(group: accountd_protocol::agent::Group) -> Answer {
    Answer::Group(Box::new(group))
}
