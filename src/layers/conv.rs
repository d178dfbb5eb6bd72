//! Convolution.

use candle_core::Tensor;

use super::filters::{FilterTexts, check_groups, filters, macs};
use super::through_relu;
use crate::graph::{
    Context, Family, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec, Passed,
    Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

filters! {
    /// Cross-correlation with a bank of learned filters: (N, C, H, W) → (N, num_output, H′, W′).
    /// PyTorch's `Conv2d`; Caffe's Convolution.
    Convolution { kernel: [3, 3], stride: [1, 1], pad: [0, 0] }
}

static TEXTS: FilterTexts = FilterTexts {
    num_output: Text::new(
        "How many filters, and so feature maps.",
        "卷积核（即特征图）个数。",
    ),
    stride: Text::new(
        "Pixels from one place of the filter to the next.",
        "卷积核每次移动的像素数。",
    ),
    pad: Text::new(
        "Rows and columns of zeros around the image.",
        "图像四周补零的行数和列数。",
    ),
    group: Text::new(
        "Groups of channels that do not see each other (AlexNet: 2).",
        "互不相连的通道组数（AlexNet 为 2）。",
    ),
};

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
    /// Height or width of the output, or what is wrong.
    fn output_size(&self, axis: usize, size: Option<usize>) -> Result<Option<usize>, Problem> {
        let Some(size) = size else { return Ok(None) };
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        let (pad, dilation) = (self.pad[axis], self.dilation[axis]);
        match nn::conv_output(size, kernel, stride, pad, dilation) {
            Some(output) => Ok(Some(output)),
            None => {
                let reach = self.reach()[axis];
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
        self.filter_fields(&TEXTS, visitor);
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        let (4, Some(channels)) = (x.rank(), x.dim(1)) else {
            return Err(Problem::Shape(tr_format!(
                "a convolution needs images (N, C, H, W), but gets {x}",
                "卷积需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        };
        let Some(outputs) = self.num_output.resolve(context.classes) else {
            return Err(super::classes_unknown());
        };
        check_groups(channels, outputs, self.group)?;
        let height = self.output_size(0, x.dim(2))?;
        let width = self.output_size(1, x.dim(3))?;
        let [kernel_h, kernel_w] = self.kernel;
        let weight = vec![outputs, channels / self.group, kernel_h, kernel_w];
        let params = self.params(weight, outputs);
        Ok(Inferred {
            outputs: vec![Shape(vec![x.dim(0), Some(outputs), height, width])],
            macs: macs(height.zip(width), &params),
            params,
            window: Window::Slide {
                kernel: self.reach(),
                stride: self.stride,
                pad: self.pad,
            },
        })
    }

    fn joins_relu(&self) -> bool {
        true
    }

    /// Saves the input, and with a ReLU joined the output.
    fn forward(&self, context: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let (weight, bias) = (&context.params[0], context.params.get(1));
        let settings = self.settings(context);
        if context.relu {
            let y = nn::conv2d_relu(x, weight, bias, &settings)?;
            return Ok(Passed::new(y.clone(), vec![x.clone(), y]));
        }
        let y = nn::conv2d(x, weight, bias, &settings)?;
        Ok(Passed::new(y, vec![x.clone()]))
    }

    fn backward(
        &self,
        context: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = &through_relu(saved.get(1), only_gradient(gradients)?)?;
        let (x, settings) = (&saved[0], self.settings(context));
        let mut result = Gradients::default();
        if context.needs_input[0] {
            let size = [x.dim(2)?, x.dim(3)?];
            let dx = nn::conv2d_backward_data(dy, &context.params[0], size, &settings)?;
            result.inputs = vec![Some(dx)];
        }
        if context.needs_params {
            let dw = nn::conv2d_backward_filter(x, dy, self.kernel, &settings)?;
            result.params = self.param_gradients(dw, dy)?;
        }
        Ok(result)
    }
}
