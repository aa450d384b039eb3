//! sudo on the command line: flags for what may be run, and words for what is granted.

use serde_json::{Value, json};

use crate::limits;
use crate::output::plain;

#[derive(Clone, Debug, Default, clap::Args)]
pub struct SudoFlags {
    /// Everything by sudo, with the password, or nothing
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          conflicts_with_all = ["sudo_commands", "sudo_commands_without_password"])]
    sudo: Option<bool>,
    /// Command by sudo with the password, or ALL; once for each. All that there are to be
    #[arg(long = "sudo-command", value_name = "COMMAND")]
    sudo_commands: Vec<String>,
    /// Command by sudo without a password, or ALL; once for each. All that there are to be
    #[arg(long = "sudo-command-without-password", value_name = "COMMAND")]
    sudo_commands_without_password: Vec<String>,
}

impl SudoFlags {
    /// What was given, and nothing else.
    pub fn value(self) -> Option<Value> {
        let Self { sudo, sudo_commands, sudo_commands_without_password } = self;
        if sudo_commands.is_empty() && sudo_commands_without_password.is_empty() {
            return sudo.map(|sudo| json!(sudo));
        }
        Some(json!({"commands": sudo_commands, "commands_without_password": sudo_commands_without_password}))
    }
}

/// An account with its grant in words (what may be run, and what of it without a password), and its limits.
pub fn in_words(account: &Value) -> Option<Value> {
    let mut shown = account.clone();
    if let Some(grant) = shown.get_mut("sudo") {
        *grant = words(grant);
    }
    for name in ["limits", "effective_limits"] {
        if let Some(of_account) = shown.get_mut(name) {
            *of_account = limits::in_words(of_account);
        }
    }
    Some(shown)
}

fn words(grant: &Value) -> Value {
    if grant.is_null() {
        return json!(false);
    }
    if grant["by_hand"] == json!(true) {
        return json!("by hand");
    }
    let list = |name: &str| grant[name].as_array().into_iter().flatten().map(plain).collect::<Vec<_>>();
    let without = list("commands_without_password").into_iter().map(|command| format!("{command} (no password)"));
    json!(list("commands").into_iter().chain(without).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_said_in_words() {
        let said = |sudo: Value| in_words(&json!({"id": 7, "sudo": sudo})).unwrap()["sudo"].clone();
        assert_eq!(said(Value::Null), json!(false));
        assert_eq!(
            said(json!({"commands": ["ALL"], "commands_without_password": [], "by_hand": false})),
            json!(["ALL"])
        );
        let lists = json!({"commands": ["/bin/a"], "commands_without_password": ["/bin/b x"], "by_hand": false});
        assert_eq!(said(lists), json!(["/bin/a", "/bin/b x (no password)"]));
        assert_eq!(said(json!({"commands": [], "commands_without_password": [], "by_hand": true})), json!("by hand"));
        assert_eq!(in_words(&json!({"id": 7})), Some(json!({"id": 7})));
    }
}
