//! Pages of lists: from 1, and as long as a request wants.

use serde::Serialize;

use super::error::Error;
use super::request::Asked;

/// The part of a list that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub offset: usize,
    pub limit: usize,
}

#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub content: Vec<T>,
    pub total: usize,
}

impl Part {
    pub fn of(asked: &Asked<'_>) -> Result<Self, Error> {
        Ok(Self::new(asked.count("page")?, asked.count("per_page")?))
    }

    /// Less than 1 is the first page, and as many as there are.
    fn new(page: i64, per_page: i64) -> Self {
        let limit = usize::try_from(per_page).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let before = usize::try_from(page.max(1) - 1).unwrap_or(usize::MAX);
        Self { offset: before.saturating_mul(limit), limit }
    }

    pub fn page<T>(self, all: Vec<T>) -> Page<T> {
        let total = all.len();
        Page { content: all.into_iter().skip(self.offset).take(self.limit).collect(), total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_go_makes_of_two_numbers() {
        for (page, per_page, expected) in [
            (0, 0, vec![1, 2, 3, 4, 5]),
            (1, 2, vec![1, 2]),
            (3, 2, vec![5]),
            (4, 2, vec![]),
            (2, 0, vec![]),
            (-7, 3, vec![1, 2, 3]),
        ] {
            let page = Part::new(page, per_page).page(vec![1, 2, 3, 4, 5]);
            assert_eq!((page.content, page.total), (expected, 5));
        }
        assert_eq!(Part::new(i64::MAX, i64::MAX).page(vec![1]).content, Vec::<i32>::new());
    }
}
