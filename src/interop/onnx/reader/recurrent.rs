//! LSTM, GRU and RNN: the steps come first there and second here, the gates stand in another
//! order, and layers on top of each other are operators of their own.

use candle_core::Tensor;

use super::super::proto::AttributeValue;
use super::super::values::{Flow, Gap, Value};
use super::shapes::misfit;
use super::{Found, Op, Param};
use crate::graph::{Layer, Shape, Size};
use crate::i18n::tr;
use crate::layers::{Gru, Lstm, Rnn, SequenceOutput};

/// PyTorch's names of the parameters, layer by layer.
const SUFFIXES: [[&str; 4]; 4] = [
    ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"],
    ["weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"],
    ["weight_ih_l2", "weight_hh_l2", "bias_ih_l2", "bias_hh_l2"],
    ["weight_ih_l3", "weight_hh_l3", "bias_ih_l3", "bias_hh_l3"],
];

/// For each gate in our order, its place in ONNX's.
pub(in crate::interop::onnx) fn gates(op: &str) -> &'static [usize] {
    match op {
        // i, f, g, o of i, o, f, c
        "LSTM" => &[0, 2, 3, 1],
        // r, z, n of z, r, h
        "GRU" => &[1, 0, 2],
        _ => &[0],
    }
}

fn usual_activations(op: &str) -> &'static [&'static str] {
    match op {
        "LSTM" => &["Sigmoid", "Tanh", "Tanh"],
        "GRU" => &["Sigmoid", "Tanh"],
        _ => &["Tanh"],
    }
}

