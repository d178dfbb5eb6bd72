//! Another project beside the open one: what is different, and the marks of it in the graph.

use std::collections::BTreeMap;

use super::editor::{Differs, Ghost};
use crate::graph::NodeId;
use crate::project::{Project, ProjectDiff, diff};

/// What the open project is compared with.
pub struct Comparison {
    /// The other project's file.
    pub name: String,
    /// The earlier of the two: what is only here was added.
    pub other: Project,
    pub diff: ProjectDiff,
    /// The revision of the document that `diff` is of.
    of: Option<u64>,
}

impl Comparison {
    pub fn new(name: String, other: Project) -> Self {
        Self {
            name,
            other,
            diff: ProjectDiff::default(),
            of: None,
        }
    }

    /// Compares again if the document has changed; whether it had.
    pub fn update(&mut self, project: &Project, revision: u64) -> bool {
        let outdated = self.of != Some(revision);
        if outdated {
            self.diff = diff(&self.other, project);
            self.of = Some(revision);
        }
        outdated
    }

    /// How the nodes of the open project differ.
    pub fn differs(&self) -> BTreeMap<NodeId, Differs> {
        let graph = &self.diff.graph;
        let added = graph.added.iter().map(|id| (*id, Differs::Added));
        let changed = graph
            .changed
            .iter()
            .map(|changed| (changed.after, Differs::Changed));
        added.chain(changed).collect()
    }

    /// The boxes that are only in the other project: nodes, and what is folded there as one.
    pub fn ghosts(&self) -> Vec<Ghost> {
        let graph = &self.other.graph;
        let mut corners: BTreeMap<&str, [f32; 2]> = BTreeMap::new();
        for node in self
            .diff
            .graph
            .removed
            .iter()
            .filter_map(|id| graph.node(*id))
        {
            let name = graph.folded_around(&node.name).unwrap_or(&node.name);
            let corner = corners.entry(name).or_insert(node.position);
            *corner = [0, 1].map(|axis| corner[axis].min(node.position[axis]));
        }
        let ghost = |(name, place): (&str, [f32; 2])| Ghost {
            name: name.to_owned(),
            place,
        };
        corners.into_iter().map(ghost).collect()
    }
}
