//! What is wrong with a graph, said to the person who draws it.

use serde::Serialize;

use super::NodeId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The graph cannot run.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
}

/// Something wrong; the text is in the language that was in use when it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A name that is empty or holds a forbidden character.
    BadName(String),
    /// Two nodes of one phase with one name.
    DuplicateName(String),
    /// Parameters of one key with different shapes.
    KeyConflict(String),
    /// An input without a wire.
    Unconnected(String),
    /// A wire from a node or port that is not there in this phase.
    DanglingWire(String),
    /// A wire between different types.
    PortType(String),
    Cycle(String),
    /// A parameter outside its range.
    OutOfRange(String),
    /// Shapes that do not fit together or do not fit the layer.
    Shape(String),
    /// Something that the file does not say and nobody supplied, such as the data's size.
    Missing(String),
    /// A layer type that the program does not have.
    UnknownLayer(String),
    /// An output that nobody reads.
    Unused(String),
    /// A multiplier or setting that applies to nothing.
    NoEffect(String),
}

impl Problem {
    pub fn severity(&self) -> Severity {
        match self {
            Self::UnknownLayer(_) | Self::Unused(_) | Self::NoEffect(_) | Self::Missing(_) => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }

    pub fn message(&self) -> &str {
        match self {
            Self::BadName(text)
            | Self::DuplicateName(text)
            | Self::KeyConflict(text)
            | Self::Unconnected(text)
            | Self::DanglingWire(text)
            | Self::PortType(text)
            | Self::Cycle(text)
            | Self::OutOfRange(text)
            | Self::Shape(text)
            | Self::Missing(text)
            | Self::UnknownLayer(text)
            | Self::Unused(text)
            | Self::NoEffect(text) => text,
        }
    }
}

/// A [`Problem`] and the node that has it; `None` is the graph as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub node: Option<NodeId>,
    pub problem: Problem,
}

impl Diagnostic {
    pub fn severity(&self) -> Severity {
        self.problem.severity()
    }

    pub fn message(&self) -> &str {
        self.problem.message()
    }
}
