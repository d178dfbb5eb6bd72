//! Arithmetic: activations, sums and products of what flows, and with constants.

use super::super::values::{Flow, Gap, Value, axis_in};
use super::filters::{params, rounded};
use super::shapes::misfit;
use super::{Found, Op};
use crate::graph::Layer;
use crate::i18n::{tr, tr_format};
use crate::layers::{
    AbsVal, BNLL, Bias, ELU, Eltwise, EltwiseOperation, Exp, Log, Power, ReLU, Scale, Sigmoid,
    Softmax, TanH, Threshold,
};

impl<'a> Op<'_, 'a> {
    pub(super) fn math(&mut self) -> Found<'a> {
        let real = |name: &str, usual: f64| rounded(self.node.real(name).unwrap_or(usual));
        match self.node.op {
            "Relu" => self.pointwise(ReLU::default()),
            "LeakyRelu" => self.pointwise(ReLU {
                negative_slope: real("alpha", 0.01),
            }),
            "Sigmoid" => self.pointwise(Sigmoid {}),
            "Tanh" => self.pointwise(TanH {}),
            "Elu" => self.pointwise(ELU {
                alpha: real("alpha", 1.0),
            }),
            "Softplus" => self.pointwise(BNLL {}),
            "Abs" => self.pointwise(AbsVal {}),
            "Exp" => self.pointwise(Exp::default()),
            "Log" => self.pointwise(Log::default()),
            "Neg" => self.linear(-1.0, 0.0),
            "Sqrt" => self.power(0.5),
            "Reciprocal" => self.power(-1.0),
            "Clip" => self.clip(),
            "HardSigmoid" => {
                let (alpha, beta) = (real("alpha", 0.2), real("beta", 0.5));
                let x = self.flow(0)?;
                let x = self.pointwise_of(
                    Power {
                        scale: alpha,
                        shift: beta,
                        power: 1.0,
                    },
                    x,
                )?;
                Ok(vec![Value::Flow(self.bounded(x, 0.0, 1.0)?)])
            }
            // x · hard sigmoid of x with slope 1/6
            "HardSwish" => {
                let x = self.flow(0)?;
                let line = Power {
                    power: 1.0,
                    scale: 1.0 / 6.0,
                    shift: 0.5,
                };
                let gate = self.pointwise_of(line, x.clone())?;
                let gate = self.bounded(gate, 0.0, 1.0)?;
                let [bare, gate] = [&x, &gate].map(|flow| Flow {
                    view: None,
                    ..flow.clone()
                });
                let layer = Eltwise {
                    operation: EltwiseOperation::Product,
                    coeff: Vec::new(),
                };
                let y = self.one(layer, &[&bare, &gate], Vec::new())?;
                Ok(vec![Value::Flow(Flow { view: x.view, ..y })])
            }
            "Softmax" => Ok(vec![Value::Flow(self.softmax()?)]),
            "LogSoftmax" => {
                let p = self.softmax()?;
                Ok(vec![Value::Flow(self.pointwise_of(Log::default(), p)?)])
            }
            "Pow" => match self.number(1) {
                Some(power) => self.power(power),
                None => Err(by_constant()),
            },
            "Greater" => match self.number(1) {
                Some(threshold) => self.pointwise(Threshold { threshold }),
                None => Err(by_constant()),
            },
            "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Max" | "Min" | "Mean" => self.combined(),
            op => Err(Gap(tr_format!(
                "there is no such layer: {op}",
                "没有这样的层：{op}"
            ))),
        }
    }

    /// a · x + b, in the layer before it where that is such a one too.
    fn linear(&mut self, scale: f64, shift: f64) -> Found<'a> {
        let index = usize::from(!matches!(self.input(0), Value::Flow(_)));
        let flow = self.flow(index)?;
        let before = self.joined_power(index, |power| {
            (power.power == 1.0).then(|| Power {
                power: 1.0,
                scale: rounded(power.scale * scale),
                shift: rounded(power.shift * scale + shift),
            })
        });
        if before {
            return Ok(vec![Value::Flow(flow)]);
        }
        let layer = Power {
            power: 1.0,
            scale: rounded(scale),
            shift: rounded(shift),
        };
        Ok(vec![Value::Flow(self.pointwise_of(layer, flow)?)])
    }

    fn power(&mut self, power: f64) -> Found<'a> {
        let power = rounded(power);
        let flow = self.flow(0)?;
        if self.joined_power(0, |before| {
            (before.power == 1.0).then(|| Power {
                power,
                ..before.clone()
            })
        }) {
            return Ok(vec![Value::Flow(flow)]);
        }
        self.pointwise(Power {
            power,
            ..Power::default()
        })
    }

    /// Changes the Power before it, which nobody else reads.
    fn joined_power(&mut self, index: usize, change: impl Fn(&Power) -> Option<Power>) -> bool {
        let Value::Flow(flow) = self.input(index) else {
            return false;
        };
        let from = flow.from.0;
        if !self.is_only_reader(index) || flow.pad != [0; 4] {
            return false;
        }
        let draft = &mut self.reader.drafts[from];
        let changed = draft
            .layer
            .as_any()
            .downcast_ref::<Power>()
            .and_then(change);
        // What leaves the ranges of the layer stays apart.
        let changed = changed.filter(|layer| crate::graph::out_of_range(layer).is_empty());
        match changed {
            Some(layer) => {
                draft.layer = Box::new(layer);
                true
            }
            None => false,
        }
    }

    /// Between two bounds, by ReLUs: max(x, a) = relu(x − a) + a, min(x, b) = b − relu(b − x).
    fn clip(&mut self) -> Found<'a> {
        let bound = |index: usize, name: &str| match self.input(index) {
            Value::Absent => Ok(self.node.real(name)),
            _ => self.number(index).map(Some).ok_or_else(misfit),
        };
        let (low, high) = (bound(1, "min")?, bound(2, "max")?);
        let low = low.filter(|low| *low > -3e38).unwrap_or(f64::NEG_INFINITY);
        let high = high.filter(|high| *high < 3e38).unwrap_or(f64::INFINITY);
        let x = self.flow(0)?;
        Ok(vec![Value::Flow(self.bounded(x, low, high)?)])
    }

    fn bounded(&mut self, mut x: Flow, low: f64, high: f64) -> Result<Flow, Gap> {
        let line = |scale: f64, shift: f64| Power {
            power: 1.0,
            scale,
            shift: rounded(shift),
        };
        if low.is_finite() {
            if low != 0.0 {
                x = self.pointwise_of(line(1.0, -low), x)?;
            }
            x = self.pointwise_of(ReLU::default(), x)?;
        }
        let offset = if low.is_finite() { low } else { 0.0 };
        if high.is_finite() {
            x = self.pointwise_of(line(-1.0, high - offset), x)?;
            x = self.pointwise_of(ReLU::default(), x)?;
            x = self.pointwise_of(line(-1.0, high), x)?;
        } else if offset != 0.0 {
            x = self.pointwise_of(line(1.0, offset), x)?;
        }
        Ok(x)
    }

    fn softmax(&mut self) -> Result<Flow, Gap> {
        let flow = self.flow(0)?;
        let dims = flow.dims().ok_or_else(misfit)?;
        let older = self.reader.opset < 13;
        let axis = self
            .node
            .integer("axis")
            .unwrap_or(if older { 1 } else { -1 });
        let axis = axis_in(axis, dims.len()).ok_or_else(misfit)?;
        // Older versions sum over all axes from there on.
        if older && dims[axis + 1..].iter().any(|size| *size != Some(1)) {
            return Err(Gap(
                tr("it sums over several axes", "它对多个维求和").to_owned()
            ));
        }
        let axes = flow.axes().ok_or_else(misfit)?;
        let ours = axes[axis].ok_or_else(misfit)?;
        self.pointwise_of(Softmax { axis: ours as i64 }, flow)
    }

    fn combined(&mut self) -> Found<'a> {
        let is_flow = |value: &Value<'a>| matches!(value, Value::Flow(_));
        let flows = self.inputs.iter().filter(|value| is_flow(value)).count();
        match (self.inputs.len(), flows) {
            (1.., flowing) if self.inputs.len() == flowing => self.eltwise(),
            (2, 1) => self.with_constant(),
            _ => Err(Gap(tr(
                "it mixes constants and what flows",
                "它混用常量与数据流",
            )
            .to_owned())),
        }
    }

    fn eltwise(&mut self) -> Found<'a> {
        if let Some(flow) = self.gated()? {
            return Ok(vec![Value::Flow(flow)]);
        }
        let count = self.inputs.len();
        let flows: Vec<Flow> = (0..count)
            .map(|index| self.flow(index))
            .collect::<Result<_, _>>()?;
        let view = flows[0].view.clone();
        let same = flows
            .iter()
            .all(|flow| flow.view == view && flow.pad == [0; 4]);
        let (bare, view) = match same {
            true => {
                let bare = flows.into_iter().map(|flow| Flow { view: None, ..flow });
                (bare.collect::<Vec<_>>(), view)
            }
            false => {
                let plain = (0..count).map(|index| self.plain(index));
                (plain.collect::<Result<Vec<_>, _>>()?, None)
            }
        };
        if let [only] = &bare[..] {
            return Ok(vec![Value::Flow(Flow {
                view,
                ..only.clone()
            })]);
        }
        let (operation, coeff) = match self.node.op {
            "Add" | "Sum" => (EltwiseOperation::Sum, Vec::new()),
            "Sub" => (EltwiseOperation::Sum, vec![1.0, -1.0]),
            "Mean" => (EltwiseOperation::Sum, vec![1.0 / count as f64; count]),
            "Mul" => (EltwiseOperation::Product, Vec::new()),
            "Max" => (EltwiseOperation::Max, Vec::new()),
            "Div" => return self.divided(&bare, view),
            op => {
                return Err(Gap(tr_format!(
                    "there is no such layer: {op}",
                    "没有这样的层：{op}"
                )));
            }
        };
        let bare: Vec<&Flow> = bare.iter().collect();
        let y = self.one(Eltwise { operation, coeff }, &bare, Vec::new())?;
        Ok(vec![Value::Flow(Flow { view, ..y })])
    }

    /// a / b = a · b⁻¹.
    fn divided(&mut self, flows: &[Flow], view: Option<Vec<Option<usize>>>) -> Found<'a> {
        let [a, b] = flows else {
            return Err(misfit());
        };
        let inverse = Power {
            power: -1.0,
            ..Power::default()
        };
        let inverse = self.pointwise_of(inverse, b.clone())?;
        let layer = Eltwise {
            operation: EltwiseOperation::Product,
            coeff: Vec::new(),
        };
        let y = self.one(layer, &[a, &inverse], Vec::new())?;
        Ok(vec![Value::Flow(Flow { view, ..y })])
    }

    /// (N, C, H, W) with (N, C, 1, 1), or (N, 1, 1, 1): a Scale or Bias whose second input is that.
    fn gated(&mut self) -> Result<Option<Flow>, Gap> {
        let op = self.node.op;
        if self.inputs.len() != 2 || !matches!(op, "Mul" | "Div" | "Add" | "Sub") {
            return Ok(None);
        }
        let (a, b) = (self.flow(0)?, self.flow(1)?);
        let (Some(x), Some(y)) = (a.dims(), b.dims()) else {
            return Ok(None);
        };
        let is_gate = |dims: &[Option<usize>]| matches!(dims, [_, _, Some(1), Some(1)]);
        let (x, gate) = match (is_gate(&x), is_gate(&y)) {
            (false, true) => (a, b),
            // What is taken away or divided by stands second.
            (true, false) if matches!(op, "Mul" | "Add") => (b, a),
            _ => return Ok(None),
        };
        let (axes, dims) = (
            gate.axes().unwrap_or_default(),
            x.dims().unwrap_or_default(),
        );
        if dims.len() != 4 || axes.len() != 4 {
            return Ok(None);
        }
        let x = self.laid_out(x)?;
        let one_for_all = gate.dims().is_some_and(|gate| gate[1] == Some(1)) && dims[1] != Some(1);
        let own = if one_for_all { 1 } else { 2 };
        let place = self.beside("gate");
        let mut gate = self
            .reader
            .laid_out(place, gate.viewed(axes[..own].to_vec()))?;
        let inverse = match op {
            "Div" => Some(Power {
                power: -1.0,
                ..Power::default()
            }),
            "Sub" => Some(Power {
                scale: -1.0,
                ..Power::default()
            }),
            _ => None,
        };
        if let Some(inverse) = inverse {
            gate = self.pointwise_of(inverse, gate)?;
        }
        let inputs = [&x, &gate];
        Ok(Some(match op {
            "Mul" | "Div" => self.one(
                Scale {
                    axis: 0,
                    ..Scale::default()
                },
                &inputs,
                Vec::new(),
            )?,
            _ => self.one(
                Bias {
                    axis: 0,
                    ..Bias::default()
                },
                &inputs,
                Vec::new(),
            )?,
        }))
    }

    /// With one number, or one for each channel.
    fn with_constant(&mut self) -> Found<'a> {
        let x = usize::from(!matches!(self.input(0), Value::Flow(_)));
        let constant = 1 - x;
        let op = self.node.op;
        if let Some(number) = self.number(constant) {
            return match (op, x) {
                ("Add" | "Sum", _) => self.linear(1.0, number),
                ("Sub", 0) => self.linear(1.0, -number),
                ("Sub", _) => self.linear(-1.0, number),
                ("Mul", _) => self.linear(number, 0.0),
                ("Div", 0) if number != 0.0 => self.linear(1.0 / number, 0.0),
                ("Max" | "Min", _) => {
                    let flow = self.flow(x)?;
                    let (low, high) = match op {
                        "Max" => (number, f64::INFINITY),
                        _ => (f64::NEG_INFINITY, number),
                    };
                    Ok(vec![Value::Flow(self.bounded(flow, low, high)?)])
                }
                _ => Err(Gap(
                    tr("it divides by what flows", "它以数据流作除数").to_owned()
                )),
            };
        }
        if op == "Add"
            && let Some(flow) = self.joined_bias(x, constant)?
        {
            return Ok(vec![Value::Flow(flow)]);
        }
        let flow = self.plain(x)?;
        let (numbers, name) = self.weights(constant)?;
        let rank = flow.shape.as_ref().ok_or_else(misfit)?.rank();
        // The axes that have numbers of their own: those between the ones.
        let dims = numbers.dims();
        if numbers.elem_count() == 0 {
            return Err(misfit());
        }
        let ones = dims.iter().take_while(|size| **size == 1).count();
        let behind = dims[ones..]
            .iter()
            .rev()
            .take_while(|size| **size == 1)
            .count();
        let axis = (rank + ones)
            .checked_sub(dims.len())
            .filter(|axis| *axis > 0)
            .ok_or_else(misfit)?;
        let own = dims[ones..dims.len() - behind].to_vec();
        if own.is_empty() {
            return Err(misfit());
        }
        let (numbers, origin) = match (op, x) {
            ("Add" | "Mul", _) => (numbers, name.to_owned()),
            ("Sub", 0) => (numbers.neg()?, format!("{name} negated")),
            ("Div", 0) => (numbers.recip()?, format!("{name} inverted")),
            _ => return Err(by_constant()),
        };
        let numbers = numbers.reshape(own.as_slice())?;
        let (axis, num_axes) = (axis as i64, own.len() as i64);
        if matches!(op, "Mul" | "Div") {
            let layer = Scale {
                axis,
                num_axes,
                ..Scale::default()
            };
            let y = self.one(layer, &[&flow], params("weight", numbers, origin, None))?;
            return Ok(vec![Value::Flow(y)]);
        }
        if self.joined_scale(x, axis, num_axes, &numbers, &origin) {
            return Ok(vec![Value::Flow(flow)]);
        }
        let layer = Bias {
            axis,
            num_axes,
            ..Bias::default()
        };
        let y = self.one(layer, &[&flow], params("bias", numbers, origin, None))?;
        Ok(vec![Value::Flow(y)])
    }

    /// Adds to the Scale before it, which nobody else reads.
    fn joined_scale(
        &mut self,
        index: usize,
        axis: i64,
        num_axes: i64,
        numbers: &candle_core::Tensor,
        origin: &str,
    ) -> bool {
        let Value::Flow(flow) = self.input(index) else {
            return false;
        };
        let from = flow.from.0;
        if !self.is_only_reader(index) {
            return false;
        }
        let draft = &mut self.reader.drafts[from];
        let scale = draft.layer.as_any().downcast_ref::<Scale>();
        let fits =
            |scale: &&Scale| !scale.bias_term && (scale.axis, scale.num_axes) == (axis, num_axes);
        let Some(scale) = scale.filter(fits).cloned() else {
            return false;
        };
        if draft
            .params
            .first()
            .is_none_or(|weight| weight.tensor.dims() != numbers.dims())
        {
            return false;
        }
        draft.layer = Box::new(Scale {
            bias_term: true,
            ..scale
        }) as Box<dyn Layer>;
        draft
            .params
            .extend(params("bias", numbers.clone(), origin.to_owned(), None));
        true
    }
}

fn by_constant() -> Gap {
    Gap(tr("it needs one constant number", "它需要一个常数").to_owned())
}
