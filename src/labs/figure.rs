//! What a demonstration returns: numbers with their names.

use serde_json::{Value, json};

use crate::i18n::Text;

/// What a demonstration found.
#[derive(Clone, Debug)]
pub struct Figure {
    pub key: &'static str,
    pub name: Text,
    pub value: FigureValue,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FigureValue {
    Number(f64),
    Series(Vec<f64>),
    Word(String),
    /// Rows of numbers, each with its name.
    Table {
        columns: Vec<String>,
        rows: Vec<(String, Vec<f64>)>,
    },
}

impl Figure {
    pub fn number(key: &'static str, name: Text, value: f64) -> Self {
        let value = FigureValue::Number(value);
        Self { key, name, value }
    }

    pub fn series(key: &'static str, name: Text, values: Vec<f64>) -> Self {
        let value = FigureValue::Series(values);
        Self { key, name, value }
    }

    pub fn word(key: &'static str, name: Text, text: impl Into<String>) -> Self {
        let value = FigureValue::Word(text.into());
        Self { key, name, value }
    }

    pub fn table(
        key: &'static str,
        name: Text,
        columns: &[&str],
        rows: Vec<(String, Vec<f64>)>,
    ) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        let value = FigureValue::Table { columns, rows };
        Self { key, name, value }
    }

    /// Numbers that are not finite are null, as JSON has none.
    pub fn to_json(&self) -> Value {
        match &self.value {
            FigureValue::Number(value) => json!(value),
            FigureValue::Series(values) => json!(values),
            FigureValue::Word(text) => json!(text),
            FigureValue::Table { columns, rows } => {
                let rows = rows.iter().map(|(name, values)| {
                    let cells = columns.iter().cloned().zip(values.iter().map(|v| json!(v)));
                    let mut row: serde_json::Map<String, Value> = cells.collect();
                    row.insert("name".to_owned(), json!(name));
                    Value::Object(row)
                });
                Value::Array(rows.collect())
            }
        }
    }

    /// The number of a figure that is one; NaN otherwise.
    pub fn as_number(&self) -> f64 {
        match self.value {
            FigureValue::Number(value) => value,
            _ => f64::NAN,
        }
    }
}

/// The figure of that key; for tests and views that show a demonstration.
pub fn figure<'a>(figures: &'a [Figure], key: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| figure.key == key)
}
