//! Lists as aligned columns for people, or as fields between tabs for programs.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A column is never narrower because of the terminal.
const LEAST: usize = 5;
const GAP: &str = "  ";
/// Stands for what was cut.
const CUT: char = '…';

/// Columns of a list that comes in pages: they line up within a page, and with the ones before as
/// far as that can be.
#[derive(Debug)]
pub struct Table {
    headings: Vec<String>,
    widths: Vec<usize>,
    /// Which of them are never cut.
    whole: Vec<bool>,
    /// Columns of the terminal; `None` where there is no end.
    room: Option<usize>,
    is_headed: bool,
}

impl Table {
    /// The columns of `ids` are never cut, nor is one with times: both are of no use in part.
    pub fn new(headings: Vec<String>, ids: Vec<bool>, room: Option<usize>) -> Self {
        let widths = headings.iter().map(|heading| heading.width()).collect();
        Self { headings, widths, whole: ids, room, is_headed: false }
    }

    /// The lines of these rows; before the first of them, the headings.
    pub fn lines(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            for ((width, whole), cell) in self.widths.iter_mut().zip(&mut self.whole).zip(row) {
                *width = (*width).max(cell.width());
                *whole |= is_time(cell);
            }
        }
        let widths = self.fitted();
        let mut lines = String::new();
        if !self.is_headed {
            self.is_headed = true;
            lines.push_str(&line(&self.headings, &widths));
        }
        rows.iter().for_each(|row| lines.push_str(&line(row, &widths)));
        lines
    }

    /// The widest columns give way until all of them have room, as far as they may be cut.
    fn fitted(&self) -> Vec<usize> {
        let mut widths = self.widths.clone();
        let Some(room) = self.room else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > room {
            let cuttable = widths.iter_mut().zip(&self.whole).filter(|(width, whole)| !**whole && **width > LEAST);
            let Some(widest) = cuttable.map(|(width, _)| width).max() else { break };
            *widest -= 1;
        }
        widths
    }
}

/// One object, a field on each line, whole: a terminal breaks what is longer than it.
pub fn fields(rows: &[(String, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let room = |name: &str| " ".repeat(widest - name.width());
    rows.iter().map(|(name, value)| format!("{name}{}{GAP}{value}\n", room(name))).collect()
}

/// Whether it begins with a day as the API has it (RFC 3339).
fn is_time(cell: &str) -> bool {
    let shape: Option<String> = cell.get(..10).map(|day| day.replace(|c: char| c.is_ascii_digit(), "0"));
    shape.is_some_and(|shape| shape == "0000-00-00")
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    let last = cells.len().saturating_sub(1);
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let cell = cut(cell, *width);
        line.push_str(&cell);
        if index < last {
            line.push_str(&" ".repeat(width.saturating_sub(cell.width())));
            line.push_str(GAP);
        }
    }
    let mut line = line.trim_end().to_owned();
    line.push('\n');
    line
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut shown, mut used) = (String::new(), 0);
    for character in text.chars() {
        used += character.width().unwrap_or_default();
        if used >= width {
            break;
        }
        shown.push(character);
    }
    shown.push(CUT);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).into()
    }

    #[test]
    fn columns_line_up_in_every_script_and_over_pages() {
        let mut table = Table::new(row(["ID", "USERNAME", "FULL NAME"]), vec![true, false, false], None);
        let first = table.lines(&[row(["1", "root", "山田"]), row(["10", "anna", ""])]);
        assert_eq!(first, "ID  USERNAME  FULL NAME\n1   root      山田\n10  anna\n");
        let second = table.lines(&[row(["2", "a-longer-name", "x"])]);
        assert_eq!(second, "2   a-longer-name  x\n");
        assert_eq!(table.lines(&[row(["3", "b", "y"])]), "3   b              y\n");
    }

    #[test]
    fn the_widest_columns_are_cut_to_the_terminal() {
        let long = "x".repeat(50);
        let mut table = Table::new(row(["ID", "USERNAME", "FULL NAME"]), vec![true, false, false], Some(30));
        let text = table.lines(&[row(["1", "root", &long]), row(["2", "山田山田山田山田", "short"])]);
        for line in text.lines() {
            assert!(line.width() <= 30, "{line}");
        }
        assert!(text.contains("root") && text.contains("xxx…") && text.contains("short"), "{text}");
    }

    #[test]
    fn ids_and_times_stay_whole_and_what_is_beside_them_is_cut() {
        let (id, time) = ("0123456789abcdef0123", "2026-11-27T11:42:00Z");
        let mut table = Table::new(row(["SESSION", "SINCE", "FILE"]), vec![true, false, false], Some(50));
        let text = table.lines(&[row([id, time, "/mnt/tank/home/anna"]), row(["1", "-", "x"])]);
        let first = text.lines().nth(1).unwrap();
        assert!(first.contains(id) && first.contains(time) && first.width() == 50, "{text}");
        let mut narrow = Table::new(row(["SESSION", "SINCE", "FILE"]), vec![true, false, false], Some(20));
        let text = narrow.lines(&[row([id, time, "/mnt/tank/home/anna"])]);
        assert!(text.contains(id) && text.contains(time) && text.contains("/mnt…"), "{text}");
    }

    #[test]
    fn an_object_is_a_field_on_each_line() {
        let rows = [("id".to_owned(), "7".to_owned()), ("username".to_owned(), "a".repeat(40))];
        assert_eq!(fields(&rows), format!("id        7\nusername  {}\n", "a".repeat(40)));
    }
}
