//! Normalisation of each example by itself: LRN among neighbours, MVN over whole maps.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::channels_needed;
use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

choice! {
    /// Where the neighbours of a value are.
    NormRegion {
        AcrossChannels = "across_channels" "in neighbouring channels" "相邻通道",
        WithinChannel = "within_channel" "around it in its channel" "同一通道内的邻域",
    }
}

/// Local response normalisation (Krizhevsky et al. 2012): a value is damped by the squares of its
/// neighbours. α is divided by the size of the window, as in Caffe and PyTorch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LRN {
    pub local_size: usize,
    pub alpha: f64,
    pub beta: f64,
    pub k: f64,
    pub norm_region: NormRegion,
}

impl Default for LRN {
    fn default() -> Self {
        Self {
            local_size: 5,
            alpha: 1.0,
            beta: 0.75,
            k: 1.0,
            norm_region: NormRegion::AcrossChannels,
        }
    }
}

static LRN_SPEC: LayerSpec = LayerSpec {
    name: "LRN",
    title: Text::new("Local response normalisation", "局部响应归一化"),
    family: Family::Normalisation,
    role: Role::Layer,
    about: Text::new(
        "Damps a value where its neighbours are strong (AlexNet).",
        "邻域响应强时抑制该值（AlexNet）。",
    ),
    formula: "y = x / (k + α/m · Σ x²)^β",
    caffe: ("LRN", "lrn_param"),
};

impl LRN {
    fn settings(&self) -> nn::Lrn {
        nn::Lrn {
            size: self.local_size,
            alpha: self.alpha,
            beta: self.beta,
            k: self.k,
            within: self.norm_region == NormRegion::WithinChannel,
        }
    }
}

impl Layer for LRN {
    fn spec(&self) -> &'static LayerSpec {
        &LRN_SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field::count(
            "local_size",
            &mut self.local_size,
            1..=255,
            Text::new(
                "Channels in the window, or its width in pixels; odd.",
                "窗口包含的通道数，或以像素计的边长；须为奇数。",
            ),
        ));
        let about = Text::new(
            "α: the weight of the mean square; m is the number of values in the window.",
            "α：均方值的权重；m 为窗口内值的个数。",
        );
        visitor.field(Field::real("alpha", &mut self.alpha, 0.0..=1e6, about));
        let about = Text::new("β: the exponent.", "β：指数。");
        visitor.field(Field::real("beta", &mut self.beta, 0.0..=100.0, about));
        let about = Text::new(
            "k: the constant; within a channel Caffe always takes 1.",
            "k：常数项；在同一通道内时 Caffe 固定为 1。",
        );
        visitor.field(Field::real("k", &mut self.k, 1e-6..=1e6, about));
        let about = Text::new("Where the neighbours are.", "邻域的位置。");
        let region = &mut self.norm_region;
        visitor.field(Field::choice("norm_region", region, about));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        let (x, size) = (x[0], self.local_size);
        if x.rank() != 4 {
            return Err(Problem::Shape(tr_format!(
                "local response normalisation needs images (N, C, H, W), but gets {x}",
                "局部响应归一化需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        }
        if size.is_multiple_of(2) {
            return Err(Problem::Shape(tr_format!(
                "the window has {size} values, but needs an odd number to have a middle",
                "窗口大小为 {size}，须为奇数才有中心"
            )));
        }
        let window = match self.norm_region {
            NormRegion::AcrossChannels => Window::Point,
            NormRegion::WithinChannel => Window::Slide {
                kernel: [size, size],
                stride: [1, 1],
                pad: [size / 2, size / 2],
            },
        };
        Ok(Inferred {
            window,
            ..Inferred::pointwise(x.clone())
        })
    }

    fn forward(&self, _: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
        let x = x[0].tensor();
        let (y, s) = nn::lrn(x, &self.settings())?;
        Ok(Passed::new(y, vec![x.clone(), s]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let dx = nn::lrn_backward(&saved[0], &saved[1], dy, &self.settings())?;
        Ok(Gradients::of_input(dx))
    }
}

/// Each map, or each example, less its mean and over its standard deviation plus ε. Caffe's MVN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MVN {
    pub normalize_variance: bool,
    pub across_channels: bool,
    pub eps: f64,
}

impl Default for MVN {
    fn default() -> Self {
        Self {
            normalize_variance: true,
            across_channels: false,
            eps: 1e-9,
        }
    }
}

static MVN_SPEC: LayerSpec = LayerSpec {
    name: "MVN",
    title: Text::new("Mean-variance normalisation", "均值方差归一化"),
    family: Family::Normalisation,
    role: Role::Layer,
    about: Text::new(
        "Gives every map of every example mean 0 and variance 1 by itself.",
        "使每个样本的每张特征图各自均值为 0、方差为 1。",
    ),
    formula: "y = (x − mean) / (√variance + ε)",
    caffe: ("MVN", "mvn_param"),
};

impl MVN {
    fn rows(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self.across_channels {
            true => x.contiguous()?.flatten_from(1),
            false => x.contiguous()?.flatten_from(2),
        }
    }
}

impl Layer for MVN {
    fn spec(&self) -> &'static LayerSpec {
        &MVN_SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("Divide by the standard deviation too.", "同时除以标准差。");
        let variance = &mut self.normalize_variance;
        visitor.field(Field::flag("normalize_variance", variance, about));
        let about = Text::new(
            "Over all channels of an example together instead of each map.",
            "对样本的所有通道一起归一化，而非逐张特征图。",
        );
        let across = &mut self.across_channels;
        visitor.field(Field::flag("across_channels", across, about));
        let about = Text::new(
            "ε: added to the standard deviation, against division by zero.",
            "ε：加在标准差上，避免除以零。",
        );
        visitor.field(Field::real("eps", &mut self.eps, 1e-12..=1.0, about));
    }

    fn infer(&self, _: &InferContext<'_>, x: &[&Shape]) -> Result<Inferred, Problem> {
        let x = x[0];
        channels_needed(x)?;
        if x.rank() < 3 && !self.across_channels {
            return Err(Problem::Shape(tr_format!(
                "each channel of {x} is a single number; normalise across channels",
                "{x} 的每个通道只有一个数；请跨通道归一化"
            )));
        }
        Ok(Inferred {
            window: Window::Whole,
            ..Inferred::pointwise(x.clone())
        })
    }

    fn forward(&self, _: &Context<'_>, x: &[Value]) -> candle_core::Result<Passed> {
        let x = x[0].tensor();
        let y = nn::mvn(&self.rows(x)?, self.normalize_variance, self.eps)?;
        Ok(Passed::new(y.reshape(x.shape())?, vec![x.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let x = &saved[0];
        let (rows, dy) = (self.rows(x)?, self.rows(only_gradient(gradients)?)?);
        let dx = nn::mvn_backward(&rows, &dy, self.normalize_variance, self.eps)?;
        Ok(Gradients::of_input(dx.reshape(x.shape())?))
    }
}
