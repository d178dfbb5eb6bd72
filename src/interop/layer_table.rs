//! The table of layers: for the terminal, as CSV and as Markdown.
//!
//! Invariant: a parameter that several nodes share counts once in every sum.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::words;
use crate::graph::{
    Graph, Inference, Node, NodeId, NodeInfo, Phase, Phases, ReceptiveField, Shape, is_in,
};
use crate::i18n::{tr, tr_format};

/// A node, in one phase or both.
#[derive(Serialize)]
pub struct Row {
    pub name: String,
    pub r#type: String,
    pub phase: &'static str,
    /// By output port; unknown dimensions are null. Empty where the shapes are not known.
    pub out: Vec<Vec<Option<usize>>>,
    pub params: Option<u64>,
    pub neurons: Option<u64>,
    pub macs: Option<u64>,
    /// Height and width of the receptive field.
    pub rf: Option<[Value; 2]>,
}

/// In the order of the file: one row where both phases agree, else one for each.
pub fn rows(graph: &Graph, inference: &Inference) -> Vec<Row> {
    let mut rows = Vec::new();
    for node in graph.nodes() {
        let info = |phase| inference.phase(phase).nodes.get(&node.id);
        match (info(Phase::Train), info(Phase::Test)) {
            (Some(train), Some(test)) if train == test => rows.push(row(node, Phases::Both, train)),
            (train, test) => {
                rows.extend(train.map(|info| row(node, Phases::Train, info)));
                rows.extend(test.map(|info| row(node, Phases::Test, info)));
            }
        }
    }
    rows
}

fn row(node: &Node, phases: Phases, info: &NodeInfo) -> Row {
    let dims = |shapes: &Vec<Shape>| shapes.iter().map(|shape| shape.0.clone()).collect();
    let known = info.outputs.is_some();
    Row {
        name: node.name.clone(),
        r#type: node.layer.title().to_owned(),
        phase: match phases {
            Phases::Both => "both",
            Phases::Train => "train",
            Phases::Test => "test",
        },
        out: info.outputs.as_ref().map(dims).unwrap_or_default(),
        params: known.then(|| info.param_count()),
        neurons: known.then_some(info.neurons),
        macs: info.macs,
        rf: info
            .field
            .map(|field: ReceptiveField| field.size.map(whole_if_possible)),
    }
}

/// Sizes are whole in all usual networks and then written as 5, not 5.0.
fn whole_if_possible(size: f64) -> Value {
    if size.fract() == 0.0 && size.abs() < 1e15 {
        Value::from(size as i64)
    } else {
        Value::from(size)
    }
}

/// A line of the written table.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    kind: Kind,
    name: String,
    layer: String,
    parameters: String,
    output: String,
    params: Option<u64>,
    macs: Option<u64>,
    field: String,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Group,
    Node,
    Total,
}

/// Every group before its nodes, with its sums, every node, and the total.
fn lines(graph: &Graph, inference: &Inference) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut told = BTreeSet::new();
    for node in graph.nodes() {
        for (end, _) in node.name.match_indices('/') {
            let group = &node.name[..end];
            if told.insert(group.to_owned()) {
                lines.push(sum(graph, inference, group));
            }
        }
        lines.push(line(node, inference));
    }
    let totals = inference.totals;
    let count = graph.nodes().len();
    lines.push(Line {
        kind: Kind::Total,
        name: tr("total", "合计").to_owned(),
        layer: tr_format!("{count} nodes", "{count} 个节点"),
        parameters: String::new(),
        output: String::new(),
        params: Some(totals.params),
        macs: Some(totals.macs),
        field: String::new(),
    });
    lines
}

fn line(node: &Node, inference: &Inference) -> Line {
    let info = inference.node(node.id);
    let known = info.filter(|info| info.outputs.is_some());
    let shapes = known.and_then(|info| info.outputs.as_ref());
    let shapes: Vec<String> = shapes.into_iter().flatten().map(Shape::to_string).collect();
    let field = known.and_then(|info| info.field);
    let field = field.map(|field| field.size.map(whole_if_possible));
    Line {
        kind: Kind::Node,
        name: node.name.clone(),
        layer: node.layer.title().to_owned(),
        parameters: words::parameters(&*node.layer).join(", "),
        output: shapes.join(", "),
        params: known.map(NodeInfo::param_count),
        macs: known.and_then(|info| info.macs),
        field: field.map_or(String::new(), |[height, width]| format!("{height}×{width}")),
    }
}

fn sum(graph: &Graph, inference: &Inference, group: &str) -> Line {
    let (mut params, mut macs, mut count) = (0u64, 0u64, 0usize);
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let mut last: Option<NodeId> = None;
    for node in graph.nodes().iter().filter(|node| is_in(&node.name, group)) {
        (count, last) = (count + 1, Some(node.id));
        let Some(info) = inference.node(node.id) else {
            continue;
        };
        macs = macs.saturating_add(info.macs.unwrap_or(0));
        for (key, spec) in &info.params {
            if spec.learnable && keys.insert(key) {
                params = params.saturating_add(spec.count() as u64);
            }
        }
    }
    let last = last
        .and_then(|id| graph.node(id))
        .map(|node| line(node, inference));
    let (output, field) = last
        .map(|last| (last.output, last.field))
        .unwrap_or_default();
    Line {
        kind: Kind::Group,
        name: format!("{group}/"),
        layer: tr_format!("group of {count}", "{count} 个节点的组"),
        parameters: String::new(),
        output,
        params: Some(params),
        macs: Some(macs),
        field,
    }
}

