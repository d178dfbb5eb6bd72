//! What a change of a graph costs or saves.

use serde::Serialize;

use crate::graph::{Graph, Inference};

/// Sums over some nodes of a graph, before a change and after it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    pub params: [u64; 2],
    /// Multiply-adds per example.
    pub macs: [u64; 2],
    /// Of the last of the nodes, height and width in pixels of the input.
    pub receptive_field: Option<[[f64; 2]; 2]>,
}

impl Cost {
    /// Of the nodes whose names `counts` accepts.
    pub fn compare(
        before: (&Graph, &Inference),
        after: (&Graph, &Inference),
        counts: impl Fn(&str) -> bool,
    ) -> Self {
        let sums = [before, after].map(|(graph, inference)| {
            let nodes = graph.nodes().iter().filter(|node| counts(&node.name));
            let infos = nodes.filter_map(|node| inference.node(node.id));
            infos.fold((0u64, 0u64, None), |(params, macs, _), info| {
                let params = params.saturating_add(info.param_count());
                let macs = macs.saturating_add(info.macs.unwrap_or(0));
                (params, macs, info.field.map(|field| field.size))
            })
        });
        let [old, new] = sums;
        Self {
            params: [old.0, new.0],
            macs: [old.1, new.1],
            receptive_field: old.2.zip(new.2).map(|(old, new)| [old, new]),
        }
    }

    /// Of what stands at a node's place: itself, or what became a group of its name.
    pub fn at(before: (&Graph, &Inference), after: (&Graph, &Inference), name: &str) -> Self {
        let inside = format!("{name}/");
        Self::compare(before, after, |other| {
            other == name || other.starts_with(&inside)
        })
    }

    /// Of the whole network, whose receptive field says nothing.
    pub fn whole(before: (&Graph, &Inference), after: (&Graph, &Inference)) -> Self {
        Self {
            receptive_field: None,
            ..Self::compare(before, after, |_| true)
        }
    }
}
