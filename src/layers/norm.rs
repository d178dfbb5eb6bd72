//! Batch normalisation, in Caffe's form and in PyTorch's.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::channels_needed;
use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, Layer,
    LayerSpec, ParamSpec, Passed, Phase, Problem, Role, Shape, Value, only_gradient,
};
use crate::i18n::Text;
use crate::nn;

choice! {
    /// Whose mean and variance normalise; the names are those of Caffe's optional flag.
    GlobalStats {
        ByPhase = "by_phase" "by phase: the batch's in training, the running ones in testing" "按阶段：训练用当前批，测试用累计值",
        Batch = "false" "always the batch's" "总用当前批的统计量",
        Running = "true" "always the running ones" "总用累计的统计量",
    }
}

/// Normalises each channel to mean 0 and variance 1 over the batch, and keeps running statistics
/// for testing. Caffe's BatchNorm: no weight and bias (a Scale follows), running sums beside a
/// factor by which they are divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm {
    pub use_global_stats: GlobalStats,
    pub moving_average_fraction: f64,
    pub eps: f64,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self {
            use_global_stats: GlobalStats::ByPhase,
            moving_average_fraction: 0.999,
            eps: 1e-5,
        }
    }
}

static BATCH_NORM: LayerSpec = LayerSpec {
    name: "BatchNorm",
    title: Text::new("Batch normalisation", "批归一化"),
    family: Family::Normalisation,
    role: Role::Layer,
    about: Text::new(
        "Gives each channel mean 0 and variance 1 over the batch; Caffe's form, usually followed by Scale.",
        "使每个通道在一批数据上均值为 0、方差为 1；Caffe 形式，其后通常接 Scale。",
    ),
    formula: "y = (x − mean) / √(variance + ε)",
    caffe: ("BatchNorm", "batch_norm_param"),
};

/// Buffers that hold a running mean and variance.
fn running(channels: usize, variance: f64) -> [ParamSpec; 2] {
    [("running_mean", 0.0), ("running_var", variance)].map(|(suffix, value)| ParamSpec {
        learnable: false,
        ..ParamSpec::learnable(suffix, vec![channels], Filler::Constant(value))
    })
}

const EPS: Text = Text::new(
    "ε: added to the variance, against division by zero.",
    "ε：加在方差上，避免除以零。",
);

/// The factor that makes a variance over `x`'s batch unbiased; 1 for a single value.
fn unbiased(x: &Tensor) -> candle_core::Result<f64> {
    let count = x.elem_count() / x.dim(1)?.max(1);
    Ok(if count > 1 {
        count as f64 / (count - 1) as f64
    } else {
        1.0
    })
}

/// The input and the moments that normalised it are saved, and with a ReLU joined the output.
fn passed(
    x: &Tensor,
    y: Tensor,
    mean: &Tensor,
    variance: &Tensor,
    context: &Context<'_>,
) -> Passed {
    let mut saved = vec![x.clone(), mean.clone(), variance.clone()];
    saved.extend(context.relu.then(|| y.clone()));
    Passed::new(y, saved)
}

impl BatchNorm {
    fn of_batch(&self, context: &Context<'_>) -> bool {
        match self.use_global_stats {
            GlobalStats::ByPhase => context.phase == Phase::Train && !context.frozen,
            GlobalStats::Batch => true,
            GlobalStats::Running => false,
        }
    }
}

impl Layer for BatchNorm {
    fn spec(&self) -> &'static LayerSpec {
        &BATCH_NORM
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::choice(
            "use_global_stats",
            &mut self.use_global_stats,
            Text::new(
                "Whose mean and variance normalise.",
                "用哪一组均值和方差归一化。",
            ),
        ));
        visitor.field(Field::real(
            "moving_average_fraction",
            &mut self.moving_average_fraction,
            0.0..=1.0,
            Text::new(
                "What remains of the running sums after each batch.",
                "每批之后累计量保留的比例。",
            ),
        ));
        visitor.field(Field::real("eps", &mut self.eps, 1e-12..=1.0, EPS));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        let mut params = running(channels_needed(x[0])?, 0.0).to_vec();
        params.push(ParamSpec {
            learnable: false,
            ..ParamSpec::learnable("scale_factor", vec![1], Filler::Constant(0.0))
        });
        Ok(Inferred {
            params,
            ..Inferred::pointwise(x[0].clone())
        })
    }

    fn keep_statistics(&mut self, keep: bool) {
        self.use_global_stats = match keep {
            true => GlobalStats::Running,
            false => GlobalStats::ByPhase,
        };
    }

    fn joins_relu(&self) -> bool {
        true
    }

    fn forward(&self, context: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
        let x = x[0].tensor();
        let [sum_mean, sum_variance, factor] = [0, 1, 2].map(|index| &context.params[index]);
        let of_batch = self.of_batch(context);
        let (y, mean, variance) = if of_batch {
            nn::batch_norm_of_batch(x, self.eps, None, context.relu)?
        } else {
            // Before the first batch both sums and the factor are 0, and so are Caffe's moments.
            let some = (factor + factor.eq(0.0)?.to_dtype(factor.dtype())?)?;
            let mean = sum_mean.broadcast_div(&some)?;
            let variance = sum_variance.broadcast_div(&some)?;
            let moments = nn::Moments {
                mean: &mean,
                variance: &variance,
                eps: self.eps,
            };
            (
                nn::batch_norm(x, &moments, None, context.relu)?,
                mean,
                variance,
            )
        };
        let mut passed = passed(x, y, &mean, &variance, context);
        if of_batch && context.phase == Phase::Train && !context.frozen {
            let kept = self.moving_average_fraction;
            let variance = (variance * unbiased(x)?)?;
            passed.buffers = vec![
                (0, ((sum_mean * kept)? + mean)?),
                (1, ((sum_variance * kept)? + variance)?),
                (2, factor.affine(kept, 1.0)?),
            ];
        }
        Ok(passed)
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let moments = nn::Moments {
            mean: &saved[1],
            variance: &saved[2],
            eps: self.eps,
        };
        let of_batch = self.of_batch(context);
        let rectified = saved.get(3);
        let (dx, _, _) =
            nn::batch_norm_backward(&saved[0], dy, rectified, &moments, None, of_batch)?;
        Ok(Gradients::of_input(dx))
    }
}

