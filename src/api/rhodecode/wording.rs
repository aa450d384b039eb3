//! What methods say, in the words of the version that is spoken. 1.4 puts names into backticks.

use accountd_protocol::dialects::RhodecodeWording;
use accountd_protocol::id::AccountId;
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
}
