//! The chain: the hash of a record is SHA-256 over the hash of the record before it and its own
//! bytes, which are kept as they were written.

use accountd_protocol::audit::{AuditEvent, Moment};
use sha2::{Digest, Sha256};

use super::flaw::Flaw;
use crate::hexadecimal::hexadecimal;

pub type Hash = [u8; 32];

/// How every record begins, before its number.
const BEGINNING: &str = "{\"sequence\":";
/// How a line of a file begins, before its hash, and what stands between that and the record.
const LINE: [&str; 3] = ["{\"hash\":\"", "\",\"record\":", "}"];

/// The end of a chain: the last record's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub sequence: u64,
    pub hash: Hash,
}

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub sequence: u64,
    pub hash: Hash,
    pub record: String,
}

/// The text of a record but for its place and time, which it gets when it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(String);

impl Body {
    pub fn of(event: &AuditEvent) -> serde_json::Result<Self> {
        serde_json::to_string(event).map(Self)
    }

    /// As [`AuditRecord`] is written, whose fields are one flat object.
    ///
    /// [`AuditRecord`]: accountd_protocol::audit::AuditRecord
    fn record(&self, sequence: u64, Moment { seconds, nanoseconds }: Moment) -> String {
        let fields = self.0.strip_prefix('{').unwrap_or_default();
        let time = format!("\"time\":{{\"seconds\":{seconds},\"nanoseconds\":{nanoseconds}}}");
        format!("{BEGINNING}{sequence},{time},{fields}")
    }
}

impl Head {
    /// The next record of the chain.
    pub fn link(self, time: Moment, body: &Body) -> Stored {
        let sequence = self.sequence + 1;
        let record = body.record(sequence, time);
        Stored { sequence, hash: self.hash_of(&record), record }
    }

    /// Goes on to a record that has to be the next one.
    pub fn follow(self, stored: &Stored) -> Result<Head, Flaw> {
        let wanted = self.sequence + 1;
        if stored.sequence > wanted {
            return Err(Flaw::Missing(stored.sequence));
        }
        if stored.sequence < wanted {
            return Err(Flaw::OutOfPlace(stored.sequence));
        }
        if sequence_of(&stored.record) != Some(wanted) || self.hash_of(&stored.record) != stored.hash {
            return Err(Flaw::Changed);
        }
        Ok(stored.head())
    }

    fn hash_of(self, record: &str) -> Hash {
        Sha256::new().chain_update(self.hash).chain_update(record).finalize().into()
    }
}

impl Stored {
    /// The end of a chain whose last record this is.
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }

    /// The line of a file, JSON in itself, without its newline.
    pub fn line(&self) -> String {
        let [begin, between, end] = LINE;
        format!("{begin}{}{between}{}{end}", hexadecimal(&self.hash), self.record)
    }

    /// `None` for what is no line of a file.
    pub fn of_line(line: &str) -> Option<Self> {
        let [begin, between, end] = LINE;
        let (hash, rest) = line.strip_prefix(begin)?.split_at_checked(2 * size_of::<Hash>())?;
        let record = rest.strip_prefix(between)?.strip_suffix(end)?.to_owned();
        Some(Self { sequence: sequence_of(&record)?, hash: bytes(hash)?, record })
    }
}

fn sequence_of(record: &str) -> Option<u64> {
    record.strip_prefix(BEGINNING)?.split_once(',')?.0.parse().ok()
}

fn bytes(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| is_lower_hexadecimal(digits))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

fn is_lower_hexadecimal(digits: &str) -> bool {
    digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use accountd_protocol::audit::{Actor, AuditAction, AuditRecord, FieldChange, Target, TargetKind, Word};
    use accountd_protocol::id::AccountId;

    use super::*;

    #[test]
    fn a_body_becomes_the_record_as_it_is_written_elsewhere() {
        let target = Target { kind: TargetKind::User, id: Some(AccountId(7)), name: "an\"na".into() };
        let changes = vec![FieldChange::new("full_name", None, Some(Word::Borrowed("{\"a\": 1}")))];
        let time = Moment { seconds: 1_700_000_000, nanoseconds: 5 };
        for target in [None, Some(target)] {
            let event = AuditEvent::done(Actor::Agent, AuditAction::UpdateUser, target, changes.clone());
            let stored = Head { sequence: 41, hash: [0; 32] }.link(time, &Body::of(&event).unwrap());
            assert_eq!(stored.record, serde_json::to_string(&AuditRecord { sequence: 42, time, event }).unwrap());
        }
    }
}
