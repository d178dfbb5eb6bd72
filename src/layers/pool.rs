//! Pooling: a summary of each window of a feature map.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, Layer, LayerSpec,
    Passed, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

choice! {
    /// What a window is summed up by.
    PoolMethod {
        Max = "max" "maximum" "最大值",
        Average = "average" "average" "平均值",
    }
}

/// (N, C, H, W) → (N, C, H′, W′), each channel by itself. Caffe's Pooling: sizes round up
/// (`ceil`), and an average counts the padding but not what lies beyond it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pooling {
    pub method: PoolMethod,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub pad: [usize; 2],
    pub ceil: bool,
    pub global: bool,
}

impl Default for Pooling {
    fn default() -> Self {
        Self {
            method: PoolMethod::Max,
            kernel: [2, 2],
            stride: [2, 2],
            pad: [0, 0],
            ceil: true,
            global: false,
        }
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "Pooling",
    title: Text::new("Pooling", "池化"),
    family: Family::Pooling,
    role: Role::Layer,
    about: Text::new(
        "Keeps the largest or the average value of each window: smaller maps that care less about exact places.",
        "保留每个窗口的最大值或平均值：特征图变小，对精确位置不再敏感。",
    ),
    formula: "y(i, j) = max or mean of x over the window at (s·i − p, s·j − p)",
    caffe: ("Pooling", "pooling_param"),
};

impl Pooling {
    fn settings(&self, x: &Tensor) -> candle_core::Result<nn::Pool2d> {
        let (_, _, height, width) = x.dims4()?;
        Ok(match self.global {
            true => nn::Pool2d {
                kernel: [height, width],
                stride: [1, 1],
                pad: [0, 0],
                ceil: false,
            },
            false => nn::Pool2d {
                kernel: self.kernel,
                stride: self.stride,
                pad: self.pad,
                ceil: self.ceil,
            },
        })
    }

    fn output_size(&self, axis: usize, size: Option<usize>) -> Result<Option<usize>, Problem> {
        if self.global {
            return Ok(Some(1));
        }
        let Some(size) = size else { return Ok(None) };
        let (kernel, pad) = (self.kernel[axis], self.pad[axis]);
        if let Some(output) = nn::pool_output(size, kernel, self.stride[axis], pad, self.ceil) {
            return Ok(Some(output));
        }
        Err(Problem::Shape(if pad >= kernel {
            tr_format!(
                "the padding {pad} must be smaller than the kernel {kernel}",
                "填充 {pad} 必须小于窗口大小 {kernel}"
            )
        } else {
            let padded = size.saturating_add(2 * pad);
            tr_format!(
                "the window covers {kernel} pixels, but the padded input has only {padded}; use a smaller window",
                "窗口覆盖 {kernel} 个像素，而填充后的输入只有 {padded} 个；请减小窗口"
            )
        }))
    }
}

impl Layer for Pooling {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("What a window is summed up by.", "窗口的汇总方式。");
        visitor.field(Field::choice("method", &mut self.method, about).caffe("pool"));
        let about = Text::new(
            "Height and width of the window, in pixels.",
            "窗口的高和宽（像素）。",
        );
        visitor.field(Field::pair("kernel", &mut self.kernel, 1..=512, about).caffe("kernel_size"));
        let about = Text::new(
            "Pixels from one window to the next.",
            "相邻窗口之间的像素数。",
        );
        visitor.field(Field::pair("stride", &mut self.stride, 1..=512, about));
        let about = Text::new(
            "Rows and columns added around the image.",
            "图像四周填充的行数和列数。",
        );
        visitor.field(Field::pair("pad", &mut self.pad, 0..=512, about));
        let about = Text::new(
            "Round the output size up, so that the last window may hang over the edge (Caffe); off rounds down (PyTorch).",
            "输出尺寸向上取整，最后一个窗口可以越过边缘（Caffe）；关闭则向下取整（PyTorch）。",
        );
        visitor.field(Field::flag("ceil", &mut self.ceil, about).caffe("round_mode"));
        let about = Text::new(
            "One window over the whole map; kernel, stride and padding do not count.",
            "整张特征图作为一个窗口；忽略窗口大小、步长和填充。",
        );
        visitor.field(Field::flag("global", &mut self.global, about).caffe("global_pooling"));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        if x.rank() != 4 || x.0[1..].contains(&Some(0)) {
            return Err(Problem::Shape(tr_format!(
                "pooling needs images (N, C, H, W), but gets {x}",
                "池化需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        }
        let (height, width) = (
            self.output_size(0, x.dim(2))?,
            self.output_size(1, x.dim(3))?,
        );
        let window = match self.global {
            true => Window::Whole,
            false => Window::Slide {
                kernel: self.kernel,
                stride: self.stride,
                pad: self.pad,
            },
        };
        let output = Shape(vec![x.dim(0), x.dim(1), height, width]);
        Ok(Inferred {
            window,
            ..Inferred::pointwise(output)
        })
    }

    /// Saves the input's shape only through the gradient's rule: maximum keeps its indices,
    /// average keeps nothing but the input (a reference, not a copy) for its size.
    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let settings = self.settings(x)?;
        match self.method {
            PoolMethod::Max => {
                let (y, indices) = nn::max_pool2d(x, &settings)?;
                Ok(Passed::new(y, vec![x.clone(), indices]))
            }
            PoolMethod::Average => Ok(Passed::new(nn::avg_pool2d(x, &settings)?, vec![x.clone()])),
        }
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let dy = only_gradient(gradients)?;
        let x = &saved[0];
        let size = [x.dim(2)?, x.dim(3)?];
        Ok(Gradients::of_input(match self.method {
            PoolMethod::Max => nn::max_pool2d_backward(dy, &saved[1], size)?,
            PoolMethod::Average => nn::avg_pool2d_backward(dy, size, &self.settings(x)?)?,
        }))
    }
}