impl<'a> Op<'_, 'a> {
    pub(super) fn recurrent(&mut self) -> Found<'a> {
        self.check_recurrent()?;
        let x = self.sequence()?;
        let hidden = self.node.integer("hidden_size").ok_or_else(misfit)?;
        let hidden = usize::try_from(hidden).map_err(|_| misfit())?;
        let params = self.cell_weights(hidden)?;
        let layer = cell(self.node.op, hidden, 1, SequenceOutput::Sequence);
        let place = super::names::place(self.node);
        let mut flows = self.reader.draft(place, layer, &[&x], params)?;
        let y = flows.swap_remove(0);
        let mut y = self.stacked(&y, hidden).unwrap_or(y);
        // Behind something unknown the axes are still those of a sequence.
        y.shape.get_or_insert(Shape(vec![None, None, Some(hidden)]));
        let time_first = self.node.integer("layout").unwrap_or(0) == 0;
        let order = match time_first {
            true => [Some(1), None, Some(0), Some(2)],
            false => [Some(0), Some(1), None, Some(2)],
        };
        let sequence = y.clone().viewed(order.to_vec());
        let asks_for = |port: usize| {
            let name = self.node.outputs.get(port).filter(|name| !name.is_empty());
            name.is_some_and(|name| self.reader.uses.contains_key(name))
        };
        if asks_for(2) {
            return Err(Gap(
                tr("its memory is read", "它的记忆状态被读取").to_owned()
            ));
        }
        let last = match asks_for(1) {
            true => {
                let last = self.last_step(&y)?;
                let order = if time_first {
                    [None, Some(0), Some(1)]
                } else {
                    [Some(0), None, Some(1)]
                };
                Value::Flow(last.viewed(order.to_vec()))
            }
            false => Value::Absent,
        };
        Ok(vec![Value::Flow(sequence), last, Value::Absent])
    }

    fn check_recurrent(&mut self) -> Result<(), Gap> {
        let refuse = |why: &str| Err(Gap(why.to_owned()));
        let node = self.node;
        if node.word("direction").unwrap_or("forward") != "forward" {
            return refuse(tr("it reads backwards, or both ways", "它反向或双向读取"));
        }
        let linear = node.integer("linear_before_reset").unwrap_or(0) != 0;
        if node.op == "GRU" && !linear {
            return refuse(tr(
                "its reset gate comes before the product, not after it as in PyTorch",
                "其重置门作用在乘积之前，而非像 PyTorch 那样在其后",
            ));
        }
        let is_usual = node
            .attributes
            .iter()
            .all(|attribute| match attribute.name {
                "hidden_size"
                | "direction"
                | "layout"
                | "linear_before_reset"
                | "output_sequence" => true,
                "input_forget" => node.integer("input_forget") == Some(0),
                "activations" => match &attribute.value {
                    AttributeValue::Words(words) => words == usual_activations(node.op),
                    _ => false,
                },
                _ => false,
            });
        if !is_usual {
            return refuse(tr(
                "it has other activations than usual",
                "其激活函数不同于常规",
            ));
        }
        if !matches!(self.input(4), Value::Absent) || !matches!(self.input(7), Value::Absent) {
            return refuse(tr(
                "it is given lengths or peepholes",
                "它带有序列长度或窥视孔权重",
            ));
        }
        for index in [5, 6] {
            let begins_with_zero = match self.input(index).clone() {
                Value::Absent => true,
                Value::Filled { value, .. } => value == 0.0,
                Value::Numbers(numbers) => numbers.values.iter().all(|value| *value == Some(0.0)),
                Value::Weights(weights) => {
                    let tensor = self.reader.tensor(&weights)?;
                    tensor.abs()?.max_all()?.to_scalar::<f32>()? == 0.0
                }
                Value::Flow(_) => false,
            };
            if !begins_with_zero {
                return refuse(tr(
                    "it begins with a state that is not zero",
                    "其初始状态不为零",
                ));
            }
        }
        Ok(())
    }

    /// The input as (N, T, D), or as a picture (N, 1, T, D), which our layers read row by row.
    fn sequence(&mut self) -> Result<Flow, Gap> {
        let flow = self.flow(0)?;
        let time_first = self.node.integer("layout").unwrap_or(0) == 0;
        let Some(axes) = flow.axes() else {
            return Ok(flow);
        };
        let [a, b, width] = axes[..] else {
            return Err(misfit());
        };
        let (batch, steps) = if time_first { (b, a) } else { (a, b) };
        let rank = flow.shape.as_ref().map_or(3, Shape::rank);
        let wanted = match rank {
            3 => [Some(0), Some(1), Some(2)],
            4 if flow
                .shape
                .as_ref()
                .is_some_and(|shape| shape.dim(1) == Some(1)) =>
            {
                [Some(0), Some(2), Some(3)]
            }
            _ => [None; 3],
        };
        let bare = Flow {
            view: None,
            ..flow.clone()
        };
        if [batch, steps, width] == wanted && flow.pad == [0; 4] {
            return Ok(bare);
        }
        self.laid_out(flow.viewed(vec![batch, steps, width]))
    }

    /// Weights and biases of one layer, the gates in our order.
    fn cell_weights(&mut self, hidden: usize) -> Result<Vec<Param>, Gap> {
        let order = gates(self.node.op);
        let mut params = Vec::new();
        for (index, suffix) in SUFFIXES[0].iter().take(2).enumerate() {
            let (weight, name) = self.weights(index + 1)?;
            let [1, rows, width] = *weight.dims() else {
                return Err(misfit());
            };
            if rows != order.len() * hidden {
                return Err(misfit());
            }
            let tensor = arranged(&weight.reshape((rows, width))?, order, hidden)?;
            params.push(Param {
                suffix,
                tensor,
                origin: name.to_owned(),
            });
        }
        let rows = order.len() * hidden;
        let (both, name) = match self.input(3) {
            Value::Absent => (
                Tensor::zeros(2 * rows, candle_core::DType::F32, &candle_core::Device::Cpu)?,
                "",
            ),
            _ => self.weights(3)?,
        };
        if both.elem_count() != 2 * rows {
            return Err(misfit());
        }
        let both = both.flatten_all()?;
        for (half, suffix) in SUFFIXES[0].iter().skip(2).enumerate() {
            let tensor = arranged(&both.narrow(0, half * rows, rows)?, order, hidden)?;
            params.push(Param {
                suffix,
                tensor,
                origin: format!("{name} {half}"),
            });
        }
        Ok(params)
    }

    /// A layer of the same module on top of one that nobody else reads is that layer's next.
    fn stacked(&mut self, y: &Flow, hidden: usize) -> Option<Flow> {
        let upper = y.from.0;
        let (lower, _) = self.reader.drafts[upper].inputs.first().copied()??;
        let of = |draft: &super::Draft| -> Option<(usize, usize)> {
            let layer = draft.layer.as_any();
            let parts = |size, layers| match size {
                Size::Count(size) => Some((size, layers)),
                _ => None,
            };
            match self.node.op {
                "LSTM" => layer
                    .downcast_ref::<Lstm>()
                    .and_then(|l| parts(l.num_output, l.num_layers)),
                "GRU" => layer
                    .downcast_ref::<Gru>()
                    .and_then(|l| parts(l.num_output, l.num_layers)),
                _ => layer
                    .downcast_ref::<Rnn>()
                    .and_then(|l| parts(l.num_output, l.num_layers)),
            }
        };
        let (units, layers) = of(&self.reader.drafts[lower])?;
        let same_place =
            self.reader.drafts[lower].place.path == self.reader.drafts[upper].place.path;
        let own = self
            .reader
            .drafts
            .iter()
            .filter(|draft| draft.merged.is_none());
        let readers = own.flat_map(|draft| &draft.inputs);
        let readers = readers.filter(|from| **from == Some((lower, 0))).count();
        let suffixes = SUFFIXES.get(layers)?;
        if units != hidden
            || !same_place
            || readers != 1
            || self.reader.drafts[upper].place.own.is_empty()
        {
            return None;
        }
        let mut params = std::mem::take(&mut self.reader.drafts[upper].params);
        params
            .iter_mut()
            .zip(suffixes)
            .for_each(|(param, suffix)| param.suffix = suffix);
        let draft = &mut self.reader.drafts[lower];
        draft.params.extend(params);
        draft.layer = cell(self.node.op, hidden, layers + 1, SequenceOutput::Sequence);
        self.reader.drafts[upper].merged = Some(lower);
        Some(Flow {
            from: (lower, 0),
            ..y.clone()
        })
    }

    /// The last step of a sequence of ours (N, T, H): (N, H).
    pub(super) fn last_step(&mut self, y: &Flow) -> Result<Flow, Gap> {
        let shape = y.shape.clone().ok_or_else(misfit)?;
        let steps = shape
            .dim(1)
            .ok_or_else(|| Gap(tr("the number of steps is not known", "步数未知").to_owned()))?;
        let place = super::shapes::beside(self.node, "last");
        let flow = self.picked(place, y, 1, steps - 1..steps)?;
        if let Some(draft) = self
            .reader
            .drafts
            .get_mut(flow.from.0)
            .filter(|_| steps > 1)
        {
            draft.last_of = Some(y.from.0);
        }
        let rank = shape.rank();
        let view = (0..rank).filter(|axis| *axis != 1).map(Some).collect();
        let flow = flow.viewed(view);
        self.laid_out(flow)
    }
}

