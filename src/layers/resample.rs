//! Layers that change the size of maps without weights: Upsample, Crop.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::choice;
use crate::graph::{
    Context, Family, Field, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer,
    LayerSpec, Passed, Port, Problem, Role, Shape, Value, Window, only_gradient,
};
use crate::i18n::{Text, tr_format};
use crate::nn;

choice! {
    /// How the pixels between are made.
    UpsampleMode {
        Nearest = "nearest" "nearest" "最近邻",
        Bilinear = "bilinear" "bilinear" "双线性",
    }
}

/// Maps at another size: that of a second input where there is one, else `size` where that is not
/// 0, else `scale` times as large. PyTorch's `Upsample` and `interpolate`; with corners aligned,
/// the Interp of DeepLab's Caffe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upsample {
    pub mode: UpsampleMode,
    pub scale: usize,
    /// Height and width of the output; 0 means by `scale`.
    pub size: [usize; 2],
    pub align_corners: bool,
}

impl Default for Upsample {
    fn default() -> Self {
        Self {
            mode: UpsampleMode::Nearest,
            scale: 2,
            size: [0, 0],
            align_corners: false,
        }
    }
}

static UPSAMPLE: LayerSpec = LayerSpec {
    name: "Upsample",
    title: Text::new("Upsample", "上采样"),
    family: Family::Convolution,
    role: Role::Layer,
    about: Text::new(
        "Enlarges maps by repeating pixels or by interpolation; known as Interp in some versions of Caffe.",
        "以重复像素或插值放大特征图；某些 Caffe 版本中称 Interp。",
    ),
    formula: "y(i, j) = Σ a(i, u) · b(j, v) · x(u, v)",
    caffe: ("Interp", "interp_param"),
};

impl Upsample {
    fn how(&self) -> nn::Resize {
        match (self.mode, self.align_corners) {
            (UpsampleMode::Nearest, _) => nn::Resize::Nearest,
            (UpsampleMode::Bilinear, false) => nn::Resize::Bilinear,
            (UpsampleMode::Bilinear, true) => nn::Resize::BilinearCorners,
        }
    }

    fn output_size(&self, axis: usize, size: usize) -> usize {
        match self.size[axis] {
            0 => size.saturating_mul(self.scale),
            target => target,
        }
    }

    /// Height and width of the output, as far as they are known.
    fn output_dims(&self, inputs: &[&Shape]) -> [Option<usize>; 2] {
        [0, 1].map(|axis| match (inputs.get(1), inputs[0].dim(2 + axis)) {
            (Some(like), _) => like.dim(2 + axis),
            (None, Some(size)) => Some(self.output_size(axis, size)),
            (None, None) => Some(self.size[axis]).filter(|target| *target != 0),
        })
    }
}

impl Layer for Upsample {
    fn spec(&self) -> &'static LayerSpec {
        &UPSAMPLE
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::with_optional(const { &[Port::tensor("x"), Port::tensor("size")] }, 1)
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new("How the pixels between are made.", "中间像素的生成方法。");
        visitor.field(Field::choice("mode", &mut self.mode, about).caffe(""));
        let about = Text::new("How many times as large.", "放大倍数。");
        visitor.field(Field::count("scale", &mut self.scale, 1..=64, about).caffe("zoom_factor"));
        let about = Text::new(
            "Height and width of the output; 0 goes by the scale. A second input says them itself.",
            "输出的高和宽；0 表示按放大倍数。接有第二个输入时以其大小为准。",
        );
        visitor.field(Field::pair("size", &mut self.size, 0..=1 << 14, about).caffe(""));
        let about = Text::new(
            "For bilinear: the centres of the corner pixels coincide (Interp), instead of the edges of the images.",
            "双线性时：四角像素的中心对齐（Interp），而非图像边缘对齐。",
        );
        visitor.field(Field::flag("align_corners", &mut self.align_corners, about).caffe(""));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let x = inputs[0];
        if x.rank() != 4 || x.0[2..].contains(&Some(0)) {
            return Err(Problem::Shape(tr_format!(
                "upsampling needs images (N, C, H, W), but gets {x}",
                "上采样需要图像 (N, C, H, W)，而得到的是 {x}"
            )));
        }
        if let Some(like) = inputs.get(1).filter(|like| like.rank() != 4) {
            return Err(Problem::Shape(tr_format!(
                "the second input gives the size and must be images (N, C, H, W), but is {like}",
                "第二个输入给出大小，须为图像 (N, C, H, W)，而得到的是 {like}"
            )));
        }
        let size = self.output_dims(inputs);
        let y = x.clone().with(2, size[0]).with(3, size[1]);
        let taps = if self.mode == UpsampleMode::Nearest {
            1
        } else {
            2
        };
        Ok(Inferred {
            window: Window::Slide {
                kernel: [taps, taps],
                stride: [1, 1],
                pad: [0, 0],
            },
            ..Inferred::pointwise(y)
        })
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let x = inputs[0].tensor();
        let size = match inputs.get(1) {
            Some(like) => [like.tensor().dim(2)?, like.tensor().dim(3)?],
            None => [
                self.output_size(0, x.dim(2)?),
                self.output_size(1, x.dim(3)?),
            ],
        };
        Ok(Passed::new(
            nn::resize(x, size, self.how())?,
            vec![x.clone()],
        ))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let size = [saved[0].dim(2)?, saved[0].dim(3)?];
        let dx = nn::resize_backward(only_gradient(gradients)?, size, self.how())?;
        Ok(Gradients::of_input(dx))
    }
}

