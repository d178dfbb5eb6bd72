//! Which lines of a prototxt are which node, and what is to be said about them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::graph::{Graph, Inference, NodeId, Severity};
use crate::interop::caffe::{Entry, Message, Note, Syntax};

/// Something to be said about a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// From 1.
    pub line: usize,
    pub message: String,
    pub severity: Severity,
}

/// What is known of a text's lines.
#[derive(Debug, Default)]
pub struct Marks {
    /// The first and the last line of each layer, by its node's name.
    layers: Vec<(String, RangeInclusive<usize>)>,
    /// Where the text breaks off.
    syntax: Option<Mark>,
    notes: Vec<Mark>,
    problems: Vec<Mark>,
    nodes: BTreeMap<NodeId, RangeInclusive<usize>>,
}

impl Marks {
    /// The text can be read: this is what it says.
    pub fn read(&mut self, message: &Message, notes: &[Note]) {
        self.syntax = None;
        self.layers = message.0.iter().filter_map(layer).collect();
        self.notes = notes
            .iter()
            .map(|note| Mark {
                line: note.line,
                message: note.message.clone(),
                severity: Severity::Warning,
            })
            .collect();
    }

    /// The text cannot be read from here on.
    pub fn break_at(&mut self, syntax: &Syntax) {
        self.syntax = Some(Mark {
            line: syntax.line,
            message: syntax.problem.clone(),
            severity: Severity::Error,
        });
    }

    /// Takes the lines of the graph's nodes and what is wrong with them.
    pub fn update(&mut self, inference: &Inference, graph: &Graph) {
        self.nodes.clear();
        // Of layers of one name, in two phases, the first counts.
        let layers = self.layers.iter().rev();
        let by_name: BTreeMap<&str, &RangeInclusive<usize>> =
            layers.map(|(name, lines)| (name.as_str(), lines)).collect();
        for node in graph.nodes() {
            if let Some(lines) = by_name.get(node.name.as_str()) {
                self.nodes.insert(node.id, (*lines).clone());
            }
        }
        let mark = |found: &crate::graph::Diagnostic| {
            Some(Mark {
                line: *self.nodes.get(&found.node?)?.start(),
                message: found.message().to_owned(),
                severity: found.severity(),
            })
        };
        self.problems = inference.diagnostics.iter().filter_map(mark).collect();
    }

    /// The worst first; of a text that breaks off, only where.
    pub fn shown(&self) -> impl Iterator<Item = &Mark> {
        let rest = self.problems.iter().chain(&self.notes);
        let rest = rest.filter(|_| self.syntax.is_none());
        self.syntax.iter().chain(rest)
    }

    pub fn at(&self, line: usize) -> Option<&Mark> {
        self.shown().find(|mark| mark.line == line)
    }

    pub fn lines_of(&self, node: NodeId) -> Option<RangeInclusive<usize>> {
        self.nodes.get(&node).cloned()
    }

    /// The node whose layer the line is in.
    pub fn node_at(&self, line: usize) -> Option<NodeId> {
        let (name, _) = self
            .layers
            .iter()
            .find(|(_, lines)| lines.contains(&line))?;
        let first = self.layers.iter().find(|(other, _)| other == name)?;
        let of = self.nodes.iter().find(|(_, lines)| **lines == first.1);
        of.map(|(id, _)| *id)
    }
}

/// A layer's name and lines; the last is that of its last field, and the bracket after it.
fn layer(entry: &Entry) -> Option<(String, RangeInclusive<usize>)> {
    if !matches!(entry.name.as_str(), "layer" | "layers") {
        return None;
    }
    let name = entry.message()?.text("name")?;
    let last = last_line(entry);
    Some((name.replace(['.', ':'], "_"), entry.line..=last))
}

fn last_line(entry: &Entry) -> usize {
    match entry.message() {
        Some(message) => {
            let inner = message.0.iter().map(last_line).max().unwrap_or(entry.line);
            inner + usize::from(inner > entry.line)
        }
        None => entry.line,
    }
}