fn cell(op: &str, hidden: usize, layers: usize, output: SequenceOutput) -> Box<dyn Layer> {
    let (num_output, num_layers) = (Size::Count(hidden), layers);
    match op {
        "LSTM" => Box::new(Lstm {
            num_output,
            num_layers,
            output,
            ..Lstm::default()
        }),
        "GRU" => Box::new(Gru {
            num_output,
            num_layers,
            output,
            ..Gru::default()
        }),
        _ => Box::new(Rnn {
            num_output,
            num_layers,
            output,
            ..Rnn::default()
        }),
    }
}

/// The same recurrent layer, giving its last step only.
pub(super) fn of_last(layer: &dyn Layer) -> Option<Box<dyn Layer>> {
    let (any, output) = (layer.as_any(), SequenceOutput::Last);
    if let Some(layer) = any.downcast_ref::<Lstm>() {
        return Some(Box::new(Lstm {
            output,
            ..layer.clone()
        }));
    }
    if let Some(layer) = any.downcast_ref::<Gru>() {
        return Some(Box::new(Gru {
            output,
            ..layer.clone()
        }));
    }
    let layer = any.downcast_ref::<Rnn>()?;
    Some(Box::new(Rnn {
        output,
        ..layer.clone()
    }))
}

/// Rows gate by gate in another order.
pub(in crate::interop::onnx) fn arranged(
    rows: &Tensor,
    order: &[usize],
    hidden: usize,
) -> candle_core::Result<Tensor> {
    let gates = order
        .iter()
        .map(|gate| rows.narrow(0, gate * hidden, hidden));
    Tensor::cat(&gates.collect::<Result<Vec<_>, _>>()?, 0)?.contiguous()
}
