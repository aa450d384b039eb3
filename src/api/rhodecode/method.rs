//! The methods that there are, and what each takes, in the order of its signature.

use super::parameter::{Argument, Parameter, Required};
use Required::{Always, Before1_4, In1_3, InSeed, Never};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    GetUsers,
    GetUser,
    CreateUser,
    UpdateUser,
    DeleteUser,
    GetUsersGroups,
    GetUsersGroup,
    CreateUsersGroup,
    AddUserToUsersGroup,
    RemoveUserFromUsersGroup,
    GetRepos,
    GetRepo,
    CreateRepo,
    DeleteRepo,
    AddUserToRepo,
    AddUsersGroupToRepo,
    GrantUserPermission,
    RevokeUserPermission,
    GrantUsersGroupPermission,
    RevokeUsersGroupPermission,
    Pull,
}

impl Method {
    /// By the name in any version. The documentation of 1.2 has one of them with a word missing.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "get_users" => Method::GetUsers,
            "get_user" => Method::GetUser,
            "create_user" => Method::CreateUser,
            "update_user" => Method::UpdateUser,
            "delete_user" => Method::DeleteUser,
            "get_users_groups" | "get_user_groups" => Method::GetUsersGroups,
            "get_users_group" | "get_user_group" => Method::GetUsersGroup,
            "create_users_group" | "create_user_group" => Method::CreateUsersGroup,
            "add_user_to_users_group" | "add_user_users_group" | "add_user_to_user_group" => {
                Method::AddUserToUsersGroup
            }
            "remove_user_from_users_group" | "remove_user_from_user_group" => Method::RemoveUserFromUsersGroup,
            "get_repos" => Method::GetRepos,
            "get_repo" => Method::GetRepo,
            "create_repo" => Method::CreateRepo,
            "delete_repo" => Method::DeleteRepo,
            "add_user_to_repo" => Method::AddUserToRepo,
            "add_users_group_to_repo" | "add_user_group_to_repo" => Method::AddUsersGroupToRepo,
            "grant_user_permission" => Method::GrantUserPermission,
            "revoke_user_permission" => Method::RevokeUserPermission,
            "grant_users_group_permission" | "grant_user_group_permission" => Method::GrantUsersGroupPermission,
            "revoke_users_group_permission" | "revoke_user_group_permission" => Method::RevokeUsersGroupPermission,
            "pull" => Method::Pull,
            _ => return None,
        })
    }

    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Method::GetUsers | Method::GetUsersGroups | Method::GetRepos => &[],
            Method::GetUser => GET_USER,
            Method::CreateUser => CREATE_USER,
            Method::UpdateUser => UPDATE_USER,
            Method::DeleteUser => DELETE_USER,
            Method::GetUsersGroup => &[GROUP],
            Method::CreateUsersGroup => CREATE_USERS_GROUP,
            Method::AddUserToUsersGroup | Method::RemoveUserFromUsersGroup => &[GROUP, MEMBER],
            Method::GetRepo => GET_REPO,
            Method::CreateRepo => CREATE_REPO,
            Method::DeleteRepo => &[REPOSITORY],
            Method::AddUserToRepo | Method::GrantUserPermission => &[REPOSITORY, MEMBER, PERMISSION],
            Method::RevokeUserPermission => &[REPOSITORY, MEMBER],
            Method::AddUsersGroupToRepo | Method::GrantUsersGroupPermission => &[REPOSITORY, GROUP, PERMISSION],
            Method::RevokeUsersGroupPermission => &[REPOSITORY, GROUP],
            Method::Pull => PULL,
        }
    }
}

const GROUP: Parameter = on(Argument::Group, ["group_name", "group_name", "usersgroupid"], Always);
const MEMBER: Parameter = on(Argument::User, ["user_name", "username", "userid"], Always);
const REPOSITORY: Parameter = on(Argument::Repository, ["repo_name", "repo_name", "repoid"], Always);
const PERMISSION: Parameter = same(Argument::Permission, "perm", Always);

const GET_USER: &[Parameter] = &[on(Argument::User, ["username", "userid", "userid"], Before1_4)];
const DELETE_USER: &[Parameter] = &[same(Argument::User, "userid", Always)];
const CREATE_USERS_GROUP: &[Parameter] = &[
    on(Argument::NewGroupName, ["name", "group_name", "group_name"], Always),
    same(Argument::Active, "active", Never),
];

const CREATE_USER: &[Parameter] = &[
    same(Argument::NewUserName, "username", Always),
    same(Argument::Password, "password", Always),
    same(Argument::FirstName, "firstname", InSeed),
    same(Argument::LastName, "lastname", InSeed),
    same(Argument::Email, "email", Always),
    same(Argument::Active, "active", Never),
    same(Argument::Admin, "admin", Never),
    same(Argument::LdapDn, "ldap_dn", Never),
];

const GET_REPO: &[Parameter] = &[on(Argument::Repository, ["name", "repoid", "repoid"], Always)];
const PULL: &[Parameter] = &[on(Argument::Repository, ["repo", "repo_name", "repoid"], Always)];
const CREATE_REPO: &[Parameter] = &[
    on(Argument::NewRepositoryName, ["name", "repo_name", "repo_name"], Always),
    on(Argument::Owner, ["owner_name", "owner_name", "owner"], Before1_4),
    same(Argument::Description, "description", Never),
    same(Argument::RepositoryType, "repo_type", Never),
    same(Argument::Private, "private", Never),
    same(Argument::CloneUri, "clone_uri", Never),
];

/// The user that there is takes its name first: what is left of `username` is the new one.
const UPDATE_USER: &[Parameter] = &[
    same(Argument::User, "userid", Always),
    same(Argument::NewUserName, "username", In1_3),
    same(Argument::Password, "password", In1_3),
    same(Argument::Email, "email", In1_3),
    same(Argument::FirstName, "firstname", In1_3),
    same(Argument::LastName, "lastname", In1_3),
    same(Argument::Active, "active", In1_3),
    same(Argument::Admin, "admin", In1_3),
    same(Argument::LdapDn, "ldap_dn", In1_3),
];

const fn on(argument: Argument, called: [&'static str; 3], required: Required) -> Parameter {
    Parameter { argument, called, required }
}

/// One that has the same name in all versions.
const fn same(argument: Argument, name: &'static str, required: Required) -> Parameter {
    on(argument, [name; 3], required)
}
