//! Layers that bend the flow: flatten, join, combine.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldValue, FieldVisitor, Gradients, InferContext, Inferred,
    InputPorts, Layer, LayerSpec, Passed, Port, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// (N, C, H, W) → (N, C·H·W).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flatten {}

static FLATTEN: LayerSpec = LayerSpec {
    name: "Flatten",
    title: Text::new("Flatten", "展平"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Writes all feature maps of an example behind one another into one vector.",
        "把一个样本的所有特征图首尾相接排成一个向量。",
    ),
    formula: "(N, C, H, W) → (N, C·H·W)",
    caffe: ("Flatten", "flatten_param"),
};

impl Layer for Flatten {
    fn spec(&self) -> &'static LayerSpec {
        &FLATTEN
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        if x.rank() == 0 {
            return Err(Problem::Shape(tr_format!(
                "a single number cannot be flattened",
                "单个数无法展平"
            )));
        }
        Ok(Inferred::pointwise(Shape(vec![x.dim(0), x.per_example()])))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let y = match x.rank() {
            1 => x.unsqueeze(1)?,
            _ => x.flatten_from(1)?,
        };
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        Ok(Gradients::of_input(dy.reshape(saved[0].shape())?))
    }
}

/// Joins its inputs along one axis; by default along the channels (GoogLeNet's modules).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Concat {
    pub axis: usize,
}

impl Default for Concat {
    fn default() -> Self {
        Self { axis: 1 }
    }
}

static CONCAT: LayerSpec = LayerSpec {
    name: "Concat",
    title: Text::new("Concatenate", "拼接"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Puts its inputs side by side along one axis, by default as more channels.",
        "沿某一维把各输入拼在一起，默认沿通道维。",
    ),
    formula: "y = [x₁, x₂, …]",
    caffe: ("Concat", "concat_param"),
};

impl Layer for Concat {
    fn spec(&self) -> &'static LayerSpec {
        &CONCAT
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::repeated(const { &[Port::tensor("x")] })
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field {
            name: "axis",
            about: Text::new(
                "The axis along which to join: 1 channels, 2 height, 3 width.",
                "拼接所沿的维：1 为通道，2 为高，3 为宽。",
            ),
            caffe: "axis",
            value: FieldValue::Count {
                value: &mut self.axis,
                min: 1,
                max: 3,
            },
        });
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (first, axis) = (inputs[0], self.axis);
        if axis >= first.rank() {
            return Err(Problem::Shape(tr_format!(
                "the input {first} has no axis {axis}",
                "输入 {first} 没有第 {axis} 维"
            )));
        }
        let mut sum = Some(0usize);
        for (index, x) in inputs.iter().enumerate() {
            let port = index + 1;
            if !first.agrees(&(*x).clone().with(axis, first.dim(axis))) {
                return Err(Problem::Shape(tr_format!(
                    "input {port} is {x}, but the first is {first}; they must agree in every axis but {axis}",
                    "第 {port} 个输入为 {x}，而第一个为 {first}；除第 {axis} 维外必须一致"
                )));
            }
            sum = sum
                .zip(x.dim(axis))
                .map(|(sum, size)| sum.saturating_add(size));
        }
        Ok(Inferred::pointwise(first.clone().with(axis, sum)))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let tensors: Vec<&Tensor> = inputs.iter().map(Value::tensor).collect();
        let y = Tensor::cat(&tensors, self.axis)?.contiguous()?;
        Ok(Passed::new(y, tensors.into_iter().cloned().collect()))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let mut begin = 0;
        let mut inputs = Vec::with_capacity(saved.len());
        for x in saved {
            let size = x.dim(self.axis)?;
            inputs.push(Some(dy.narrow(self.axis, begin, size)?.contiguous()?));
            begin += size;
        }
        Ok(Gradients {
            inputs,
            params: Vec::new(),
        })
    }
}

choice! {
    /// How inputs are combined, element by element.
    EltwiseOperation {
        Sum = "sum" "sum" "求和",
        Product = "prod" "product" "乘积",
        Max = "max" "maximum" "最大值",
    }
}

