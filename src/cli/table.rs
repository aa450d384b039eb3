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
    /// Columns of the terminal; `None` where there is no end.
    room: Option<usize>,
    is_headed: bool,
}

impl Table {
    pub fn new(headings: Vec<String>, room: Option<usize>) -> Self {
        let widths = headings.iter().map(|heading| heading.width()).collect();
        Self { headings, widths, room, is_headed: false }
    }

    /// The lines of these rows; before the first of them, the headings.
    pub fn lines(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let widths = fitted(&self.widths, self.room);
        let mut lines = String::new();
        if !self.is_headed {
            self.is_headed = true;
            lines.push_str(&line(&self.headings, &widths));
        }
        rows.iter().for_each(|row| lines.push_str(&line(row, &widths)));
        lines
    }
}

/// One object, a field on each line, whole: a terminal breaks what is longer than it.
pub fn fields(rows: &[(String, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
    let room = |name: &str| " ".repeat(widest - name.width());
    rows.iter().map(|(name, value)| format!("{name}{}{GAP}{value}\n", room(name))).collect()
}

/// The widest columns give way until all of them have room.
fn fitted(widths: &[usize], room: Option<usize>) -> Vec<usize> {
    let mut widths = widths.to_vec();
    let Some(room) = room else { return widths };
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > LEAST) else { break };
        *widest -= 1;
    }
    widths
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
        let mut table = Table::new(row(["ID", "USERNAME", "FULL NAME"]), None);
        let first = table.lines(&[row(["1", "root", "山田"]), row(["10", "anna", ""])]);
        assert_eq!(first, "ID  USERNAME  FULL NAME\n1   root      山田\n10  anna\n");
        let second = table.lines(&[row(["2", "a-longer-name", "x"])]);
        assert_eq!(second, "2   a-longer-name  x\n");
        assert_eq!(table.lines(&[row(["3", "b", "y"])]), "3   b              y\n");
    }

    #[test]
    fn the_widest_columns_are_cut_to_the_terminal() {
        let long = "x".repeat(50);
        let mut table = Table::new(row(["ID", "USERNAME", "FULL NAME"]), Some(30));
        let text = table.lines(&[row(["1", "root", &long]), row(["2", "山田山田山田山田", "short"])]);
        for line in text.lines() {
            assert!(line.width() <= 30, "{line}");
        }
        assert!(text.contains("root") && text.contains("xxx…") && text.contains("short"), "{text}");
    }

    #[test]
    fn an_object_is_a_field_on_each_line() {
        let rows = [("id".to_owned(), "7".to_owned()), ("username".to_owned(), "a".repeat(40))];
        assert_eq!(fields(&rows), format!("id        7\nusername  {}\n", "a".repeat(40)));
    }
}