/// Cuts the first input to the size of the second, from `axis` on. Caffe's Crop; `centred`
/// computes the offsets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crop {
    pub axis: i64,
    /// None, one for all axes, or one for each.
    pub offset: Vec<usize>,
    pub centred: bool,
}

impl Default for Crop {
    fn default() -> Self {
        Self {
            axis: 2,
            offset: Vec::new(),
            centred: false,
        }
    }
}

static CROP: LayerSpec = LayerSpec {
    name: "Crop",
    title: Text::new("Crop", "裁剪"),
    family: Family::Structure,
    role: Role::Layer,
    about: Text::new(
        "Cuts its first input to the size of the second (FCN's skips).",
        "把第一个输入裁剪成第二个输入的大小（FCN 的跳跃连接）。",
    ),
    formula: "y(i, j) = x(i + o₁, j + o₂)",
    caffe: ("Crop", "crop_param"),
};

impl Crop {
    /// The first axis that is cut.
    fn first(&self, rank: usize) -> Option<usize> {
        super::axis_of(self.axis, rank)
    }

    /// Where the cut begins on the axis that is `index` after the first; `None` if it does not fit.
    pub(crate) fn begin(&self, index: usize, from: usize, to: usize) -> Option<usize> {
        let room = from.checked_sub(to)?;
        let begin = match (self.centred, self.offset.as_slice()) {
            (true, _) => room / 2,
            (false, []) => 0,
            (false, [offset]) => *offset,
            (false, offsets) => *offsets.get(index)?,
        };
        (begin <= room).then_some(begin)
    }

    /// Axis, begin and length of each cut.
    fn cuts(&self, x: &[usize], like: &[usize]) -> candle_core::Result<Vec<(usize, usize, usize)>> {
        let Some(first) = self.first(x.len()).filter(|_| x.len() == like.len()) else {
            candle_core::bail!("{x:?} cannot be cropped to {like:?}")
        };
        let cut = |axis: usize| match self.begin(axis - first, x[axis], like[axis]) {
            Some(begin) => Ok((axis, begin, like[axis])),
            None => candle_core::bail!("{x:?} cannot be cropped to {like:?}"),
        };
        (first..x.len()).map(cut).collect()
    }
}

impl Layer for Crop {
    fn spec(&self) -> &'static LayerSpec {
        &CROP
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(const { &[Port::tensor("x"), Port::tensor("size")] })
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The first axis that is cut: 2 is height, and width with it.",
            "从第几维起裁剪：2 为高，宽也随之裁剪。",
        );
        visitor.field(Field::integer("axis", &mut self.axis, -8..=8, about));
        let about = Text::new(
            "Where the cut begins: one number for all axes, or one for each; empty is 0.",
            "裁剪的起点：各维共用一个数，或每维一个；留空为 0。",
        );
        visitor.field(Field::counts(
            "offset",
            &mut self.offset,
            0..=1 << 16,
            8,
            about,
        ));
        let about = Text::new(
            "Cut the middle out; the offsets do not count.",
            "取正中部分；忽略 offset。",
        );
        visitor.field(Field::flag("centred", &mut self.centred, about).caffe(""));
    }

    fn infer(&self, _: &InferContext<'_>, inputs: &[&Shape]) -> Result<Inferred, Problem> {
        let (x, like, axis) = (inputs[0], inputs[1], self.axis);
        let Some(first) = self.first(x.rank()).filter(|_| x.rank() == like.rank()) else {
            return Err(Problem::Shape(tr_format!(
                "{x} cannot be cropped like {like} from axis {axis} on: both need that axis and equally many",
                "{x} 无法从第 {axis} 维起按 {like} 裁剪：两者维数须相同且含该维"
            )));
        };
        let given = self.offset.len();
        if given > 1 && given != x.rank() - first {
            let needed = x.rank() - first;
            return Err(Problem::Shape(tr_format!(
                "{given} offsets are given for {needed} axes; give one, or one each",
                "给出了 {given} 个 offset，而需裁剪 {needed} 维；请给一个，或每维一个"
            )));
        }
        for axis in first..x.rank() {
            let (Some(from), Some(to)) = (x.dim(axis), like.dim(axis)) else {
                continue;
            };
            if self.begin(axis - first, from, to).is_none() {
                return Err(Problem::Shape(tr_format!(
                    "axis {axis} has {from} values, too few for {to} at this offset",
                    "第 {axis} 维有 {from} 个值，按此 offset 不足以裁出 {to} 个"
                )));
            }
        }
        let mut y = x.clone();
        y.0[first..].clone_from_slice(&like.0[first..]);
        Ok(Inferred::pointwise(y))
    }

    fn forward(&self, _: &Context<'_>, inputs: &[Value]) -> candle_core::Result<Passed> {
        let (x, like) = (inputs[0].tensor(), inputs[1].tensor());
        let cuts = self.cuts(x.dims(), like.dims())?;
        let narrow = |y: Tensor, &(axis, begin, length): &_| y.narrow(axis, begin, length);
        let y = cuts.iter().try_fold(x.clone(), narrow)?.contiguous()?;
        Ok(Passed::new(y, vec![x.clone(), like.clone()]))
    }

    fn backward(
        &self,
        _: &Context<'_>,
        saved: &[Tensor],
        gradients: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        let mut dx = only_gradient(gradients)?.clone();
        let from = saved[0].dims();
        for (axis, begin, length) in self.cuts(from, saved[1].dims())? {
            dx = dx.pad_with_zeros(axis, begin, from[axis] - begin - length)?;
        }
        Ok(Gradients::of_inputs([Some(dx.contiguous()?), None]))
    }
}
