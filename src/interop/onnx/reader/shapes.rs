//! Operators that only say how the same numbers are seen, or put them side by side.

use super::super::proto::NodeView;
use super::super::values::{Flow, Gap, Numbers, Source, Value, Weights, axis_in};
use super::names::{self, Place};
use super::{Found, Op, Reader, padded};
use crate::i18n::{tr, tr_format};
use crate::layers::{Concat, Dropout, Flatten, Reshape, Tile};

impl Reader<'_> {
    /// The same numbers under the axes that ONNX sees: with a Reshape, where some come or go.
    pub(super) fn laid_out(&mut self, place: Place, flow: Flow) -> Result<Flow, Gap> {
        if flow.pad != [0; 4] {
            return Err(padded());
        }
        let Some(view) = &flow.view else {
            return Ok(flow);
        };
        let named: Vec<usize> = view.iter().flatten().copied().collect();
        if !named.is_sorted() {
            return Err(Gap(
                tr("axes would change places", "需要交换维的次序").to_owned()
            ));
        }
        let dims = flow.dims().unwrap_or_default();
        let bare = Flow {
            view: None,
            ..flow.clone()
        };
        // Everything else that an example has is of size 1.
        if view.len() == 2 && view[0] == Some(0) && view[1].is_some() {
            let mut flows =
                self.draft(place, Box::new(Flatten::default()), &[&bare], Vec::new())?;
            return Ok(flows.swap_remove(0));
        }
        let mut shape = Vec::with_capacity(dims.len());
        for (index, (size, axis)) in dims.iter().zip(view).enumerate() {
            shape.push(match size {
                Some(size) => *size as i64,
                None if *axis == Some(index) => 0,
                None if !shape.contains(&-1) => -1,
                None => {
                    return Err(Gap(
                        tr("too many sizes are unknown", "未知的大小过多").to_owned()
                    ));
                }
            });
        }
        let layer = Reshape {
            shape,
            ..Reshape::default()
        };
        let mut flows = self.draft(place, Box::new(layer), &[&bare], Vec::new())?;
        Ok(flows.swap_remove(0))
    }
}

