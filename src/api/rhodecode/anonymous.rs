//! The user `default`, which stands for whoever is nobody else. It is no account: nothing can be done
//! with it but say what others may do with a repository.

use accountd_protocol::id::AccountId;
use serde_json::{Map, Value, json};

use super::output::object;

/// `default` is reserved: no account gets this name.
pub const NAME: &str = "default";
/// Ids of accounts begin at 1.
pub const ID: AccountId = AccountId(0);

/// As every other user is shown.
pub fn shown() -> Map<String, Value> {
    object([
        ("id", json!(ID)),
        ("user_id", json!(ID)),
        ("username", json!(NAME)),
        ("firstname", json!("Anonymous")),
        ("lastname", json!("User")),
        ("email", json!("")),
        ("emails", json!([])),
        ("active", json!(false)),
        ("admin", json!(false)),
        ("ldap", Value::Null),
        ("ldap_dn", Value::Null),
        ("last_login", Value::Null),
        ("ip_addresses", json!([])),
    ])
}
