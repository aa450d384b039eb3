//! `accountctl limit`: what a user, or each member of a group, may use.

use serde_json::{Map, Value, json};

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::{Body, OnlyIf, put};
use crate::output::{Format, Rows, Shape, as_it_is};
use crate::path;
use crate::problem::Flags;
use crate::session::Session;

const COLUMNS: &[&str] = &["limit", "own", "effective"];
const LIMIT: Shape = Shape { id: "limit", columns: COLUMNS, fields: COLUMNS, present: as_it_is };
/// In the order of the API.
const FLAGS: Flags = &[
    ("limits.quota_bytes", "--quota"),
    ("limits.quota_soft_bytes", "--soft-quota"),
    ("limits.quota_files", "--files"),
    ("limits.quota_soft_files", "--soft-files"),
    ("limits.max_sessions", "--max-sessions"),
    ("limits.upload_bandwidth", "--upload"),
    ("limits.download_bandwidth", "--download"),
    ("limits.bandwidth_scope", "--bandwidth-scope"),
    ("limits.permissions", "--permissions"),
    ("limits.idle_timeout", "--idle"),
    ("limits.allowed_networks", "--network"),
    ("limits.session_root", "--root"),
];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// The limits of a user and those that count, with those of its groups; or the limits of a group
    Show(Whose),
    /// Change what is named; `none` lifts a limit
    Set(Box<Set>),
    /// Lift every limit
    Clear {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        only_if: OnlyIf,
    },
}

#[derive(Clone, Debug, Default, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// A name, or an id
    #[arg(value_name = "USER")]
    user: Option<String>,
    /// A group instead of a user
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Set {
    #[command(flatten)]
    whose: Whose,
    /// What may be stored: bytes, or with K, M, G, T for powers of 1024; or none
    #[arg(long, value_name = "SIZE", value_parser = size)]
    quota: Option<Limit>,
    /// May be passed for a time where the kernel counts; or none
    #[arg(long, value_name = "SIZE", value_parser = size)]
    soft_quota: Option<Limit>,
    /// How many files may be stored; or none
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    files: Option<Limit>,
    /// As --soft-quota; or none
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    soft_files: Option<Limit>,
    /// SSH connections at a time; or none
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    max_sessions: Option<Limit>,
    /// KB/s (1 KB is 1000 bytes) from the client; or none
    #[arg(long, value_name = "KBPS", value_parser = number)]
    upload: Option<Limit>,
    /// KB/s to the client; or none
    #[arg(long, value_name = "KBPS", value_parser = number)]
    download: Option<Limit>,
    /// What has the bandwidth: all sessions of the account together, or each transfer
    #[arg(long, value_name = "account|transfer")]
    bandwidth_scope: Option<String>,
    /// list, download, upload, delete, rename, create_dirs, create_symlinks and the parts list_visible,
    /// write, copy, rename_in_place, move, between commas; or none for no limit
    #[arg(long, value_name = "LIST")]
    permissions: Option<String>,
    /// Seconds until a connection is closed on which nothing happens; or none
    #[arg(long, value_name = "SECONDS", value_parser = number)]
    idle: Option<Limit>,
    /// Address or block from which logins may come; once for each. All that there are to be
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<String>,
    /// Logins may come from anywhere
    #[arg(long, conflicts_with = "networks")]
    any_network: bool,
    /// What sessions see as /: home, ~/DIRECTORY in it, an absolute path (%u is the user's name), or none
    #[arg(long, value_name = "PATH")]
    root: Option<String>,
    #[command(flatten)]
    only_if: OnlyIf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    None,
    Is(u64),
}

impl Limit {
    fn value(self) -> Value {
        match self {
            Limit::None => Value::Null,
            Limit::Is(number) => json!(number),
        }
    }
}

fn number(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(Limit::None),
        _ => text.parse().map(Limit::Is).map_err(|_| "has to be a number, or none".to_owned()),
    }
}

