//! Numbers by their labels: while they are counted, and as they are told.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::label::Labels;

/// Numbers that change while others read them: no lock, and no order between them.
#[derive(Debug)]
pub struct Tally<L> {
    cells: Box<[AtomicU64]>,
    of: PhantomData<fn(L)>,
}

impl<L: Labels> Default for Tally<L> {
    fn default() -> Self {
        Self { cells: (0..L::COUNT).map(|_| AtomicU64::new(0)).collect(), of: PhantomData }
    }
}

impl<L: Labels> Tally<L> {
    pub fn add(&self, labels: L, count: u64) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub fn one(&self, labels: L) {
        self.add(labels, 1);
    }

    /// Takes one back, of what is counted as long as it is there.
    pub fn less(&self, labels: L) {
        if let Some(cell) = self.cells.get(labels.index()) {
            cell.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub fn numbers(&self) -> Numbers<L> {
        Numbers { values: self.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect(), of: PhantomData }
    }
}

/// One number for each value of the labels. What is not said is 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(L, u64)>", into = "Vec<(L, u64)>")]
#[serde(bound(serialize = "L: Labels + Serialize", deserialize = "L: Labels + Deserialize<'de>"))]
pub struct Numbers<L> {
    values: Vec<u64>,
    of: PhantomData<L>,
}

impl<L: Labels> Default for Numbers<L> {
    fn default() -> Self {
        Self { values: vec![0; L::COUNT], of: PhantomData }
    }
}

impl<L: Labels> From<Vec<(L, u64)>> for Numbers<L> {
    fn from(said: Vec<(L, u64)>) -> Self {
        let mut numbers = Self::default();
        for (labels, number) in said {
            if let Some(value) = numbers.values.get_mut(labels.index()) {
                *value = number;
            }
        }
        numbers
    }
}

impl<L: Labels> From<Numbers<L>> for Vec<(L, u64)> {
    fn from(numbers: Numbers<L>) -> Self {
        numbers.rows().into_iter().filter(|(_, value)| *value > 0).collect()
    }
}

impl<L: Labels> Numbers<L> {
    /// All of them, in the order of the labels.
    pub fn rows(&self) -> Vec<(L, u64)> {
        L::all().into_iter().zip(self.values.iter().copied()).collect()
    }
}

impl From<u64> for Numbers<()> {
    fn from(number: u64) -> Self {
        Self { values: vec![number], of: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{SshMethod, SshResult, TurnedAway};

    #[test]
    fn what_is_counted_is_told_and_zeros_are_not() {
        let tally = Tally::<(SshMethod, SshResult)>::default();
        tally.one((SshMethod::Publickey, SshResult::Undecided));
        tally.add((SshMethod::Password, SshResult::Granted), 3);
        tally.one((SshMethod::Password, SshResult::Granted));
        tally.less((SshMethod::Password, SshResult::Granted));
        let numbers = tally.numbers();
        let wire = serde_json::to_string(&numbers).unwrap();
        assert_eq!(wire, r#"[[["password","granted"],3],[["publickey","undecided"],1]]"#);
        assert_eq!(serde_json::from_str::<Numbers<(SshMethod, SshResult)>>(&wire).unwrap(), numbers);
        assert_eq!(numbers.rows().len(), 24);
    }

    #[test]
    fn a_set_is_no_longer_than_its_labels_whatever_was_said() {
        let said = format!("[{}[\"full\",7]]", "[\"full\",1],".repeat(1000));
        let numbers: Numbers<TurnedAway> = serde_json::from_str(&said).unwrap();
        let shown = [(TurnedAway::Full, 7), (TurnedAway::SourceFull, 0), (TurnedAway::EarlyDrop, 0)];
        assert_eq!(numbers.rows(), shown);
        assert!(serde_json::from_str::<Numbers<TurnedAway>>(r#"[["anna",1]]"#).is_err());
    }
}
