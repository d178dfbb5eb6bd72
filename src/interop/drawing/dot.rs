//! A figure as Graphviz's dot, which places the boxes itself.

use std::fmt::Write as _;

use super::figure::{Drawn, Figure};
use super::{family_colors, tint};
use crate::graph::{Phases, leaf, parent};

/// A quoted string; lines are centred.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The whole document: a cluster for each open group.
pub fn dot(figure: &Figure) -> String {
    let mut dot = String::from(
        "digraph {\n  rankdir=LR;\n  labelloc=t;\n  fontname=\"Noto Sans, sans-serif\";\n",
    );
    _ = writeln!(dot, "  label={};", quoted(&figure.title));
    dot += "  node [shape=box, style=\"rounded,filled\", fontname=\"Noto Sans, sans-serif\", fontsize=11];\n";
    dot += "  edge [fontname=\"Noto Sans, sans-serif\", fontsize=9, color=\"#8593a6\", fontcolor=\"#5a6675\"];\n";
    level(figure, "", 1, &mut dot);
    for wire in &figure.wires {
        let label = wire
            .shape
            .as_ref()
            .map(|shape| format!(" [label={}]", quoted(shape)));
        _ = writeln!(
            dot,
            "  n{} -> n{}{};",
            wire.from,
            wire.to,
            label.unwrap_or_default()
        );
    }
    dot + "}\n"
}

/// The boxes of a group and the clusters of those in it.
fn level(figure: &Figure, group: &str, depth: usize, dot: &mut String) {
    let indent = "  ".repeat(depth);
    for (index, drawn) in figure.boxes.iter().enumerate() {
        if drawn.group == group {
            _ = writeln!(dot, "{indent}n{index} {};", attributes(drawn));
        }
    }
    for (index, (inner, _)) in figure.frames.iter().enumerate() {
        if parent(inner) == group {
            _ = writeln!(dot, "{indent}subgraph cluster_{index} {{");
            _ = writeln!(
                dot,
                "{indent}  label={}; style=rounded; color=\"#c9d1dc\";",
                quoted(leaf(inner))
            );
            level(figure, inner, depth + 1, dot);
            _ = writeln!(dot, "{indent}}}");
        }
    }
}

fn attributes(drawn: &Drawn) -> String {
    let (_, color) = family_colors(drawn.family);
    let lines: Vec<&str> = std::iter::once(drawn.title.as_str())
        .chain(drawn.lines.iter().map(String::as_str))
        .collect();
    let (label, fill) = (quoted(&lines.join("\n")), tint(color, 0.14));
    let style = match drawn.phases {
        Phases::Both => "",
        _ => ", style=\"rounded,filled,dashed\"",
    };
    format!("[label={label}, color=\"#{color:06x}\", fillcolor=\"#{fill:06x}\"{style}]")
}
