//! Where boxes go: a layered drawing from left to right, and aligning by hand.
//!
//! Layers are longest paths from the sources; within a layer boxes are ordered by the mean
//! place of those that they read (the barycentre method of Sugiyama, Tagawa and Toda 1981).

use std::collections::BTreeMap;

use egui::{Pos2, Rect, pos2};

/// Between neighbouring layers and between boxes of one layer, in points.
const GAP: (f32, f32) = (56.0, 28.0);

/// A box to be placed: its size, and the indices of the boxes that it reads.
pub struct Block {
    pub size: egui::Vec2,
    pub reads: Vec<usize>,
}

/// The left and top corner of every block, drawn for a view of this size: a long chain goes on
/// in a row below where that makes it larger to read. A circle of wires is cut somewhere.
pub fn layered(blocks: &[Block], view: egui::Vec2) -> Vec<Pos2> {
    let layers = layers(blocks);
    let count = layers.iter().max().map_or(0, |last| last + 1);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (block, layer) in layers.iter().enumerate() {
        columns[*layer].push(block);
    }
    // Centres along y, improved from left to right and back, so that straight chains are
    // straight and branches lie around the middle.
    let mut centres = vec![0.0f32; blocks.len()];
    let readers = readers(blocks);
    for round in 0..6 {
        let forward = round % 2 == 0;
        let order: Vec<usize> = if forward {
            (0..count).collect()
        } else {
            (0..count).rev().collect()
        };
        for column in order {
            let pull = |block: usize| {
                let near = if forward {
                    &blocks[block].reads
                } else {
                    &readers[block]
                };
                let sum: f32 = near.iter().map(|other| centres[*other]).sum();
                if near.is_empty() {
                    centres[block]
                } else {
                    sum / near.len() as f32
                }
            };
            let mut wanted: Vec<(f32, usize)> =
                columns[column].iter().map(|b| (pull(*b), *b)).collect();
            wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            spread(&wanted, blocks, &mut centres);
        }
    }
    let spans: Vec<Span> = columns
        .iter()
        .map(|column| Span::of(column, blocks, &centres))
        .collect();
    let mut places = vec![Pos2::ZERO; blocks.len()];
    let mut top = 0.0;
    for row in rows(&spans, view) {
        let above = spans[row.clone()]
            .iter()
            .map(|span| span.above)
            .fold(0.0, f32::max);
        let below = spans[row.clone()]
            .iter()
            .map(|span| span.below)
            .fold(0.0, f32::max);
        let mut x = 0.0;
        for column in row {
            for block in &columns[column] {
                let y = top + above + centres[*block] - blocks[*block].size.y / 2.0;
                places[*block] =
                    pos2(x + (spans[column].width - blocks[*block].size.x) / 2.0, y).round();
            }
            x += spans[column].width + GAP.0;
        }
        top += above + below + 2.5 * GAP.1;
    }
    places
}

/// How much room a column takes: across, and over and under the middle line.
struct Span {
    width: f32,
    above: f32,
    below: f32,
}

impl Span {
    fn of(column: &[usize], blocks: &[Block], centres: &[f32]) -> Self {
        let mut span = Self {
            width: 0.0,
            above: 0.0,
            below: 0.0,
        };
        for block in column {
            let half = blocks[*block].size.y / 2.0;
            span.width = span.width.max(blocks[*block].size.x);
            span.above = span.above.max(half - centres[*block]);
            span.below = span.below.max(half + centres[*block]);
        }
        span
    }
}

