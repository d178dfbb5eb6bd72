//! Tables: CSV with one example a row (RFC 4180; comma, semicolon or tab).
//!
//! The class is the column `label`, `class` or `target`, else the last one. Where columns are
//! chosen as real-valued targets, there is a class only if another column has such a name. Every
//! other column is a number, a feature. D features are an example of the shape (D, 1, 1), so statistics per
//! channel are statistics per feature.

use std::collections::BTreeSet;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::config::TargetSettings;
use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataError, read_all};
use crate::i18n::{tr, tr_format};

const CLASS_COLUMNS: [&str; 3] = ["label", "class", "target"];
const MAX_CLASSES: usize = 10_000;
/// The most features that a row may have.
const MAX_FEATURES: usize = 1 << 20;

pub(super) fn open(path: &Path, settings: &TargetSettings) -> Result<Dataset, DataError> {
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
            None => table = Some(Rows::start(&row, path, settings)?),
        }
    }
    let Some(table) = table else {
        return Err(DataError::format(path, tr("is empty", "是空文件")));
    };
    table.dataset(path)
}

struct Rows {
    /// The place of the class in a row, where there is one.
    class: Option<usize>,
    /// The places of the targets in a row, and their names.
    targets: Vec<usize>,
    target_names: Vec<String>,
    target_values: Vec<f32>,
    features: usize,
    rows: usize,
    values: Vec<f32>,
    /// The class of each row, as written.
    names: Vec<String>,
}

impl Rows {
    /// Looks whether the first row is a header: it names the class column, or another cell than
    /// the last is not a number.
    fn start(
        row: &StringRecord,
        path: &Path,
        settings: &TargetSettings,
    ) -> Result<Self, DataError> {
        let last = row.len().saturating_sub(1);
        let is_class = |cell: &str| {
            CLASS_COLUMNS
                .iter()
                .any(|name| cell.eq_ignore_ascii_case(name))
        };
        let (targets, by_name) = target_places(row, settings)?;
        let named = row.iter().enumerate();
        let named = named.filter(|(place, _)| !targets.contains(place));
        let named = named.into_iter().find(|(_, cell)| is_class(cell));
        let named = named.map(|(place, _)| place);
        let words = if targets.is_empty() { last } else { row.len() };
        let is_number = |cell: &str| number(cell).is_some();
        let is_header = named.is_some() || by_name || !row.iter().take(words).all(is_number);
        let class = named.or(targets.is_empty().then_some(last));
        let features = row.len() - targets.len() - usize::from(class.is_some() && !row.is_empty());
        if !(1..=MAX_FEATURES).contains(&features) {
            let problem = tr_format!(
                "has {features} feature columns; there must be 1 to {MAX_FEATURES} beside the class or the targets",
                "有 {features} 个特征列；除类别或目标列外，应有 1 到 {MAX_FEATURES} 个"
            );
            return Err(DataError::format(path, problem));
        }
        let name = |place: &usize| match row.get(*place) {
            Some(cell) if is_header => cell.to_owned(),
            _ => (place + 1).to_string(),
        };
        let mut rows = Self {
            class,
            target_names: targets.iter().map(name).collect(),
            targets,
            target_values: Vec::new(),
            features,
            rows: 0,
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
                _ if Some(column) == self.class => {}
                Some(_) if self.targets.contains(&column) => {}
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
        for place in &self.targets {
            let target = row.get(*place).and_then(number);
            self.target_values.push(target.unwrap_or_default());
        }
        self.rows += 1;
        let Some(class) = self.class else {
            return Ok(());
        };
        let class = row.get(class).unwrap_or_default();
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
            names: ClassNames::OfData,
            class_texts: &[],
            counts: Counts {
                train: self.rows,
                validation: 0,
                test: 0,
            },
            labels,
            targets: Targets {
                names: self.target_names,
                values: self.target_values,
            },
            store: Store::Floats(self.values),
            mean: None,
            parts: Default::default(),
        }
        .checked(path)
    }
}

/// The columns that the settings name, and whether any is named by a word of this row.
fn target_places(
    row: &StringRecord,
    settings: &TargetSettings,
) -> Result<(Vec<usize>, bool), DataError> {
    let (mut places, mut by_name) = (Vec::new(), false);
    for column in &settings.columns {
        let column = column.trim();
        let named = (row.iter()).position(|cell| cell.eq_ignore_ascii_case(column));
        let numbered = column.parse::<usize>().ok();
        let numbered = numbered.filter(|number| (1..=row.len()).contains(number));
        // A number counts columns, even where a cell of the first row equals it.
        let place = numbered.map(|number| number - 1).or(named);
        by_name |= numbered.is_none() && named.is_some();
        match place {
            Some(place) if !places.contains(&place) => places.push(place),
            Some(_) => {}
            None => {
                let columns: Vec<&str> = row.iter().take(20).collect();
                let columns = columns.join(", ");
                let problem = tr_format!(
                    "names the column “{column}”, but the first row has {columns}; write a name from there, or a number from 1",
                    "指定了列“{column}”，但首行为 {columns}；请填写其中的列名，或从 1 开始的列号"
                );
                return Err(DataError::config("targets.columns", problem));
            }
        }
    }
    Ok((places, by_name))
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
mod tests;
