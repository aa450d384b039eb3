//! Names by their number; nearly every number has one name.

use std::collections::HashMap;
use std::sync::Arc;

use super::file::LineFile;

#[derive(Clone, Debug)]
enum Names {
    One(Arc<str>),
    /// In the order of the file: the first counts, as for getpwuid(3).
    Several(Vec<Arc<str>>),
}

/// The names of each uid or gid. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct NamesByNumber(HashMap<u32, Names>);

impl NamesByNumber {
    pub fn get(&self, number: u32) -> Vec<String> {
        match self.0.get(&number) {
            None => Vec::new(),
            Some(Names::One(name)) => vec![name.to_string()],
            Some(Names::Several(names)) => names.iter().map(|name| name.to_string()).collect(),
        }
    }

    pub fn has(&self, number: u32) -> bool {
        self.0.contains_key(&number)
    }

    /// `file` says in which order several names stand.
    pub fn add(&mut self, number: u32, name: &Arc<str>, file: &LineFile) {
        let names = match self.0.remove(&number) {
            None => Names::One(name.clone()),
            Some(Names::One(other)) => Names::Several(in_file_order(vec![other, name.clone()], file)),
            Some(Names::Several(mut names)) => {
                names.push(name.clone());
                Names::Several(in_file_order(names, file))
            }
        };
        self.0.insert(number, names);
    }

    pub fn remove(&mut self, number: u32, name: &str) {
        let Some(names) = self.0.remove(&number) else { return };
        let mut left = match names {
            Names::One(name) => vec![name],
            Names::Several(names) => names,
        };
        left.retain(|other| **other != *name);
        match left.pop() {
            None => {}
            Some(last) if left.is_empty() => drop(self.0.insert(number, Names::One(last))),
            Some(last) => {
                left.push(last);
                self.0.insert(number, Names::Several(left));
            }
        }
    }
}

fn in_file_order(mut names: Vec<Arc<str>>, file: &LineFile) -> Vec<Arc<str>> {
    names.sort_by_key(|name| file.position(name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::FileKind;

    #[test]
    fn several_names_of_a_number_stand_in_file_order_and_leave_one_by_one() {
        let file = LineFile::parse(FileKind::Group, b"a:x:5:\nb:x:5:\nc:x:5:\n");
        let mut names = NamesByNumber::default();
        for name in ["c", "a", "b"] {
            names.add(5, &name.into(), &file);
        }
        assert_eq!(names.get(5), ["a", "b", "c"]);
        names.remove(5, "a");
        assert_eq!(names.get(5), ["b", "c"]);
        names.remove(5, "c");
        assert_eq!(names.get(5), ["b"]);
        names.remove(5, "b");
        assert!(!names.has(5) && names.get(5).is_empty());
    }
}
