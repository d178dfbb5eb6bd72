//! What is wrong with a graph as a whole: names, ranges, shared keys, outputs that nobody reads.

use std::collections::{BTreeMap, BTreeSet};

use super::Inference;
use crate::graph::{Diagnostic, Graph, Node, ParamSpec, Phase, Problem, Role, field};
use crate::i18n::tr_format;

pub(super) fn check_nodes(graph: &Graph, diagnostics: &mut Vec<Diagnostic>) {
    for (index, node) in graph.nodes().iter().enumerate() {
        let mut report = |problem| {
            diagnostics.push(Diagnostic {
                node: Some(node.id),
                problem,
            })
        };
        if let Some(problem) = bad_name(&node.name) {
            report(problem);
        }
        let twin = graph.nodes()[..index]
            .iter()
            .any(|other| other.name == node.name && other.phases.overlaps(node.phases));
        if twin {
            let name = &node.name;
            report(Problem::DuplicateName(tr_format!(
                "another node is named “{name}” in the same phase; give one of them another name",
                "同一阶段已有名为“{name}”的节点；请给其中一个改名"
            )));
        }
        field::out_of_range(&*node.layer)
            .into_iter()
            .for_each(report);
    }
}

fn bad_name(name: &str) -> Option<Problem> {
    let parts_are_named = name.split('/').all(|part| !part.trim().is_empty());
    let forbidden = |c: char| c == '.' || c == ':' || c == '"' || c.is_control();
    (!parts_are_named || name.contains(forbidden)).then(|| {
        Problem::BadName(tr_format!(
            "“{name}” cannot be a name: it must not be empty, hold . : or \", or have an empty part around /",
            "“{name}”不能作为名称：名称不能为空，不能含有 . : 或 \"，/ 两侧也不能为空"
        ))
    })
}

/// Equal keys must mean equal shapes; multipliers must name a parameter.
pub(super) fn check_keys(graph: &Graph, inference: &mut Inference) {
    let mut first: BTreeMap<&str, (&Node, &ParamSpec)> = BTreeMap::new();
    let mut found = Vec::new();
    for phase in Phase::BOTH {
        let info = inference.phase(phase);
        for node in graph.nodes() {
            let Some(known) = info.nodes.get(&node.id) else {
                continue;
            };
            for (key, spec) in &known.params {
                let (other, earlier) = *first.entry(key).or_insert((node, spec));
                if earlier.shape != spec.shape {
                    let (a, b, name) = (&earlier.shape, &spec.shape, &other.name);
                    let problem = Problem::KeyConflict(tr_format!(
                        "the parameter “{key}” has the shape {b:?} here and {a:?} at “{name}”; shared parameters need one shape",
                        "参数“{key}”在此处的形状为 {b:?}，在“{name}”处为 {a:?}；共享参数的形状必须一致"
                    ));
                    found.push(Diagnostic {
                        node: Some(node.id),
                        problem,
                    });
                }
            }
            if known.outputs.is_some() {
                for suffix in node.multipliers.keys() {
                    if !known.params.iter().any(|(_, spec)| spec.suffix == suffix) {
                        let problem = Problem::NoEffect(tr_format!(
                            "the multiplier for “{suffix}” has no effect: the layer has no such parameter",
                            "“{suffix}”的倍率不起作用：该层没有这个参数"
                        ));
                        found.push(Diagnostic {
                            node: Some(node.id),
                            problem,
                        });
                    }
                }
            }
        }
    }
    inference.diagnostics.extend(found);
}

/// Where a network has a loss, a layer that nobody reads in either phase is probably a mistake.
pub(super) fn check_unused(graph: &Graph, inference: &mut Inference) {
    let role = |node: &Node| node.layer.spec().role;
    if !graph.nodes().iter().any(|node| role(node) == Role::Loss) {
        return;
    }
    let mut read = BTreeSet::new();
    for phase in Phase::BOTH {
        read.extend(graph.wires(phase).into_iter().map(|(from, _)| from.0));
    }
    for node in graph.nodes() {
        let could_be_read = !matches!(role(node), Role::Loss | Role::Metric | Role::Unknown)
            && !node.layer.outputs().is_empty();
        if could_be_read && !read.contains(&node.id) {
            let problem = Problem::Unused(tr_format!(
                "nobody reads the output of this node",
                "该节点的输出没有被任何节点读取"
            ));
            inference.diagnostics.push(Diagnostic {
                node: Some(node.id),
                problem,
            });
        }
    }
}
