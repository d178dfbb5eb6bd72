//! Losses of distances: Euclidean, and smooth L1.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{LOSS, pair_fits, scalar};
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Half the sum of squared differences, over the number of examples. Caffe's EuclideanLoss;
/// PyTorch's `MSELoss` divides by the number of elements and does not halve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EuclideanLoss {}

static EUCLIDEAN: LayerSpec = LayerSpec {
    name: "EuclideanLoss",
    title: Text::new("Euclidean loss", "欧氏损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Half the squared distance between prediction and target, averaged over the examples: for regression.",
        "预测与目标之间距离平方的一半，对样本取平均：用于回归。",
    ),
    formula: "L = 1/(2N) Σₙ ‖aₙ − bₙ‖²,  ∂L/∂a = (a − b) / N",
    caffe: ("EuclideanLoss", ""),
};

impl Layer for EuclideanLoss {
    fn spec(&self) -> &'static LayerSpec {
        &EUCLIDEAN
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("prediction"), Port::tensor("target")] })
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        pair_fits(inputs[0], inputs[1])?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (a, b) = (inputs[0].tensor(), inputs[1].tensor());
        Ok(Passed::new(
            nn::euclidean_loss(a, b)?,
            vec![a.clone(), b.clone()],
        ))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let d_loss = only_gradient(gradients)?;
        let (da, db) = nn::euclidean_loss_backward(&saved[0], &saved[1], d_loss)?;
        Ok(Gradients::of_inputs([Some(da), Some(db)]))
    }
}

/// Quadratic near 0 and linear from 1/σ² on, summed and divided by the number of examples; the
/// third and fourth input, where they are connected, weigh each difference and each element's
/// loss. The SmoothL1Loss of Fast R-CNN (Girshick 2015); PyTorch's with β = 1/σ² divides by the
/// number of elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothL1Loss {
    pub sigma: f64,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        Self { sigma: 1.0 }
    }
}

static SMOOTH_L1: LayerSpec = LayerSpec {
    name: "SmoothL1Loss",
    title: Text::new("Smooth L1 loss", "平滑 L1 损失"),
    family: Family::Loss,
    role: Role::Loss,
    about: Text::new(
        "Like the Euclidean loss near the target, but growing only linearly further away, so that outliers do not rule: for boxes.",
        "在目标附近如欧氏损失，较远处只按线性增长，不受离群值左右：用于边框回归。",
    ),
    formula: "L = (1/N) Σ f(a − b),  f(u) = σ²u²/2 if |u| < 1/σ², else |u| − 1/(2σ²)",
    caffe: ("SmoothL1Loss", "smooth_l1_loss_param"),
};

impl SmoothL1Loss {
    fn options<'a>(&self, weights: &'a [Tensor]) -> nn::SmoothL1<'a> {
        nn::SmoothL1 {
            sigma: self.sigma,
            inside: weights.first(),
            outside: weights.get(1),
        }
    }
}

impl Layer for SmoothL1Loss {
    fn spec(&self) -> &'static LayerSpec {
        &SMOOTH_L1
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::with_optional(
            const {
                &[
                    Port::tensor("prediction"),
                    Port::tensor("target"),
                    Port::tensor("inside weights"),
                    Port::tensor("outside weights"),
                ]
            },
            2,
        )
    }

    fn outputs(&self) -> &'static [Port] {
        LOSS
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The quadratic part ends at a difference of 1/σ².",
            "差值达到 1/σ² 时，由二次转为线性。",
        );
        visitor.field(Field::real("sigma", &mut self.sigma, 1e-3..=1e3, about));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let a = inputs[0];
        pair_fits(a, inputs[1])?;
        if let Some(weights) = inputs[2..].iter().find(|weights| !weights.agrees(a)) {
            return Err(Problem::Shape(tr_format!(
                "the weights are {weights}, but the prediction is {a}; they need the same shape",
                "权重为 {weights}，而预测为 {a}；两者形状必须相同"
            )));
        }
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let saved: Vec<Tensor> = inputs.iter().map(|value| value.tensor().clone()).collect();
        let loss = nn::smooth_l1_loss(&saved[0], &saved[1], &self.options(&saved[2..]))?;
        Ok(Passed::new(loss, saved))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (options, d_loss) = (self.options(&saved[2..]), only_gradient(gradients)?);
        let found = nn::smooth_l1_loss_backward(&saved[0], &saved[1], &options, d_loss)?;
        let target = found.prediction.neg()?;
        Ok(Gradients::of_inputs([
            Some(found.prediction),
            Some(target),
            found.inside,
            found.outside,
        ]))
    }
}
