//! Full connection.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::through_relu;
use super::{BIAS_FILLER, BIAS_TERM, WEIGHT_FILLER};
use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, Layer,
    LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Size, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Every output is a weighted sum of all inputs: (N, …) → (N, num_output), or with axis 2
/// (N, T, …) → (N, T, num_output).
/// PyTorch's `Linear` after `Flatten`; Caffe's InnerProduct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InnerProduct {
    pub num_output: Size,
    pub bias: bool,
    pub axis: usize,
    pub weight_filler: Filler,
    pub bias_filler: Filler,
}

impl Default for InnerProduct {
    fn default() -> Self {
        Self {
            num_output: Size::Count(10),
            bias: true,
            axis: 1,
            weight_filler: Filler::Xavier,
            bias_filler: Filler::Constant(0.0),
        }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "InnerProduct",
    title: Text::new("Full connection", "全连接"),
    family: Family::Linear,
    role: Role::Layer,
    about: Text::new(
        "Every output is a weighted sum of all inputs plus a bias.",
        "每个输出都是所有输入的加权和，再加偏置。",
    ),
    formula: "y = W x + b",
    caffe: ("InnerProduct", "inner_product_param"),
};

impl InnerProduct {
    /// One row for each place before the axis.
    fn flat(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self.axis {
            1 => x.flatten_from(1),
            axis => x.flatten_from(axis)?.flatten_to(axis - 1),
        }
    }
}

impl Layer for InnerProduct {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("How many outputs (neurons).", "输出（神经元）个数。");
        visitor.field(Field::size(
            "num_output",
            &mut self.num_output,
            1 << 20,
            about,
        ));
        visitor.field(Field::flag("bias", &mut self.bias, BIAS_TERM).caffe("bias_term"));
        let about = Text::new(
            "The first axis that is summed over; those before it stay. 1: everything of an example; 2: each step of a sequence by itself.",
            "从哪一维开始求和，其前各维保留。1：样本的全部数值；2：序列的每一步各自计算。",
        );
        visitor.field(Field::count("axis", &mut self.axis, 1..=3, about));
        visitor.field(Field::filler(
            "weight_filler",
            &mut self.weight_filler,
            WEIGHT_FILLER,
        ));
        visitor.field(Field::filler(
            "bias_filler",
            &mut self.bias_filler,
            BIAS_FILLER,
        ));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let Some(outputs) = self.num_output.resolve(context.classes) else {
            return Err(super::classes_unknown());
        };
        let x = inputs[0];
        let axis = self.axis;
        if x.rank() > 1 && x.rank() <= axis {
            return Err(Problem::Shape(tr_format!(
                "the input {x} has no axis {axis}",
                "输入 {x} 没有第 {axis} 维"
            )));
        }
        let Some(width) = x.count_from(axis).filter(|_| x.rank() > axis) else {
            return Err(Problem::Shape(tr_format!(
                "a full connection needs an input of known size, but gets {x}",
                "全连接需要大小已知的输入，而得到的是 {x}"
            )));
        };
        let mut params = vec![ParamSpec::learnable(
            "weight",
            vec![outputs, width],
            self.weight_filler,
        )];
        if self.bias {
            params.push(ParamSpec::learnable(
                "bias",
                vec![outputs],
                self.bias_filler,
            ));
        }
        let mut places = (1..axis).map(|axis| x.dim(axis).map(|size| size as u64));
        let places = places.try_fold(1u64, |product, size| Some(product.saturating_mul(size?)));
        let mut output = x.0[..axis].to_vec();
        output.push(Some(outputs));
        let products = (outputs as u64).saturating_mul(width as u64);
        Ok(Inferred {
            outputs: vec![Shape(output)],
            params,
            macs: places.map(|places| places.saturating_mul(products)),
            window: Window::Whole,
        })
    }

    fn joins_relu(&self) -> bool {
        true
    }

    /// Saves the input, and with a ReLU joined the output.
    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let layer = if context.relu {
            nn::linear_relu
        } else {
            nn::linear
        };
        let y = layer(&self.flat(x)?, &context.params[0], context.params.get(1))?;
        let mut dims = x.dims()[..self.axis].to_vec();
        dims.push(y.dim(1)?);
        let y = y.reshape(dims)?;
        let mut saved = vec![x.clone()];
        saved.extend(context.relu.then(|| y.clone()));
        Ok(Passed::new(y, saved))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = through_relu(saved.get(1), only_gradient(gradients)?)?;
        let x = &saved[0];
        let dy = &dy.reshape(((), dy.dims().last().copied().unwrap_or(1)))?;
        let mut result = Gradients::default();
        if context.needs_input[0] {
            let dx = nn::linear_backward_data(dy, &context.params[0])?;
            result.inputs = vec![Some(dx.reshape(x.shape())?)];
        }
        if context.needs_params {
            result
                .params
                .push(Some(nn::linear_backward_weight(&self.flat(x)?, dy)?));
            if self.bias {
                result.params.push(Some(nn::bias_backward(dy)?));
            }
        }
        Ok(result)
    }
}
