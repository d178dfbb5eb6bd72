//! Which tensors are shown: those of the selected nodes that the snapshot has.

use candle_core::Tensor;

use super::MapsView;
use crate::graph::{Node, Value};
use crate::gui::context::Ctx;
use crate::train::Snapshot;

/// One tensor to be shown.
pub(super) struct Section {
    pub title: String,
    pub layer: String,
    pub tensor: Tensor,
    /// Class indices, not measurements.
    pub labels: bool,
}

/// The selected nodes in the order of the computation.
pub(super) fn selected<'a>(ctx: &Ctx<'a>) -> Vec<&'a Node> {
    let order = |id| {
        let place =
            |phase: &crate::graph::PhaseInfo| phase.order.iter().position(|other| *other == id);
        place(&ctx.inference.test)
            .or_else(|| place(&ctx.inference.train))
            .unwrap_or(usize::MAX)
    };
    let mut nodes: Vec<&Node> = ctx
        .selection
        .iter()
        .filter_map(|id| ctx.project.graph.node(*id))
        .collect();
    nodes.sort_by_key(|node| order(node.id));
    nodes
}

impl MapsView {
    pub(super) fn sections(&self, nodes: &[&Node], snapshot: &Snapshot) -> Vec<Section> {
        let mut sections = Vec::new();
        for node in nodes {
            let layer = node.layer.title().to_owned();
            if self.gradients {
                if let Some(tensor) = snapshot.gradients.get(&node.name) {
                    let title = format!("∂L/∂ {}", node.name);
                    sections.push(Section {
                        title,
                        layer,
                        tensor: tensor.clone(),
                        labels: false,
                    });
                }
                continue;
            }
            for (port, value) in snapshot
                .outputs
                .get(&node.name)
                .into_iter()
                .flatten()
                .enumerate()
            {
                let title = match port {
                    0 => node.name.clone(),
                    port => format!("{}:{port}", node.name),
                };
                let labels = matches!(value, Value::Labels(_));
                // Data without classes stand for them with nothing.
                if labels && value.tensor().elem_count() == 0 {
                    continue;
                }
                sections.push(Section {
                    title,
                    layer: layer.clone(),
                    tensor: value.tensor().clone(),
                    labels,
                });
            }
        }
        sections
    }
}
