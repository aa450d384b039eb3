//! `accountd.toml`: what an administrator may decide. accountd.toml(5) explains every key.
//!
//! Everything has a default, so the file need not exist. A key that is not known is an error: a
//! setting that was misspelt must not count as made.

mod accounts;
mod alist;
mod audit;
mod bans;
mod deletion;
mod homes;
mod ids;
mod login;
mod passwords;
mod repositories;
mod rhodecode;
mod roles;
#[cfg(test)]
mod sample;
mod sessions;
mod two_factor;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use accounts::{Accounts, PermitRoot, SharedUid, ShowHashes};
pub use alist::Alist;
pub use audit::Audit;
pub use bans::Bans;
pub use deletion::{Deletion, Leftover, Mail};
pub use homes::{Homes, NewHomeMode};
pub use ids::{IdRange, Ids};
pub use login::{Login, PamSeconds, PamServiceName};
pub use passwords::{PasswordPolicy, Passwords};
pub use repositories::{Creators, Repositories};
pub use rhodecode::Rhodecode;
pub use roles::Roles;
pub use sessions::{
    PermitUserEnvironment, SessionRoot, SessionRule, SessionSettings, Sessions, TcpForwarding, Umask, VariablePattern,
};
pub use two_factor::{Issuer, KeysWithCode, TwoFactor};

/// Where the file is.
pub const PATH: &str = "/etc/accountd/accountd.toml";

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
}

/// All settings, by the table that they stand in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub accounts: Accounts,
    pub ids: Ids,
    pub homes: Homes,
    pub deletion: Deletion,
    pub roles: Roles,
    pub passwords: Passwords,
    pub audit: Audit,
    pub sessions: Sessions,
    pub bans: Bans,
    pub rhodecode: Rhodecode,
    pub two_factor: TwoFactor,
    pub alist: Alist,
    pub repositories: Repositories,
    pub login: Login,
}

