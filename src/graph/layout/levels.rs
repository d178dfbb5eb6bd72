//! One level of a drawing: blocks in columns from left to right, columns in rows.

use std::collections::BTreeSet;
use std::ops::Range;

use rust_sugiyama::configure::{Config, RankingType};

use super::GAP;

/// A block of this level.
pub struct Shape {
    pub size: [f32; 2],
    /// From its top to the line on which its wires are.
    pub anchor: f32,
    /// By index.
    pub reads: Vec<usize>,
}

/// The steps over which long wires lead are walked one by one, in time that grows with the square
/// of their number; where there are more, the longest wires do not count.
const MOST_STEPS: usize = 1500;

/// The left and top corner of every block. Rows are broken for a view of this size; inside a
/// group only if one row is wider than the view.
pub fn place(shapes: &[Shape], view: [f32; 2], outermost: bool) -> Vec<[f32; 2]> {
    let forward = without_circles(shapes);
    let mut places = vec![[0.0; 2]; shapes.len()];
    let mut top = 0.0;
    for component in components(&forward) {
        let columns = columns(shapes, &forward, &component);
        let (ys, columns) = (anchors(shapes, &columns, &forward), columns);
        let spans: Vec<Span> = (columns.iter())
            .map(|column| Span::of(column, shapes, &ys))
            .collect();
        let width: f32 = spans.iter().map(|span| span.width + GAP[0]).sum();
        let rows = match outermost || width > view[0] {
            true => rows(&spans, view),
            false => std::iter::once(0..spans.len()).collect(),
        };
        for row in rows {
            let most =
                |get: fn(&Span) -> f32| spans[row.clone()].iter().map(get).fold(f32::MIN, f32::max);
            let (above, below) = (most(|span| span.above), most(|span| span.below));
            let mut x = 0.0;
            for column in row {
                for block in &columns[column] {
                    let size = shapes[*block].size;
                    places[*block] = [
                        x + (spans[column].width - size[0]) / 2.0,
                        top + above + ys[*block] - shapes[*block].anchor,
                    ];
                }
                x += spans[column].width + GAP[0];
            }
            top += above + below + 2.0 * GAP[1];
        }
    }
    places
}

/// For every block what it reads, without the wires that lead back to where they came from.
fn without_circles(shapes: &[Shape]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        Open,
        Done,
    }
    let mut visits = vec![Visit::Not; shapes.len()];
    let mut kept: Vec<Vec<usize>> = vec![Vec::new(); shapes.len()];
    for start in 0..shapes.len() {
        // A walk down the wires, with its way back on a stack: a graph may be a very long chain.
        let mut way = vec![(start, 0)];
        if visits[start] != Visit::Not {
            continue;
        }
        visits[start] = Visit::Open;
        while let Some((block, next)) = way.last_mut() {
            let Some(read) = shapes[*block].reads.get(*next).copied() else {
                visits[*block] = Visit::Done;
                way.pop();
                continue;
            };
            *next += 1;
            if visits[read] == Visit::Open || read == *block {
                continue;
            }
            kept[*block].push(read);
            if visits[read] == Visit::Not {
                visits[read] = Visit::Open;
                way.push((read, 0));
            }
        }
    }
    kept
}

/// The blocks that wires join, each part in its order, and the parts in the order of their first.
fn components(reads: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut near: Vec<Vec<usize>> = reads.to_vec();
    for (block, reads) in reads.iter().enumerate() {
        for read in reads {
            near[*read].push(block);
        }
    }
    let mut part = vec![usize::MAX; reads.len()];
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for start in 0..reads.len() {
        let mut frontier = vec![start];
        while let Some(block) = frontier.pop() {
            if part[block] == usize::MAX {
                part[block] = match block == start {
                    true => parts.len(),
                    false => part[start],
                };
                frontier.extend(&near[block]);
            }
        }
        match parts.get_mut(part[start]) {
            Some(part) => part.push(start),
            None => parts.push(vec![start]),
        }
    }
    parts
}