/// Combines inputs of one shape element by element: the sum of a residual block, a gate's
/// product, Maxout's maximum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Eltwise {
    pub operation: EltwiseOperation,
    /// One factor for each input of a sum; empty is 1 for all.
    pub coeff: Vec<f64>,
}

static ELTWISE: LayerSpec = LayerSpec {
    name: "Eltwise",
    title: Text::new("Elementwise", "逐元素运算"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Adds, multiplies or takes the largest of its inputs, element by element; the sum is ResNet's shortcut.",
        "对各输入逐元素求和、相乘或取最大值；求和即 ResNet 的捷径连接。",
    ),
    formula: "y = Σ cᵢ xᵢ  or  Π xᵢ  or  max xᵢ",
    caffe: ("Eltwise", "eltwise_param"),
};

impl Eltwise {
    fn coefficients(&self, count: usize) -> Vec<f64> {
        match self.coeff.is_empty() {
            true => vec![1.0; count],
            false => self.coeff.clone(),
        }
    }
}

impl Layer for Eltwise {
    fn spec(&self) -> &'static LayerSpec {
        &ELTWISE
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::repeated(const { &[Port::tensor("x"), Port::tensor("x")] })
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field {
            name: "operation",
            about: Text::new("How the inputs are combined.", "各输入的组合方式。"),
            caffe: "operation",
            value: FieldValue::Choice(&mut self.operation),
        });
        visitor.field(Field {
            name: "coeff",
            about: Text::new(
                "For a sum: one factor for each input, such as 1, -1; empty is 1 for all.",
                "求和时每个输入的系数，如 1, -1；留空则全为 1。",
            ),
            caffe: "coeff",
            value: FieldValue::Reals {
                value: &mut self.coeff,
                max_len: 64,
            },
        });
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let mut output = inputs[0].clone();
        for (index, x) in inputs.iter().enumerate().skip(1) {
            if !output.agrees(x) {
                let port = index + 1;
                return Err(Problem::Shape(tr_format!(
                    "input {port} is {x}, but the first is {output}; all inputs need the same shape",
                    "第 {port} 个输入为 {x}，而第一个为 {output}；所有输入的形状必须相同"
                )));
            }
            for (known, other) in output.0.iter_mut().zip(&x.0) {
                *known = known.or(*other);
            }
        }
        let (given, needed) = (self.coeff.len(), inputs.len());
        if given != 0 && (given != needed || self.operation != EltwiseOperation::Sum) {
            return Err(Problem::Shape(tr_format!(
                "{given} coefficients are given for {needed} inputs; give one each, for a sum only, or none",
                "给出了 {given} 个系数，而输入有 {needed} 个；仅求和可用系数，且每个输入一个，或全部留空"
            )));
        }
        Ok(Inferred::pointwise(output))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let tensors: Vec<Tensor> = inputs.iter().map(|value| value.tensor().clone()).collect();
        Ok(match self.operation {
            EltwiseOperation::Sum => {
                let y = nn::eltwise_sum(&tensors, &self.coefficients(tensors.len()))?;
                Passed::new(y, Vec::new())
            }
            EltwiseOperation::Product => Passed::new(nn::eltwise_product(&tensors)?, tensors),
            EltwiseOperation::Max => {
                let y = nn::eltwise_max(&tensors)?;
                let saved = std::iter::once(y.clone()).chain(tensors).collect();
                Passed::new(y, saved)
            }
        })
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let inputs = match self.operation {
            EltwiseOperation::Sum => {
                nn::eltwise_sum_backward(dy, &self.coefficients(context.needs_input.len()))?
            }
            EltwiseOperation::Product => nn::eltwise_product_backward(saved, dy)?,
            EltwiseOperation::Max => nn::eltwise_max_backward(&saved[1..], &saved[0], dy)?,
        };
        Ok(Gradients {
            inputs: inputs.into_iter().map(Some).collect(),
            params: Vec::new(),
        })
    }
}
