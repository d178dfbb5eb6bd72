//! Graphs that differ in one thing: activation, first weights, normalisation, dropout.

use crate::graph::{Family, FieldValue, Filler, Graph, Layer, Node, PortRef};
use crate::labs::activation;
use crate::layers::{Dropout, FusedBatchNorm};
use crate::project::{Example, Project};

/// The project inside the program of that name.
pub fn example(name: &str) -> Project {
    let found = Example::find(name).and_then(|example| example.open().ok());
    found.unwrap_or_default()
}

fn is_activation(node: &Node) -> bool {
    node.layer.spec().family == Family::Activation
}

/// The same with every activation replaced, by the place in
/// [`ACTIVATIONS`](crate::labs::ACTIVATIONS).
pub fn with_activation(mut graph: Graph, kind: usize) -> Graph {
    let places: Vec<_> = graph
        .nodes()
        .iter()
        .filter(|node| is_activation(node))
        .map(|node| node.id)
        .collect();
    for id in places {
        if let Some(node) = graph.node_mut(id) {
            node.layer = activation(kind);
        }
    }
    graph
}

/// The same with every weight filled so at first.
pub fn with_filler(mut graph: Graph, filler: Filler) -> Graph {
    let places: Vec<_> = graph.nodes().iter().map(|node| node.id).collect();
    for id in places {
        if let Some(node) = graph.node_mut(id) {
            node.layer.fields(&mut |field: crate::graph::Field<'_>| {
                if let ("weight_filler", FieldValue::Filler(value)) = (field.name, field.value) {
                    *value = filler;
                }
            });
        }
    }
    graph
}

/// The same with batch normalisation before every activation. The weights keep their names, and
/// so their first values.
pub fn with_batch_norm(graph: Graph) -> Graph {
    around_activations(graph, "norm", false, || Box::new(FusedBatchNorm::default()))
}

/// The same with dropout behind every activation.
pub fn with_dropout(graph: Graph, ratio: f64) -> Graph {
    around_activations(graph, "drop", true, move || Box::new(Dropout { ratio }))
}

fn around_activations(
    mut graph: Graph,
    suffix: &str,
    behind: bool,
    make: impl Fn() -> Box<dyn Layer>,
) -> Graph {
    let found: Vec<(String, Option<PortRef>)> = graph
        .nodes()
        .iter()
        .filter(|node| is_activation(node))
        .map(|node| (node.name.clone(), node.inputs.0.first().cloned().flatten()))
        .collect();
    for (name, source) in found {
        let new = graph.free_name(&format!("{name}_{suffix}"));
        let reads = match behind {
            true => PortRef::new(name.clone(), 0),
            false => match source {
                Some(source) => source,
                None => continue,
            },
        };
        let readers: Vec<_> = graph
            .nodes()
            .iter()
            .filter(|node| match behind {
                true => node.inputs.0.contains(&Some(reads.clone())),
                false => node.name == name,
            })
            .map(|node| node.id)
            .collect();
        for id in readers {
            if let Some(node) = graph.node_mut(id) {
                let inputs = node.inputs.0.iter_mut().flatten();
                inputs
                    .filter(|input| **input == reads)
                    .for_each(|input| *input = PortRef::new(new.clone(), 0));
            }
        }
        let mut node = Node::new(new, make());
        node.inputs.0 = vec![Some(reads)];
        graph.add(node);
    }
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Feed;
    use crate::net::{Net, NetConfig};
    use crate::train::facts;

    #[test]
    fn variants_keep_the_first_weights_and_differ_in_one_thing() {
        let project = example("lenet-digits");
        let feed = Feed::open(&project.data, std::path::Path::new("")).unwrap();
        let net = |graph: &Graph| Net::compile(graph, &facts(&feed), NetConfig::default()).unwrap();
        let plain = net(&project.graph);
        let variants = [
            with_batch_norm(project.graph.clone()),
            with_dropout(project.graph.clone(), 0.5),
            with_activation(project.graph.clone(), 1),
        ];
        for graph in variants {
            let other = net(&graph);
            for (key, param) in plain.params() {
                let (a, b) = (&param.tensor, &other.params()[key].tensor);
                let difference = (a - b).unwrap().abs().unwrap().sum_all().unwrap();
                assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0, "{key}");
            }
        }
        let zero = net(&with_filler(project.graph.clone(), Filler::Constant(0.0)));
        let weight = zero.params()["conv1.weight"]
            .tensor
            .abs()
            .unwrap()
            .sum_all()
            .unwrap();
        assert_eq!(weight.to_scalar::<f32>().unwrap(), 0.0);
    }
}