/// The longest path from a source to every block of a part.
fn depths(reads: &[Vec<usize>], part: &[usize]) -> Vec<usize> {
    let mut depths = vec![0; reads.len()];
    let mut missing: Vec<usize> = reads.iter().map(Vec::len).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); reads.len()];
    for block in part {
        for read in &reads[*block] {
            readers[*read].push(*block);
        }
    }
    let mut ready: Vec<usize> = part.iter().copied().filter(|b| missing[*b] == 0).collect();
    while let Some(block) = ready.pop() {
        for reader in &readers[block] {
            depths[*reader] = depths[*reader].max(depths[block] + 1);
            missing[*reader] -= 1;
            if missing[*reader] == 0 {
                ready.push(*reader);
            }
        }
    }
    depths
}

/// The blocks of every column from top to bottom.
fn columns(shapes: &[Shape], reads: &[Vec<usize>], part: &[usize]) -> Vec<Vec<usize>> {
    if let [only] = part {
        return vec![vec![*only]];
    }
    let depths = depths(reads, part);
    let index_of = |block: usize| part.binary_search(&block).unwrap_or(0) as u32;
    let mut wires: Vec<(usize, u32, u32)> = Vec::new();
    for block in part {
        wires.extend((reads[*block].iter()).map(|read| {
            let steps = depths[*block] - depths[*read];
            (steps, index_of(*read), index_of(*block))
        }));
    }
    wires.sort();
    // The shortest wire at each end keeps the part in one piece.
    let mut joined = BTreeSet::new();
    let mut steps = 0;
    wires.retain(|(length, from, to)| {
        let new = joined.insert(*from) | joined.insert(*to);
        let fits = steps + length <= MOST_STEPS;
        steps += if fits || new { *length } else { 0 };
        fits || new
    });
    // The crate answers with places in this list, whatever numbers it is given.
    let sizes: Vec<(u32, (f64, f64))> = (0u32..)
        .zip(part)
        .map(|(index, block)| {
            let [width, height] = shapes[*block].size.map(f64::from);
            (
                index,
                (height + f64::from(GAP[1]), width + f64::from(GAP[0])),
            )
        })
        .collect();
    let edges: Vec<(u32, u32)> = wires.iter().map(|(_, from, to)| (*from, *to)).collect();
    let config = Config {
        vertex_spacing: 0.0,
        dummy_size: 1.0,
        ranking_type: RankingType::MinimizeEdgeLength,
        transpose: part.len() + steps < 900,
        ..Config::default()
    };
    let layouts = rust_sugiyama::from_vertices_and_edges(&sizes, &edges, &config);
    // Where the wires that do not count held a part together, its pieces come one after another.
    let mut columns: Vec<Vec<(f64, usize)>> = Vec::new();
    for (layout, _, _) in layouts {
        let mut ranks: Vec<f64> = layout.iter().map(|(_, (_, rank))| *rank).collect();
        ranks.sort_by(f64::total_cmp);
        ranks.dedup();
        columns.resize_with(columns.len().max(ranks.len()), Vec::new);
        for (index, (place, rank)) in layout {
            let rank = ranks.partition_point(|other| *other < rank);
            columns[rank].push((place, part[index]));
        }
    }
    for column in &mut columns {
        column.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }
    let bare = |column: Vec<(f64, usize)>| column.into_iter().map(|(_, block)| block).collect();
    columns.into_iter().map(bare).collect()
}

/// The line of every block's wires along y: near the lines of what it reads and of what reads it,
/// so that chains are straight, and without overlaps in a column.
fn anchors(shapes: &[Shape], columns: &[Vec<usize>], reads: &[Vec<usize>]) -> Vec<f32> {
    let mut lines = vec![0.0f32; shapes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); shapes.len()];
    for (block, reads) in reads.iter().enumerate() {
        for read in reads {
            readers[*read].push(block);
        }
    }
    let rank_of = |block: usize| columns.iter().position(|column| column.contains(&block));
    let ranks: Vec<usize> = (0..shapes.len()).map(|b| rank_of(b).unwrap_or(0)).collect();
    // The last round goes forward: a chain stays on the line that it begins with.
    for round in 0..9 {
        let forward = round % 2 == 0;
        let mut order: Vec<usize> = (0..columns.len()).collect();
        if !forward {
            order.reverse();
        }
        for column in order {
            let wanted: Vec<f32> = (columns[column].iter())
                .map(|block| {
                    let near = if forward {
                        &reads[*block]
                    } else {
                        &readers[*block]
                    };
                    // The nearest pull the most: a shortcut does not bend the way beside it.
                    let (mut sum, mut weight) = (0.0, 0.0);
                    for other in near {
                        let steps = ranks[*other].abs_diff(ranks[*block]).max(1) as f32;
                        sum += lines[*other] / steps.powi(2);
                        weight += 1.0 / steps.powi(2);
                    }
                    if weight == 0.0 {
                        lines[*block]
                    } else {
                        sum / weight
                    }
                })
                .collect();
            spread(&columns[column], &wanted, shapes, &mut lines);
        }
    }
    lines
}

