//! A figure as SVG.

use std::fmt::Write as _;

use super::figure::{ANCHOR, Drawn, Figure, INSET, MARGIN, NAME, SHAPE, SMALL, TITLE};
use super::{family_colors, tint};
use crate::graph::layout::Area;
use crate::graph::{Phases, PortType};

const INK: &str = "#1c2733";
const FAINT: &str = "#5a6675";
const WIRE: &str = "#8593a6";
const LABELS: &str = "#ecdccb";

/// Text between tags or in an attribute; what XML does not allow is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

fn text([x, y]: [f32; 2], size: f32, color: &str, bold: bool, content: &str) -> String {
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let content = escaped(content);
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{color}\"{weight}>{content}</text>\n"
    )
}

/// The whole document.
pub fn svg(figure: &Figure) -> String {
    let [width, height] = figure.size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"'Noto Sans SC', 'Noto Sans CJK SC', 'Noto Sans', sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    svg += &format!("<title>{}</title>\n", escaped(&figure.title));
    svg += &text([MARGIN[0], 38.0], TITLE, INK, true, &figure.title);
    for (group, area) in &figure.frames {
        svg += &rectangle(area, 8.0, "#f5f7fa", "#c9d1dc", false);
        let place = [area.min[0] + 12.0, area.min[1] + 20.0];
        svg += &text(place, SMALL + 1.0, FAINT, true, crate::graph::leaf(group));
    }
    for (note, area) in &figure.notes {
        svg += &rectangle(area, 4.0, "#fff8dc", "#e6d9a0", false);
        for (index, line) in note.lines().enumerate() {
            let place = [area.min[0] + 8.0, area.min[1] + 18.0 + 15.0 * index as f32];
            svg += &text(place, SMALL, INK, false, line);
        }
    }
    // Labels go everywhere and say little: they are faint, and lie under the others.
    let (labels, others): (Vec<_>, Vec<_>) =
        (figure.wires.iter()).partition(|wire| wire.kind == PortType::Labels);
    for wire in labels.into_iter().chain(others) {
        let (from, to) = (&figure.boxes[wire.from], &figure.boxes[wire.to]);
        let path = path(figure, &from.area, &to.area);
        let (color, width) = match wire.kind {
            PortType::Labels => (LABELS, 1.0),
            _ => (WIRE, 1.4),
        };
        _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>"
        );
        svg += &arrow(&to.area, color);
    }
    figure.boxes.iter().for_each(|drawn| svg += &block(drawn));
    for wire in &figure.wires {
        if let Some(shape) = &wire.shape {
            let area = &figure.boxes[wire.from].area;
            let place = [area.max[0] + 5.0, area.min[1] + ANCHOR - 5.0];
            svg += &text(place, SHAPE, FAINT, false, shape);
        }
    }
    svg + "</svg>\n"
}

fn rectangle(area: &Area, round: f32, fill: &str, stroke: &str, dashed: bool) -> String {
    let ([x, y], [width, height]) = (area.min, area.size());
    let dash = if dashed {
        " stroke-dasharray=\"5 3\""
    } else {
        ""
    };
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"{stroke}\"{dash}/>\n"
    )
}

fn block(drawn: &Drawn) -> String {
    let (_, color) = family_colors(drawn.family);
    let (fill, stroke) = (
        format!("#{:06x}", tint(color, 0.14)),
        format!("#{color:06x}"),
    );
    let mut svg = rectangle(
        &drawn.area,
        6.0,
        &fill,
        &stroke,
        drawn.phases != Phases::Both,
    );
    let [x, y] = drawn.area.min;
    svg += &text([x + INSET, y + 18.0], NAME, INK, true, &drawn.title);
    for (index, line) in drawn.lines.iter().enumerate() {
        let place = [x + INSET, y + 35.0 + 15.0 * index as f32];
        svg += &text(
            place,
            SMALL,
            if index == 0 { &stroke } else { FAINT },
            false,
            line,
        );
    }
    svg
}

fn arrow(to: &Area, color: &str) -> String {
    let (x, y) = (to.min[0], to.min[1] + ANCHOR);
    let (back, above, below) = (x - 6.0, y - 3.5, y + 3.5);
    format!(
        "<path d=\"M{x:.1} {y:.1}L{back:.1} {above:.1}L{back:.1} {below:.1}Z\" fill=\"{color}\"/>\n"
    )
}

/// From a box's right side to another's left: a curve, an arch over what stands between, or, to
/// a row below, around.
fn path(figure: &Figure, from: &Area, to: &Area) -> String {
    let (x, y) = (from.max[0], from.min[1] + ANCHOR);
    let (end_x, end_y) = (to.min[0] - 4.0, to.min[1] + ANCHOR);
    if end_x < x + 8.0 {
        let (out, into) = (x + 14.0, end_x - 14.0);
        // Along the lower edge of the row that it leaves, or over both.
        let in_row = figure.boxes.iter().map(|drawn| &drawn.area);
        let in_row = in_row.filter(|area| area.min[1] < from.max[1] && area.max[1] > from.min[1]);
        let lowest = in_row.map(|area| area.max[1]).fold(from.max[1], f32::max);
        let middle = match to.min[1] > lowest {
            true => lowest + (to.min[1] - lowest).min(28.0) / 2.0,
            false => from.min[1].min(to.min[1]) - 12.0,
        };
        return format!("M{x:.1} {y:.1}H{out:.1}V{middle:.1}H{into:.1}V{end_y:.1}H{end_x:.1}");
    }
    let (low, high) = (y.min(end_y), y.max(end_y));
    let between = figure.boxes.iter().map(|drawn| &drawn.area).filter(|area| {
        area.min[0] > x
            && area.max[0] < end_x
            && area.min[1] < high + 1.0
            && area.max[1] > low - 1.0
    });
    let highest = between.map(|area| area.min[1]).reduce(f32::min);
    match highest {
        Some(top) => {
            let (arch, out, into) = (top - 10.0, x + 28.0, end_x - 28.0);
            let (half_out, half_in) = (x + 14.0, end_x - 14.0);
            format!(
                "M{x:.1} {y:.1}C{half_out:.1} {y:.1} {half_out:.1} {arch:.1} {out:.1} {arch:.1}H{into:.1}C{half_in:.1} {arch:.1} {half_in:.1} {end_y:.1} {end_x:.1} {end_y:.1}"
            )
        }
        None => {
            let pull = ((end_x - x) / 2.0).min(60.0);
            let (out, into) = (x + pull, end_x - pull);
            format!("M{x:.1} {y:.1}C{out:.1} {y:.1} {into:.1} {end_y:.1} {end_x:.1} {end_y:.1}")
        }
    }
}
