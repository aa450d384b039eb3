//! The bytes of a file's lines: those that were read, in one piece, and those that came later.

use std::num::NonZeroU32;
use std::sync::Arc;

/// New lines are worth being put to the others when they are so many bytes.
const MANY: usize = 64 * 1024;

/// Where a line stands in its [`Text`]. Eight bytes, also as an option.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// One more than the offset of the first byte.
    begin: NonZeroU32,
    length: u32,
}

/// A copy shares what was read.
#[derive(Clone, Debug, Default)]
pub struct Text {
    read: Arc<[u8]>,
    added: Vec<u8>,
}

impl Text {
    pub fn new(read: &[u8]) -> Self {
        Self { read: Arc::from(read), added: Vec::new() }
    }

    pub fn get(&self, span: Span) -> &[u8] {
        let begin = span.begin.get() as usize - 1;
        let (part, begin) = match begin.checked_sub(self.read.len()) {
            Some(begin) => (self.added.as_slice(), begin),
            None => (&*self.read, begin),
        };
        part.get(begin..begin + span.length as usize).unwrap_or_default()
    }

    /// The span of `length` bytes that were read. `None` beyond 4 GiB.
    pub fn span(begin: usize, length: usize) -> Option<Span> {
        let begin = NonZeroU32::new(u32::try_from(begin).ok()?.checked_add(1)?)?;
        Some(Span { begin, length: u32::try_from(length).ok()? })
    }

    /// Adds a line. `None` beyond 4 GiB.
    pub fn add(&mut self, line: &[u8]) -> Option<Span> {
        let span = Self::span(self.read.len() + self.added.len(), line.len())?;
        self.added.extend_from_slice(line);
        Some(span)
    }

    /// Whether much of it is not shared with copies.
    pub fn is_scattered(&self) -> bool {
        self.added.len() > self.read.len() / 4 + MANY
    }

    /// Puts everything that `spans` lead to into one piece, and leaves the rest out.
    pub fn gather<'a>(&mut self, spans: impl Iterator<Item = &'a mut Span>) {
        let mut gathered = Vec::with_capacity(self.read.len() + self.added.len());
        for span in spans {
            let begin = gathered.len();
            gathered.extend_from_slice(self.get(*span));
            if let Some(moved) = Self::span(begin, span.length as usize) {
                *span = moved;
            }
        }
        *self = Self { read: gathered.into(), added: Vec::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_where_they_were_read_added_and_gathered() {
        let mut text = Text::new(b"a\nbc\n");
        let mut spans = vec![Text::span(0, 1).unwrap(), Text::span(2, 2).unwrap()];
        spans.extend([text.add(b"").unwrap(), text.add(b"def").unwrap()]);
        let lines = |text: &Text, spans: &[Span]| -> Vec<Vec<u8>> {
            spans.iter().map(|span| text.get(*span).to_vec()).collect()
        };
        assert_eq!(lines(&text, &spans), [&b"a"[..], b"bc", b"", b"def"]);
        spans.remove(0);
        text.gather(spans.iter_mut());
        assert_eq!(lines(&text, &spans), [&b"bc"[..], b"", b"def"]);
        assert_eq!((&*text.read, text.added.len()), (b"bcdef".as_slice(), 0));
    }

    #[test]
    fn what_can_not_be_counted_is_no_span() {
        assert!(Text::span(u32::MAX as usize, 0).is_none() && Text::span(0, 1 << 32).is_none());
        assert_eq!(size_of::<Option<Span>>(), 8);
    }
}
