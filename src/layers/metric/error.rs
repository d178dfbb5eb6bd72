//! How far a regression is off.

use candle_core::DType;
use serde::{Deserialize, Serialize};

use super::batch_value;
use crate::graph::{
    Context, Family, InferContext, Inferred, InputPorts, Layer, LayerSpec, Metric, MetricKind,
    Passed, Port, Problem, Role, Shape, Value,
};
use crate::i18n::Text;
use crate::layers::loss::{pair_fits, scalar};

/// Mean of the absolute differences of all numbers of prediction and target (N, …), in the
/// target's units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeanAbsoluteError {}

static SPEC: LayerSpec = LayerSpec {
    name: "MeanAbsoluteError",
    title: Text::new("Mean absolute error", "平均绝对误差"),
    family: Family::Metric,
    role: Role::Metric,
    about: Text::new(
        "How far the predictions are from their targets on average, in the targets' units; less is better.",
        "预测与目标平均相差多少，单位与目标相同；越小越好。",
    ),
    formula: "(1/N) Σ |a − b|",
    caffe: ("", ""),
};

impl Layer for MeanAbsoluteError {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("prediction"), Port::tensor("target")] })
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("error")] }
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        pair_fits(inputs[0], inputs[1])?;
        Ok(scalar())
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let mut sum = Sum::default();
        sum.add(inputs)?;
        batch_value(sum.result(), inputs[0].tensor())
    }

    fn metric(&self) -> Option<Box<dyn Metric>> {
        Some(Box::new(Sum::default()))
    }

    fn metric_kind(&self) -> MetricKind {
        MetricKind::Error
    }
}

#[derive(Default)]
struct Sum {
    differences: f64,
    count: usize,
}

impl Metric for Sum {
    fn add(&mut self, inputs: &[Value]) -> candle_core::Result<()> {
        let [a, b] = inputs else {
            candle_core::bail!("an error needs a prediction and a target");
        };
        let off = (a.tensor() - b.tensor())?.to_dtype(DType::F64)?.abs()?;
        self.differences += off.sum_all()?.to_scalar::<f64>()?;
        self.count += off.elem_count();
        Ok(())
    }

    fn result(&self) -> f64 {
        self.differences / self.count as f64
    }
}
