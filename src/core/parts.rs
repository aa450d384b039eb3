//! Long lists, got from the agent in parts.
//!
//! Where accounts come or go between two parts, the items behind them move up or down: one can be
//! missing or be there twice, as for a client that asks page by page itself.

use accountd_protocol::agent::{Page, Window};

/// The most items that are asked for at a time. Each user may bring a key file of 64 KiB, of which
/// JSON can make six times as much: so many still fit into one answer
/// ([`accountd_protocol::frame::AGENT_ANSWER_CAP`]).
pub const PART: usize = 100;

/// A window of a list, and what is there of it so far.
#[derive(Debug)]
pub struct Parts<T> {
    /// As it was asked for, but for where it begins now.
    window: Window,
    end: usize,
    items: Vec<T>,
    /// How long the list is, as the last part had it.
    total: Option<usize>,
}

impl<T> Parts<T> {
    pub fn of(window: Window) -> Self {
        let end = window.offset.saturating_add(window.limit);
        Self { window, end, items: Vec::new(), total: None }
    }

    /// What to ask for now; `None` when all is there.
    pub fn missing(&self) -> Option<Window> {
        match self.total {
            Some(total) if self.window.offset >= self.end.min(total) => None,
            Some(_) | None => {
                let limit = (self.end - self.window.offset).min(PART);
                Some(Window { limit, ..self.window.clone() })
            }
        }
    }

    /// Adds what `part` has brought. The next one begins behind what was asked for, because the
    /// agent leaves out what it can't show.
    pub fn add(&mut self, part: &Window, page: Page<T>) {
        self.window.offset = part.offset.saturating_add(part.limit);
        self.items.extend(page.items);
        self.total = Some(page.total);
    }

    pub fn into_page(self) -> Page<T> {
        Page { items: self.items, total: self.total.unwrap_or_default(), next: None }
    }
}
