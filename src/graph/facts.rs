//! What inference is told that the graph itself does not say.

use std::collections::BTreeMap;

/// What inference may know of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFacts {
    /// One example after preprocessing: channels, height, width of an image; T of a text.
    pub shape: Vec<usize>,
    pub classes: Option<usize>,
    /// The shape of one example's labels: empty for one class, T for one at each position;
    /// `None` where the data have no classes.
    pub labels: Option<Vec<usize>>,
    /// Real-valued targets of one example; `None` where the data have none.
    pub targets: Option<usize>,
}

impl DataFacts {
    /// Examples of this shape, each of one class.
    pub fn classified(shape: impl Into<Vec<usize>>, classes: usize) -> Self {
        Self {
            shape: shape.into(),
            classes: Some(classes),
            labels: Some(Vec::new()),
            targets: None,
        }
    }
}

/// What the graph itself does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub data: Option<DataFacts>,
    /// One example's shape, by the name of a data or input node; goes before `data`.
    pub shapes: BTreeMap<String, Vec<usize>>,
}
