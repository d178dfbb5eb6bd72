//! Deconvolution: the transpose of convolution, which enlarges.

use candle_core::Tensor;

use super::filters::{FilterTexts, check_groups, filters, macs};
use crate::graph::{
    Context, Family, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec, Passed,
    Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

filters! {
    /// (N, C, H, W) → (N, num_output, s·(H − 1) + d·(k − 1) + 1 − 2·pad, …): each input value is
    /// painted with a filter, and what overlaps is summed. PyTorch's `ConvTranspose2d`, Caffe's
    /// Deconvolution; the weight is (C, num_output / group, kernel). With `filler: bilinear`,
    /// group = C and kernel 2·f − f mod 2 it enlarges f times by interpolation.
    Deconvolution { kernel: [4, 4], stride: [2, 2], pad: [1, 1] }
}

static TEXTS: FilterTexts = FilterTexts {
    num_output: Text::new("How many feature maps come out.", "输出特征图的个数。"),
    stride: Text::new(
        "Output pixels from one input value to the next: the enlargement.",
        "相邻输入值在输出上相隔的像素数，即放大倍数。",
    ),
    pad: Text::new(
        "Rows and columns cut off at the output's border.",
        "输出四周裁掉的行数和列数。",
    ),
    group: Text::new(
        "Groups of channels that do not see each other.",
        "互不相连的通道组数。",
    ),
};

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
        self.filter_fields(&TEXTS, visitor);
    }

    fn infer(&self, context: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        let (4, Some(channels)) = (x.rank(), x.dim(1)) else {
            return Err(Problem::Shape(tr_format!(
                "a deconvolution needs images (N, C, H, W), but gets {x}",
                "反卷积需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        };
        let Some(outputs) = self.num_output.resolve(context.classes) else {
            return Err(super::classes_unknown());
        };
        check_groups(channels, outputs, self.group)?;
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
        let weight = vec![
            channels,
            outputs / self.group,
            self.kernel[0],
            self.kernel[1],
        ];
        let params = self.params(weight, outputs);
        // An output pixel hears at most this many inputs along each axis.
        let reach = self.reach();
        let heard = [0, 1].map(|axis| reach[axis].div_ceil(self.stride[axis]));
        Ok(Inferred {
            outputs: vec![Shape(vec![x.dim(0), Some(outputs), size[0], size[1]])],
            macs: macs(x.dim(2).zip(x.dim(3)), &params),
            params,
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
        let y = nn::conv2d_backward_data(x, weight, [height, width], &self.settings(context))?;
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
        let (dy, settings) = (only_gradient(gradients)?, self.settings(context));
        let mut result = Gradients::default();
        if context.needs_input[0] {
            let dx = nn::conv2d(dy, &context.params[0], None, &settings)?;
            result.inputs = vec![Some(dx)];
        }
        if context.needs_params {
            let dw = nn::conv2d_backward_filter(dy, &saved[0], self.kernel, &settings)?;
            result.params = self.param_gradients(dw, dy)?;
        }
        Ok(result)
    }
}
