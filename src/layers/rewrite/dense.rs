//! Full connections as convolutions.

use std::collections::{BTreeMap, BTreeSet};

use super::{RewriteError, STEP};
use crate::graph::{Family, Graph, Inference, Layer, Node, NodeId, Phase, PortRef};
use crate::layers::{Convolution, Flatten, InnerProduct, PoolMethod, Pooling};

/// Turns every full connection that reads an image, or another that was turned, into a
/// convolution as large as what it read (Long, Shelhamer and Darrell 2015, figure 2). The keys
/// stay and the weights fit after a reshape: row-major (outputs, C·H·W) is (outputs, C, H, W).
/// What wants one vector of scores, as losses do, reads the average over all places (the dense
/// evaluation of Simonyan and Zisserman 2014, section 3.2), so at the same image size the
/// network's answers stay the same, and a larger image is accepted too.
pub fn full_to_conv(graph: &Graph, inference: &Inference) -> Result<Graph, RewriteError> {
    let mut change = Dense {
        next: graph.clone(),
        maps: BTreeMap::new(),
        turned: 0,
    };
    let mut seen = BTreeSet::new();
    for phase in Phase::BOTH {
        for id in &inference.phase(phase).order {
            if seen.insert(*id) {
                change.visit(*id, phase, inference);
            }
        }
    }
    match change.turned {
        0 => Err(RewriteError::NoFullConnection),
        _ => Ok(change.finish()),
    }
}

/// A graph on its way to having no full connections.
struct Dense {
    next: Graph,
    /// Nodes whose first output is maps, or will be: where to read them and their height and width.
    maps: BTreeMap<String, Maps>,
    turned: usize,
}

#[derive(Clone)]
struct Maps {
    from: PortRef,
    size: [usize; 2],
    /// Was a vector before.
    is_new: bool,
}

impl Dense {
    fn visit(&mut self, id: NodeId, phase: Phase, inference: &Inference) {
        let Some(node) = self.next.node(id).cloned() else {
            return;
        };
        let outputs =
            (inference.phase(phase).nodes.get(&id)).and_then(|info| info.outputs.as_ref());
        if let Some([_, _, Some(height), Some(width)]) = outputs
            .and_then(|shapes| shapes.first())
            .map(|shape| &shape.0[..])
        {
            let maps = Maps {
                from: PortRef::new(node.name.clone(), 0),
                size: [*height, *width],
                is_new: false,
            };
            self.maps.insert(node.name.clone(), maps);
            return;
        }
        let read = node.inputs_in(phase).get(0).filter(|wire| wire.port == 0);
        let Some(read) = read.and_then(|wire| self.maps.get(&wire.node)).cloned() else {
            return self.average(&node);
        };
        let new = |size| Maps {
            from: PortRef::new(node.name.clone(), 0),
            size,
            is_new: true,
        };
        let layer = node.layer.as_any();
        if let Some(full) = layer
            .downcast_ref::<InnerProduct>()
            .filter(|full| full.axis == 1)
        {
            let conv = Convolution {
                num_output: full.num_output,
                kernel: read.size,
                bias: full.bias,
                weight_filler: full.weight_filler,
                bias_filler: full.bias_filler,
                ..Convolution::default()
            };
            self.turned += 1;
            self.maps.insert(node.name.clone(), new([1, 1]));
            self.replace(id, Some(Box::new(conv)), &read.from);
        } else if layer.is::<Flatten>() {
            // Whoever reads it reads the maps themselves, or their average.
            self.maps.insert(node.name.clone(), read);
        } else if read.is_new && keeps_places(&*node.layer) {
            self.maps.insert(node.name.clone(), new(read.size));
            self.replace(id, None, &read.from);
        } else {
            self.average(&node);
        }
    }

    fn replace(&mut self, id: NodeId, layer: Option<Box<dyn Layer>>, from: &PortRef) {
        if let Some(node) = self.next.node_mut(id) {
            if let Some(layer) = layer {
                node.layer = layer;
            }
            for inputs in node.all_inputs_mut() {
                inputs.set(0, Some(from.clone()));
            }
        }
    }

    /// Gives a node that needs vectors the average over all places of maps that were vectors.
    fn average(&mut self, node: &Node) {
        let mut wires: BTreeMap<PortRef, PortRef> = BTreeMap::new();
        let phases = node.phases.each();
        let read: BTreeSet<PortRef> = phases
            .flat_map(|phase| node.inputs_in(phase).0.iter().flatten().cloned())
            .collect();
        for wire in read {
            let maps = self
                .maps
                .get(&wire.node)
                .filter(|maps| maps.is_new && wire.port == 0);
            if let Some(maps) = maps.cloned() {
                let vector = self.vector_of(&maps.from);
                wires.insert(wire, vector);
            }
        }
        if let Some(node) = self.next.node_mut(node.id).filter(|_| !wires.is_empty()) {
            for inputs in node.all_inputs_mut() {
                inputs.rewire(|wire| Some(wires.get(wire).unwrap_or(wire).clone()));
            }
        }
    }

    /// Without the Flatten nodes that nobody reads any more.
    fn finish(mut self) -> Graph {
        let nodes = self.next.nodes();
        let is_read = |name: &str| {
            let wires = (nodes.iter()).flat_map(|node| {
                node.inputs
                    .0
                    .iter()
                    .chain(node.test_inputs.iter().flat_map(|i| &i.0))
            });
            wires.flatten().any(|wire| wire.node == name)
        };
        let idle: BTreeSet<NodeId> = (nodes.iter())
            .filter(|node| {
                node.layer.as_any().is::<Flatten>() && self.maps.contains_key(&node.name)
            })
            .filter(|node| !is_read(&node.name))
            .map(|node| node.id)
            .collect();
        self.next.remove(&idle);
        self.next
    }

    /// The average over the places of these maps; made once for all who read it.
    fn vector_of(&mut self, maps: &PortRef) -> PortRef {
        let flat = format!("{}_vector", maps.node);
        if self.next.nodes().iter().all(|node| node.name != flat) {
            let source = self.next.nodes().iter().find(|node| node.name == maps.node);
            let (phases, [x, y]) =
                source.map_or_else(Default::default, |node| (node.phases, node.position));
            let mean = format!("{}_average", maps.node);
            let pooling = Pooling {
                method: PoolMethod::Average,
                global: true,
                ..Pooling::default()
            };
            let parts: [(&str, Box<dyn Layer>, PortRef); 2] = [
                (&mean, Box::new(pooling), maps.clone()),
                (
                    &flat,
                    Box::new(Flatten::default()),
                    PortRef::new(mean.clone(), 0),
                ),
            ];
            for (index, (name, layer, from)) in parts.into_iter().enumerate() {
                let mut node = Node::new(name, layer);
                node.inputs.set(0, Some(from));
                node.phases = phases;
                node.position = [x + (index + 1) as f32 * STEP / 2.0, y + 60.0];
                self.next.add(node);
            }
        }
        PortRef::new(flat, 0)
    }
}

/// Whether a layer computes each place of maps as it computes a vector.
fn keeps_places(layer: &dyn Layer) -> bool {
    let families = [
        Family::Activation,
        Family::Regularisation,
        Family::Normalisation,
    ];
    families.contains(&layer.spec().family)
}
