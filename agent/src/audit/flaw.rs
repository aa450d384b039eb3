//! What can be wrong with a chain of records.

/// The first thing that is wrong, at the record that should come next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the record is not what it was: its hash does not fit it and the record before it")]
    Changed,
    #[error("the record is missing; record {0} is there instead")]
    Missing(u64),
    #[error("record {0} is there once more, or out of its place")]
    OutOfPlace(u64),
    #[error("it can not be read as a record")]
    Unreadable,
    #[error("the record is missing, and all behind it: the state store has noted {0} records")]
    CutOff(u64),
    #[error("there are records behind the last one that the state store has noted")]
    BehindTheHead,
    #[error("the last record is not the one that the state store has noted")]
    OtherHead,
    #[error("the state store can not be read: {0}")]
    Store(String),
    #[error("the file can not be read: {0}")]
    File(String),
    #[error("the file and the state store have different records of this number")]
    Differs,
}
