//! Tables for terminals.

use unicode_width::UnicodeWidthStr;

/// Rows of cells under headings; each column as wide as its widest cell, where a Chinese
/// character takes two places.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns that hold numbers, whose cells end at the same place.
    right: &'static [usize],
}

impl Table {
    pub fn new(headings: &[&str], right: &'static [usize]) -> Self {
        let headings = headings.iter().map(|heading| (*heading).to_owned());
        Self {
            rows: vec![headings.collect()],
            right,
        }
    }

    pub fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The lines, without spaces at their ends.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let space = " ".repeat(widths[column] - cell.width());
                let cell = if self.right.contains(&column) {
                    space + cell
                } else {
                    cell.clone() + &space
                };
                line += &cell;
                line += "  ";
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::layer_table::thousands;

    #[test]
    fn columns_are_aligned_in_both_languages() {
        let mut table = Table::new(&["层", "count"], &[1]);
        table.add(vec!["conv1".into(), "1,500".into()]);
        table.add(vec!["全连接".into(), "8".into()]);
        assert_eq!(
            table.lines(),
            ["层      count", "conv1   1,500", "全连接      8"]
        );
    }

    #[test]
    fn thousands_are_apart() {
        let texts = [0, 999, 1000, 12_345, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