impl Config {
    /// Reads the file at `path`. A file that is not there stands for the defaults.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?,
        };
        let parse = |source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) };
        toml::from_str(&text).map_err(parse)
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::policy::PasswordRule;

    use super::*;

    pub const EVERYTHING: &str = "[accounts]\npermit_root = \"keys\"\nshared_uid = \"allowed\"\nshow_hashes = \"masked\"\n\
        [ids]\nusers = { first = 5000, last = 5999 }\ngroups = { first = 7000, last = 7999 }\n\
        [homes]\nroots = [\"/mnt\", \"/srv/pools\"]\nmode = \"0750\"\n\
        [deletion]\ncrontab = \"keep\"\nat_jobs = \"keep\"\nlinger = \"keep\"\nmail = \"remove\"\n\
        [roles]\nadministrators = [\"chiefs\"]\naccount_administrators = []\nauditors = [\"a\", \"b\"]\n\
        privileged_groups = [\"docker\"]\n\
        [passwords]\nmin_length = 8\nmin_classes = 3\nhistory = 5\nmin_days = 1\nmax_days = 90\nwarn_days = 14\n\
        [audit]\nfile_records = 500\nkeep_files = 20\n\
        [sessions]\nservices = [\"sftp\", \"shell\"]\numask = \"0027\"\nroot = \"home\"\nuploads = \"atomic\"\n\
        leftovers = \"keep\"\ntcp_forwarding = \"allowed\"\naccept_environment = [\"LC_*\", \"TZ\"]\n\
        permit_user_environment = \"yes\"\n\
        [[sessions.rules]]\nusers = [\"anna\"]\ngroups = [\"guests\"]\nroot = \"/srv/%u\"\nservices = []\n\
        [bans]\nfree_attempts = 3\nfirst_delay_seconds = 2\nlongest_delay_seconds = 9\nban_after = 10\n\
        window_seconds = 300\nban_seconds = 60\nignore = [\"127.0.0.0/8\", \"::1/128\"]\n\
        [rhodecode]\nenabled = false\ndialect = \"1.4\"\n\
        [two_factor]\nissuer = \"NAS\"\nkeys = \"with_code\"\n\
        [alist]\nenabled = true\nadmin = \"chief\"\nguest = \"anybody\"\nhomes = \"/mnt/a/homes\"\n\
        [repositories]\nroot = \"/tank/repositories\"\ncreate = \"users\"\npull_schemes = [\"https\"]\npull_seconds = 60\n\
        [login]\nuse_pam = true\npam_service = \"nas\"\npam_seconds = 30\n";

    fn parsed(text: &str) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accountd.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn no_file_and_an_empty_one_are_the_defaults() {
        assert_eq!(Config::read(Path::new("/nonexistent/accountd.toml")).unwrap(), Config::default());
        assert_eq!(parsed("").unwrap(), Config::default());
        let config = Config::default();
        assert_eq!((config.ids.users.first, config.ids.users.last), (3000, 60_000));
        assert_eq!(config.accounts.shared_uid, SharedUid::Refused);
        assert_eq!(config.homes.roots[0].as_str(), "/mnt");
    }

    #[test]
    fn every_setting_can_be_made_and_is_written_as_it_is_read() {
        let config = parsed(EVERYTHING).unwrap();
        assert_eq!(config.homes.mode.bits(), 0o750);
        assert_eq!(config.deletion.mail, Mail::Remove);
        assert_eq!(parsed(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn what_can_not_be_meant_is_an_error_that_names_the_file_and_the_key() {
        let rows = [
            ("[accounts]\nshared_uids = \"allowed\"\n", "shared_uids"),
            ("[account]\n", "account"),
            ("[accounts]\nshared_uid = true\n", "shared_uid"),
            ("[ids]\nusers = { first = 9, last = 8 }\n", "last"),
            ("[ids]\nusers = { first = 0, last = 8 }\n", "first"),
            ("[ids]\nusers = { first = 1000, last = 4294967295 }\n", "last"),
            ("[homes]\nroots = [\"mnt\"]\n", "absolute"),
            ("[homes]\nroots = []\n", "roots"),
            ("[homes]\nmode = \"4755\"\n", "mode"),
            ("[homes]\nmode = \"0077\"\n", "mode"),
            ("[passwords]\nmin_length = 0\n", "min_length"),
            ("[passwords]\nmin_classes = 5\n", "min_classes"),
            ("[passwords]\nhistory = 25\n", "history"),
            ("[passwords]\nmin_lenght = 8\n", "min_lenght"),
            ("[passwords]\nmin_days = 5\nmax_days = 4\n", "max_days"),
            ("[audit]\nfile_records = 0\n", "file_records"),
            ("[audit]\nkeep_files = 0\n", "keep_files"),
            ("[sessions]\nservice = [\"sftp\"]\n", "service"),
            ("[sessions]\nservices = [\"ftp\"]\n", "services"),
            ("[sessions]\numask = 22\n", "umask"),
            ("[sessions]\numask = \"1022\"\n", "umask"),
            ("[sessions]\nroot = \"/srv/%h\"\n", "root"),
            ("[sessions]\nuploads = \"both\"\n", "uploads"),
            ("[sessions]\naccept_environment = [\"A=B\"]\n", "accept_environment"),
            ("[sessions]\ntcp_forwarding = true\n", "tcp_forwarding"),
            ("[[sessions.rules]]\nroot = \"home\"\n", "users"),
            ("[[sessions.rules]]\nusers = \"anna\"\n", "users"),
            ("[[sessions.rules]]\nusers = [\"anna\"]\nleftover = \"keep\"\n", "leftover"),
            ("[sessions]\n[sessions.rules]\nusers = [\"anna\"]\n", "rules"),
            ("[bans]\nban_afer = 3\n", "ban_afer"),
            ("[bans]\nwindow_seconds = 0\n", "window_seconds"),
            ("[bans]\nfirst_delay_seconds = 31\n", "first_delay_seconds"),
            ("[bans]\nignore = [\"here\"]\n", "here"),
            ("[rhodecode]\nenable = true\n", "enable"),
            ("[rhodecode]\ndialect = \"2.2\"\n", "2.2"),
            ("[two_factor]\nissuer = \"a:b\"\n", "issuer"),
            ("[two_factor]\nkeys = \"never\"\n", "keys"),
            ("[alist]\nenable = true\n", "enable"),
            ("[repositories]\nroot = \"/\"\n", "root"),
            ("[repositories]\nroot = \"repositories\"\n", "absolute"),
            ("[repositories]\ncreate = \"nobody\"\n", "create"),
            ("[repositories]\npull_schemes = [\"file\"]\n", "pull_schemes"),
            ("[repositories]\npull_seconds = 0\n", "pull_seconds"),
            ("[login]\nuse_pam = \"yes\"\n", "use_pam"),
            ("[login]\npam_service = \"../su\"\n", "pam_service"),
            ("[login]\npam_seconds = 0\n", "pam_seconds"),
            ("[repositories]\nroots = [\"/x\"]\n", "roots"),
        ];
        for (text, named) in rows {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(named) && error.contains("accountd.toml"), "{text}: {error}");
        }
    }

    /// The names of all tables and keys.
    fn keys(table: &toml::Table) -> Vec<String> {
        let nested = |value: &toml::Value| match value {
            toml::Value::Table(table) => keys(table),
            toml::Value::Array(values) => values.iter().filter_map(toml::Value::as_table).flat_map(keys).collect(),
            _ => Vec::new(),
        };
        table.iter().flat_map(|(key, value)| [vec![key.clone()], nested(value)].concat()).collect()
    }

    #[test]
    fn the_manual_page_explains_every_key() {
        let page = include_str!("../../docs/man/accountd.toml.5");
        let everything: toml::Table = toml::from_str(EVERYTHING).unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        let rules = PasswordRule::ALL.map(|rule| rule.name().to_owned());
        for key in keys(&defaults).into_iter().chain(keys(&everything)).chain(rules) {
            let explained = page.lines().any(|line| {
                (line.starts_with(".It Cm") || line.starts_with(".Cm"))
                    && line.split([' ', ',']).any(|word| word == key)
                    || line == format!(".Ss [{key}]")
            });
            assert!(explained, "{key}");
        }
    }
}
