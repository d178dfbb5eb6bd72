//! Operators that take some of their input: Gather, Slice, Split, ArgMax.

use std::ops::Range;

use super::super::fold::clamped;
use super::super::values::{Flow, Gap, Value, axis_in};
use super::names::Place;
use super::shapes::{beside, misfit};
use super::{Found, Op, names};
use crate::i18n::tr;
use crate::layers::{ArgMax, Slice};

/// The most parts that a Slice gives.
const MOST_PARTS: usize = 32;

impl<'a> Op<'_, 'a> {
    pub(super) fn pick(&mut self) -> Found<'a> {
        match self.node.op {
            "Gather" => self.gather(),
            "Slice" => self.slice(),
            "Split" => self.split(),
            _ => self.arg_max(),
        }
    }

    /// A part of an axis of ours; all of it is no layer.
    pub(super) fn picked(
        &mut self,
        place: Place,
        x: &Flow,
        axis: usize,
        range: Range<usize>,
    ) -> Result<Flow, Gap> {
        let size = x.shape.as_ref().and_then(|shape| shape.dim(axis));
        if range.start == 0 && Some(range.end) == size {
            return Ok(x.clone());
        }
        if axis == 0 {
            return Err(Gap(tr(
                "it takes examples out of the batch",
                "它从批次中取出部分样本",
            )
            .to_owned()));
        }
        let points = [range.start, range.end];
        let points = points.into_iter().filter(|at| *at > 0 && Some(*at) != size);
        let layer = Slice {
            axis: axis as i64,
            slice_point: points.collect(),
            ..Slice::default()
        };
        let port = usize::from(range.start > 0);
        let bare = Flow {
            view: None,
            ..x.clone()
        };
        let flows = self
            .reader
            .draft(place, Box::new(layer), &[&bare], Vec::new())?;
        flows.into_iter().nth(port).ok_or_else(misfit)
    }

    /// Some of an axis as ONNX counts it; the view stays.
    fn picked_seen(&mut self, flow: Flow, axis: usize, range: Range<usize>) -> Result<Flow, Gap> {
        let axes = flow.axes().ok_or_else(misfit)?;
        let size = flow.dims().ok_or_else(misfit)?[axis];
        if range.is_empty() {
            return Err(misfit());
        }
        let Some(ours) = axes[axis] else {
            return match size {
                Some(1) => Ok(flow),
                _ => Err(misfit()),
            };
        };
        let place = names::place(self.node);
        let y = self.picked(place, &flow, ours, range)?;
        Ok(y.viewed(axes))
    }

    fn gather(&mut self) -> Found<'a> {
        if !matches!(self.input(0), Value::Flow(_)) {
            return Ok(vec![Value::Flow(self.embedding()?)]);
        }
        let flow = self.flow(0)?;
        let Value::Numbers(indices) = self.input(1).clone() else {
            return Err(Gap(tr(
                "it picks by what the network computes",
                "它按网络计算出的序号取值",
            )
            .to_owned()));
        };
        let axes = flow.axes().ok_or_else(misfit)?;
        let axis =
            axis_in(self.node.integer("axis").unwrap_or(0), axes.len()).ok_or_else(misfit)?;
        let size = flow.dims().ok_or_else(misfit)?[axis].ok_or_else(misfit)?;
        let places = indices.integers().ok_or_else(misfit)?;
        let places: Option<Vec<usize>> = places.iter().map(|at| axis_in(*at, size)).collect();
        let places = places
            .filter(|places| !places.is_empty())
            .ok_or_else(misfit)?;
        let range = places[0]..places[0] + places.len();
        if !range.clone().eq(places.iter().copied()) {
            return Err(Gap(tr(
                "it picks places that do not follow each other",
                "它所取的位置不连续",
            )
            .to_owned()));
        }
        if !indices.dims.is_empty() {
            return Ok(vec![Value::Flow(self.picked_seen(flow, axis, range)?)]);
        }
        if axes[axis] == Some(1) && range.end == size && self.is_recurrent(&flow) {
            let last = self.last_step(&Flow {
                view: None,
                ..flow.clone()
            })?;
            let rest = axes.iter().enumerate().filter(|(index, _)| *index != axis);
            let view = rest.map(|(_, ours)| ours.map(|ours| ours.saturating_sub(1)));
            return Ok(vec![Value::Flow(last.viewed(view.collect()))]);
        }
        let y = self.picked_seen(flow, axis, range)?;
        let mut view = axes;
        view.remove(axis);
        Ok(vec![Value::Flow(y.viewed(view))])
    }

    fn is_recurrent(&self, flow: &Flow) -> bool {
        let layer = &self.reader.drafts[flow.from.0].layer;
        super::recurrent::of_last(&**layer).is_some()
    }

    fn slice(&mut self) -> Found<'a> {
        let mut flow = self.flow(0)?;
        let dims = flow.dims().ok_or_else(misfit)?;
        let list = |index: usize, name: &str| self.integers(name, index);
        let (starts, ends) = (list(1, "starts"), list(2, "ends"));
        let (starts, ends) = (starts.ok_or_else(misfit)?, ends.ok_or_else(misfit)?);
        let axes = list(3, "axes").unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps").unwrap_or_default();
        if steps.iter().any(|step| *step != 1) {
            return Err(Gap(tr(
                "it skips places, or turns them round",
                "它跳步或反向取值",
            )
            .to_owned()));
        }
        for ((start, end), axis) in starts.iter().zip(&ends).zip(&axes) {
            let axis = axis_in(*axis, dims.len()).ok_or_else(misfit)?;
            let Some(size) = dims[axis] else {
                if *start == 0 && *end >= i64::from(i32::MAX) {
                    continue;
                }
                return Err(misfit());
            };
            let range = clamped(*start, *end, size);
            flow = self.picked_seen(flow, axis, range)?;
        }
        Ok(vec![Value::Flow(flow)])
    }

    fn split(&mut self) -> Found<'a> {
        let flow = self.flow(0)?;
        let axes = flow.axes().ok_or_else(misfit)?;
        let axis =
            axis_in(self.node.integer("axis").unwrap_or(0), axes.len()).ok_or_else(misfit)?;
        let ours = axes[axis].ok_or_else(misfit)?;
        let size = flow.dims().ok_or_else(misfit)?[axis].ok_or_else(misfit)?;
        let count = self.node.outputs.len();
        let sizes = match self.integers("split", 1) {
            Some(sizes) => {
                let sizes = sizes.iter().map(|size| usize::try_from(*size).ok());
                sizes.collect::<Option<Vec<usize>>>().ok_or_else(misfit)?
            }
            None => {
                let part = size.div_ceil(count.max(1));
                let sizes = (0..count).map(|index| part.min(size.saturating_sub(index * part)));
                sizes.collect()
            }
        };
        if sizes.len() != count || !(1..=MOST_PARTS).contains(&count) {
            return Err(Gap(tr("it has too many parts", "份数过多").to_owned()));
        }
        let even = sizes.iter().all(|part| *part == sizes[0]);
        let mut end = 0usize;
        let ends = sizes.iter().map(|part| {
            end = end.saturating_add(*part);
            end
        });
        let mut slice_point: Vec<usize> = ends.collect();
        if slice_point.pop() != Some(size) || flow.pad != [0; 4] {
            return Err(misfit());
        }
        if even {
            slice_point.clear();
        }
        if count == 1 {
            return Ok(vec![Value::Flow(flow)]);
        }
        let layer = Slice {
            axis: ours as i64,
            slice_point,
            parts: if even { count } else { Slice::default().parts },
        };
        let bare = Flow { view: None, ..flow };
        let parts = self.draft(layer, &[&bare], Vec::new())?;
        let parts = parts
            .into_iter()
            .map(|part| Value::Flow(part.viewed(axes.clone())));
        Ok(parts.collect())
    }

    fn arg_max(&mut self) -> Found<'a> {
        let x = self.plain(0)?;
        let rank = x.shape.as_ref().ok_or_else(misfit)?.rank();
        let axis = axis_in(self.node.integer("axis").unwrap_or(0), rank).ok_or_else(misfit)?;
        let layer = ArgMax {
            axis: Some(axis),
            ..ArgMax::default()
        };
        let y = self.one(layer, &[&x], Vec::new())?;
        let mut view: Vec<Option<usize>> = (0..rank).map(Some).collect();
        if self.node.integer("keepdims") == Some(0) {
            view.remove(axis);
        }
        Ok(vec![Value::Flow(y.viewed(view))])
    }

    /// A place of its own for one of several layers that an operator becomes.
    pub(super) fn beside(&self, word: &str) -> Place {
        beside(self.node, word)
    }
}
