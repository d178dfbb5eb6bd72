//! What happened in a run, as a table: one row an iteration, one column a number.
//!
//! Numbers are written in the shortest form that reads back to the same bits, so that a
//! resumed run goes on with the very history of the first part.

use std::collections::BTreeMap;
use std::path::Path;

use super::checkpoint::{CheckpointError, format_error, read_bounded, write_error};
use super::{Evaluation, Progress};
use crate::data::SplitName;
use crate::i18n::tr_format;

/// Every iteration and every evaluation of a run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub steps: Vec<Progress>,
    /// Without their predictions.
    pub evaluations: Vec<Evaluation>,
}

/// The columns of a [`Progress`]; those of evaluations, such as `validation_accuracy`, follow.
const STEP_COLUMNS: [&str; 6] = ["iteration", "stage", "loss", "rate", "examples", "seconds"];

/// The column of an evaluation's own duration, after the split's name.
const SECONDS: &str = "seconds";
const LOSS: &str = "loss";

const MAX_BYTES: u64 = 256 << 20;

impl History {
    pub fn add_evaluation(&mut self, evaluation: &Evaluation) {
        self.evaluations.push(Evaluation {
            predictions: Vec::new(),
            ..evaluation.clone()
        });
    }

    /// Writes the table as CSV. Of two evaluations of one split at one iteration the later
    /// one is kept.
    pub(super) fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let mut columns: Vec<String> = STEP_COLUMNS.map(str::to_owned).to_vec();
        let mut rows: BTreeMap<u64, BTreeMap<usize, String>> = BTreeMap::new();
        for step in &self.steps {
            let row = rows.entry(step.iteration).or_default();
            let cells = [
                step.stage.to_string(),
                step.loss.to_string(),
                step.rate.to_string(),
                step.examples.to_string(),
                step.seconds.to_string(),
            ];
            row.extend((1..).zip(cells));
        }
        for evaluation in &self.evaluations {
            let row = rows.entry(evaluation.iteration).or_default();
            for (name, value) in numbers_of(evaluation) {
                let column = format!("{}_{name}", split_key(evaluation.split));
                let place = columns.iter().position(|known| *known == column);
                let place = place.unwrap_or_else(|| {
                    columns.push(column);
                    columns.len() - 1
                });
                row.insert(place, value.to_string());
            }
        }
        let write = || -> csv::Result<()> {
            let mut writer = csv::Writer::from_path(path)?;
            writer.write_record(&columns)?;
            for (iteration, cells) in &rows {
                let cell = |column| cells.get(&column).map_or("", String::as_str);
                let iteration = iteration.to_string();
                let rest = (1..columns.len()).map(cell);
                writer.write_record(std::iter::once(iteration.as_str()).chain(rest))?;
            }
            writer.flush()?;
            Ok(())
        };
        write().map_err(|error| write_error(path, std::io::Error::other(error)))
    }

    /// Reads what [`History::write`] wrote, for a run that has finished `iteration` iterations.
    pub(super) fn read(path: &Path, iteration: u64) -> Result<Self, CheckpointError> {
        let bytes = read_bounded(path, MAX_BYTES)?;
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let broken = |error: csv::Error| format_error(path, error.to_string());
        let columns = reader.headers().map_err(broken)?.clone();
        if !columns.iter().take(STEP_COLUMNS.len()).eq(STEP_COLUMNS) {
            let expected = STEP_COLUMNS.join(",");
            let problem = tr_format!(
                "the first line must begin with {expected}",
                "首行必须以 {expected} 开头"
            );
            return Err(format_error(path, problem));
        }
        let mut history = Self::default();
        for (index, record) in reader.records().enumerate() {
            let record = record.map_err(broken)?;
            if history.read_row(&columns, &record, iteration).is_none() {
                let line = index + 2;
                let problem = tr_format!(
                    "line {line} does not hold the numbers of an iteration up to {iteration}",
                    "第 {line} 行不是第 {iteration} 次迭代以内的记录"
                );
                return Err(format_error(path, problem));
            }
        }
        Ok(history)
    }

    /// `None` where the row is none of ours.
    fn read_row(
        &mut self,
        columns: &csv::StringRecord,
        record: &csv::StringRecord,
        last: u64,
    ) -> Option<()> {
        let iteration: u64 = record.get(0)?.parse().ok()?;
        if iteration > last {
            return None;
        }
        if record.iter().skip(1).take(5).any(|cell| !cell.is_empty()) {
            self.steps.push(Progress {
                iteration,
                stage: record.get(1)?.parse().ok()?,
                loss: record.get(2)?.parse().ok()?,
                rate: record.get(3)?.parse().ok()?,
                examples: record.get(4)?.parse().ok()?,
                seconds: record.get(5)?.parse().ok()?,
            });
        }
        for split in [SplitName::Train, SplitName::Validation, SplitName::Test] {
            let mut evaluation = Evaluation {
                iteration,
                split,
                loss: None,
                metrics: Vec::new(),
                predictions: Vec::new(),
                seconds: 0.0,
            };
            let mut found = false;
            for (column, cell) in columns.iter().zip(record).skip(STEP_COLUMNS.len()) {
                let (key, name) = column.split_once('_')?;
                if key != split_key(split) || cell.is_empty() {
                    continue;
                }
                let value: f64 = cell.parse().ok()?;
                found = true;
                match name {
                    SECONDS => evaluation.seconds = value,
                    LOSS => evaluation.loss = Some(value),
                    metric => evaluation.metrics.push((metric.to_owned(), value)),
                }
            }
            if found {
                self.evaluations.push(evaluation);
            }
        }
        Some(())
    }
}

fn numbers_of(evaluation: &Evaluation) -> Vec<(&str, f64)> {
    let mut numbers = vec![(SECONDS, evaluation.seconds)];
    numbers.extend(evaluation.loss.map(|loss| (LOSS, loss)));
    let metrics = evaluation.metrics.iter();
    numbers.extend(metrics.map(|(name, value)| (name.as_str(), *value)));
    numbers
}

fn split_key(split: SplitName) -> &'static str {
    match split {
        SplitName::Train => "train",
        SplitName::Validation => "validation",
        SplitName::Test => "test",
    }
}
