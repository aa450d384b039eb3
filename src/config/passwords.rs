//! `[passwords]`

use serde::{Deserialize, Serialize};

/// The most that a password can have (the agent takes no longer ones).
const LONGEST: u16 = 511;

/// What a new password has to be, and how long those of new accounts last (shadow(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "Raw")]
pub struct Passwords {
    /// In characters.
    pub min_length: u16,
    /// Of lower case letters, upper case letters, digits and everything else.
    pub min_classes: u8,
    pub min_days: u32,
    pub max_days: u32,
    pub warn_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    min_length: u16,
    min_classes: u8,
    min_days: u32,
    max_days: u32,
    warn_days: u32,
}

impl Default for Raw {
    fn default() -> Self {
        Self { min_length: 1, min_classes: 1, min_days: 0, max_days: 99_999, warn_days: 7 }
    }
}

impl Default for Passwords {
    /// What useradd(8) does and existing clients count on.
    fn default() -> Self {
        let Raw { min_length, min_classes, min_days, max_days, warn_days } = Raw::default();
        Self { min_length, min_classes, min_days, max_days, warn_days }
    }
}

impl TryFrom<Raw> for Passwords {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let Raw { min_length, min_classes, min_days, max_days, warn_days } = raw;
        if min_length == 0 || min_length > LONGEST {
            return Err(format!("min_length must be from 1 to {LONGEST}"));
        }
        if min_classes == 0 || min_classes > 4 {
            return Err("min_classes must be from 1 to 4".into());
        }
        if max_days < min_days || max_days > 999_999 {
            return Err("max_days must be from min_days to 999999".into());
        }
        Ok(Self { min_length, min_classes, min_days, max_days, warn_days })
    }
}
