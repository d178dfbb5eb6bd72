//! Boxes lined up by hand: at an edge, or with equal gaps.

use std::collections::BTreeMap;

use egui::{Pos2, Rect, pos2};

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