/// Puts the blocks of one column near their wanted lines in their order, moved apart where they
/// overlap, and the whole so that its mean stays where it was wanted.
fn spread(column: &[usize], wanted: &[f32], shapes: &[Shape], lines: &mut [f32]) {
    let mut bottom = f32::NEG_INFINITY;
    let mut drift = 0.0;
    for (block, wanted) in column.iter().zip(wanted) {
        let shape = &shapes[*block];
        let line = wanted.max(bottom + GAP[1] + shape.anchor);
        lines[*block] = line;
        drift += line - wanted;
        bottom = line - shape.anchor + shape.size[1];
    }
    let drift = drift / column.len().max(1) as f32;
    for block in column {
        lines[*block] -= drift;
    }
}

/// How much room a column takes: across, and over and under the line of the wires.
struct Span {
    width: f32,
    above: f32,
    below: f32,
}

impl Span {
    fn of(column: &[usize], shapes: &[Shape], lines: &[f32]) -> Self {
        let mut span = Self {
            width: 0.0,
            above: f32::MIN,
            below: f32::MIN,
        };
        for block in column {
            let shape = &shapes[*block];
            span.width = span.width.max(shape.size[0]);
            span.above = span.above.max(shape.anchor - lines[*block]);
            span.below = span.below.max(lines[*block] - shape.anchor + shape.size[1]);
        }
        span
    }
}

/// The columns of each row, so that the whole can be shown as large as possible. One row is
/// kept unless more make it clearly larger: wires back to the left are harder to follow.
fn rows(spans: &[Span], view: [f32; 2]) -> Vec<Range<usize>> {
    let scale = |rows: &[Range<usize>]| {
        let width = |row: &Range<usize>| {
            let widths = spans[row.clone()].iter().map(|span| span.width + GAP[0]);
            widths.sum::<f32>()
        };
        let height = |row: &Range<usize>| {
            let part =
                |get: fn(&Span) -> f32| spans[row.clone()].iter().map(get).fold(f32::MIN, f32::max);
            part(|span| span.above) + part(|span| span.below) + 2.0 * GAP[1]
        };
        let widest = rows.iter().map(width).fold(1.0, f32::max);
        let height = rows.iter().map(height).sum::<f32>().max(1.0);
        (view[0] / widest).min(view[1] / height)
    };
    let all = 0..spans.len();
    let mut best = vec![all];
    for count in 2..=12usize.min(spans.len()) {
        let rows = split(spans, count);
        if scale(&best) < 0.8 && scale(&rows) > 1.25 * scale(&best) {
            best = rows;
        }
    }
    best
}

/// About equally wide rows.
fn split(spans: &[Span], count: usize) -> Vec<Range<usize>> {
    let total: f32 = spans.iter().map(|span| span.width + GAP[0]).sum();
    let (mut rows, mut begin, mut filled) = (Vec::new(), 0, 0.0);
    for (column, span) in spans.iter().enumerate() {
        // A column goes into the row where most of it would be.
        let next = total * (rows.len() + 1) as f32 / count as f32;
        if filled + span.width / 2.0 > next && column > begin {
            rows.push(begin..column);
            begin = column;
        }
        filled += span.width + GAP[0];
    }
    if begin < spans.len() {
        rows.push(begin..spans.len());
    }
    rows
}
