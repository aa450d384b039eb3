//! What only accountd knows of an account, in one column of its row: limits, the words of dialects, and a
//! hash that crypt(5) does not know.

use std::sync::Arc;

use accountd_protocol::agent::Echoes;
use accountd_protocol::limits::Limits;
use serde::{Deserialize, Serialize};

/// A step of the state store's migrations. NULL: nothing of it.
pub const MIGRATION: &str = "
    ALTER TABLE users ADD COLUMN extras TEXT;
    ALTER TABLE groups ADD COLUMN limits TEXT;
";

/// Of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extras {
    #[serde(skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    #[serde(skip_serializing_if = "Echoes::is_empty")]
    pub echoes: Echoes,
    /// Lets in over SSH and REST while shadow(5) holds no hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_hash: Option<String>,
}

/// As the column holds it.
pub fn text<T: Serialize>(value: Option<&T>) -> rusqlite::Result<Option<String>> {
    let text = value.map(serde_json::to_string).transpose();
    text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub fn of_text<T: for<'a> Deserialize<'a>>(text: Option<String>) -> rusqlite::Result<Option<Arc<T>>> {
    let value = text.map(|text| serde_json::from_str(&text)).transpose();
    let value = value
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()))?;
    Ok(value.map(Arc::new))
}
