//! Which account is which after somebody else has edited the files.
//!
//! By name and number. Both equal: the same account. Only the name equal: given another number.
//! Only the number equal: renamed, if the rest says so too, since a number is given out again as
//! soon as it is free. Otherwise the old account is gone and the new one is somebody else, so
//! that nothing passes to a namesake or to whoever got the number next.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// What has become of the known accounts.
#[derive(Debug, PartialEq, Eq)]
pub struct Matching<Id> {
    /// Known accounts that are there, with their name and number now, in file order.
    pub kept: Vec<(Id, String, u32)>,
    /// Known accounts that are gone.
    pub gone: Vec<Id>,
    /// Accounts that nobody knew, in file order.
    pub new: Vec<(String, u32)>,
}

/// Matches the entries of a file, in its order, with the known accounts. `is_rename` says whether
/// all but the name speaks for the account of the first name having the second one now.
pub fn match_accounts<Id: Copy + Eq + Hash>(
    known: &[(Id, &str, u32)],
    present: &[(&str, u32)],
    is_rename: impl Fn(&str, &str) -> bool,
) -> Matching<Id> {
    let names: HashMap<&str, Id> = known.iter().map(|(id, name, _)| (*name, *id)).collect();
    let pairs: HashMap<(&str, u32), Id> = known.iter().map(|(id, name, number)| ((*name, *number), *id)).collect();
    let mut taken: HashSet<Id> = HashSet::new();
    let mut found: Vec<Option<Id>> = present.iter().map(|entry| pairs.get(entry).copied()).collect();
    taken.extend(found.iter().flatten());

    // A rename: the number of an account whose name has gone. Only where the number says whose.
    let here: HashSet<&str> = present.iter().map(|(name, _)| *name).collect();
    let mut renamed: HashMap<u32, Vec<(Id, &str)>> = HashMap::new();
    let nameless = known.iter().filter(|(id, name, _)| !taken.contains(id) && !here.contains(name));
    for (id, name, number) in nameless {
        renamed.entry(*number).or_default().push((*id, name));
    }
    for (place, (name, number)) in found.iter_mut().zip(present) {
        if place.is_none() && !names.contains_key(name) {
            let candidate = renamed.get(number).filter(|candidates| candidates.len() == 1).and_then(|one| one.first());
            let same = candidate.filter(|(_, old)| is_rename(old, name)).map(|(id, _)| *id);
            *place = same.filter(|id| taken.insert(*id));
        }
    }
    // A change of number: the name is the known one.
    for (place, (name, _)) in found.iter_mut().zip(present) {
        if place.is_none() {
            *place = names.get(name).copied().filter(|id| taken.insert(*id));
        }
    }

    let mut matching = Matching { kept: Vec::new(), gone: Vec::new(), new: Vec::new() };
    for (place, (name, number)) in found.iter().zip(present) {
        match place {
            Some(id) => matching.kept.push((*id, (*name).to_owned(), *number)),
            None => matching.new.push(((*name).to_owned(), *number)),
        }
    }
    matching.gone = known.iter().map(|(id, ..)| *id).filter(|id| !taken.contains(id)).collect();
    matching
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(u32, &str, u32); 3] = [(1, "root", 0), (2, "anna", 1000), (3, "berta", 1001)];

    type Outcome = (Vec<(u32, String, u32)>, Vec<u32>, Vec<(String, u32)>);

    fn check(present: &[(&str, u32)]) -> Outcome {
        let matching = match_accounts(&KNOWN, present, |_, _| true);
        (matching.kept, matching.gone, matching.new)
    }

    fn kept(present: &[(u32, &str, u32)]) -> Vec<(u32, String, u32)> {
        present.iter().map(|(id, name, number)| (*id, name.to_string(), *number)).collect()
    }

    #[test]
    fn nothing_changed() {
        let present = [("root", 0), ("anna", 1000), ("berta", 1001)];
        assert_eq!(check(&present), (kept(&KNOWN), vec![], vec![]));
    }

    #[test]
    fn a_rename_and_a_new_number_keep_their_ids() {
        let present = [("root", 0), ("anja", 1000), ("berta", 2000)];
        let expected = kept(&[(1, "root", 0), (2, "anja", 1000), (3, "berta", 2000)]);
        assert_eq!(check(&present), (expected, vec![], vec![]));
    }

    #[test]
    fn a_namesake_that_takes_the_number_of_another_is_not_that_other() {
        // anna is gone; berta now has her number: berta changed her number.
        let expected = kept(&[(1, "root", 0), (3, "berta", 1000)]);
        assert_eq!(check(&[("root", 0), ("berta", 1000)]), (expected, vec![2], vec![]));
    }

    #[test]
    fn a_deleted_account_is_gone_and_a_stranger_is_new() {
        let present = [("root", 0), ("berta", 1001), ("carla", 1002)];
        let expected = kept(&[(1, "root", 0), (3, "berta", 1001)]);
        assert_eq!(check(&present), (expected, vec![2], vec![("carla".into(), 1002)]));
    }

    #[test]
    fn whoever_gets_a_number_next_is_somebody_else_when_the_rest_differs() {
        let present = [("root", 0), ("carla", 1000), ("berta", 1001)];
        let matching = match_accounts(&KNOWN, &present, |old, new| (old, new) != ("anna", "carla"));
        let expected = kept(&[(1, "root", 0), (3, "berta", 1001)]);
        assert_eq!((matching.kept, matching.gone, matching.new), (expected, vec![2], vec![("carla".into(), 1000)]));
    }

    #[test]
    fn names_that_were_swapped_follow_their_names() {
        let present = [("root", 0), ("berta", 1000), ("anna", 1001)];
        let expected = kept(&[(1, "root", 0), (3, "berta", 1000), (2, "anna", 1001)]);
        assert_eq!(check(&present), (expected, vec![], vec![]));
    }
}
