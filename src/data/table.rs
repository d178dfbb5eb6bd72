//! Tables: CSV with one example a row (RFC 4180; comma, semicolon or tab).
//!
//! The class is the column `label`, `class` or `target`, else the last one; every other column
//! is a number, a feature. D features are an example of the shape (D, 1, 1), so statistics per
//! channel are statistics per feature.

use std::collections::BTreeSet;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{DataError, read_all};
use crate::i18n::{tr, tr_format};

const CLASS_COLUMNS: [&str; 3] = ["label", "class", "target"];
const MAX_CLASSES: usize = 10_000;
/// The most features that a row may have.
const MAX_FEATURES: usize = 1 << 20;

pub(super) fn open(path: &Path) -> Result<Dataset, DataError> {
    let bytes = read_all(path)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(&bytes))
        .has_headers(false)
        .trim(Trim::All)
        .from_reader(&bytes[..]);
    let mut table: Option<Rows> = None;
    for row in reader.records() {
        let row = row.map_err(|error| refused(path, &error))?;
        match &mut table {
            Some(table) => table.add(&row, path)?,
            None => table = Some(Rows::start(&row, path)?),
        }
    }
    let Some(table) = table else {
        return Err(DataError::format(path, tr("is empty", "是空文件")));
    };
    table.dataset(path)
}

struct Rows {
    /// The place of the class in a row.
    class: usize,
    features: usize,
    values: Vec<f32>,
    /// The class of each row, as written.
    names: Vec<String>,
}

impl Rows {
    /// Looks whether the first row is a header: it names the class column, or another cell than
    /// the last is not a number.
    fn start(row: &StringRecord, path: &Path) -> Result<Self, DataError> {
        let last = row.len().saturating_sub(1);
        if !(1..=MAX_FEATURES).contains(&last) {
            let problem = tr_format!(
                "has {last} feature columns; there must be 1 to {MAX_FEATURES}, and one more for the class",
                "有 {last} 个特征列；应有 1 到 {MAX_FEATURES} 个特征列，另加一个类别列"
            );
            return Err(DataError::format(path, problem));
        }
        let is_class = |cell: &str| {
            CLASS_COLUMNS
                .iter()
                .any(|name| cell.eq_ignore_ascii_case(name))
        };
        let named = row.iter().position(is_class);
        let is_header = named.is_some() || row.iter().take(last).any(|cell| number(cell).is_none());
        let class = named.unwrap_or(last);
        let mut rows = Self {
            class,
            features: last,
            values: Vec::new(),
            names: Vec::new(),
        };
        if !is_header {
            rows.add(row, path)?;
        }
        Ok(rows)
    }

    fn add(&mut self, row: &StringRecord, path: &Path) -> Result<(), DataError> {
        let wrong = |problem: String| {
            let line = row.position().map_or(0, csv::Position::line);
            Err(DataError::Line {
                path: path.display().to_string(),
                line,
                problem,
            })
        };
        for (column, cell) in row.iter().enumerate() {
            let number = number(cell);
            match number {
                _ if column == self.class => {}
                Some(number) => self.values.push(number),
                None => {
                    let column = column + 1;
                    return wrong(tr_format!(
                        "column {column} holds `{cell}` where a number is needed",
                        "第 {column} 列为 `{cell}`，此处应为数字"
                    ));
                }
            }
        }
        let class = row.get(self.class).unwrap_or_default();
        if class.is_empty() {
            return wrong(tr("the class is missing", "缺少类别").into());
        }
        self.names.push(class.to_string());
        Ok(())
    }

    fn dataset(self, path: &Path) -> Result<Dataset, DataError> {
        let distinct: BTreeSet<&String> = self.names.iter().collect();
        let count = distinct.len();
        if count > MAX_CLASSES {
            let problem = tr_format!(
                "has {count} different classes, more than {MAX_CLASSES}; name the column of the class `label`",
                "有 {count} 个不同的类别，超过 {MAX_CLASSES} 个；请将类别列命名为 `label`"
            );
            return Err(DataError::format(path, problem));
        }
        let mut classes: Vec<String> = distinct.into_iter().cloned().collect();
        // Numbers count in their own order, 2 before 10; the text settles equal ones (1 and 01).
        if classes.iter().all(|name| name.parse::<i64>().is_ok()) {
            classes.sort_by_key(|name| name.parse::<i64>().unwrap_or_default());
        }
        let places = classes
            .iter()
            .enumerate()
            .map(|(place, name)| (name.clone(), place as u32));
        let places: std::collections::HashMap<String, u32> = places.collect();
        let labels: Vec<u32> = self
            .names
            .iter()
            .filter_map(|name| places.get(name).copied())
            .collect();
        Dataset {
            kind: Kind::Csv,
            source: String::new(),
            channels: self.features,
            size: Some((1, 1)),
            classes,
            class_texts: &[],
            counts: Counts {
                train: labels.len(),
                validation: 0,
                test: 0,
            },
            labels,
            targets: Targets::default(),
            store: Store::Floats(self.values),
            parts: Default::default(),
        }
        .checked(path)
    }
}

