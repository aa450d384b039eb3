//! Ranges that users may become in a user namespace of their own: subuid(5), subgid(5).

use crate::database::Numbers;

/// The content of one of the files.
#[derive(Debug, Default)]
pub struct Subordinate {
    /// All numbers that are in somebody's range.
    pub numbers: Numbers,
    ranges: Vec<Range>,
}

#[derive(Debug)]
struct Range {
    first: u32,
    last: u32,
    /// A login name, or a uid.
    owner: String,
}

impl Subordinate {
    /// Lines that newuidmap(1) can't use give nobody anything; a range that would pass the last
    /// number ends there.
    pub fn parse(content: &[u8]) -> Self {
        let mut found = Self::default();
        let text = String::from_utf8_lossy(content);
        for Range { first, last, owner } in text.lines().filter_map(range) {
            found.numbers.insert_all(first..=last);
            found.ranges.push(Range { first, last, owner });
        }
        found
    }

    /// Whose range a number is in; the first in the file, where several have it.
    pub fn owner(&self, number: u32) -> Option<&str> {
        if !self.numbers.has(number) {
            return None;
        }
        let range = self.ranges.iter().find(|range| (range.first..=range.last).contains(&number));
        range.map(|range| range.owner.as_str())
    }
}

fn range(line: &str) -> Option<Range> {
    let mut fields = line.split(':');
    let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
    let (first, count): (u32, u64) = (first.trim().parse().ok()?, count.trim().parse().ok()?);
    let last = u64::from(first).saturating_add(count.checked_sub(1)?);
    Some(Range { first, last: u32::try_from(last).unwrap_or(u32::MAX), owner: owner.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_range_has_the_owner_of_the_line() {
        let file = Subordinate::parse(b"# kept\nanna:100000:65536\n\nberta:165536:10\n3001:200000:1\n");
        for (number, owner) in [
            (99_999, None),
            (100_000, Some("anna")),
            (165_535, Some("anna")),
            (165_536, Some("berta")),
            (165_545, Some("berta")),
            (165_546, None),
            (200_000, Some("3001")),
            (200_001, None),
        ] {
            assert_eq!(file.owner(number), owner, "{number}");
        }
    }

    #[test]
    fn lines_that_give_nothing_are_passed_over_and_no_range_is_longer_than_there_are_numbers() {
        let content = b"a\na:b:c\na:5\na:5:0\na:-5:9\na:4294967296:1\n\xff:7:1\na:9:99999999999999999999\nb:4294967290:18446744073709551615\n";
        let file = Subordinate::parse(content);
        for number in [0, 4, 5, 6, 9, 4_294_967_289] {
            assert_eq!(file.owner(number), None, "{number}");
        }
        assert_eq!(file.owner(7), Some("\u{fffd}"));
        assert_eq!(file.owner(u32::MAX), Some("b"));
    }

    #[test]
    fn of_ranges_that_overlap_every_number_is_somebodys() {
        let file = Subordinate::parse(b"a:100:50\nb:120:100\n");
        assert_eq!((file.owner(130), file.owner(219), file.owner(220)), (Some("a"), Some("b"), None));
    }
}
