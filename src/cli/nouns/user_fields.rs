//! What a user can be given, as flags of `user add` and `user set`.

use serde_json::{Value, json};

use crate::flags::{Body, Days, days, put};
use crate::problem::Flags;
use crate::set_of_names::called;
use crate::sudo::SudoFlags;

/// Of a new user.
pub const NEW: Flags = &[
    ("username", "NAME"),
    ("groups", "--group"),
    ("keys", "--key"),
    ("password", "the new password"),
    ("password_hash", "the hash in --password-hash-file"),
];
/// Of one that there is.
pub const CHANGED: Flags = &[("username", "--name"), ("groups", "--group"), ("password", "the new password")];

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Fields")]
pub struct Fields {
    /// User number
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// Number of the primary group, which has to exist
    #[arg(long, value_name = "GID")]
    gid: Option<u32>,
    /// Full name; '' is none
    #[arg(long, value_name = "TEXT")]
    full_name: Option<String>,
    /// Mail address; '' is none
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Home, an absolute path in a pool; /nonexistent is none
    #[arg(long, value_name = "PATH")]
    home: Option<String>,
    /// Permission bits of the home, in octal, as in 0750
    #[arg(long, value_name = "MODE")]
    home_mode: Option<String>,
    /// Login shell
    #[arg(long, value_name = "PATH")]
    shell: Option<String>,
    /// Supplementary group, by name or id; once for each. All that there are to be
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// No supplementary groups
    #[arg(long, conflicts_with = "groups")]
    no_groups: bool,
    #[command(flatten)]
    sudo: SudoFlags,
    /// Locked, or not
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    locked: Option<bool>,
    /// No login by password, or one
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    password_disabled: Option<bool>,
    /// The name is an address of a Microsoft account, for Samba, or not
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    microsoft_account: Option<bool>,
    /// The password has to be changed before anything else, or not
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    must_change: Option<bool>,
    /// Days between two changes of the password by the user, or none
    #[arg(long, value_name = "DAYS", value_parser = days)]
    min_days: Option<Days>,
    /// Days after which the password is too old, or none
    #[arg(long, value_name = "DAYS", value_parser = days)]
    max_days: Option<Days>,
    /// Days before that from which on the user is warned, or none
    #[arg(long, value_name = "DAYS", value_parser = days)]
    warn_days: Option<Days>,
    /// Days after that until the account is disabled, or none
    #[arg(long, value_name = "DAYS", value_parser = days)]
    inactive_days: Option<Days>,
    /// Day from which on the account is expired, as in 2030-12-31, or none
    #[arg(long, value_name = "DAY")]
    expires: Option<String>,
}

impl Fields {
    /// What was given, and nothing else.
    pub fn body(self) -> Body {
        let mut body = Body::new();
        put(&mut body, "uid", self.uid);
        put(&mut body, "gid", self.gid);
        put(&mut body, "full_name", self.full_name);
        put(&mut body, "email", self.email.map(|email| if email.is_empty() { Value::Null } else { json!(email) }));
        put(&mut body, "home", self.home);
        put(&mut body, "home_mode", self.home_mode);
        put(&mut body, "shell", self.shell);
        let groups = (self.no_groups || !self.groups.is_empty()).then(|| called(&self.groups));
        put(&mut body, "groups", groups);
        put(&mut body, "sudo", self.sudo.value());
        put(&mut body, "locked", self.locked);
        put(&mut body, "password_disabled", self.password_disabled);
        put(&mut body, "microsoft_account", self.microsoft_account);
        put(&mut body, "must_change", self.must_change);
        put(&mut body, "min_days", self.min_days.map(Days::value));
        put(&mut body, "max_days", self.max_days.map(Days::value));
        put(&mut body, "warn_days", self.warn_days.map(Days::value));
        put(&mut body, "inactive_days", self.inactive_days.map(Days::value));
        let no_day = |day: String| if day == "none" { Value::Null } else { json!(day) };
        put(&mut body, "expires", self.expires.map(no_day));
        body
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        fields: Fields,
    }

    fn body(flags: &[&str]) -> Value {
        let flags = ["test"].iter().chain(flags);
        Value::Object(Alone::try_parse_from(flags).unwrap().fields.body())
    }

    const EVERY: [&str; 19] = [
        "--uid=1",
        "--gid=2",
        "--full-name=A",
        "--email=a@b",
        "--home=/h",
        "--home-mode=0700",
        "--shell=/s",
        "--group=g",
        "--sudo",
        "--locked",
        "--password-disabled",
        "--microsoft-account",
        "--must-change",
        "--min-days=1",
        "--max-days=2",
        "--warn-days=3",
        "--inactive-days=4",
        "--expires=2030-12-31",
        "--group=17",
    ];

    #[test]
    fn what_is_not_given_is_not_sent_and_none_takes_away() {
        assert_eq!(body(&[]), json!({}));
        let flags = ["--email=", "--full-name=", "--no-groups", "--sudo=false", "--max-days=none", "--expires=none"];
        let expected = json!({"email": null, "full_name": "", "groups": [], "sudo": false, "max_days": null,
            "expires": null});
        assert_eq!(body(&flags), expected);
        let lists = ["--sudo-command=/bin/a", "--sudo-command=/bin/b x", "--sudo-command-without-password=ALL"];
        let expected = json!({"commands": ["/bin/a", "/bin/b x"], "commands_without_password": ["ALL"]});
        assert_eq!(body(&lists), json!({"sudo": expected}));
        assert_eq!(body(&EVERY)["groups"], json!(["g", 17]), "a number is an id");
    }

    #[test]
    fn every_field_of_the_api_has_a_flag() {
        let document: Value = serde_json::from_str(include_str!("../../api/v2/openapi.json")).unwrap();
        let given: BTreeSet<String> = body(&EVERY).as_object().unwrap().keys().cloned().collect();
        // Flags of one of the two commands alone; `limit set` has limits.
        let rows: [(&str, &[&str]); 2] = [
            ("NewUser", &["username", "password", "password_hash", "random_password", "keys", "limits"]),
            // Of the password, `user passwd` has them.
            ("UserChange", &["username", "password", "password_hash", "random_password", "home_transfer", "limits"]),
        ];
        for (schema, own) in rows {
            let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
            let described: BTreeSet<String> = properties.keys().cloned().collect();
            let own: BTreeSet<String> = own.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(&given | &own, described, "{schema}");
        }
    }
}
