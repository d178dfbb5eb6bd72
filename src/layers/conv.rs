//! Convolution.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldValue, FieldVisitor, Filler, Gradients, InferContext, Inferred,
    Layer, LayerSpec, ParamSpec, Passed, Problem, Role, Shape, Size, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

/// Cross-correlation with a bank of learned filters: (N, C, H, W) → (N, num_output, H′, W′).
/// PyTorch's `Conv2d`; Caffe's Convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Convolution {
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

impl Default for Convolution {
    fn default() -> Self {
        Self {
            num_output: Size::Count(16),
            kernel: [3, 3],
            stride: [1, 1],
            pad: [0, 0],
            dilation: [1, 1],
            group: 1,
            bias: true,
            weight_filler: Filler::Xavier,
            bias_filler: Filler::Constant(0.0),
        }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "Convolution",
    title: Text::new("Convolution", "卷积"),
    family: Family::Convolution,
    role: Role::Layer,
    about: Text::new(
        "Slides learned filters over the image; each gives one feature map of where it fits.",
        "让学到的卷积核在图像上滑动；每个核给出一张特征图，显示它在何处匹配。",
    ),
    formula: "yₒ(i, j) = bₒ + Σ_c Σ_u Σ_v wₒ,c(u, v) · x_c(s·i + d·u − p, s·j + d·v − p)",
    caffe: ("Convolution", "convolution_param"),
};

impl Convolution {
    fn settings(&self) -> nn::Conv2d {
        nn::Conv2d {
            stride: self.stride,
            pad: self.pad,
            dilation: self.dilation,
            groups: self.group,
        }
    }

    /// Height or width of the output, or what is wrong.
    fn output_size(&self, axis: usize, size: Option<usize>) -> Result<Option<usize>, Problem> {
        let Some(size) = size else { return Ok(None) };
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let (pad, dilation) = (self.pad[axis], self.dilation[axis]);
        match nn::conv_output(size, kernel, stride, pad, dilation) {
            Some(output) => Ok(Some(output)),
            None => {
                let reach = dilation * (kernel - 1) + 1;
                let padded = size.saturating_add(2 * pad);
                Err(Problem::Shape(tr_format!(
                    "the kernel covers {reach} pixels, but the padded input has only {padded}; use a smaller kernel or more padding",
                    "卷积核覆盖 {reach} 个像素，而填充后的输入只有 {padded} 个；请减小卷积核或加大填充"
                )))
            }
        }
    }
}

impl Layer for Convolution {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.field(Field {
            name: "num_output",
            about: Text::new(
                "How many filters, and so feature maps.",
                "卷积核（即特征图）个数。",
            ),
            caffe: "num_output",
            value: FieldValue::Size {
                value: &mut self.num_output,
                max: 1 << 16,
            },
        });
        visitor.field(Field {
            name: "kernel",
            about: Text::new(
                "Height and width of a filter, in pixels.",
                "卷积核的高和宽（像素）。",
            ),
            caffe: "kernel_size",
            value: FieldValue::Pair {
                value: &mut self.kernel,
                min: 1,
                max: 512,
            },
        });
        visitor.field(Field {
            name: "stride",
            about: Text::new(
                "Pixels from one place of the filter to the next.",
                "卷积核每次移动的像素数。",
            ),
            caffe: "stride",
            value: FieldValue::Pair {
                value: &mut self.stride,
                min: 1,
                max: 512,
            },
        });
        visitor.field(Field {
            name: "pad",
            about: Text::new(
                "Rows and columns of zeros around the image.",
                "图像四周补零的行数和列数。",
            ),
            caffe: "pad",
            value: FieldValue::Pair {
                value: &mut self.pad,
                min: 0,
                max: 512,
            },
        });
        visitor.field(Field {
            name: "dilation",
            about: Text::new(
                "Pixels between the taps of the filter; 1 is a dense filter.",
                "卷积核采样点之间的间隔；1 为普通卷积。",
            ),
            caffe: "dilation",
            value: FieldValue::Pair {
                value: &mut self.dilation,
                min: 1,
                max: 512,
            },
        });
        visitor.field(Field {
            name: "group",
            about: Text::new(
                "Groups of channels that do not see each other (AlexNet: 2).",
                "互不相连的通道组数（AlexNet 为 2）。",
            ),
            caffe: "group",
            value: FieldValue::Count {
                value: &mut self.group,
                min: 1,
                max: 1 << 16,
            },
        });
        visitor.field(Field {
            name: "bias",
            about: Text::new("Whether each map gets a bias.", "每张特征图是否加偏置。"),
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
        let x = inputs[0];
        let group = self.group;
        let (4, Some(channels)) = (x.rank(), x.dim(1)) else {
            return Err(Problem::Shape(tr_format!(
                "a convolution needs images (N, C, H, W), but gets {x}",
                "卷积需要图像 (N, C, H, W)，而得到的是 {x}"
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
        let height = self.output_size(0, x.dim(2))?;
        let width = self.output_size(1, x.dim(3))?;
        let [kernel_h, kernel_w] = self.kernel;
        let weight = vec![outputs, channels / group, kernel_h, kernel_w];
        let mut params = vec![ParamSpec::learnable("weight", weight, self.weight_filler)];
        let places = height
            .zip(width)
            .map(|(h, w)| (h as u64).saturating_mul(w as u64));
        let macs = places.map(|places| places.saturating_mul(params[0].count() as u64));
        if self.bias {
            params.push(ParamSpec::learnable(
                "bias",
                vec![outputs],
                self.bias_filler,
            ));
        }
        let reach = [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1) + 1);
        Ok(Inferred {
            outputs: vec![Shape(vec![x.dim(0), Some(outputs), height, width])],
            params,
            macs,
            window: Window::Slide {
                kernel: reach,
                stride: self.stride,
                pad: self.pad,
            },
        })
    }

    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let (weight, bias) = (&context.params[0], context.params.get(1));
        let y = nn::conv2d(x, weight, bias, &self.settings())?;
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let (x, settings) = (&saved[0], self.settings());
        let mut result = Gradients::default();
        if context.needs_input[0] {
            let size = [x.dim(2)?, x.dim(3)?];
            let dx = nn::conv2d_backward_data(dy, &context.params[0], size, &settings)?;
            result.inputs = vec![Some(dx)];
        }
        if context.needs_params {
            let dw = nn::conv2d_backward_filter(x, dy, self.kernel, &settings)?;
            result.params.push(Some(dw));
            if self.bias {
                result.params.push(Some(nn::bias_backward(dy)?));
            }
        }
        Ok(result)
    }
}
