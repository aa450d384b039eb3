//! What methods say, in the words of the version that is spoken. 1.4 puts names into backticks.

use accountd_protocol::dialects::RhodecodeWording;
use accountd_protocol::id::AccountId;
use accountd_protocol::repository::RepositoryId;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(pub RhodecodeWording);

impl Words {
    fn name(self, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => name.to_owned(),
            RhodecodeWording::V1_4 => format!("`{name}`"),
        }
    }

    /// What a users group is called.
    fn group(self) -> &'static str {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => "users group",
            RhodecodeWording::V1_4 => "user group",
        }
    }

    pub fn user_exists(self, name: &str) -> String {
        format!("user {} already exist", self.name(name))
    }

    /// 1.2 has no words for it.
    pub fn email_exists(self, email: &str, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed => self.user_not_created(name),
            RhodecodeWording::V1_3 | RhodecodeWording::V1_4 => format!("email {} already exist", self.name(email)),
        }
    }

    pub fn user_not_created(self, name: &str) -> String {
        format!("failed to create user {}", self.name(name))
    }

    pub fn user_created(self, (id, name): (AccountId, &str), user: Value) -> Value {
        let msg = format!("created new user {}", self.name(name));
        match self.0 {
            RhodecodeWording::Seed => json!({"msg": msg}),
            RhodecodeWording::V1_3 => json!({"id": id, "msg": msg}),
            RhodecodeWording::V1_4 => json!({"msg": msg, "user": user}),
        }
    }

    pub fn no_user(self, name: &str) -> String {
        format!("user {} does not exist", self.name(name))
    }

    /// Of a user that is not there, to who has asked for it.
    pub fn missing_user(self, name: &str) -> Result<Value, String> {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => Ok(Value::Null),
            RhodecodeWording::V1_4 => Err(self.no_user(name)),
        }
    }

    pub fn user_not_updated(self, name: &str) -> String {
        format!("failed to update user {}", self.name(name))
    }

    pub fn user_updated(self, (id, name): (AccountId, &str), user: Value) -> Value {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => json!({"id": id, "msg": format!("updated user {name}")}),
            RhodecodeWording::V1_4 => json!({"msg": format!("updated user ID:{id} {name}"), "user": user}),
        }
    }

    pub fn user_not_deleted(self, (id, name): (AccountId, &str)) -> String {
        format!("failed to delete ID:{id} {name}")
    }

    pub fn user_deleted(self, (id, name): (AccountId, &str)) -> Value {
        json!({"msg": format!("deleted user ID:{id} {name}"), "user": null})
    }

    pub fn group_exists(self, name: &str) -> String {
        format!("{} {} already exist", self.group(), self.name(name))
    }

    pub fn group_not_created(self, name: &str) -> String {
        format!("failed to create group {}", self.name(name))
    }

    pub fn group_created(self, (id, name): (AccountId, &str), group: Value) -> Value {
        let msg = format!("created new {} {}", self.group(), self.name(name));
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => json!({"id": id, "msg": msg}),
            RhodecodeWording::V1_4 => json!({"msg": msg, "users_group": group, "user_group": group}),
        }
    }

    pub fn missing_group(self, name: &str) -> Result<Value, String> {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => Ok(Value::Null),
            RhodecodeWording::V1_4 => Err(self.no_group(name)),
        }
    }

    /// For a group that something was to be done with.
    pub fn no_group(self, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => format!("unknown users group {name}"),
            RhodecodeWording::V1_4 => format!("user group `{name}` does not exist"),
        }
    }

    /// The same for a user who was to become a member. 1.2 has no words for it.
    pub fn no_member_to_be(self, group: &str, user: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed => self.member_not_added(group),
            RhodecodeWording::V1_3 => format!("unknown user {user}"),
            RhodecodeWording::V1_4 => self.no_user(user),
        }
    }

    pub fn member_not_added(self, group: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed => "failed to create users group member".to_owned(),
            RhodecodeWording::V1_3 => "failed to add users group member".to_owned(),
            RhodecodeWording::V1_4 => format!("failed to add member to user group `{group}`"),
        }
    }

    pub fn member_added(self, membership: Value, (user, group): (&str, &str)) -> Value {
        let msg = format!("added member {} to {} {}", self.name(user), self.group(), self.name(group));
        match self.0 {
            RhodecodeWording::Seed => json!({"id": membership, "msg": "created new users group member"}),
            RhodecodeWording::V1_3 | RhodecodeWording::V1_4 => json!({"id": membership, "success": true, "msg": msg}),
        }
    }

    /// In 1.2 a second time is as good as the first.
    pub fn member_already(self, membership: Value, names: (&str, &str)) -> Value {
        match self.0 {
            RhodecodeWording::Seed => self.member_added(membership, names),
            RhodecodeWording::V1_3 | RhodecodeWording::V1_4 => {
                json!({"id": null, "success": false, "msg": "User is already in that group"})
            }
        }
    }

    pub fn member_not_removed(self, group: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => "failed to remove users group member".to_owned(),
            RhodecodeWording::V1_4 => format!("failed to remove member from user group `{group}`"),
        }
    }

    pub fn member_removed(self, (user, group): (&str, &str)) -> Value {
        let msg = format!("removed member {} from {} {}", self.name(user), self.group(), self.name(group));
        json!({"success": true, "msg": msg})
    }

    pub fn no_member(self) -> Value {
        json!({"success": false, "msg": "User wasn't in group"})
    }

    /// Of a repository that is not there, to who has asked for it. 1.3 has no name for it.
    pub fn missing_repository(self, name: &str) -> Result<Value, String> {
        match self.0 {
            RhodecodeWording::Seed => Ok(Value::Null),
            RhodecodeWording::V1_3 => Err("unknown repository None".to_owned()),
            RhodecodeWording::V1_4 => Err(format!("repository `{name}` does not exist")),
        }
    }

    pub fn repository_exists(self, name: &str) -> String {
        format!("repo {} already exist", self.name(name))
    }

    pub fn repository_not_created(self, name: &str) -> String {
        format!("failed to create repository {}", self.name(name))
    }

    /// Of a new repository. 1.2 has no words for it.
    pub fn no_owner(self, owner: &str, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed => self.repository_not_created(name),
            RhodecodeWording::V1_3 => format!("unknown user {owner}"),
            RhodecodeWording::V1_4 => self.no_user(owner),
        }
    }

    pub fn repository_created(self, id: RepositoryId, name: &str, repository: Value) -> Value {
        let msg = format!("Created new repository {}", self.name(name));
        match self.0 {
            RhodecodeWording::Seed => Value::Null,
            RhodecodeWording::V1_3 => json!({"id": id, "msg": msg}),
            RhodecodeWording::V1_4 => json!({"msg": msg, "repo": repository, "success": true}),
        }
    }

    /// For a repository that was to be deleted.
    pub fn no_repository(self, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => format!("repo {name} does not exist"),
            RhodecodeWording::V1_4 => format!("repository `{name}` does not exist"),
        }
    }

    pub fn repository_not_deleted(self, name: &str) -> String {
        format!("failed to delete repository {}", self.name(name))
    }

    pub fn repository_deleted(self, name: &str) -> Value {
        let msg = format!("Deleted repository {}", self.name(name));
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => json!({"msg": msg}),
            RhodecodeWording::V1_4 => json!({"msg": msg, "success": true}),
        }
    }

    pub fn nothing_to_pull_into(self, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => format!("Unknown repo \"{name}\""),
            RhodecodeWording::V1_4 => self.no_repository(name),
        }
    }

    pub fn not_pulled(self, name: &str) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => format!("Unable to pull changes from \"{name}\""),
            RhodecodeWording::V1_4 => format!("Unable to pull changes from `{name}`"),
        }
    }

    pub fn pulled(self, name: &str) -> Value {
        json!(format!("Pulled from {}", self.name(name)))
    }

    pub fn permission_not_edited(self, grant: &Grant<'_>) -> String {
        let Grant { whom, repository, .. } = grant;
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => {
                format!("failed to edit permission {repository} for {}", whom.name())
            }
            RhodecodeWording::V1_4 => {
                format!("failed to edit permission for {}: `{}` in repo: `{repository}`", self.kind(*whom), whom.name())
            }
        }
    }

    /// 1.4 says what of it is not there.
    pub fn no_repository_for_permission(self, grant: &Grant<'_>) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => self.permission_not_edited(grant),
            RhodecodeWording::V1_4 => self.no_repository(grant.repository),
        }
    }

    pub fn nobody_for_permission(self, grant: &Grant<'_>) -> String {
        match (self.0, grant.whom) {
            (RhodecodeWording::Seed | RhodecodeWording::V1_3, _) => self.permission_not_edited(grant),
            (RhodecodeWording::V1_4, Whom::User(name)) => self.no_user(name),
            (RhodecodeWording::V1_4, Whom::Group(name)) => self.no_group(name),
        }
    }

    pub fn no_permission(self, grant: &Grant<'_>) -> String {
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => self.permission_not_edited(grant),
            RhodecodeWording::V1_4 => format!("permission `{}` does not exist", grant.permission),
        }
    }

    pub fn permission_granted(self, grant: &Grant<'_>) -> Value {
        self.permission_edited(&format!("Granted perm: {}", self.name(grant.permission)), grant)
    }

    pub fn permission_revoked(self, grant: &Grant<'_>) -> Value {
        self.permission_edited("Revoked perm", grant)
    }

    fn permission_edited(self, done: &str, Grant { whom, repository, .. }: &Grant<'_>) -> Value {
        let (who, repository) = (self.name(whom.name()), self.name(repository));
        let msg = format!("{done} for {}: {who} in repo: {repository}", self.kind(*whom));
        match self.0 {
            RhodecodeWording::Seed | RhodecodeWording::V1_3 => json!({"msg": msg}),
            RhodecodeWording::V1_4 => json!({"msg": msg, "success": true}),
        }
    }

    fn kind(self, whom: Whom<'_>) -> &'static str {
        match (whom, self.0) {
            (Whom::User(_), _) => "user",
            (Whom::Group(_), RhodecodeWording::Seed | RhodecodeWording::V1_3) => "group",
            (Whom::Group(_), RhodecodeWording::V1_4) => "user group",
        }
    }
}

/// What was asked for of a repository, as it was called.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    pub permission: &'a str,
    pub whom: Whom<'a>,
    pub repository: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub enum Whom<'a> {
    User(&'a str),
    Group(&'a str),
}

impl<'a> Whom<'a> {
    fn name(self) -> &'a str {
        match self {
            Whom::User(name) | Whom::Group(name) => name,
        }
    }
}
