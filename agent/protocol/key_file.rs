//! `~/.ssh/authorized_keys` (sshd(8)), line by line.

use serde::{Deserialize, Serialize};

use crate::key_advice::KeyAdvice;
use crate::precondition::Tag;

/// The lines of `~/.ssh/authorized_keys` that are no comments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    pub keys: Vec<KeyLine>,
    /// What keeps them from counting.
    pub advice: Vec<KeyAdvice>,
    /// Of the whole text.
    pub tag: Tag,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    pub line: String,
    /// `None` for a line that is not understood, and so lets nobody in.
    pub key: Option<PublicKeyLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeyLine {
    /// `ssh-ed25519` and the like.
    pub kind: String,
    /// `SHA256:` and the digest in base64, as ssh-keygen(1) shows it.
    pub fingerprint: String,
    /// Empty where there are none.
    pub options: String,
    pub comment: String,
}
