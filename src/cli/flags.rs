//! Kinds of flags that several commands have.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// A body of a request, as flags fill it.
pub type Body = Map<String, Value>;

/// Days, or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Days {
    None,
    So(u32),
}

pub fn days(text: &str) -> Result<Days, String> {
    match text {
        "none" => Ok(Days::None),
        _ => text.parse().map(Days::So).map_err(|_| "has to be a number of days, or none".to_owned()),
    }
}

impl Days {
    pub fn value(self) -> Value {
        match self {
            Days::None => Value::Null,
            Days::So(days) => json!(days),
        }
    }
}

/// Which state of a resource a change is meant for.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OnlyIf {
    /// Only if it has this ETag, which the verb show prints with --etag
    #[arg(long, value_name = "ETAG")]
    pub if_match: Option<String>,
}

/// A request that may be sent again.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Repeatable {
    /// Sent again with the same key, it is done once; see docs/api-v2.md
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// Lines of authorized_keys(5).
#[derive(Clone, Debug, Default, clap::Args)]
pub struct KeyFiles {
    /// File with public keys, one on each line; - is standard input
    #[arg(long = "key-file", value_name = "PATH")]
    pub key_files: Vec<PathBuf>,
}

/// What was given, under its name.
pub fn put(body: &mut Body, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}
