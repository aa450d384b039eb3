//! `[rhodecode]`: the JSON-RPC dialect of RhodeCode.

use accountd_protocol::dialects::RhodecodeWording;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rhodecode {
    pub enabled: bool,
    /// Whose words answers have.
    pub dialect: RhodecodeWording,
}

impl Default for Rhodecode {
    fn default() -> Self {
        Self { enabled: true, dialect: RhodecodeWording::Seed }
    }
}

impl Rhodecode {
    /// `None` where it is not spoken.
    pub fn wording(self) -> Option<RhodecodeWording> {
        self.enabled.then_some(self.dialect)
    }
}
