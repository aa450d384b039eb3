//! Flags that say what is to become of what is in the way of a backup.

use serde_json::{Map, Value, json};

use crate::flags::{Body, put};

/// What is done where something is in the way.
#[derive(Debug, clap::Args)]
pub struct Choices {
    /// Of accounts that are here and differ
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "skip", "overwrite"])]
    on_name: Option<String>,
    /// Of uids and gids that can not be had here
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "renumber"])]
    on_id: Option<String>,
    /// Of members, groups and commands of sudo that are not here
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "drop"])]
    on_missing: Option<String>,
    /// Of login shells that are none here
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "nologin"])]
    on_shell: Option<String>,
    /// Of lines of key files that are not understood
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "drop"])]
    on_keys: Option<String>,
    /// Of rules for passwords that are set here otherwise
    #[arg(long, value_name = "CHOICE", value_parser = ["fail", "skip", "overwrite"])]
    on_policy: Option<String>,
    /// Leave an account out; once for each
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,
    /// Make an account that is here like the backup; once for each
    #[arg(long, value_name = "NAME")]
    overwrite: Vec<String>,
    /// Take over the user, the group, or both of a name under another one; once for each
    #[arg(long, value_name = "NAME=NEW", value_parser = pair)]
    rename: Vec<(String, String)>,
    /// Take over the user of a name under another one, and not the group; once for each
    #[arg(long, value_name = "NAME=NEW", value_parser = pair)]
    rename_user: Vec<(String, String)>,
    /// Take over the group of a name under another one, and not the user; once for each
    #[arg(long, value_name = "NAME=NEW", value_parser = pair)]
    rename_group: Vec<(String, String)>,
    /// The uid of a user; once for each
    #[arg(long, value_name = "NAME=NUMBER", value_parser = number)]
    uid: Vec<(String, u32)>,
    /// The gid of a group; once for each
    #[arg(long, value_name = "NAME=NUMBER", value_parser = number)]
    gid: Vec<(String, u32)>,
    /// The login shell of a user; once for each
    #[arg(long, value_name = "NAME=PATH", value_parser = pair)]
    shell: Vec<(String, String)>,
    /// Where homes are here that were below a path; once for each
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    home: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("has to have = in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn number(text: &str) -> Result<(String, u32), String> {
    let (name, number) = pair(text)?;
    number.parse().map(|number| (name, number)).map_err(|_| "has to end with a number".to_owned())
}

impl Choices {
    pub fn body(self) -> Body {
        let mut body = Body::new();
        put(&mut body, "on_name", self.on_name);
        put(&mut body, "on_id", self.on_id);
        put(&mut body, "on_missing", self.on_missing);
        put(&mut body, "on_shell", self.on_shell);
        put(&mut body, "on_keys", self.on_keys);
        put(&mut body, "on_policy", self.on_policy);
        put(&mut body, "skip", Some(self.skip));
        let homes: Map<String, Value> = self.home.into_iter().map(|(old, new)| (old, json!(new))).collect();
        put(&mut body, "homes", Some(homes));
        let mut accounts: Map<String, Value> = Map::new();
        let mut choose = |name: String, field: &str, value: Value| {
            let account = accounts.entry(name).or_insert_with(|| json!({}));
            account[field] = value;
        };
        self.overwrite.into_iter().for_each(|name| choose(name, "on_name", json!("overwrite")));
        self.rename.into_iter().for_each(|(name, new)| choose(name, "rename", json!(new)));
        self.rename_user.into_iter().for_each(|(name, new)| choose(name, "rename_user", json!(new)));
        self.rename_group.into_iter().for_each(|(name, new)| choose(name, "rename_group", json!(new)));
        self.uid.into_iter().for_each(|(name, uid)| choose(name, "uid", json!(uid)));
        self.gid.into_iter().for_each(|(name, gid)| choose(name, "gid", json!(gid)));
        self.shell.into_iter().for_each(|(name, shell)| choose(name, "shell", json!(shell)));
        put(&mut body, "accounts", Some(accounts));
        body
    }
}