fn size(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit::None);
    }
    let (digits, power) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        None => (text, 0),
        Some((at, unit)) if at > 0 && text.len() == at + 1 => {
            let power = ["K", "M", "G", "T"].iter().position(|known| known.eq_ignore_ascii_case(&unit.to_string()));
            (&text[..at], power.map_or(5, |power| power + 1))
        }
        Some(_) => ("", 5),
    };
    let bytes = digits.parse::<u64>().ok().filter(|_| power < 5);
    let bytes = bytes.and_then(|bytes| bytes.checked_mul(1 << (10 * power)));
    bytes.map(Limit::Is).ok_or_else(|| "has to be a number of bytes, one with K, M, G or T, or none".to_owned())
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::Show(whose) => {
                let request = Request::get(whose.path(), format!("show the limits of {}", whose.name()));
                show(session, &session.client.send(&request)?)
            }
            Verb::Set(set) => set.run(session),
            Verb::Clear { whose, only_if } => change(session, &whose, (Value::Null, only_if)),
        }
    }
}

impl Whose {
    fn path(&self) -> String {
        match (&self.user, &self.group) {
            (Some(user), _) => path::user(user),
            (None, group) => path::group(group.as_deref().unwrap_or_default()),
        }
    }

    fn name(&self) -> &str {
        self.user.as_deref().or(self.group.as_deref()).unwrap_or_default()
    }
}

impl Set {
    fn run(self, session: &Session) -> Result<(), Error> {
        let (whose, only_if) = (self.whose.clone(), self.only_if.clone());
        change(session, &whose, (Value::Object(self.limits()), only_if))
    }

    /// What was given, and nothing else.
    fn limits(self) -> Body {
        let mut limits = Map::new();
        let numbers = [
            ("quota_bytes", self.quota),
            ("quota_soft_bytes", self.soft_quota),
            ("quota_files", self.files),
            ("quota_soft_files", self.soft_files),
            ("max_sessions", self.max_sessions),
            ("upload_bandwidth", self.upload),
            ("download_bandwidth", self.download),
            ("idle_timeout", self.idle),
        ];
        for (field, limit) in numbers {
            put(&mut limits, field, limit.map(Limit::value));
        }
        put(&mut limits, "bandwidth_scope", self.bandwidth_scope);
        let none = |text: String, value: fn(&str) -> Value| if text == "none" { Value::Null } else { value(&text) };
        let list = |text: &str| text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        put(&mut limits, "permissions", self.permissions.map(|text| none(text, list)));
        put(&mut limits, "session_root", self.root.map(|text| none(text, |path| json!(path))));
        let networks = (self.any_network || !self.networks.is_empty()).then(|| json!(self.networks));
        put(&mut limits, "allowed_networks", networks);
        limits
    }
}

fn change(session: &Session, whose: &Whose, (limits, only_if): (Value, OnlyIf)) -> Result<(), Error> {
    let request =
        Request::patch(whose.path(), format!("set the limits of {}", whose.name()), json!({"limits": limits}));
    let request = request.naming(FLAGS).only_if(only_if.if_match.as_deref());
    show(session, &session.client.send(&request)?)
}

/// A line for each limit. Those of a group are only its own.
fn show(session: &Session, answer: &Answer) -> Result<(), Error> {
    if session.output.format == Format::Json {
        return session.output.json(answer);
    }
    let account = answer.value();
    let names = FLAGS.iter().filter_map(|(path, _)| path.strip_prefix("limits."));
    let limit = |name: &str| {
        let effective = &account["effective_limits"][name];
        json!({"limit": name, "own": account["limits"][name], "effective": effective})
    };
    Rows::new(session.output, LIMIT, COLUMNS).page(&names.map(limit).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        for (text, bytes) in [("0", 0), ("100", 100), ("1K", 1024), ("100m", 100 << 20), ("2T", 2 << 40)] {
            assert_eq!(size(text), Ok(Limit::Is(bytes)), "{text}");
        }
        assert_eq!(size("none"), Ok(Limit::None));
        for text in ["", "K", "1X", "1KB", "-1", "1.5G", "99999999999999999999", "9999999999T", "1Ä"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_is_named_is_changed() {
        let set = Set { quota: Some(Limit::None), root: Some("none".into()), ..Set::default() };
        assert_eq!(Value::Object(set.limits()), json!({"quota_bytes": null, "session_root": null}));
        let set = Set { permissions: Some("list, upload".into()), any_network: true, ..Set::default() };
        assert_eq!(Value::Object(set.limits()), json!({"permissions": ["list", "upload"], "allowed_networks": []}));
    }
}