/// Batch normalisation with its weight and bias in one layer: PyTorch's `BatchNorm1d` and
/// `BatchNorm2d`, with their parameters and running averages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FusedBatchNorm {
    pub momentum: f64,
    pub eps: f64,
}

impl Default for FusedBatchNorm {
    fn default() -> Self {
        Self {
            momentum: 0.1,
            eps: 1e-5,
        }
    }
}

/// A frozen normalisation keeps its statistics, in training too.
fn of_batch(context: &Context<'_>) -> bool {
    context.phase == Phase::Train && !context.frozen
}

static FUSED: LayerSpec = LayerSpec {
    name: "FusedBatchNorm",
    title: Text::new("Batch normalisation and scale", "批归一化与缩放"),
    family: Family::Normalisation,
    role: Role::Layer,
    about: Text::new(
        "Batch normalisation with a learned weight and bias for each channel, as PyTorch has it.",
        "批归一化，并对每个通道乘可学习的权重、加偏置；即 PyTorch 的形式。",
    ),
    formula: "y = w · (x − mean) / √(variance + ε) + b",
    caffe: ("", ""),
};

impl Layer for FusedBatchNorm {
    fn spec(&self) -> &'static LayerSpec {
        &FUSED
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The share of each batch in the running averages.",
            "每批在累计平均中所占的比例。",
        );
        visitor.field(Field::real("momentum", &mut self.momentum, 0.0..=1.0, about).caffe(""));
        visitor.field(Field::real("eps", &mut self.eps, 1e-12..=1.0, EPS).caffe(""));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        let channels = channels_needed(x[0])?;
        let learned = [("weight", 1.0), ("bias", 0.0)].map(|(suffix, value)| {
            ParamSpec::learnable(suffix, vec![channels], Filler::Constant(value))
        });
        Ok(Inferred {
            params: learned.into_iter().chain(running(channels, 1.0)).collect(),
            ..Inferred::pointwise(x[0].clone())
        })
    }

    fn joins_relu(&self) -> bool {
        true
    }

    fn forward(&self, context: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
        let x = x[0].tensor();
        let [weight, bias, running_mean, running_var] = [0, 1, 2, 3].map(|i| &context.params[i]);
        let training = of_batch(context);
        let affine = Some((weight, bias));
        let (y, mean, variance) = if training {
            nn::batch_norm_of_batch(x, self.eps, affine, context.relu)?
        } else {
            let moments = nn::Moments {
                mean: running_mean,
                variance: running_var,
                eps: self.eps,
            };
            let y = nn::batch_norm(x, &moments, affine, context.relu)?;
            (y, running_mean.clone(), running_var.clone())
        };
        let mut passed = passed(x, y, &mean, &variance, context);
        if training {
            let (new, old) = (self.momentum, 1.0 - self.momentum);
            let variance = (variance * (new * unbiased(x)?))?;
            passed.buffers = vec![
                (2, ((running_mean * old)? + (mean * new)?)?),
                (3, ((running_var * old)? + variance)?),
            ];
        }
        Ok(passed)
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let moments = nn::Moments {
            mean: &saved[1],
            variance: &saved[2],
            eps: self.eps,
        };
        let (weight, training) = (&context.params[0], of_batch(context));
        let (rectified, weight) = (saved.get(3), Some(weight));
        let (dx, d_weight, d_bias) =
            nn::batch_norm_backward(&saved[0], dy, rectified, &moments, weight, training)?;
        Ok(Gradients {
            inputs: vec![Some(dx)],
            params: vec![Some(d_weight), Some(d_bias)],
        })
    }
}