/// The columns of each row, so that the whole can be shown as large as possible. One row is
/// kept unless more make it clearly larger: wires back to the left are harder to follow.
fn rows(spans: &[Span], view: egui::Vec2) -> Vec<std::ops::Range<usize>> {
    let scale = |rows: &[std::ops::Range<usize>]| {
        let width = |row: &std::ops::Range<usize>| {
            spans[row.clone()]
                .iter()
                .map(|span| span.width + GAP.0)
                .sum::<f32>()
        };
        let height = |row: &std::ops::Range<usize>| {
            let part =
                |get: fn(&Span) -> f32| spans[row.clone()].iter().map(get).fold(0.0, f32::max);
            part(|span| span.above) + part(|span| span.below) + 2.5 * GAP.1
        };
        let widest = rows.iter().map(width).fold(1.0, f32::max);
        let height = rows.iter().map(height).sum::<f32>().max(1.0);
        (view.x / widest).min(view.y / height)
    };
    let all = 0..spans.len();
    let mut best = vec![all];
    for count in 2..=6usize.min(spans.len()) {
        let rows = split(spans, count);
        if scale(&best) < 0.8 && scale(&rows) > 1.25 * scale(&best) {
            best = rows;
        }
    }
    best
}

/// About equally wide rows.
fn split(spans: &[Span], count: usize) -> Vec<std::ops::Range<usize>> {
    let total: f32 = spans.iter().map(|span| span.width + GAP.0).sum();
    let (mut rows, mut begin, mut filled) = (Vec::new(), 0, 0.0);
    for (column, span) in spans.iter().enumerate() {
        filled += span.width + GAP.0;
        if filled >= total * (rows.len() + 1) as f32 / count as f32 - 1.0 {
            rows.push(begin..column + 1);
            begin = column + 1;
        }
    }
    if begin < spans.len() {
        rows.push(begin..spans.len());
    }
    rows
}

/// Puts the blocks of one column at their wanted centres, moved apart where they overlap,
/// and the whole so that its mean stays where it was wanted.
fn spread(wanted: &[(f32, usize)], blocks: &[Block], centres: &mut [f32]) {
    let mut bottom = f32::NEG_INFINITY;
    let mut drift = 0.0;
    for (centre, block) in wanted {
        let half = blocks[*block].size.y / 2.0;
        let place = centre.max(bottom + GAP.1 + half);
        centres[*block] = place;
        drift += place - centre;
        bottom = place + half;
    }
    let drift = drift / wanted.len().max(1) as f32;
    for (_, block) in wanted {
        centres[*block] -= drift;
    }
}

/// The longest path from a source to each block.
fn layers(blocks: &[Block]) -> Vec<usize> {
    let mut layers = vec![0; blocks.len()];
    // A chain of n blocks settles in n rounds if the order is the worst; a circle never does.
    for _ in 0..blocks.len() {
        let mut settled = true;
        for block in 0..blocks.len() {
            let longest = blocks[block]
                .reads
                .iter()
                .map(|read| layers[*read] + 1)
                .max()
                .unwrap_or(0);
            if longest > layers[block] && longest < blocks.len() {
                layers[block] = longest;
                settled = false;
            }
        }
        if settled {
            break;
        }
    }
    layers
}

fn readers(blocks: &[Block]) -> Vec<Vec<usize>> {
    let mut readers = vec![Vec::new(); blocks.len()];
    for (block, Block { reads, .. }) in blocks.iter().enumerate() {
        for read in reads {
            readers[*read].push(block);
        }
    }
    readers
}

/// How boxes are lined up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Top,
    Across,
    Down,
}

/// The new left and top corners of the boxes.
pub fn align<K: Ord + Clone>(boxes: &BTreeMap<K, Rect>, how: Align) -> BTreeMap<K, Pos2> {
    let min = |get: fn(&Rect) -> f32| boxes.values().map(get).fold(f32::INFINITY, f32::min);
    match how {
        Align::Left => {
            let x = min(|rect| rect.left());
            boxes
                .iter()
                .map(|(key, rect)| (key.clone(), pos2(x, rect.top())))
                .collect()
        }
        Align::Top => {
            let y = min(|rect| rect.top());
            boxes
                .iter()
                .map(|(key, rect)| (key.clone(), pos2(rect.left(), y)))
                .collect()
        }
        Align::Across => distribute(boxes, 0),
        Align::Down => distribute(boxes, 1),
    }
}

