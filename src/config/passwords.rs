//! `[passwords]`

use std::collections::BTreeMap;

use accountd_protocol::policy::PasswordRule;
use accountd_protocol::refusal::Problem;
use serde::{Deserialize, Serialize};

/// The most that a password can have (the agent takes no longer ones).
const LONGEST: u32 = 511;
/// The most passwords that are remembered of an account.
const MOST_REMEMBERED: u32 = 24;
/// As many days as anybody means.
const MOST_DAYS: u32 = 999_999;

/// The rules that have been set; others are as by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<PasswordRule, u32>", into = "BTreeMap<PasswordRule, u32>")]
pub struct Passwords(BTreeMap<PasswordRule, u32>);

/// What a new password has to be, and how long those of new accounts last (shadow(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// In characters.
    pub min_length: u16,
    /// Of lower case letters, upper case letters, digits and everything else.
    pub min_classes: u8,
    /// How many of the last passwords are not taken again.
    pub history: u8,
    pub min_days: u32,
    pub max_days: u32,
    pub warn_days: u32,
}

impl Passwords {
    /// Not checked: for what has been checked before.
    pub fn new(rules: BTreeMap<PasswordRule, u32>) -> Self {
        Self(rules)
    }

    pub fn rules(&self) -> &BTreeMap<PasswordRule, u32> {
        &self.0
    }

    pub fn is_set(&self, rule: PasswordRule) -> bool {
        self.0.contains_key(&rule)
    }

    /// The number that counts.
    pub fn value(&self, rule: PasswordRule) -> u32 {
        self.0.get(&rule).copied().unwrap_or(default(rule))
    }

    /// These rules, and those of `below` where nothing is set here.
    pub fn over(&self, below: &Self) -> Self {
        Self(below.0.iter().chain(&self.0).map(|(rule, value)| (*rule, *value)).collect())
    }

    /// Everything that can not be meant.
    pub fn problems(&self) -> Vec<(PasswordRule, Problem)> {
        let mut problems = Vec::new();
        for (rule, value) in &self.0 {
            let (least, most) = range(*rule);
            if !(least..=most).contains(value) {
                problems.push((*rule, Problem::NotFrom { least, most }));
            }
        }
        if self.value(PasswordRule::MaxDays) < self.value(PasswordRule::MinDays) {
            problems.push((PasswordRule::MaxDays, Problem::LessThanMinDays));
        }
        problems
    }

    /// Rules of two sources that were good by themselves may not go together: nobody is to wait with
    /// a change for longer than the password lasts.
    pub fn policy(&self) -> PasswordPolicy {
        let small = |rule| u8::try_from(self.value(rule)).unwrap_or(u8::MAX);
        let max_days = self.value(PasswordRule::MaxDays);
        PasswordPolicy {
            min_length: u16::try_from(self.value(PasswordRule::MinLength)).unwrap_or(u16::MAX),
            min_classes: small(PasswordRule::MinClasses),
            history: small(PasswordRule::History),
            min_days: self.value(PasswordRule::MinDays).min(max_days),
            max_days,
            warn_days: self.value(PasswordRule::WarnDays),
        }
    }
}

/// What useradd(8) does and existing clients count on.
fn default(rule: PasswordRule) -> u32 {
    match rule {
        PasswordRule::MinLength | PasswordRule::MinClasses => 1,
        PasswordRule::History | PasswordRule::MinDays => 0,
        PasswordRule::MaxDays => 99_999,
        PasswordRule::WarnDays => 7,
    }
}

fn range(rule: PasswordRule) -> (u32, u32) {
    match rule {
        PasswordRule::MinLength => (1, LONGEST),
        PasswordRule::MinClasses => (1, 4),
        PasswordRule::History => (0, MOST_REMEMBERED),
        PasswordRule::MinDays | PasswordRule::MaxDays | PasswordRule::WarnDays => (0, MOST_DAYS),
    }
}

impl TryFrom<BTreeMap<PasswordRule, u32>> for Passwords {
    type Error = String;

    fn try_from(rules: BTreeMap<PasswordRule, u32>) -> Result<Self, String> {
        let passwords = Self(rules);
        match passwords.problems().first() {
            None => Ok(passwords),
            Some((rule, problem)) => Err(format!("{} {problem}", rule.name())),
        }
    }
}

impl From<Passwords> for BTreeMap<PasswordRule, u32> {
    fn from(passwords: Passwords) -> Self {
        passwords.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(PasswordRule, u32)]) -> Passwords {
        Passwords::new(rules.iter().copied().collect())
    }

    #[test]
    fn what_is_set_above_counts_and_the_rest_is_from_below() {
        let file = rules(&[(PasswordRule::MinLength, 8), (PasswordRule::MaxDays, 90)]);
        let all = rules(&[(PasswordRule::MinLength, 12)]).over(&file);
        let PasswordPolicy { min_length, max_days, warn_days, .. } = all.policy();
        assert_eq!((min_length, max_days, warn_days), (12, 90, 7));
    }

    #[test]
    fn rules_that_do_not_go_together_leave_a_way_to_change_a_password() {
        let all = rules(&[(PasswordRule::MaxDays, 5)]).over(&rules(&[(PasswordRule::MinDays, 10)]));
        assert_eq!(all.problems(), [(PasswordRule::MaxDays, Problem::LessThanMinDays)]);
        assert_eq!((all.policy().min_days, all.policy().max_days), (5, 5));
    }
}
