//! What is wrong with a node's wires: ends that are missing, or carry something else.

use std::collections::BTreeMap;

use crate::graph::{DataFacts, Inputs, Node, Problem, Role};
use crate::i18n::tr_format;

/// What a wire from a data layer asks of data that do not have it.
pub(super) fn absent(data: &DataFacts, source: &Node, port: usize) -> Option<Problem> {
    if source.layer.spec().role != Role::Data {
        return None;
    }
    let name = &source.name;
    match port {
        1 if data.labels.is_none() => Some(Problem::Missing(tr_format!(
            "this reads the labels of “{name}”, but the data set has no classes; read its targets instead, or choose data with classes",
            "此处读取“{name}”的标签，但数据集没有类别；请改接其 target 输出，或选择带类别的数据"
        ))),
        2 if data.targets.is_none() => Some(Problem::Missing(tr_format!(
            "this reads the real-valued targets of “{name}”, but the data set has none; name the columns that are targets in the project's data settings, or read its labels",
            "此处读取“{name}”的实数目标值，但数据集没有目标值；请在项目的数据设置中指定目标列，或改接其 label 输出"
        ))),
        _ => None,
    }
}

/// The node and port at the other end of every wire; whatever is wrong with the wires is
/// reported, and then fewer may come back than the layer needs.
pub(super) fn wired_inputs<'a>(
    node: &Node,
    inputs: &Inputs,
    by_name: &BTreeMap<&str, &'a Node>,
    problems: &mut Vec<Problem>,
) -> Vec<(&'a Node, usize)> {
    let ports = node.layer.inputs();
    let mut sources = Vec::new();
    for index in 0..ports.required.max(inputs.0.len()) {
        let Some(port) = ports.port(index) else {
            problems.push(Problem::DanglingWire(tr_format!(
                "there is no input {index} on this layer; remove the wire",
                "该层没有第 {index} 个输入；请删除这条连线"
            )));
            continue;
        };
        let name = port.name;
        let Some(wire) = inputs.get(index) else {
            problems.push(Problem::Unconnected(tr_format!(
                "the input “{name}” is not connected; drag a wire to it",
                "输入“{name}”未连接；请拖一条连线过来"
            )));
            continue;
        };
        let source = by_name.get(wire.node.as_str());
        let output = source.and_then(|source| source.layer.outputs().get(wire.port));
        match (source, output) {
            (Some(source), Some(output)) if port.kind.accepts(output.kind) => {
                sources.push((*source, wire.port));
            }
            (Some(_), Some(output)) => {
                let (wants, gets) = (port.kind.text(), output.kind.text());
                problems.push(Problem::PortType(tr_format!(
                    "the input “{name}” takes {wants}, but “{wire}” gives {gets}",
                    "输入“{name}”需要{wants}，而“{wire}”给出的是{gets}"
                )));
            }
            (Some(_), None) => problems.push(Problem::DanglingWire(tr_format!(
                "the input “{name}” reads “{wire}”, but that node has no such output",
                "输入“{name}”读取“{wire}”，但该节点没有这个输出"
            ))),
            (None, _) => problems.push(Problem::DanglingWire(tr_format!(
                "the input “{name}” reads “{wire}”, but there is no such node in this phase",
                "输入“{name}”读取“{wire}”，但此阶段没有这个节点"
            ))),
        }
    }
    sources
}
