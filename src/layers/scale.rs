//! Scale and Bias: a learned factor and addend for each channel, or a second input in their place.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, InputPorts,
    Layer, LayerSpec, ParamSpec, Passed, Port, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// y = γ · x + β with γ over `num_axes` axes from `axis` on (−1: all the rest): learned, or the
/// second input. Caffe's Scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scale {
    pub axis: i64,
    pub num_axes: i64,
    pub bias_term: bool,
    pub filler: Filler,
    pub bias_filler: Filler,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            axis: 1,
            num_axes: 1,
            bias_term: false,
            filler: Filler::Constant(1.0),
            bias_filler: Filler::Constant(0.0),
        }
    }
}

/// y = x + β, likewise. Caffe's Bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bias {
    pub axis: i64,
    pub num_axes: i64,
    pub filler: Filler,
}

impl Default for Bias {
    fn default() -> Self {
        Self {
            axis: 1,
            num_axes: 1,
            filler: Filler::Constant(0.0),
        }
    }
}

static SCALE: LayerSpec = LayerSpec {
    name: "Scale",
    title: Text::new("Scale", "缩放"),
    family: Family::Normalisation,
    role: Role::Layer,
    about: Text::new(
        "Multiplies each channel by a learned number, or by a second input; Caffe's partner of BatchNorm.",
        "把每个通道乘以可学习的数，或乘以第二个输入；在 Caffe 中与 BatchNorm 配对。",
    ),
    formula: "y = γ · x + β",
    caffe: ("Scale", "scale_param"),
};

static BIAS: LayerSpec = LayerSpec {
    name: "Bias",
    title: Text::new("Bias", "偏置"),
    family: Family::Normalisation,
    role: Role::Layer,
    about: Text::new(
        "Adds a learned number to each channel, or a second input.",
        "给每个通道加上可学习的数，或加上第二个输入。",
    ),
    formula: "y = x + β",
    caffe: ("Bias", "bias_param"),
};

const INPUTS: InputPorts = InputPorts::repeated(const { &[Port::tensor("x")] });

fn axis_fields(axis: &mut i64, num_axes: &mut i64, visitor: &mut dyn FieldVisitor) {
    let about = Text::new(
        "The first axis that has numbers of its own: 1 is the channels.",
        "从第几维起各有其数：1 为通道。",
    );
    visitor.field(Field::integer("axis", axis, -8..=8, about));
    let about = Text::new(
        "How many axes from there on; −1 is all. A second input says it itself.",
        "从该维起共几维；−1 为全部。有第二个输入时由其决定。",
    );
    visitor.field(Field::integer("num_axes", num_axes, -1..=8, about));
}

/// The first axis and the known sizes of the axes that have numbers of their own.
fn own_axes(axis: i64, num_axes: i64, inputs: &[&Shape]) -> Result<Vec<usize>, Problem> {
    let (x, given) = (inputs[0], inputs.len());
    if given > 2 {
        return Err(Problem::Shape(tr_format!(
            "{given} inputs are connected, but at most two make sense here",
            "连接了 {given} 个输入，此处最多两个"
        )));
    }
    let rank = x.rank();
    let first = if axis < 0 { axis + rank as i64 } else { axis };
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let count = match (inputs.get(1), usize::try_from(num_axes)) {
        (Some(second), _) => second.rank(),
        (None, Ok(count)) => count,
        (None, Err(_)) => rank.saturating_sub(first),
    };
    if first.saturating_add(count) > rank {
        return Err(Problem::Shape(tr_format!(
            "the input {x} does not have {count} axes from axis {axis} on",
            "输入 {x} 从第 {axis} 维起不足 {count} 维"
        )));
    }
    let own = Shape(x.0[first..first + count].to_vec());
    if let Some(second) = inputs.get(1) {
        if !own.agrees(second) {
            return Err(Problem::Shape(tr_format!(
                "the second input is {second}, but the first has {own} there",
                "第二个输入为 {second}，而第一个输入在该处为 {own}"
            )));
        }
        return Ok(Vec::new());
    }
    let known: Option<Vec<usize>> = own.0.iter().copied().collect();
    known.ok_or_else(|| {
        Problem::Shape(tr_format!(
            "the sizes {own} must be known to learn numbers for them",
            "要为其学习参数，{own} 的大小必须已知"
        ))
    })
}

/// `x` as (before, own, after) for own axes of `count` from `axis` on.
fn rows(x: &Tensor, axis: i64, count: usize) -> candle_core::Result<Tensor> {
    let axis = if axis < 0 {
        axis + x.rank() as i64
    } else {
        axis
    };
    let Some((before, rest)) = x
        .dims()
        .split_at_checked(usize::try_from(axis).unwrap_or(usize::MAX))
    else {
        candle_core::bail!("{:?} has no axis {axis}", x.dims())
    };
    let Some((own, after)) = rest.split_at_checked(count) else {
        candle_core::bail!("{:?} has no {count} axes from {axis} on", x.dims())
    };
    let dims: [usize; 3] = [before, own, after].map(|dims| dims.iter().product());
    x.contiguous()?.reshape(&dims)
}

