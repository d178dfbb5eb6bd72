//! Layers that make one number of several: Eltwise across inputs, Reduction across axes.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::layers::through_relu;
use crate::layers::{axis_needed, axis_of};
use crate::nn;

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
        let about = Text::new("How the inputs are combined.", "各输入的组合方式。");
        visitor.field(Field::choice("operation", &mut self.operation, about));
        let about = Text::new(
            "For a sum: one factor for each input, such as 1, -1; empty is 1 for all.",
            "求和时每个输入的系数，如 1, -1；留空则全为 1。",
        );
        visitor.field(Field::reals("coeff", &mut self.coeff, 64, about));
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

    fn joins_relu(&self) -> bool {
        self.operation == EltwiseOperation::Sum
    }

    /// A sum saves nothing, or with a ReLU joined its output.
    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let tensors: Vec<Tensor> = inputs.iter().map(|value| value.tensor().clone()).collect();
        Ok(match self.operation {
            EltwiseOperation::Sum => {
                let coefficients = self.coefficients(tensors.len());
                let y = nn::eltwise_sum(&tensors, &coefficients, context.relu)?;
                Passed::new(y.clone(), Vec::from_iter(context.relu.then_some(y)))
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
                let dy = through_relu(saved.first(), dy)?;
                nn::eltwise_sum_backward(&dy, &self.coefficients(context.needs_input.len()))?
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

choice! {
    /// What many numbers become.
    ReductionOperation {
        Sum = "sum" "sum" "求和",
        AbsSum = "asum" "sum of absolute values" "绝对值之和",
        SquareSum = "sumsq" "sum of squares" "平方和",
        Mean = "mean" "mean" "平均值",
    }
}

/// One number of all that lie behind the first axes: (N, C, H, W) from axis 2 on → (N, C).
/// Caffe's Reduction, whose default takes everything together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reduction {
    pub operation: ReductionOperation,
    pub axis: i64,
    pub coeff: f64,
}

impl Default for Reduction {
    fn default() -> Self {
        Self {
            operation: ReductionOperation::Sum,
            axis: 0,
            coeff: 1.0,
        }
    }
}

static REDUCTION: LayerSpec = LayerSpec {
    name: "Reduction",
    title: Text::new("Reduction", "归约"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Sums or averages everything from one axis on into one number.",
        "把从某一维起的所有数求和或取平均，归为一个数。",
    ),
    formula: "y = c Σ x  or  c Σ |x|  or  c Σ x²  or  c mean x",
    caffe: ("Reduction", "reduction_param"),
};

impl Reduction {
    fn how(&self) -> nn::Reduce {
        match self.operation {
            ReductionOperation::Sum => nn::Reduce::Sum,
            ReductionOperation::AbsSum => nn::Reduce::AbsSum,
            ReductionOperation::SquareSum => nn::Reduce::SquareSum,
            ReductionOperation::Mean => nn::Reduce::Mean,
        }
    }

    fn axis(&self, x: &Tensor) -> candle_core::Result<usize> {
        match axis_of(self.axis, x.rank()) {
            Some(axis) => Ok(axis),
            None => candle_core::bail!("{:?} has no axis {}", x.dims(), self.axis),
        }
    }
}

impl Layer for Reduction {
    fn spec(&self) -> &'static LayerSpec {
        &REDUCTION
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("What the numbers become.", "如何归约。");
        visitor.field(Field::choice("operation", &mut self.operation, about));
        let about = Text::new(
            "The first axis that goes away: 0 is everything, 1 leaves one number for each example, −1 takes the last axis only.",
            "从第几维起归约：0 为全部，1 为每个样本得一个数，−1 仅最后一维。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
        let about = Text::new("A factor for the result.", "结果的系数。");
        visitor.field(Field::real("coeff", &mut self.coeff, -1e9..=1e9, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        let first = axis_needed(self.axis, x)?;
        Ok(Inferred {
            window: Window::Whole,
            ..Inferred::pointwise(Shape(x.0[..first].to_vec()))
        })
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let y = nn::reduce(x, self.axis(x)?, self.how(), self.coeff)?;
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (x, dy) = (&saved[0], only_gradient(gradients)?);
        let dx = nn::reduce_backward(x, dy, self.axis(x)?, self.how(), self.coeff)?;
        Ok(Gradients::of_input(dx))
    }
}
