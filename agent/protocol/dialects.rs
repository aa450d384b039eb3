//! Which dialects the REST front speaks, and how. The agent has the configuration, so the front asks it.

use serde::{Deserialize, Serialize};

use crate::alist::AlistSettings;

/// `None`: not spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialects {
    pub alist: Option<AlistSettings>,
    pub rhodecode: Option<RhodecodeWording>,
}

/// Whose words and shapes answers of the RhodeCode dialect have. Requests of all versions are understood
/// whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RhodecodeWording {
    /// RhodeCode 1.2, as its documentation has it.
    #[default]
    #[serde(rename = "seed")]
    Seed,
    #[serde(rename = "1.3")]
    V1_3,
    #[serde(rename = "1.4")]
    V1_4,
}
