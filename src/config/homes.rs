//! `[homes]`

use accountd_protocol::text::FieldPath;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "Raw")]
pub struct Homes {
    /// Directories whose children are pools: a home lies in a pool that is there, not beside it.
    pub roots: Vec<FieldPath>,
    /// Of a new home, where a request does not say another.
    pub mode: NewHomeMode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    roots: Vec<FieldPath>,
    mode: NewHomeMode,
}

impl Default for Raw {
    fn default() -> Self {
        let roots = FieldPath::new("/mnt").into_iter().collect();
        Self { roots, mode: NewHomeMode::default() }
    }
}

impl Default for Homes {
    fn default() -> Self {
        let Raw { roots, mode } = Raw::default();
        Self { roots, mode }
    }
}

impl TryFrom<Raw> for Homes {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        if raw.roots.is_empty() {
            return Err("roots must name a directory".into());
        }
        Ok(Self { roots: raw.roots, mode: raw.mode })
    }
}

/// Permission bits that let the owner read and enter, written as an octal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NewHomeMode(u32);

impl NewHomeMode {
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for NewHomeMode {
    fn default() -> Self {
        Self(0o700)
    }
}

impl TryFrom<String> for NewHomeMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bits = u32::from_str_radix(&text, 8).ok().filter(|bits| bits & !0o777 == 0 && bits & 0o500 == 0o500);
        bits.map(Self).ok_or_else(|| format!("\"{text}\" is no mode of a home: 500 to 777, owner reads and enters"))
    }
}

impl From<NewHomeMode> for String {
    fn from(mode: NewHomeMode) -> String {
        format!("{:04o}", mode.0)
    }
}
