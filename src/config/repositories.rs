//! `[repositories]`

use std::collections::BTreeSet;

use accountd_protocol::repository::Scheme;
use accountd_protocol::text::FieldPath;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "Raw")]
pub struct Repositories {
    /// The directory that they lie below.
    pub root: FieldPath,
    pub create: Creators,
    /// Of the URLs that may be pulled from.
    pub pull_schemes: BTreeSet<Scheme>,
    /// After so long a pull is ended.
    pub pull_seconds: u32,
}

/// Who may make a repository for themselves; administrators make them for anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Creators {
    #[default]
    Administrators,
    Users,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    root: Option<FieldPath>,
    create: Creators,
    pull_schemes: BTreeSet<Scheme>,
    pull_seconds: u32,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            root: None,
            create: Creators::default(),
            pull_schemes: BTreeSet::from(Scheme::ALL),
            pull_seconds: 60 * 60,
        }
    }
}

impl TryFrom<Raw> for Repositories {
    type Error = String;

    fn try_from(Raw { root, create, pull_schemes, pull_seconds }: Raw) -> Result<Self, String> {
        let root = match root {
            Some(root) if root.as_str() == "/" => return Err("root must not be / itself".into()),
            Some(root) => root,
            None => FieldPath::new("/srv/repositories").map_err(|error| error.to_string())?,
        };
        if pull_seconds == 0 {
            return Err("pull_seconds must not be 0".into());
        }
        Ok(Self { root, create, pull_schemes, pull_seconds })
    }
}

impl Default for Repositories {
    fn default() -> Self {
        Self::try_from(Raw::default()).unwrap_or_else(|_| unreachable!("the defaults are good"))
    }
}