/// The tensor of γ or β: the second input, or the first parameter.
fn numbers<'a>(inputs: &[&'a Tensor], params: &'a [Tensor]) -> candle_core::Result<&'a Tensor> {
    match inputs.get(1).copied().or(params.first()) {
        Some(numbers) => Ok(numbers),
        None => candle_core::bail!("neither a second input nor a parameter is there"),
    }
}

/// Gradients of γ or β go to the second input if there is one, else to the parameter.
fn placed(dx: Tensor, own: Tensor, second: bool) -> Gradients {
    match second {
        true => Gradients::of_inputs([Some(dx), Some(own)]),
        false => Gradients {
            inputs: vec![Some(dx)],
            params: vec![Some(own)],
        },
    }
}

impl Layer for Scale {
    fn spec(&self) -> &'static LayerSpec {
        &SCALE
    }

    fn inputs(&self) -> InputPorts {
        INPUTS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        axis_fields(&mut self.axis, &mut self.num_axes, visitor);
        let about = Text::new("Whether to add a learned β.", "是否加上可学习的 β。");
        visitor.field(Field::flag("bias_term", &mut self.bias_term, about));
        let about = Text::new("How γ begins.", "γ 的初始化方法。");
        visitor.field(Field::filler("filler", &mut self.filler, about));
        let about = Text::new("How β begins.", "β 的初始化方法。");
        visitor.field(Field::filler("bias_filler", &mut self.bias_filler, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let own = own_axes(self.axis, self.num_axes, inputs)?;
        let mut params = Vec::new();
        let own = match inputs.get(1) {
            None => {
                params.push(ParamSpec::learnable("weight", own.clone(), self.filler));
                Some(own)
            }
            Some(second) => second.0.iter().copied().collect(),
        };
        if self.bias_term {
            let Some(own) = own else {
                return Err(Problem::Shape(tr_format!(
                    "the size of the second input must be known to learn a bias for it",
                    "要学习偏置，第二个输入的大小必须已知"
                )));
            };
            params.push(ParamSpec::learnable("bias", own, self.bias_filler));
        }
        Ok(Inferred {
            params,
            ..Inferred::pointwise(inputs[0].clone())
        })
    }

    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let inputs: Vec<&Tensor> = inputs.iter().map(Value::tensor).collect();
        let scale = numbers(&inputs, context.params)?;
        let x = rows(inputs[0], self.axis, scale.rank())?;
        let bias = context.params.last().filter(|_| self.bias_term);
        let [scale_row, bias_row] = [Some(scale), bias].map(|v| v.map(Tensor::flatten_all));
        let (scale_row, bias_row) = (scale_row.transpose()?, bias_row.transpose()?);
        let y = nn::channel_affine(&x, scale_row.as_ref(), bias_row.as_ref())?;
        let y = y.reshape(inputs[0].shape())?;
        Ok(Passed::new(y, inputs.into_iter().cloned().collect()))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let scale = numbers(&saved.iter().collect::<Vec<_>>(), context.params)?;
        let x = rows(&saved[0], self.axis, scale.rank())?;
        let dy = rows(only_gradient(gradients)?, self.axis, scale.rank())?;
        let dx = nn::channel_affine(&dy, Some(&scale.flatten_all()?), None)?;
        let d_scale = nn::channel_dot(&x, &dy)?.reshape(scale.shape())?;
        let dx = dx.reshape(saved[0].shape())?;
        let mut result = placed(dx, d_scale, saved.len() > 1);
        if self.bias_term {
            let d_bias = nn::bias_backward(&dy)?.reshape(scale.shape())?;
            result.params.push(Some(d_bias));
        }
        Ok(result)
    }
}

impl Layer for Bias {
    fn spec(&self) -> &'static LayerSpec {
        &BIAS
    }

    fn inputs(&self) -> InputPorts {
        INPUTS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        axis_fields(&mut self.axis, &mut self.num_axes, visitor);
        let about = Text::new("How β begins.", "β 的初始化方法。");
        visitor.field(Field::filler("filler", &mut self.filler, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let own = own_axes(self.axis, self.num_axes, inputs)?;
        let params = match inputs.len() {
            1 => vec![ParamSpec::learnable("bias", own, self.filler)],
            _ => Vec::new(),
        };
        Ok(Inferred {
            params,
            ..Inferred::pointwise(inputs[0].clone())
        })
    }

    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let inputs: Vec<&Tensor> = inputs.iter().map(Value::tensor).collect();
        let bias = numbers(&inputs, context.params)?;
        let x = rows(inputs[0], self.axis, bias.rank())?;
        let y = nn::channel_affine(&x, None, Some(&bias.flatten_all()?))?;
        let y = y.reshape(inputs[0].shape())?;
        // Only the second input's shape is needed, and that it was there.
        Ok(Passed::new(
            y,
            inputs.into_iter().skip(1).cloned().collect(),
        ))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let shape = match saved.first().or(context.params.first()) {
            Some(bias) => bias.shape().clone(),
            None => candle_core::bail!("a bias without numbers"),
        };
        let rows = rows(dy, self.axis, shape.rank())?;
        let d_bias = nn::bias_backward(&rows)?.reshape(shape)?;
        Ok(placed(dy.clone(), d_bias, !saved.is_empty()))
    }
}
