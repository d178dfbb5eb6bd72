//! The words in a box: its main parameters, its cost, its ports and their shapes.

use crate::graph::{Node, NodeInfo, PortType, Shape};
use crate::gui::format;
use crate::i18n::tr_format;
use crate::interop::words::{example_shape as dims, parameters};

pub(super) fn about_pin(node: &str, port: &str, kind: PortType, shape: Option<&Shape>) -> String {
    let kind = kind.text();
    match shape {
        Some(shape) => tr_format!(
            "{node}, {port}: {kind} {shape}",
            "{node}，{port}：{kind} {shape}"
        ),
        None => tr_format!("{node}, {port}: {kind}", "{node}，{port}：{kind}"),
    }
}

pub(super) fn example_shape(shape: &Shape) -> Option<String> {
    dims(shape)
}

pub(super) fn cost(info: &NodeInfo) -> String {
    costs(info.param_count(), info.macs.unwrap_or(0))
}

pub(super) fn costs(params: u64, macs: u64) -> String {
    let mut parts = Vec::new();
    if params > 0 {
        let count = format::count(params);
        parts.push(tr_format!("{count} params", "{count} 参数"));
    }
    if macs > 0 {
        let count = format::count(macs);
        parts.push(tr_format!("{count} MACs", "{count} 次乘加"));
    }
    parts.join(", ")
}

/// The main parameters, a line or two.
pub(super) fn parameter_lines(node: &Node) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in parameters(&*node.layer) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 26 => {
                line.push_str(", ");
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines.truncate(3);
    lines
}