/// A finite number.
fn number(cell: &str) -> Option<f32> {
    cell.parse().ok().filter(|number: &f32| number.is_finite())
}

/// The separator that the first line uses most.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|&&byte| byte == separator).count();
    // The last of equals wins, so the comma stands last.
    [b';', b'\t', b',']
        .into_iter()
        .max_by_key(|&separator| count(separator))
        .unwrap_or(b',')
}

fn refused(path: &Path, error: &csv::Error) -> DataError {
    let problem = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => tr_format!(
            "has {len} columns where the first row has {expected_len}",
            "有 {len} 列，而首行有 {expected_len} 列"
        ),
        csv::ErrorKind::Utf8 { .. } => tr(
            "is not UTF-8 text; save it as UTF-8",
            "不是 UTF-8 文本；请另存为 UTF-8",
        )
        .into(),
        _ => error.to_string(),
    };
    let line = error.position().map_or(0, csv::Position::line);
    DataError::Line {
        path: path.display().to_string(),
        line,
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Pixels, SplitName};

    fn open_text(text: &str) -> Result<Dataset, DataError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), text).unwrap();
        Dataset::open(&crate::data::DataConfig::of("a.csv"), folder.path())
    }

    fn rows(dataset: &Dataset) -> Vec<(Vec<f32>, u32)> {
        let example = |index| dataset.example(SplitName::Train, index).unwrap();
        let row = |index| match example(index) {
            crate::data::Example {
                pixels: Pixels::F32(values),
                labels,
                ..
            } => (values, labels[0]),
            other => panic!("{other:?}"),
        };
        (0..dataset.len(SplitName::Train)).map(row).collect()
    }

    #[test]
    fn the_last_column_is_the_class_without_a_header() {
        let dataset = open_text("5.1,3.5,setosa\n-7e1, 3 ,virginica\n4,2,setosa\n").unwrap();
        assert_eq!(
            (dataset.kind(), dataset.shape()),
            (Kind::Csv, Some(vec![2, 1, 1]))
        );
        assert_eq!(dataset.classes(), ["setosa", "virginica"]);
        assert_eq!(
            rows(&dataset),
            [
                (vec![5.1, 3.5], 0),
                (vec![-70.0, 3.0], 1),
                (vec![4.0, 2.0], 0)
            ]
        );
    }

    #[test]
    fn a_column_named_label_is_the_class_and_numbers_sort_as_numbers() {
        let dataset = open_text("\u{feff}Label;x;y\r\n10;1;2\r\n2;3;4\r\n\r\n").unwrap();
        assert_eq!(dataset.classes(), ["2", "10"]);
        assert_eq!(rows(&dataset), [(vec![1.0, 2.0], 1), (vec![3.0, 4.0], 0)]);
    }

    #[test]
    fn a_header_without_label_is_recognised_by_its_words() {
        let dataset = open_text("x,y,species\n1,2,a\n").unwrap();
        assert_eq!(rows(&dataset), [(vec![1.0, 2.0], 0)]);
        assert_eq!(dataset.classes(), ["a"]);
    }

    #[test]
    fn bad_rows_are_named_by_line() {
        for (text, expected) in [
            (
                "x,y,label\n1,2,a\n1,oops,b\n",
                "line 3: column 2 holds `oops`",
            ),
            ("1,2,a\n1,inf,b\n", "line 2: column 2 holds `inf`"),
            ("1,2,a\n1,2\n", "line 2: has 2 columns"),
            ("1,2,a\n1,2,\n", "line 2: the class is missing"),
            ("a\nb\n", "0 feature columns"),
            ("x,label\n", "no examples"),
            ("", "is empty"),
        ] {
            let error = open_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