fn headings() -> [&'static str; 7] {
    [
        tr("node", "节点"),
        tr("type", "类型"),
        tr("parameters of the layer", "层的设置"),
        tr("output", "输出"),
        tr("parameters", "参数"),
        tr("multiply-adds", "乘加"),
        tr("receptive field", "感受野"),
    ]
}

/// As CSV; numbers are plain digits. What a spreadsheet would take for a formula is quoted with
/// an apostrophe.
pub fn csv(graph: &Graph, inference: &Inference) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let kind = [tr("kind", "类别")];
    writer.write_record(kind.iter().chain(&headings()))?;
    let plain = |text: &str| match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    for line in lines(graph, inference) {
        let kind = match line.kind {
            Kind::Group => tr("group", "组"),
            Kind::Node => tr("node", "节点"),
            Kind::Total => tr("total", "合计"),
        };
        let number =
            |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
        let texts =
            [&line.name, &line.layer, &line.parameters, &line.output].map(|text| plain(text));
        let numbers = [number(line.params), number(line.macs), line.field];
        let cells = std::iter::once(kind.to_owned()).chain(texts).chain(numbers);
        writer.write_record(cells)?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// As a Markdown table under the project's title; groups and the total are bold.
pub fn markdown(title: &str, graph: &Graph, inference: &Inference) -> String {
    let mut text = format!("# {}\n\n", cell(title));
    _ = writeln!(text, "| {} |", headings().join(" | "));
    text += "| --- | --- | --- | --- | ---: | ---: | ---: |\n";
    for line in lines(graph, inference) {
        let number = |number: Option<u64>| number.map_or(String::new(), thousands);
        let cells = [
            cell(&line.name),
            cell(&line.layer),
            cell(&line.parameters),
            line.output,
            number(line.params),
            number(line.macs),
            line.field,
        ];
        let cells = cells.map(|cell| match line.kind == Kind::Node || cell.is_empty() {
            true => cell,
            false => format!("**{cell}**"),
        });
        _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// Text that cannot leave its cell, nor become markup.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => cell.push_str("&lt;"),
            '&' => cell.push_str("&amp;"),
            '|' | '\\' | '*' | '_' | '`' | '[' | ']' | '#' | '~' => cell.extend(['\\', c]),
            c if c.is_control() => cell.push(' '),
            c => cell.push(c),
        }
    }
    cell
}

/// A number with its thousands apart: 430,500.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{DataFacts, Facts, Inputs, PortRef, infer};
    use crate::layers;

    fn graph() -> Graph {
        let mut graph = Graph::default();
        let nodes = [
            ("data", "Data()", None),
            (
                "a/0/conv",
                "Convolution(num_output: 4, pad: (1, 1))",
                Some("data"),
            ),
            ("a/0/relu", "ReLU()", Some("a/0/conv")),
            ("=x|y", "InnerProduct(num_output: 1000)", Some("a/0/relu")),
        ];
        for (name, layer, reads) in nodes {
            let mut node = Node::new(name, layers::parse(layer).unwrap());
            node.inputs = Inputs(
                reads
                    .into_iter()
                    .map(|name| Some(PortRef::new(name, 0)))
                    .collect(),
            );
            graph.add(node);
        }
        graph
    }

    fn facts() -> Facts {
        Facts {
            data: Some(DataFacts::classified(vec![3, 8, 8], 2)),
            ..Facts::default()
        }
    }

    #[test]
    fn the_tables_have_groups_and_totals_and_keep_cells_apart() {
        let (graph, facts) = (graph(), facts());
        let inference = infer(&graph, &facts);
        let table = String::from_utf8(csv(&graph, &inference).unwrap()).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 8, "{table}");
        assert_eq!(lines[2], "group,a/,group of 2,,N×4×8×8,112,6912,3×3");
        assert!(
            lines[6].starts_with("node,'=x|y,InnerProduct,→ 1000,N×1000,257000,256000,"),
            "{}",
            lines[6]
        );
        assert_eq!(lines[7], "total,total,4 nodes,,,257112,262912,");
        let table = markdown("A | B", &graph, &inference);
        assert!(table.starts_with("# A \\| B\n"), "{table}");
        assert!(
            table.contains("| **a/0/** | **group of 2** |  | **N×4×8×8** | **112** | **6,912** |"),
            "{table}"
        );
        assert!(table.contains("| =x\\|y | InnerProduct |"), "{table}");
        assert!(table.contains("| **257,112** | **262,912** |"), "{table}");
    }
}
