//! Names but for case: an account is found that has the same name in other letters.

use std::collections::HashMap;

use crate::database::file::LineFile;

/// Only names that have upper case letters, by what they are in lower case; all others are found as they are.
#[derive(Clone, Debug, Default)]
pub struct UpperCase(HashMap<String, Vec<String>>);

impl UpperCase {
    /// A name of the file that is the same but for case; the very same one first.
    pub fn like(&self, file: &LineFile, name: &str) -> Option<String> {
        let lower = name.to_lowercase();
        let plain = [name, &lower].into_iter().find(|name| file.find(name).is_some()).map(str::to_owned);
        plain.or_else(|| self.0.get(&lower)?.first().cloned())
    }

    pub fn add(&mut self, name: &str) {
        if is_plainly_lower_case(name) {
            return;
        }
        let lower = name.to_lowercase();
        if lower != name {
            self.0.entry(lower).or_default().push(name.to_owned());
        }
    }

    pub fn remove(&mut self, name: &str) {
        if is_plainly_lower_case(name) {
            return;
        }
        let lower = name.to_lowercase();
        if let Some(names) = self.0.get_mut(&lower) {
            names.retain(|known| known != name);
            if names.is_empty() {
                self.0.remove(&lower);
            }
        }
    }
}

fn is_plainly_lower_case(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}
