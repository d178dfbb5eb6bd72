//! What happened in a run, as a table: one row an iteration, one column a number.
//!
//! Numbers are written in the shortest form that reads back to the same bits, so that a
//! resumed run goes on with the very history of the first part.

use std::collections::BTreeMap;

use super::{Evaluation, Progress};
use crate::data::SplitName;
use crate::i18n::tr_format;

/// Every iteration and every evaluation of a run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub steps: Vec<Progress>,
    /// Without their predictions, details and, once read from a file, their durations.
    pub evaluations: Vec<Evaluation>,
}

/// The columns of a [`Progress`]; those of evaluations, such as `validation_loss` and
/// `validation_accuracy`, follow.
const STEP_COLUMNS: [&str; 6] = ["iteration", "stage", "loss", "rate", "examples", "seconds"];
const LOSS: &str = "loss";

impl History {
    pub fn add_evaluation(&mut self, evaluation: &Evaluation) {
        self.evaluations.push(Evaluation {
            details: BTreeMap::new(),
            predictions: Vec::new(),
            ..evaluation.clone()
        });
    }

    /// The table as CSV. Of two evaluations of one split at one iteration the later one is kept.
    pub(super) fn to_csv(&self) -> csv::Result<Vec<u8>> {
        let mut columns: Vec<String> = STEP_COLUMNS.map(str::to_owned).to_vec();
        let mut rows: BTreeMap<u64, BTreeMap<usize, String>> = BTreeMap::new();
        for step in &self.steps {
            let cells = [
                step.stage.to_string(),
                step.loss.to_string(),
                step.rate.to_string(),
                step.examples.to_string(),
                step.seconds.to_string(),
            ];
            rows.entry(step.iteration)
                .or_default()
                .extend((1..).zip(cells));
        }
        for evaluation in &self.evaluations {
            let row = rows.entry(evaluation.iteration).or_default();
            let metrics = evaluation.metrics.iter();
            let metrics = metrics.map(|(name, value)| (name.as_str(), *value));
            for (name, value) in evaluation
                .loss
                .map(|loss| (LOSS, loss))
                .into_iter()
                .chain(metrics)
            {
                let column = format!("{}_{name}", evaluation.split.key());
                let place = columns.iter().position(|known| *known == column);
                let place = place.unwrap_or_else(|| {
                    columns.push(column);
                    columns.len() - 1
                });
                row.insert(place, value.to_string());
            }
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&columns)?;
        for (iteration, cells) in &rows {
            let cell = |column| cells.get(&column).map_or("", String::as_str);
            let iteration = iteration.to_string();
            let rest = (1..columns.len()).map(cell);
            writer.write_record(std::iter::once(iteration.as_str()).chain(rest))?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }

    /// Reads what [`History::to_csv`] wrote, for a run that has finished `iteration`
    /// iterations; the error says what is wrong with the text.
    pub(super) fn from_csv(text: &[u8], iteration: u64) -> Result<Self, String> {
        let mut reader = csv::Reader::from_reader(text);
        let columns = reader.headers().map_err(|error| error.to_string())?.clone();
        if !columns.iter().take(STEP_COLUMNS.len()).eq(STEP_COLUMNS) {
            let expected = STEP_COLUMNS.join(",");
            return Err(tr_format!(
                "the first line must begin with {expected}",
                "首行必须以 {expected} 开头"
            ));
        }
        let mut history = Self::default();
        for (index, record) in reader.records().enumerate() {
            let record = record.map_err(|error| error.to_string())?;
            if history.read_row(&columns, &record, iteration).is_none() {
                let line = index + 2;
                return Err(tr_format!(
                    "line {line} does not hold the numbers of an iteration up to {iteration}",
                    "第 {line} 行不是第 {iteration} 次迭代以内的记录"
                ));
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
        for split in SplitName::ALL {
            let mut evaluation = Evaluation {
                iteration,
                split,
                loss: None,
                metrics: Vec::new(),
                details: BTreeMap::new(),
                predictions: Vec::new(),
                seconds: 0.0,
            };
            let mut found = false;
            for (column, cell) in columns.iter().zip(record).skip(STEP_COLUMNS.len()) {
                let (key, name) = column.split_once('_')?;
                if key != split.key() || cell.is_empty() {
                    continue;
                }
                let value: f64 = cell.parse().ok()?;
                found = true;
                match name {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let step = |iteration, loss| Progress {
            iteration,
            stage: 0,
            loss,
            rate: 0.1 / 3.0,
            examples: 64,
            seconds: 0.25,
        };
        let evaluation = |iteration, split, loss, metrics: &[(&str, f64)]| Evaluation {
            iteration,
            split,
            loss,
            metrics: metrics.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect(),
            details: BTreeMap::new(),
            predictions: Vec::new(),
            seconds: 0.0,
        };
        let top = [("accuracy", 0.5), ("head/top, five", 2.0 / 3.0)];
        History {
            steps: vec![step(1, 0.1 + 0.2), step(2, 1e-300), step(3, 1.0 / 3.0)],
            evaluations: vec![
                evaluation(0, SplitName::Test, Some(2.5), &[]),
                evaluation(2, SplitName::Validation, Some(0.1), &top),
                evaluation(3, SplitName::Validation, None, &top),
                evaluation(3, SplitName::Test, Some(f64::INFINITY), &top),
            ],
        }
    }

    #[test]
    fn every_bit_comes_back() {
        let csv = history().to_csv().unwrap();
        assert_eq!(History::from_csv(&csv, 3).unwrap(), history());
        let empty = History::default();
        assert_eq!(
            History::from_csv(&empty.to_csv().unwrap(), 0).unwrap(),
            empty
        );
    }

    #[test]
    fn the_table_reads_as_a_person_expects() {
        let text = String::from_utf8(history().to_csv().unwrap()).unwrap();
        let mut lines = text.lines();
        let header = lines.next().unwrap();
        assert!(header.starts_with("iteration,stage,loss,rate,examples,seconds,test_loss,"));
        assert!(header.contains("validation_accuracy"), "{header}");
        assert_eq!(lines.next().unwrap().split(',').next(), Some("0"));
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("1,0,0.30000000000000004,0.0333")
        );
    }

    #[test]
    fn other_text_is_refused_with_its_line() {
        let good = String::from_utf8(history().to_csv().unwrap()).unwrap();
        assert!(
            History::from_csv(good.as_bytes(), 2)
                .unwrap_err()
                .contains('5')
        );
        for bad in [
            "",
            "a,b\n1,2\n",
            &good.replace("0.25", "x"),
            &good[..good.len() - 20],
        ] {
            assert!(History::from_csv(bad.as_bytes(), 3).is_err(), "{bad}");
        }
    }
}