impl<'a> Op<'_, 'a> {
    pub(super) fn laid_out(&mut self, flow: Flow) -> Result<Flow, Gap> {
        let Place { mut path, own, .. } = names::place(self.node);
        if own.is_empty() {
            path.pop();
        }
        self.reader.laid_out(Place::new(path, "reshape"), flow)
    }

    pub(super) fn shapes(&mut self) -> Found<'a> {
        match self.node.op {
            "Shape" => self.shape(),
            "Size" => Err(Gap(String::new())),
            "Cast" | "CastLike" | "Identity" => Ok(vec![self.input(0).clone()]),
            "Dropout" => self.dropout(),
            "Concat" => self.concat(),
            "Tile" => self.tile(),
            _ => match self.input(0).clone() {
                Value::Weights(weights) => self.weights_seen(weights),
                _ => Ok(vec![Value::Flow(self.seen()?)]),
            },
        }
    }

    fn shape(&self) -> Found<'a> {
        let dims = match self.input(0) {
            Value::Flow(flow) => flow.dims(),
            Value::Weights(weights) => Some(weights.dims.iter().copied().map(Some).collect()),
            Value::Numbers(numbers) => Some(numbers.dims.iter().copied().map(Some).collect()),
            Value::Filled { dims, .. } => Some(dims.clone()),
            Value::Absent => None,
        };
        let dims = dims.ok_or_else(|| Gap(tr("the shape is not known", "形状未知").to_owned()))?;
        let (first, last) = (
            self.node.integer("start").unwrap_or(0),
            self.node.integer("end").unwrap_or(i64::MAX),
        );
        let range = super::super::fold::clamped(first, last, dims.len());
        let sizes = dims[range].iter().map(|size| size.map(|size| size as f64));
        Ok(vec![Value::Numbers(Numbers::list(sizes.collect()))])
    }

    /// Another view of what flows; or a layer, where a view is not enough.
    fn seen(&mut self) -> Result<Flow, Gap> {
        let flow = self.flow(0)?;
        if self.node.op == "Reshape" || self.node.op == "Expand" {
            return self.reshaped(flow);
        }
        let axes = flow
            .axes()
            .ok_or_else(|| Gap(tr("the shape is not known", "形状未知").to_owned()))?;
        if flow.pad != [0; 4] {
            return Err(padded());
        }
        let rank = axes.len();
        let dims = flow.dims().unwrap_or_default();
        let view = match self.node.op {
            "Transpose" => {
                let order = match self.node.integers("perm") {
                    Some(order) => order.to_vec(),
                    None => (0..rank as i64).rev().collect(),
                };
                let pick = |axis: &i64| axis_in(*axis, rank).map(|axis| axes[axis]);
                let view: Option<Vec<_>> = order.iter().map(pick).collect();
                view.filter(|view| view.len() == rank).ok_or_else(misfit)?
            }
            "Squeeze" => {
                let gone: Vec<usize> = match self.integers("axes", 1) {
                    Some(gone) => {
                        let gone = gone.iter().map(|axis| axis_in(*axis, rank));
                        gone.collect::<Option<_>>().ok_or_else(misfit)?
                    }
                    None => (0..rank).filter(|axis| dims[*axis] == Some(1)).collect(),
                };
                // A batch of one is squeezed away by mistake, or by a network for one example.
                if gone.iter().any(|axis| dims[*axis] != Some(1)) {
                    return Err(Gap(tr_format!(
                        "axes {gone:?} are not of size 1",
                        "第 {gone:?} 维的大小不是 1"
                    )));
                }
                let kept = (0..rank).filter(|axis| !gone.contains(axis));
                kept.map(|axis| axes[axis]).collect()
            }
            "Unsqueeze" => {
                let new = self.integers("axes", 1).ok_or_else(misfit)?;
                let rank = rank + new.len();
                let new: Option<Vec<usize>> = new.iter().map(|axis| axis_in(*axis, rank)).collect();
                let new = new.ok_or_else(misfit)?;
                let mut old = axes.iter();
                let place = |axis: usize| match new.contains(&axis) {
                    true => Some(None),
                    false => old.next().copied(),
                };
                let view: Option<Vec<_>> = (0..rank).map(place).collect();
                view.ok_or_else(misfit)?
            }
            // Flatten
            _ => return self.flattened(flow),
        };
        Ok(flow.viewed(view))
    }

    fn flattened(&mut self, flow: Flow) -> Result<Flow, Gap> {
        let rank = flow.axes().map_or(0, |axes| axes.len());
        if axis_in(self.node.integer("axis").unwrap_or(1), rank) != Some(1) {
            return Err(Gap(
                tr("it flattens the batch too", "它把批次维也展平了").to_owned()
            ));
        }
        let flow = self.laid_out(flow)?;
        self.one(Flatten::default(), &[&flow], Vec::new())
    }

    fn reshaped(&mut self, flow: Flow) -> Result<Flow, Gap> {
        let dims = flow.dims();
        let Value::Numbers(target) = self.input(1) else {
            let attribute = self.node.integers("shape").map(<[i64]>::to_vec);
            let target = attribute.ok_or_else(misfit)?;
            return self.reshaped_to(flow, &target);
        };
        // What is unknown in the target is the batch: 0 copies an axis, −1 is a rest.
        let copies = self.node.integer("allowzero").unwrap_or(0) == 0;
        let size = |(index, value): (usize, &Option<f64>)| match (value, &dims) {
            (None, Some(dims)) if dims.get(index) == Some(&None) => Some(0),
            (None, _) => None,
            (Some(0.0), Some(dims)) if copies => match dims.get(index)? {
                Some(size) => Some(*size as i64),
                None => Some(0),
            },
            (Some(size), _) => Some(*size as i64),
        };
        let target: Option<Vec<i64>> = target.values.iter().enumerate().map(size).collect();
        let target = target.ok_or_else(misfit)?;
        self.reshaped_to(flow, &target)
    }

    fn reshaped_to(&mut self, flow: Flow, target: &[i64]) -> Result<Flow, Gap> {
        // For a view, an axis that is copied is as good as any.
        let any: Vec<i64> = target
            .iter()
            .map(|size| if *size == 0 { -1 } else { *size })
            .collect();
        if let Some(seen) = flow.seen_as(&any) {
            return Ok(seen);
        }
        if self.node.op == "Expand" {
            return Err(Gap(tr("it repeats numbers", "它会重复数据").to_owned()));
        }
        let flow = self.laid_out(flow)?;
        let mut target = target.to_vec();
        let per_example = flow.shape.as_ref().and_then(|shape| shape.per_example());
        let has_batch = flow
            .shape
            .as_ref()
            .is_some_and(|shape| shape.dim(0).is_none());
        // Whatever batch the file was made with, ours is any; (−1, …) is the batch where the rest
        // is one example.
        if let Some((first, rest)) = target.split_first_mut()
            && has_batch
        {
            let product = rest
                .iter()
                .try_fold(1i64, |product, size| product.checked_mul(*size));
            if *first >= 0 || product == per_example.map(|size| size as i64) {
                *first = 0;
            }
        }
        if let [0, _] = target[..] {
            let fits = target[1] == -1 || Some(target[1]) == per_example.map(|size| size as i64);
            if fits {
                return self.one(Flatten::default(), &[&flow], Vec::new());
            }
        }
        let layer = Reshape {
            shape: target,
            ..Reshape::default()
        };
        self.one(layer, &[&flow], Vec::new())
    }

    /// Weights under other axes.
    fn weights_seen(&mut self, weights: Weights<'a>) -> Found<'a> {
        let tensor = self.reader.tensor(&weights)?;
        self.reader.count(Some(tensor.elem_count()))?;
        let rank = tensor.rank();
        let tensor = match self.node.op {
            "Transpose" => {
                let order: Vec<usize> = match self.node.integers("perm") {
                    Some(order) => {
                        let order = order.iter().map(|axis| axis_in(*axis, rank));
                        order.collect::<Option<_>>().ok_or_else(misfit)?
                    }
                    None => (0..rank).rev().collect(),
                };
                tensor.permute(order)?.contiguous()?
            }
            "Squeeze" => {
                let gone = self.integers("axes", 1);
                let kept: Vec<usize> = (0..rank)
                    .filter(|axis| match &gone {
                        Some(gone) => !gone.iter().any(|g| axis_in(*g, rank) == Some(*axis)),
                        None => tensor.dims()[*axis] != 1,
                    })
                    .map(|axis| tensor.dims()[axis])
                    .collect();
                tensor.reshape(kept)?
            }
            "Unsqueeze" => {
                let mut new = self.integers("axes", 1).ok_or_else(misfit)?;
                new.iter_mut().for_each(|axis| {
                    if *axis < 0 {
                        *axis += (rank as i64) + 1;
                    }
                });
                new.sort_unstable();
                let mut tensor = tensor;
                for axis in new {
                    tensor = tensor.unsqueeze(usize::try_from(axis).map_err(|_| misfit())?)?;
                }
                tensor
            }
            "Reshape" => {
                let target = self.integers("shape", 1).ok_or_else(misfit)?;
                let known: i64 = target.iter().filter(|size| **size > 0).product();
                let count = tensor.elem_count();
                let size = |(index, size): (usize, &i64)| match size {
                    0 => tensor.dims().get(index).copied().ok_or_else(misfit),
                    -1 => Ok(count / usize::try_from(known).unwrap_or(1).max(1)),
                    size => usize::try_from(*size).map_err(|_| misfit()),
                };
                let dims: Vec<usize> = target
                    .iter()
                    .enumerate()
                    .map(size)
                    .collect::<Result<_, _>>()?;
                tensor.reshape(dims)?
            }
            _ => return Err(misfit()),
        };
        Ok(vec![Value::Weights(Weights {
            dims: tensor.dims().to_vec(),
            source: Source::Read(tensor),
            ..weights
        })])
    }

    fn dropout(&mut self) -> Found<'a> {
        let ratio = self
            .node
            .real("ratio")
            .or_else(|| self.number(1))
            .unwrap_or(0.5);
        let layer = Dropout {
            ratio: ratio.clamp(0.0, 0.99),
        };
        self.pointwise(layer)
    }

    fn concat(&mut self) -> Found<'a> {
        let flows: Vec<Flow> = (0..self.inputs.len())
            .map(|index| self.flow(index))
            .collect::<Result<_, _>>()?;
        let view = flows.first().and_then(|flow| flow.view.clone());
        let same = view.is_some()
            && flows
                .iter()
                .all(|flow| flow.view == view && flow.pad == [0; 4]);
        let axis = self.node.integer("axis").unwrap_or(1);
        if let (true, Some(view)) = (same, view)
            && let Some(Some(ours)) = axis_in(axis, view.len()).map(|axis| view[axis])
        {
            let bare: Vec<Flow> = flows
                .into_iter()
                .map(|flow| Flow { view: None, ..flow })
                .collect();
            let y = self.one(
                Concat { axis: ours as i64 },
                &bare.iter().collect::<Vec<_>>(),
                Vec::new(),
            )?;
            return Ok(vec![Value::Flow(y.viewed(view))]);
        }
        let plain: Vec<Flow> = (0..self.inputs.len())
            .map(|index| self.plain(index))
            .collect::<Result<_, _>>()?;
        let y = self.one(
            Concat { axis },
            &plain.iter().collect::<Vec<_>>(),
            Vec::new(),
        )?;
        Ok(vec![Value::Flow(y)])
    }

    fn tile(&mut self) -> Found<'a> {
        let times = self.integers("repeats", 1).ok_or_else(misfit)?;
        let mut flow = self.plain(0)?;
        for (axis, times) in times.iter().enumerate().filter(|(_, times)| **times != 1) {
            let layer = Tile {
                axis: axis as i64,
                tiles: usize::try_from(*times).map_err(|_| misfit())?,
            };
            flow = self.one(layer, &[&flow], Vec::new())?;
        }
        Ok(vec![Value::Flow(flow)])
    }
}

/// Axes or sizes that do not fit what is there.
pub(super) fn misfit() -> Gap {
    Gap(tr(
        "its axes or sizes are not known, or do not fit",
        "其维或大小未知，或不匹配",
    )
    .to_owned())
}

/// What a node is called, with a word behind it for one of several layers that it becomes.
pub(super) fn beside(node: &NodeView<'_>, word: &str) -> Place {
    Place::new(names::place(node).path, word)
}