/// Equal gaps between neighbours along an axis; the outermost two stay.
fn distribute<K: Ord + Clone>(boxes: &BTreeMap<K, Rect>, axis: usize) -> BTreeMap<K, Pos2> {
    let mut row: Vec<(&K, &Rect)> = boxes.iter().collect();
    row.sort_by(|a, b| a.1.min[axis].total_cmp(&b.1.min[axis]));
    let (Some(first), Some(last)) = (row.first(), row.last()) else {
        return BTreeMap::new();
    };
    let filled: f32 = row.iter().map(|(_, rect)| rect.size()[axis]).sum();
    let span = last.1.max[axis] - first.1.min[axis];
    let gap = (span - filled) / (row.len().max(2) - 1) as f32;
    let mut at = first.1.min[axis];
    let mut places = BTreeMap::new();
    for (key, rect) in row {
        let mut corner = rect.min;
        corner[axis] = at;
        at += rect.size()[axis] + gap;
        places.insert(key.clone(), corner);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;

    const WIDE: egui::Vec2 = vec2(1e6, 1e3);

    fn block(reads: &[usize]) -> Block {
        Block {
            size: vec2(100.0, 40.0),
            reads: reads.to_vec(),
        }
    }

    #[test]
    fn a_chain_is_a_straight_row() {
        let places = layered(&[block(&[1]), block(&[2]), block(&[])], WIDE);
        assert!(places[2].x < places[1].x && places[1].x < places[0].x);
        assert!(places.iter().all(|place| place.y == places[0].y));
    }

    #[test]
    fn no_boxes_overlap_and_every_wire_goes_right() {
        let blocks: Vec<Block> = (0..60usize)
            .map(|n| {
                block(
                    &(1..4)
                        .filter_map(|k| (n * k / 4 < n).then_some(n * k / 4))
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        let places = layered(&blocks, WIDE);
        let rect = |n: usize| Rect::from_min_size(places[n], blocks[n].size);
        for (a, block) in blocks.iter().enumerate() {
            for read in &block.reads {
                assert!(rect(*read).right() < rect(a).left());
            }
            for b in 0..a {
                assert!(!rect(a).shrink(1.0).intersects(rect(b)), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_long_chain_goes_on_below() {
        let blocks: Vec<Block> = (0..12usize)
            .map(|n| block(&n.checked_sub(1).into_iter().collect::<Vec<_>>()))
            .collect();
        let places = layered(&blocks, vec2(700.0, 400.0));
        let rects: Vec<Rect> = (places.iter().zip(&blocks))
            .map(|(place, block)| Rect::from_min_size(*place, block.size))
            .collect();
        let all = rects.iter().copied().reduce(|a, b| a.union(b)).unwrap();
        assert!(all.width() < 1000.0 && all.height() < 500.0, "{all}");
        for (n, rect) in rects.iter().enumerate() {
            assert!(rects[..n].iter().all(|other| !other.intersects(*rect)));
        }
    }

    #[test]
    fn a_circle_is_drawn_too() {
        assert_eq!(layered(&[block(&[1]), block(&[0])], WIDE).len(), 2);
        assert!(layered(&[], WIDE).is_empty());
    }

    #[test]
    fn boxes_line_up() {
        let rects = [(0, 0.0), (1, 130.0), (2, 400.0)];
        let boxes: BTreeMap<i32, Rect> = rects
            .map(|(key, x)| {
                (
                    key,
                    Rect::from_min_size(pos2(x, x / 2.0), vec2(100.0, 40.0)),
                )
            })
            .into();
        assert!(
            align(&boxes, Align::Left)
                .values()
                .all(|corner| corner.x == 0.0)
        );
        assert!(
            align(&boxes, Align::Top)
                .values()
                .all(|corner| corner.y == 0.0)
        );
        assert_eq!(align(&boxes, Align::Across)[&1].x, 200.0);
    }
}
