//! A plan: all findings of a check with their repairs, and what tells it from another one.

use std::collections::{HashMap, HashSet};

use accountd_protocol::checks::{CheckReport, CheckedHomes, Chosen, RepairOutcome, RepairRefused, RepairedFinding};
use sha2::{Digest, Sha256};

use super::finding::Found;
use super::repair::Repair;
use crate::hexadecimal::hexadecimal;

/// More findings than these fit no answer, and nobody reads them.
const MOST_SHOWN: usize = 50_000;

/// What a check has found.
#[derive(Debug)]
pub struct Plan {
    /// The worst first.
    found: Vec<Found>,
    /// The digest of what can be looked at again under the lock, in the order in which it is found.
    pub lines: String,
    pub digest: String,
}

impl Plan {
    /// `lines` are the findings in what can be looked at again under the lock; `others` those in
    /// everything else.
    pub fn new(lines: Vec<Found>, others: Vec<Found>) -> Self {
        let of_lines = digest(&lines);
        let whole = hexadecimal(Sha256::digest(format!("{of_lines} {}", digest(&others))).as_slice());
        let mut found = lines;
        found.extend(others);
        found.sort_by_key(|found| found.severity);
        Self { found, lines: of_lines, digest: whole }
    }

    pub fn report(&self, homes: CheckedHomes) -> CheckReport {
        let shown = self.found.iter().take(MOST_SHOWN).enumerate();
        CheckReport {
            homes,
            findings: shown.map(|(number, found)| found.shown(number)).collect(),
            omitted: self.found.len().saturating_sub(MOST_SHOWN),
            digest: self.digest.clone(),
        }
    }

    /// The chosen findings by their numbers, in order.
    pub fn choose(&self, chosen: &Chosen) -> Result<Vec<usize>, RepairRefused> {
        let numbers = 0..self.found.len();
        let of = |is_chosen: &dyn Fn(&Found) -> bool| {
            let found = self.found.iter().enumerate().filter(|(_, found)| is_chosen(found));
            found.map(|(number, _)| number).collect()
        };
        match chosen {
            Chosen::All => Ok(of(&|found| found.repair.is_some())),
            Chosen::Codes(codes) => {
                let there: HashSet<&str> = self.found.iter().map(|found| found.code.as_str()).collect();
                if let Some(strange) = codes.iter().find(|code| !there.contains(code.as_str())) {
                    return Err(RepairRefused::NoSuchCode(strange.clone()));
                }
                Ok(of(&|found| codes.contains(&found.code)))
            }
            Chosen::Findings(wanted) => {
                if let Some(strange) = wanted.iter().find(|number| !numbers.contains(number)) {
                    return Err(RepairRefused::NoSuchFinding(*strange));
                }
                let mut wanted = wanted.clone();
                wanted.sort_unstable();
                wanted.dedup();
                Ok(wanted)
            }
        }
    }

    /// What is to be done for some findings, each repair once, in the order in which it is done.
    pub fn repairs(&self, numbers: &[usize]) -> Vec<Repair> {
        let found = numbers.iter().filter_map(|number| self.found.get(*number)?.repair.as_ref());
        let mut seen = HashSet::new();
        let mut repairs: Vec<Repair> = found.filter(|repair| seen.insert(*repair)).cloned().collect();
        repairs.sort_by_key(Repair::turn);
        repairs
    }

    /// What became of each of `numbers`.
    pub fn outcomes(&self, numbers: &[usize], of: &HashMap<Repair, RepairOutcome>) -> Vec<RepairedFinding> {
        let outcome = |found: &Found| match &found.repair {
            None => RepairOutcome::NotDone("this is for an administrator to decide".into()),
            Some(repair) => {
                let missing = || RepairOutcome::NotDone("it was not tried".into());
                of.get(repair).cloned().unwrap_or_else(missing)
            }
        };
        let found = numbers.iter().filter_map(|number| Some((*number, self.found.get(*number)?)));
        found.map(|(number, found)| RepairedFinding { finding: found.shown(number), outcome: outcome(found) }).collect()
    }
}

/// Stands for exactly these findings and repairs.
pub fn digest(found: &[Found]) -> String {
    let mut hash = Sha256::new();
    for found in found {
        // Everything that is in a finding can be written; if not, nothing equals it.
        let text = serde_json::to_vec(found).unwrap_or_else(|error| error.to_string().into_bytes());
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(&text);
    }
    hexadecimal(hash.finalize().as_slice())
}
