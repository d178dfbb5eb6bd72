//! Finding nodes by what is written on them: name, layer type, parameters.

use super::{Graph, Node, NodeId, settings};

/// A node that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub node: NodeId,
    /// The parameters that the query is about, such as `kernel 3`; empty where the name or the
    /// type says enough.
    pub because: String,
}

/// The nodes in which every word of the query is found, in the order of the graph; those whose
/// own name begins with the query come first. An empty query finds nothing.
pub fn search(graph: &Graph, query: &str) -> Vec<Found> {
    let query = query.trim().to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(bool, Found)> = Vec::new();
    for node in graph.nodes() {
        if let Some(because) = matches(node, &words) {
            let leads = super::leaf(&node.name).to_lowercase().starts_with(&query)
                || node.name.to_lowercase().starts_with(&query);
            let hit = Found {
                node: node.id,
                because,
            };
            found.push((!leads, hit));
        }
    }
    found.sort_by_key(|(later, _)| *later);
    found.into_iter().map(|(_, found)| found).collect()
}

/// Why a node is found: the parameters that the words name.
fn matches(node: &Node, words: &[&str]) -> Option<String> {
    let spec = node.layer.spec();
    let comment = &node.comment;
    let titles = [
        node.layer.title(),
        spec.title.en,
        spec.title.zh,
        comment.as_str(),
    ];
    let own = format!("{} {}", node.name, titles.join(" ")).to_lowercase();
    if words.iter().all(|word| own.contains(word)) {
        return Some(String::new());
    }
    let settings: Vec<String> = (settings(&*node.layer).iter())
        .map(|(name, value)| format!("{name} {}", value.text()))
        .collect();
    let mut because: Vec<&str> = Vec::new();
    // Words that the name has not may name a parameter, its value or both: `kernel 3`.
    let is_own = |word: &str| own.contains(word) && word.parse::<f64>().is_err();
    let left: Vec<&&str> = words.iter().filter(|word| !is_own(word)).collect();
    for setting in &settings {
        let lower = setting.to_lowercase();
        let parts: Vec<&str> = lower.split(' ').collect();
        let says = |word: &&&str| match word.parse::<f64>() {
            // A number is meant whole: 3 is not 32.
            Ok(_) => parts.contains(word),
            Err(_) => lower.contains(**word),
        };
        if left.iter().all(says) {
            because.push(setting);
        }
    }
    (!because.is_empty()).then(|| because.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;
    use crate::layers;

    #[test]
    fn nodes_are_found_by_name_type_and_parameters() {
        let mut graph = Graph::default();
        for (name, layer) in [
            ("a/conv1", "Convolution(num_output: 64, kernel: (3, 3))"),
            ("a/relu", "ReLU()"),
            ("b/conv10", "Convolution(num_output: 32, kernel: (5, 5))"),
            ("fc", "InnerProduct(num_output: 3)"),
        ] {
            graph.add(Node::new(name, layers::parse(layer).unwrap()));
        }
        let found = |query: &str| {
            let names = search(&graph, query).into_iter();
            names
                .map(|found| graph.node(found.node).unwrap().name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("conv1"), ["a/conv1", "b/conv10"]);
        assert_eq!(found("CONVOLUTION b/"), ["b/conv10"]);
        assert_eq!(found("kernel 3"), ["a/conv1"]);
        assert_eq!(found("conv kernel 5"), ["b/conv10"]);
        assert_eq!(found("num_output 3"), ["fc"], "not 32");
        assert!(
            found("kernel 10").is_empty(),
            "the 10 of a name is no kernel"
        );
        assert_eq!(found("卷积"), ["a/conv1", "b/conv10"]);
        assert!(found("  ").is_empty() && found("xyzzy").is_empty());
        assert_eq!(search(&graph, "kernel 3")[0].because, "kernel 3");
    }
}
