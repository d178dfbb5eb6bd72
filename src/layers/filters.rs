//! What convolution and its transpose have alike: the parameters, said once, and what follows
//! from them.

use crate::graph::{ParamSpec, Problem};
use crate::i18n::{Text, tr_format};

/// What the two say differently about the same parameters.
pub(super) struct FilterTexts {
    pub num_output: Text,
    pub stride: Text,
    pub pad: Text,
    pub group: Text,
}

pub(super) const KERNEL: Text = Text::new(
    "Height and width of a filter, in pixels.",
    "卷积核的高和宽（像素）。",
);
pub(super) const DILATION: Text = Text::new(
    "Pixels between the taps of the filter; 1 is a dense filter.",
    "卷积核采样点之间的间隔；1 为普通卷积。",
);
pub(super) const BIAS: Text = Text::new("Whether each map gets a bias.", "每张特征图是否加偏置。");

/// A layer type of learned filters; the defaults are its own.
macro_rules! filters {
    ($(#[$meta:meta])* $name:ident { kernel: $kernel:expr, stride: $stride:expr, pad: $pad:expr }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            pub num_output: crate::graph::Size,
            pub kernel: [usize; 2],
            pub stride: [usize; 2],
            pub pad: [usize; 2],
            pub dilation: [usize; 2],
            pub group: usize,
            pub bias: bool,
            pub weight_filler: crate::graph::Filler,
            pub bias_filler: crate::graph::Filler,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    num_output: crate::graph::Size::Count(16),
                    kernel: $kernel,
                    stride: $stride,
                    pad: $pad,
                    dilation: [1, 1],
                    group: 1,
                    bias: true,
                    weight_filler: crate::graph::Filler::Xavier,
                    bias_filler: crate::graph::Filler::Constant(0.0),
                }
            }
        }

        impl $name {
            fn settings(&self, context: &crate::graph::Context<'_>) -> crate::nn::Conv2d {
                crate::nn::Conv2d {
                    stride: self.stride,
                    pad: self.pad,
                    dilation: self.dilation,
                    groups: self.group,
                    precise: context.precise,
                }
            }

            /// How far the taps of a filter reach.
            fn reach(&self) -> [usize; 2] {
                [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1) + 1)
            }

            fn filter_fields(
                &mut self,
                texts: &crate::layers::filters::FilterTexts,
                visitor: &mut dyn crate::graph::FieldVisitor,
            ) {
                use crate::graph::Field;
                use crate::layers::filters::{BIAS, DILATION, KERNEL};
                use crate::layers::{BIAS_FILLER, WEIGHT_FILLER};
                let outputs = &mut self.num_output;
                visitor.field(Field::size("num_output", outputs, 1 << 16, texts.num_output));
                let kernel = Field::pair("kernel", &mut self.kernel, 1..=512, KERNEL);
                visitor.field(kernel.caffe("kernel_size"));
                visitor.field(Field::pair("stride", &mut self.stride, 1..=512, texts.stride));
                visitor.field(Field::pair("pad", &mut self.pad, 0..=512, texts.pad));
                visitor.field(Field::pair("dilation", &mut self.dilation, 1..=512, DILATION));
                visitor.field(Field::count("group", &mut self.group, 1..=1 << 16, texts.group));
                visitor.field(Field::flag("bias", &mut self.bias, BIAS).caffe("bias_term"));
                visitor.field(Field::filler("weight_filler", &mut self.weight_filler, WEIGHT_FILLER));
                visitor.field(Field::filler("bias_filler", &mut self.bias_filler, BIAS_FILLER));
            }

            /// A weight of this shape, and the bias where there is one.
            fn params(&self, weight: Vec<usize>, outputs: usize) -> Vec<crate::graph::ParamSpec> {
                use crate::graph::ParamSpec;
                let mut params = vec![ParamSpec::learnable("weight", weight, self.weight_filler)];
                if self.bias {
                    params.push(ParamSpec::learnable("bias", vec![outputs], self.bias_filler));
                }
                params
            }

            fn param_gradients(
                &self,
                dw: candle_core::Tensor,
                dy: &candle_core::Tensor,
            ) -> candle_core::Result<Vec<Option<candle_core::Tensor>>> {
                let mut gradients = vec![Some(dw)];
                if self.bias {
                    gradients.push(Some(crate::nn::bias_backward(dy)?));
                }
                Ok(gradients)
            }
        }
    };
}
pub(super) use filters;

/// Groups must divide the channels on both sides.
pub(super) fn check_groups(channels: usize, outputs: usize, group: usize) -> Result<(), Problem> {
    if channels == 0 || !channels.is_multiple_of(group) || !outputs.is_multiple_of(group) {
        return Err(Problem::Shape(tr_format!(
            "{channels} input and {outputs} output channels cannot be divided into {group} groups",
            "{channels} 个输入通道和 {outputs} 个输出通道不能平分为 {group} 组"
        )));
    }
    Ok(())
}

/// The whole filter bank at each of `places` (height, width).
pub(super) fn macs(places: Option<(usize, usize)>, params: &[ParamSpec]) -> Option<u64> {
    let (height, width) = places?;
    let places = (height as u64).saturating_mul(width as u64);
    Some(places.saturating_mul(params.first()?.count() as u64))
}
