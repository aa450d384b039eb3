//! What is wrong with the fields of one request: every message, by the field's name.

use std::collections::BTreeMap;

use accountd_protocol::refusal::{Field, Invalid, Problem};

use super::form::Form;
use super::messages;
use super::place::Place;

/// `{"<field>": ["<message>", …]}`, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Faults(BTreeMap<&'static str, Vec<String>>);

/// The faults of each object of a list that has some, by its place in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ItemFaults {
    objects: BTreeMap<usize, Faults>,
}

impl ItemFaults {
    pub fn add(&mut self, index: usize, faults: Faults) {
        self.objects.insert(index, faults);
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl Faults {
    pub fn add(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.entry(key).or_default().push(message.into());
    }

    /// The value, or the fault noted under the key.
    pub fn take<T>(&mut self, key: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(key, message)).ok()
    }

    /// The value, or the problem noted in the words of this dialect.
    pub fn check<T, P: Into<Problem>>(
        &mut self,
        place: Place,
        field: Field,
        form: &Form,
        result: Result<T, P>,
    ) -> Option<T> {
        let key = messages::key(place, field);
        result.map_err(|problem| self.add(key, messages::text(place, field, &problem.into(), form))).ok()
    }

    /// What the agent has found, in the words of this dialect.
    pub fn of(place: Place, invalid: &[Invalid], form: &Form) -> Self {
        let mut faults = Self::default();
        for Invalid { field, problem } in invalid {
            faults.add(messages::key(place, *field), messages::text(place, *field, problem, form));
        }
        faults
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}
