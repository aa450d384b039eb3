//! What limits may be, and how a change of them is entered.

use accountd_protocol::agent::{Echoes, MAX_ECHO};
use accountd_protocol::id::AccountId;
use accountd_protocol::limits::{Limits, LimitsChange, Root};
use accountd_protocol::refusal::{Field, LimitField, Problem};

use super::check::Faults;
use crate::database::{Draft, GroupRow, kept};

/// The most networks of one account.
const MOST_NETWORKS: usize = 64;
/// Seconds: the longest idle time that is a limit.
const LONGEST_IDLE: u32 = 7 * 86_400;
const LONGEST_ROOT: usize = 4096;

/// Notes what is wrong with limits as a change would leave them.
pub fn check(present: &Limits, change: &LimitsChange, faults: &mut Faults) {
    if *change != LimitsChange::default() {
        for (field, problem) in problems(&present.clone().changed(change.clone())) {
            faults.add(Field::Limit(field), problem);
        }
    }
}

/// Gives a group its limits.
pub fn enter(draft: &mut Draft<'_>, group: AccountId, limits: Limits) {
    if let Some(row) = draft.group(group).cloned() {
        draft.set_group(group, Some(GroupRow { limits: kept(limits), ..row }));
    }
}

/// What is wrong with limits.
pub fn problems(limits: &Limits) -> Vec<(LimitField, Problem)> {
    let Limits { quota, sessions, upload, download, idle, networks, root, .. } = limits;
    let mut problems = Vec::new();
    let mut unless = |field, good: bool, problem: Problem| {
        if !good {
            problems.push((field, problem));
        }
    };
    let above = |soft: Option<u64>, hard: Option<u64>| soft.zip(hard).is_some_and(|(soft, hard)| soft > hard);
    let softer = !above(quota.soft_bytes, quota.bytes) && !above(quota.soft_files, quota.files);
    unless(LimitField::Quota, softer, Problem::SoftAboveHard);
    unless(LimitField::Sessions, *sessions != Some(0), Problem::Zero);
    unless(LimitField::Bandwidth, *upload != Some(0) && *download != Some(0), Problem::Zero);
    unless(LimitField::Idle, *idle != Some(0), Problem::Zero);
    let long = Problem::TooLarge(LONGEST_IDLE.into());
    unless(LimitField::Idle, idle.is_none_or(|idle| idle <= LONGEST_IDLE), long);
    let many = Problem::TooMany { max: MOST_NETWORKS, actual: networks.len() };
    unless(LimitField::Networks, networks.len() <= MOST_NETWORKS, many);
    if let Some(Root::Path(path)) = root {
        unless(LimitField::Root, is_plain(path), Problem::NotAPlainPath);
    }
    if let Some(Root::InHome(below)) = root {
        unless(LimitField::Root, is_plain_below(below), Problem::NotAPlainPath);
    }
    problems
}

/// Absolute, without `..`, and nothing that moves a cursor.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= LONGEST_ROOT
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| part != "..")
}

/// The same of a path from a home on.
fn is_plain_below(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && is_plain(&format!("/{path}"))
}

pub fn check_echoes(echoes: &Echoes, faults: &mut Faults) {
    for echo in echoes.values().filter(|echo| echo.len() > MAX_ECHO) {
        faults.add(Field::Limit(LimitField::Echo), Problem::TooLong { max: MAX_ECHO, actual: echo.len() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(change: LimitsChange) -> bool {
        let mut faults = Faults::default();
        check(&Limits::default(), &change, &mut faults);
        faults.into_result().is_err()
    }

    #[test]
    fn nothing_is_limited_to_nothing_and_a_soft_limit_is_no_more_than_the_hard_one() {
        let none = LimitsChange::default();
        assert!(!faulty(none.clone()));
        assert!(faulty(LimitsChange { sessions: Some(Some(0)), ..none.clone() }));
        assert!(faulty(LimitsChange { upload: Some(Some(0)), ..none.clone() }));
        assert!(faulty(LimitsChange { idle: Some(Some(604_801)), ..none.clone() }));
        let soft = LimitsChange { bytes: Some(Some(10)), soft_bytes: Some(Some(11)), ..none.clone() };
        assert!(faulty(soft.clone()));
        assert!(!faulty(LimitsChange { soft_bytes: Some(Some(10)), ..soft }));
        assert!(!faulty(LimitsChange { bytes: Some(Some(0)), ..none }), "a quota of nothing is one");
    }

    #[test]
    fn what_a_dialect_keeps_of_an_account_is_not_as_long_as_it_likes() {
        let problems = |length: usize| {
            let mut faults = Faults::default();
            let echoes = Echoes::from([(accountd_protocol::agent::Dialect::Sftpgo, "x".repeat(length))]);
            check_echoes(&echoes, &mut faults);
            faults.into_result().err().unwrap_or_default()
        };
        assert_eq!(problems(MAX_ECHO), []);
        let problem = Problem::TooLong { max: MAX_ECHO, actual: MAX_ECHO + 1 };
        assert_eq!(
            problems(MAX_ECHO + 1),
            [accountd_protocol::refusal::Invalid { field: Field::Limit(LimitField::Echo), problem }]
        );
    }

    #[test]
    fn a_root_is_a_plain_absolute_path() {
        for (path, is_good) in
            [("/", true), ("/mnt/tank/%u", true), ("mnt", false), ("", false), ("/a/../b", false), ("/a\nb", false)]
        {
            let change = LimitsChange { root: Some(Some(Root::Path(path.into()))), ..LimitsChange::default() };
            assert_eq!(!faulty(change), is_good, "{path:?}");
        }
    }
}
