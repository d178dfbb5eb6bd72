//! Room for what grows: when a group unfolds, its neighbours move away; when it folds, they
//! move up. What stood in a row stays in it.

use std::collections::BTreeMap;

use super::{Area, GAP, child};

/// A box in its place: the group that it stands in and its rectangle.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub group: String,
    pub area: Area,
}

/// The rectangle around some boxes and the frames around their groups, up to those of `within`.
pub fn bounds_of<'a>(
    boxes: impl Iterator<Item = &'a Placed> + Clone,
    within: &str,
) -> Option<Area> {
    let mut inner: BTreeMap<&str, Vec<&Placed>> = BTreeMap::new();
    let mut bounds: Option<Area> = None;
    let mut add = |area: Area| {
        bounds = Some(bounds.map_or(area, |bounds| bounds.union(&area)));
    };
    for placed in boxes {
        match child(&placed.group, within) {
            Some(child) => inner.entry(child).or_default().push(placed),
            None => add(placed.area),
        }
    }
    for (child, boxes) in inner {
        if let Some(area) = bounds_of(boxes.into_iter(), child) {
            add(area.framed());
        }
    }
    bounds
}

/// The frame around the boxes of a group; the others do not matter.
pub fn frame_of(boxes: &[Placed], group: &str) -> Option<Area> {
    let inside = boxes
        .iter()
        .filter(|placed| is_within(&placed.group, group));
    bounds_of(inside, group).map(|bounds| bounds.framed())
}

/// Whether a group is another or lies in it.
fn is_within(inner: &str, outer: &str) -> bool {
    outer.is_empty() || inner == outer || crate::graph::is_in(inner, outer)
}

/// Moves `boxes` so that what was the rectangle `old` in the group `parent` can be `new`. Levels
/// follow from the inside out: a frame that grows is for its neighbours what a box is.
pub fn make_room(boxes: &mut [Placed], parent: &str, old: Area, new: Area) {
    let (mut level, mut old, mut new) = (parent.to_owned(), old, new);
    let mut done: Option<String> = None;
    loop {
        // What stands in this level, without that which has grown.
        let mut units: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, placed) in boxes.iter().enumerate() {
            if !is_within(&placed.group, &level) {
                continue;
            }
            match child(&placed.group, &level) {
                Some(child) if done.as_deref() == Some(child) => {}
                Some(child) => units.entry(child.to_owned()).or_default().push(index),
                None => _ = units.insert(format!("{level}/ {index}"), vec![index]),
            }
        }
        let areas: Vec<(Vec<usize>, Area)> = (units.into_values())
            .filter_map(|members| {
                let area = bounds_of(members.iter().map(|index| &boxes[*index]), &level)?;
                Some((members, area))
            })
            .collect();
        let whole = |areas: &mut dyn Iterator<Item = Area>, grown: Area| {
            areas.fold(grown, |whole, area| whole.union(&area)).framed()
        };
        let before = whole(&mut areas.iter().map(|(_, area)| *area), old);
        let rects: Vec<Area> = areas.iter().map(|(_, area)| *area).collect();
        let shifts = shifts(&rects, old, new);
        let moved = rects.iter().zip(&shifts);
        let after = whole(&mut moved.map(|(area, by)| area.moved(*by)), new);
        for ((members, _), by) in areas.iter().zip(&shifts) {
            for index in members {
                boxes[*index].area = boxes[*index].area.moved(*by);
            }
        }
        if level.is_empty() {
            return;
        }
        (old, new) = (before, after);
        let outer = level
            .rsplit_once('/')
            .map_or("", |(outer, _)| outer)
            .to_owned();
        done = Some(std::mem::replace(&mut level, outer));
    }
}

/// How far each rectangle moves: those above and below by what is new there, those at the right
/// in the same row by what is new at the right.
fn shifts(areas: &[Area], old: Area, new: Area) -> Vec<[f32; 2]> {
    let by = [new.max[0] - old.max[0], new.max[1] - old.max[1]];
    let (left, up) = (new.min[0] - old.min[0], new.min[1] - old.min[1]);
    // The row grows by what reaches out of it, until it is whole.
    let mut row = [old.min[1], old.max[1]];
    let right = |area: &Area| area.min[0] >= old.max[0];
    let in_row = |area: &Area, row: [f32; 2]| area.min[1] < row[1] && row[0] < area.max[1];
    loop {
        let wider = (areas.iter())
            .filter(|area| right(area) && in_row(area, row))
            .fold(row, |row, area| {
                [row[0].min(area.min[1]), row[1].max(area.max[1])]
            });
        if wider == row {
            break;
        }
        row = wider;
    }
    let wish = |area: &Area| {
        let x = match () {
            () if right(area) && in_row(area, row) => by[0],
            () if area.max[0] <= old.min[0] && in_row(area, row) => left,
            () => 0.0,
        };
        let y = match () {
            () if area.max[1] <= old.min[1] => up,
            () if area.min[1] >= old.max[1] => by[1],
            () => 0.0,
        };
        [x, y]
    };
    let wishes: Vec<[f32; 2]> = areas.iter().map(wish).collect();
    // Moving up must not push anything onto its neighbour; then it stays where it is.
    let moved: Vec<Area> = (areas.iter().zip(&wishes))
        .map(|(area, by)| area.moved(*by))
        .collect();
    let collides = |areas: &[Area]| {
        areas
            .iter()
            .enumerate()
            .any(|(index, a)| a.overlaps(&new) || areas[..index].iter().any(|b| a.overlaps(b)))
    };
    let shrinks = by[0] < 0.0 || by[1] < 0.0 || up > 0.0 || left > 0.0;
    if shrinks && collides(&moved) && !collides(areas) {
        return vec![[0.0; 2]; areas.len()];
    }
    wishes
}

/// Whether any boxes lie on each other.
pub fn has_overlap(boxes: &[Placed]) -> bool {
    // From left to right, each is compared with those that have not ended before it begins.
    let mut order: Vec<&Area> = boxes.iter().map(|placed| &placed.area).collect();
    order.sort_by(|a, b| a.min[0].total_cmp(&b.min[0]));
    let mut open: Vec<&Area> = Vec::new();
    for area in order {
        open.retain(|other| other.max[0] > area.min[0]);
        if open.iter().any(|other| other.overlaps(area)) {
            return true;
        }
        open.push(area);
    }
    false
}

/// Whether boxes stand so far apart that nobody can have put them there by hand: a band of the
/// drawing many boxes wide is empty.
pub fn is_scattered(boxes: &[Placed]) -> bool {
    const EMPTY: f32 = 20.0 * GAP[0];
    (0..2).any(|axis| {
        let mut order: Vec<&Area> = boxes.iter().map(|placed| &placed.area).collect();
        order.sort_by(|a, b| a.min[axis].total_cmp(&b.min[axis]));
        let mut end = f32::INFINITY;
        order.into_iter().any(|area| {
            let gap = area.min[axis] - end;
            end = if end.is_finite() {
                end.max(area.max[axis])
            } else {
                area.max[axis]
            };
            gap > EMPTY
        })
    })
}
