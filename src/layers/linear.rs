//! Full connection.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldValue, FieldVisitor, Filler, Gradients, InferContext, Inferred,
    Layer, LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Size, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Every output is a weighted sum of all inputs: (N, …) → (N, num_output).
/// PyTorch's `Linear` after `Flatten`; Caffe's InnerProduct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InnerProduct {
    pub num_output: Size,
    pub bias: bool,
    pub weight_filler: Filler,
    pub bias_filler: Filler,
}

impl Default for InnerProduct {
    fn default() -> Self {
        Self {
            num_output: Size::Count(10),
            bias: true,
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

impl Layer for InnerProduct {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field {
            name: "num_output",
            about: Text::new("How many outputs (neurons).", "输出（神经元）个数。"),
            caffe: "num_output",
            value: FieldValue::Size {
                value: &mut self.num_output,
                max: 1 << 20,
            },
        });
        visitor.field(Field {
            name: "bias",
            about: Text::new("Whether a bias is added.", "是否加偏置。"),
            caffe: "bias_term",
            value: FieldValue::Flag(&mut self.bias),
        });
        visitor.field(Field {
            name: "weight_filler",
            about: Text::new("How the weights begin.", "权重的初始化方法。"),
            caffe: "weight_filler",
            value: FieldValue::Filler(&mut self.weight_filler),
        });
        visitor.field(Field {
            name: "bias_filler",
            about: Text::new("How the bias begins.", "偏置的初始化方法。"),
            caffe: "bias_filler",
            value: FieldValue::Filler(&mut self.bias_filler),
        });
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let Some(outputs) = self.num_output.resolve(context.classes) else {
            return Err(super::classes_unknown());
        };
        let x = inputs[0];
        let Some(width) = x.per_example().filter(|_| x.rank() >= 2) else {
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
        Ok(Inferred {
            outputs: vec![Shape(vec![x.dim(0), Some(outputs)])],
            params,
            macs: Some((outputs as u64).saturating_mul(width as u64)),
            window: Window::Whole,
        })
    }

    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let flat = x.flatten_from(1)?;
        let y = nn::linear(&flat, &context.params[0], context.params.get(1))?;
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let x = &saved[0];
        let mut result = Gradients::default();
        if context.needs_input[0] {
            let dx = nn::linear_backward_data(dy, &context.params[0])?;
            result.inputs = vec![Some(dx.reshape(x.shape())?)];
        }
        if context.needs_params {
            result
                .params
                .push(Some(nn::linear_backward_weight(&x.flatten_from(1)?, dy)?));
            if self.bias {
                result.params.push(Some(nn::bias_backward(dy)?));
            }
        }
        Ok(result)
    }
}
