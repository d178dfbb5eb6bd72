//! A wide convolution as a stack of 3 × 3.

use std::collections::BTreeSet;

use super::{RewriteError, STEP};
use crate::graph::{Graph, Layer, Node, NodeId, PortRef};
use crate::layers::{Convolution, ReLU};

/// Replaces a k × k convolution, k odd and above 3, by (k − 1)/2 of 3 × 3 with ReLU between them:
/// the same receptive field and output size with fewer weights and more non-linearity (Simonyan
/// and Zisserman 2014, section 2.3). The last has the stride; padding is shared out from the
/// first on. They form a group that has the node's name, and begin with weights of their own.
pub fn stack_of_3x3(graph: &Graph, id: NodeId) -> Result<Graph, RewriteError> {
    let Some(node) = graph.node(id) else {
        return Err(RewriteError::NoNode(String::new()));
    };
    let name = node.name.clone();
    let Some(wide) = node.layer.as_any().downcast_ref::<Convolution>() else {
        return Err(RewriteError::NoConvolution(name));
    };
    let [height, width] = wide.kernel;
    if height != width || height < 5 || height.is_multiple_of(2) {
        return Err(RewriteError::Kernel {
            name,
            height,
            width,
        });
    }
    let inside = format!("{name}/");
    if (graph.nodes().iter()).any(|other| other.name.starts_with(&inside)) {
        return Err(RewriteError::Taken(name));
    }
    let mut next = graph.clone();
    let count = (height - 1) / 2;
    let mut before: Option<String> = None;
    for index in 1..=count {
        let share = |pad: usize| pad / count + usize::from(index <= pad % count);
        let layer = Convolution {
            kernel: [3, 3],
            stride: if index == count { wide.stride } else { [1, 1] },
            pad: wide.pad.map(share),
            ..wide.clone()
        };
        let place = (index - 1) as f32;
        let mut part = stacked(node, format!("{name}/{index}"), Box::new(layer), place);
        if let Some(before) = &before {
            part.inputs.set(0, Some(PortRef::new(before.clone(), 0)));
            part.test_inputs = None;
        }
        before = Some(part.name.clone());
        next.add(part);
        if index < count {
            let relu = format!("{name}/relu{index}");
            let mut part = stacked(node, relu.clone(), Box::new(ReLU::default()), place + 0.5);
            part.multipliers.clear();
            part.inputs
                .set(0, before.map(|before| PortRef::new(before, 0)));
            part.test_inputs = None;
            next.add(part);
            before = Some(relu);
        }
    }
    next.lead_wires(&name, before.as_deref().unwrap_or(&name));
    next.remove(&BTreeSet::from([id]));
    Ok(next)
}

/// A node of another layer in the place of an old one, with a key of its own.
fn stacked(old: &Node, name: String, layer: Box<dyn Layer>, place: f32) -> Node {
    let [x, y] = old.position;
    Node {
        name,
        layer,
        key: None,
        caffe: String::new(),
        position: [x + place * STEP, y],
        ..old.clone()
    }
}
