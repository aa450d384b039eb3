//! Laws of checks: what holds for any bytes in the files.

use std::collections::HashSet;

use accountd_protocol::checks::{Chosen, RepairOutcome};

use super::facts::{Facts, Strangers};
use super::finding::Found;
use super::plan::{Plan, digest};
use super::subordinate::{self, Subordinate};
use super::{Repair, Sheets, check_lines};
use crate::database::planted::{change, view_of};
use crate::database::{FileKind, View};

/// A check says something of any content and says it again; what was repaired is not found again.
pub fn files(contents: &[(FileKind, &[u8])]) {
    let facts = Facts { today: 20_000, ..Facts::default() };
    let mut view = view_of(contents);
    let _ = Strangers::of(&Sheets::of(&view));
    let check = |view: &View| check_lines(view, &Sheets::of(view), &facts);
    let found = check(&view);
    assert_eq!(digest(&found), digest(&check(&view)));
    let plan = Plan::new(found, Vec::new());
    let Ok(chosen) = plan.choose(&Chosen::All) else { panic!("all can be chosen") };
    let repairs = plan.repairs(&chosen);
    let mut done = Vec::new();
    change(&mut view, |draft| {
        done.extend(repairs.iter().filter(|repair| repair.enter(draft, facts.today) == RepairOutcome::Done));
    });
    let left: Vec<Repair> = check(&view).into_iter().filter_map(|found: Found| found.repair).collect();
    assert!(!left.iter().any(|repair| done.contains(&repair)), "{left:?} again");
}

/// Ranges of subordinate ids.
pub fn ranges(content: &[u8]) {
    let _ = subordinate::owners(content).count();
    let _ = subordinate::check(Subordinate::Uids, content, &HashSet::from([0, 1, u32::MAX]), |owner| owner == "a");
}
