//! Deconvolution: the transpose of convolution, which enlarges.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, Filler, Gradients, InferContext, Inferred, Layer,
    LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Size, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// (N, C, H, W) → (N, num_output, s·(H − 1) + d·(k − 1) + 1 − 2·pad, …): each input value is
/// painted with a filter, and what overlaps is summed. PyTorch's `ConvTranspose2d`, Caffe's
/// Deconvolution; the weight is (C, num_output / group, kernel). With `filler: bilinear`,
/// group = C and kernel 2·f − f mod 2 it enlarges f times by interpolation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deconvolution {
    pub num_output: Size,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub pad: [usize; 2],
    pub dilation: [usize; 2],
    pub group: usize,
    pub bias: bool,
    pub weight_filler: Filler,
    pub bias_filler: Filler,
}

impl Default for Deconvolution {
    fn default() -> Self {
        Self {
            num_output: Size::Count(16),
            kernel: [4, 4],
            stride: [2, 2],
            pad: [1, 1],
            dilation: [1, 1],
            group: 1,
            bias: true,
            weight_filler: Filler::Xavier,
            bias_filler: Filler::Constant(0.0),
        }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "Deconvolution",
    title: Text::new("Deconvolution", "反卷积"),
    family: Family::Convolution,
    role: Role::Layer,
    about: Text::new(
        "Convolution run backwards: paints a learned filter for every input value, and so enlarges.",
        "反向的卷积：以每个输入值为系数叠加学到的核，从而放大特征图。",
    ),
    formula: "yₒ(s·i + d·u − p, s·j + d·v − p) += w_c,ₒ(u, v) · x_c(i, j), then + bₒ",
    caffe: ("Deconvolution", "convolution_param"),
};

impl Deconvolution {
    /// The settings of the convolution whose transpose this is.
    fn settings(&self) -> nn::Conv2d {
        nn::Conv2d {
            stride: self.stride,
            pad: self.pad,
            dilation: self.dilation,
            groups: self.group,
        }
    }

    /// How far the taps of a filter reach.
    fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1) + 1)
    }

    /// Height or width of the output; `None` where nothing is left or it is too large.
    fn output_size(&self, axis: usize, size: usize) -> Option<usize> {
        let painted = (size.checked_sub(1)?.checked_mul(self.stride[axis])?)
            .checked_add(self.reach()[axis])?;
        painted
            .checked_sub(2 * self.pad[axis])
            .filter(|&left| left > 0)
    }
}

impl Layer for Deconvolution {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("How many feature maps come out.", "输出特征图的个数。");
        visitor.field(Field::size(
            "num_output",
            &mut self.num_output,
            1 << 16,
            about,
        ));
        let about = Text::new(
            "Height and width of a filter, in pixels.",
            "卷积核的高和宽（像素）。",
        );
        visitor.field(Field::pair("kernel", &mut self.kernel, 1..=512, about).caffe("kernel_size"));
        let about = Text::new(
            "Output pixels from one input value to the next: the enlargement.",
            "相邻输入值在输出上相隔的像素数，即放大倍数。",
        );
        visitor.field(Field::pair("stride", &mut self.stride, 1..=512, about));
        let about = Text::new(
            "Rows and columns cut off at the output's border.",
            "输出四周裁掉的行数和列数。",
        );
        visitor.field(Field::pair("pad", &mut self.pad, 0..=512, about));
        let about = Text::new(
            "Pixels between the taps of the filter; 1 is a dense filter.",
            "卷积核采样点之间的间隔；1 为普通卷积。",
        );
        visitor.field(Field::pair("dilation", &mut self.dilation, 1..=512, about));
        let about = Text::new(
            "Groups of channels that do not see each other.",
            "互不相连的通道组数。",
        );
        visitor.field(Field::count("group", &mut self.group, 1..=1 << 16, about));
        let about = Text::new("Whether each map gets a bias.", "每张特征图是否加偏置。");
        visitor.field(Field::flag("bias", &mut self.bias, about).caffe("bias_term"));
        let about = Text::new("How the weights begin.", "权重的初始化方法。");
        visitor.field(Field::filler(
            "weight_filler",
            &mut self.weight_filler,
            about,
        ));
        let about = Text::new("How the bias begins.", "偏置的初始化方法。");
        visitor.field(Field::filler("bias_filler", &mut self.bias_filler, about));
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (x, group) = (inputs[0], self.group);
        let (4, Some(channels)) = (x.rank(), x.dim(1)) else {
            return Err(Problem::Shape(tr_format!(
                "a deconvolution needs images (N, C, H, W), but gets {x}",
                "反卷积需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        };
        let Some(outputs) = self.num_output.resolve(context.classes) else {
            return Err(super::classes_unknown());
        };
        if channels == 0 || !channels.is_multiple_of(group) || !outputs.is_multiple_of(group) {
            return Err(Problem::Shape(tr_format!(
                "{channels} input and {outputs} output channels cannot be divided into {group} groups",
                "{channels} 个输入通道和 {outputs} 个输出通道不能平分为 {group} 组"
            )));
        }
        let mut size = [None; 2];
        for axis in [0, 1] {
            let Some(input) = x.dim(2 + axis) else {
                continue;
            };
            size[axis] = self.output_size(axis, input);
            if size[axis].is_none() {
                let pad = self.pad[axis];
                return Err(Problem::Shape(tr_format!(
                    "of {input} input pixels nothing usable is left after cutting {pad} off each side; use less padding",
                    "输入 {input} 个像素，两侧各裁掉 {pad} 个后没有可用的输出；请减小 pad"
                )));
            }
        }
        let weight = vec![channels, outputs / group, self.kernel[0], self.kernel[1]];
        let mut params = vec![ParamSpec::learnable("weight", weight, self.weight_filler)];
        let places = x.dim(2).zip(x.dim(3));
        let macs = places.map(|(h, w)| {
            let places = (h as u64).saturating_mul(w as u64);
            places.saturating_mul(params[0].count() as u64)
        });
        if self.bias {
            params.push(ParamSpec::learnable(
                "bias",
                vec![outputs],
                self.bias_filler,
            ));
        }
        // An output pixel hears at most this many inputs along each axis.
        let reach = self.reach();
        let heard = [0, 1].map(|axis| reach[axis].div_ceil(self.stride[axis]));
        Ok(Inferred {
            outputs: vec![Shape(vec![x.dim(0), Some(outputs), size[0], size[1]])],
            params,
            macs,
            window: Window::Slide {
                kernel: heard,
                stride: [1, 1],
                pad: heard.map(|heard| heard / 2),
            },
        })
    }

    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let size = [
            self.output_size(0, x.dim(2)?),
            self.output_size(1, x.dim(3)?),
        ];
        let [Some(height), Some(width)] = size else {
            candle_core::bail!("an input {:?} leaves no output", x.dims())
        };
        let weight = &context.params[0];
        let y = nn::conv2d_backward_data(x, weight, [height, width], &self.settings())?;
        let y = match context.params.get(1) {
            Some(bias) => nn::channel_affine(&y, None, Some(bias))?,
            None => y,
        };
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let (dy, settings) = (only_gradient(gradients)?, self.settings());
        let mut result = Gradients::default();
        if context.needs_input[0] {
            let dx = nn::conv2d(dy, &context.params[0], None, &settings)?;
            result.inputs = vec![Some(dx)];
        }
        if context.needs_params {
            let dw = nn::conv2d_backward_filter(dy, &saved[0], self.kernel, &settings)?;
            result.params.push(Some(dw));
            if self.bias {
                result.params.push(Some(nn::bias_backward(dy)?));
            }
        }
        Ok(result)
    }
}
