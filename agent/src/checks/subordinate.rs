//! Ranges of subordinate ids: of accounts that there are, without the id of an account in them,
//! and each number in one (subuid(5), subgid(5)).

use std::collections::HashSet;
use std::path::Path;

use accountd_protocol::checks::CheckedObject;

use super::finding::{Area, Fault, Found};
use super::sheet::{decimal, text};

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subordinate {
    Uids,
    Gids,
}

impl Subordinate {
    fn name(self) -> &'static str {
        match self {
            Subordinate::Uids => "subuid",
            Subordinate::Gids => "subgid",
        }
    }

    fn area(self) -> Area {
        match self {
            Subordinate::Uids => Area::Subuid,
            Subordinate::Gids => Area::Subgid,
        }
    }

    fn object(self, line: usize, owner: &[u8]) -> CheckedObject {
        let name = std::str::from_utf8(owner).ok().map(str::to_owned);
        CheckedObject { file: format!("/etc/{}", self.name()), line: Some(line), name, number: None }
    }

    /// The content of the file; nothing where there is none.
    pub fn read(self, root: &Path) -> Vec<u8> {
        std::fs::read(root.join("etc").join(self.name())).unwrap_or_default()
    }
}

struct Range<'a> {
    line: usize,
    owner: &'a [u8],
    first: u64,
    last: u64,
}

/// Names that the ranges are for.
pub fn owners(content: &[u8]) -> impl Iterator<Item = &str> {
    let lines = content.split(|byte| *byte == b'\n');
    let owner = |line: &'_ [u8]| line.iter().position(|byte| *byte == b':').unwrap_or(0);
    lines.filter_map(move |line| std::str::from_utf8(line.get(..owner(line))?).ok()).filter(|name| !name.is_empty())
}

/// `numbers` are the uids or gids that accounts have; `is_owner` says whether somebody is called
/// so or has this uid.
pub fn check(of: Subordinate, content: &[u8], numbers: &HashSet<u32>, is_owner: impl Fn(&str) -> bool) -> Vec<Found> {
    let mut numbers: Vec<u32> = numbers.iter().copied().collect();
    numbers.sort_unstable();
    let (mut found, mut ranges) = (Vec::new(), Vec::new());
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let Some(range) = range(index + 1, line) else {
            let message =
                format!("is not NAME:FIRST:COUNT: '{}'", text(line.get(..line.len().min(64)).unwrap_or(line)));
            found.push(Found::new(of.area(), Fault::Malformed, of.object(index + 1, b""), message));
            continue;
        };
        let shown = text(range.owner);
        let object = || of.object(range.line, range.owner);
        if !std::str::from_utf8(range.owner).is_ok_and(&is_owner) {
            let message = format!("a range of '{shown}', which is no account");
            found.push(Found::new(of.area(), Fault::NoAccount, object(), message));
        }
        let from = numbers.partition_point(|number| u64::from(*number) < range.first);
        if let Some(number) = numbers.get(from).filter(|number| u64::from(**number) <= range.last) {
            let message = format!("'{shown}' can become {number}, which an account has");
            let object = CheckedObject { number: Some(*number), ..object() };
            found.push(Found::new(of.area(), Fault::HoldsAccount, object, message));
        }
        ranges.push(range);
    }
    found.extend(overlaps(of, ranges));
    found
}

/// Each range beside the one before it that reaches furthest.
fn overlaps(of: Subordinate, mut ranges: Vec<Range<'_>>) -> Vec<Found> {
    ranges.sort_by_key(|range| (range.first, range.line));
    let (mut found, mut furthest): (Vec<Found>, Option<&Range<'_>>) = (Vec::new(), None);
    for range in &ranges {
        if let Some(other) = furthest.filter(|other| other.last >= range.first) {
            let (ours, theirs) = (text(range.owner), text(other.owner));
            let message = format!("the range of '{ours}' overlaps that of '{theirs}' in line {}", other.line);
            found.push(Found::new(of.area(), Fault::Overlap, of.object(range.line, range.owner), message));
        }
        if furthest.is_none_or(|other| range.last > other.last) {
            furthest = Some(range);
        }
    }
    found
}

fn range(line: usize, content: &[u8]) -> Option<Range<'_>> {
    let mut fields = content.split(|byte| *byte == b':');
    let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
    let (first, count) = (decimal::<u32>(first.trim_ascii())?, decimal::<u64>(count.trim_ascii())?);
    let last = u64::from(first).saturating_add(count.checked_sub(1)?);
    (fields.next().is_none() && !owner.is_empty()).then_some(Range { line, owner, first: first.into(), last })
}
