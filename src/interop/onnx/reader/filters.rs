//! Operators with weights: convolutions, full connections, batch normalisation, PReLU, LRN.

use candle_core::Tensor;

use super::super::values::{Flow, Gap, Value};
use super::shapes::misfit;
use super::{Found, Op, Param};
use crate::graph::{Shape, Size};
use crate::i18n::{tr, tr_format};
use crate::layers::{
    Convolution, Deconvolution, Embed, FusedBatchNorm, InnerProduct, LRN, NormRegion, PReLU,
};

/// The window of a convolution or pooling along both axes.
pub(super) struct Frame {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
}

impl<'a> Op<'_, 'a> {
    pub(super) fn filters(&mut self) -> Found<'a> {
        let flow = match self.node.op {
            "Conv" => self.convolution()?,
            "ConvTranspose" => self.deconvolution()?,
            "Gemm" => self.gemm()?,
            "MatMul" => return self.mat_mul(),
            "BatchNormalization" => self.batch_norm()?,
            "PRelu" => self.prelu()?,
            _ => self.lrn()?,
        };
        Ok(vec![Value::Flow(flow)])
    }

    /// Kernel, stride, padding and dilation of a window over images; `kernel` where the weights
    /// say it.
    pub(super) fn frame(&self, kernel: Option<&[usize]>, x: &Flow) -> Result<Frame, Gap> {
        let pair = |name: &str| match self.node.integers(name) {
            None => Ok([1, 1]),
            Some([a, b]) => both([*a, *b]),
            Some(_) => Err(not_2d()),
        };
        let kernel = match (self.node.integers("kernel_shape"), kernel) {
            (Some([a, b]), _) => both([*a, *b])?,
            (None, Some([a, b])) => [*a, *b],
            _ => return Err(not_2d()),
        };
        let (stride, dilation) = (pair("strides")?, pair("dilations")?);
        let mut pads = match self.node.integers("pads") {
            None => [0; 4],
            Some([a, b, c, d]) => {
                let ([a, b], [c, d]) = (both([*a, *b])?, both([*c, *d])?);
                [a, b, c, d]
            }
            Some(_) => return Err(not_2d()),
        };
        let automatic = self.node.word("auto_pad").unwrap_or("NOTSET");
        if let "SAME_UPPER" | "SAME_LOWER" = automatic {
            let dims = x.dims().ok_or_else(misfit)?;
            for axis in [0, 1] {
                let size = dims.get(2 + axis).copied().flatten().ok_or_else(misfit)?;
                let reach = dilation[axis].saturating_mul(kernel[axis].saturating_sub(1));
                let reach = reach.saturating_add(1);
                let last = size.div_ceil(stride[axis].max(1)).saturating_sub(1);
                let all = last.saturating_mul(stride[axis]).saturating_add(reach);
                let all = all.saturating_sub(size);
                let (less, more) = (all / 2, all - all / 2);
                let upper = automatic == "SAME_UPPER";
                (pads[axis], pads[2 + axis]) = if upper { (less, more) } else { (more, less) };
            }
        }
        if kernel.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
            return Err(misfit());
        }
        for (own, before) in pads.iter_mut().zip(x.pad) {
            *own = own.saturating_add(before);
        }
        Ok(Frame {
            kernel,
            stride,
            dilation,
            pads,
        })
    }

    /// The images that an operator reads, which takes over what was padded before it.
    pub(super) fn padded_images(&mut self) -> Result<(Flow, [usize; 4]), Gap> {
        let flow = self.flow(0)?;
        let pad = flow.pad;
        let flow = self.laid_out(Flow {
            pad: [0; 4],
            ..flow
        })?;
        Ok((flow, pad))
    }

    fn convolution(&mut self) -> Result<Flow, Gap> {
        let (x, pad) = self.padded_images()?;
        let (mut weight, name) = self.weights(1)?;
        let [outputs, _, height, width] = *weight.dims() else {
            return Err(not_2d());
        };
        let padded = Flow { pad, ..x.clone() };
        let Frame {
            mut kernel,
            stride,
            dilation,
            pads,
        } = self.frame(Some(&[height, width]), &padded)?;
        let mut origin = name.to_owned();
        let mut pad = [0; 2];
        for axis in [0, 1] {
            let (before, after) = (pads[axis], pads[2 + axis]);
            pad[axis] = before.max(after);
            let more = before.abs_diff(after);
            if more == 0 {
                continue;
            }
            // Zeros in front of the filter move its window: the padding becomes even.
            if dilation[axis] != 1 || more > 512 {
                return Err(uneven());
            }
            let (front, behind) = if after > before { (more, 0) } else { (0, more) };
            weight = weight.pad_with_zeros(2 + axis, front, behind)?;
            kernel[axis] = kernel[axis].saturating_add(more);
            self.reader.count(Some(weight.elem_count()))?;
            origin = format!("{origin} padded {axis} {front} {behind}");
        }
        if origin != name {
            self.note(tr(
                "its padding is uneven; here it is even, and its filters have zeros at one side instead",
                "其填充不对称；此处改为对称填充，并在卷积核一侧补零",
            ));
        }
        let bias = self.bias(2, outputs)?;
        let layer = Convolution {
            num_output: Size::Count(outputs),
            kernel,
            stride,
            pad,
            dilation,
            group: self.group()?,
            bias: bias.is_some(),
            ..Convolution::default()
        };
        let params = params("weight", weight, origin, bias);
        self.one(layer, &[&x], params)
    }

    fn deconvolution(&mut self) -> Result<Flow, Gap> {
        let x = self.plain(0)?;
        let (weight, name) = self.weights(1)?;
        let [_, outputs, height, width] = *weight.dims() else {
            return Err(not_2d());
        };
        let frame = self.frame(Some(&[height, width]), &x)?;
        let group = self.group()?;
        let outputs = outputs.checked_mul(group).ok_or_else(misfit)?;
        let extra = self.node.integers("output_padding").unwrap_or_default();
        let [top, left, bottom, right] = frame.pads;
        if (top, left) != (bottom, right) || extra.iter().any(|size| *size != 0) {
            return Err(uneven());
        }
        if self.node.integers("output_shape").is_some() {
            return Err(Gap(
                tr("it asks for an output size", "它指定了输出大小").to_owned()
            ));
        }
        let bias = self.bias(2, outputs)?;
        let layer = Deconvolution {
            num_output: Size::Count(outputs),
            kernel: frame.kernel,
            stride: frame.stride,
            pad: [top, left],
            dilation: frame.dilation,
            group,
            bias: bias.is_some(),
            ..Deconvolution::default()
        };
        let params = params("weight", weight, name.to_owned(), bias);
        self.one(layer, &[&x], params)
    }

    fn group(&self) -> Result<usize, Gap> {
        let group = self.node.integer("group").unwrap_or(1);
        usize::try_from(group)
            .ok()
            .filter(|group| *group > 0)
            .ok_or_else(misfit)
    }

    /// A bias of so many numbers, where the input is there.
    fn bias(&mut self, index: usize, count: usize) -> Result<Option<(Tensor, String)>, Gap> {
        if matches!(self.input(index), Value::Absent) {
            return Ok(None);
        }
        let (bias, name) = self.weights(index)?;
        Ok(Some((spread(&bias, count)?, name.to_owned())))
    }

    /// y = α x W + β b.
    fn gemm(&mut self) -> Result<Flow, Gap> {
        if self.node.integer("transA").unwrap_or(0) != 0 {
            return Err(Gap(
                tr("it transposes its first input", "它转置第一个输入").to_owned()
            ));
        }
        let x = self.plain(0)?;
        let (weight, name) = self.weights(1)?;
        let turned = self.node.integer("transB").unwrap_or(0) != 0;
        let (mut weight, mut origin) = match turned {
            true => (weight, name.to_owned()),
            false => self.turned(weight, name)?,
        };
        let factor = |name: &str| self.node.real(name).unwrap_or(1.0);
        let (alpha, beta) = (factor("alpha"), factor("beta"));
        if alpha != 1.0 {
            weight = (weight * alpha)?;
            origin = format!("{origin} · {alpha}");
        }
        let outputs = weight.dim(0)?;
        let mut bias = self.bias(2, outputs)?;
        if let Some((bias, origin)) = bias.as_mut().filter(|_| beta != 1.0) {
            *bias = (&*bias * beta)?;
            *origin = format!("{origin} · {beta}");
        }
        self.full(&x, 1, weight, origin, bias)
    }

    /// A matrix (inputs, outputs) as we have it.
    fn turned(&mut self, weight: Tensor, name: &str) -> Result<(Tensor, String), Gap> {
        if weight.rank() != 2 {
            return Err(Gap(
                tr("its weights are no matrix", "其权重不是矩阵").to_owned()
            ));
        }
        self.reader.count(Some(weight.elem_count()))?;
        Ok((weight.t()?.contiguous()?, format!("{name} turned")))
    }

    fn full(
        &mut self,
        x: &Flow,
        axis: usize,
        weight: Tensor,
        origin: String,
        bias: Option<(Tensor, String)>,
    ) -> Result<Flow, Gap> {
        let layer = InnerProduct {
            num_output: Size::Count(weight.dim(0)?),
            bias: bias.is_some(),
            axis,
            ..InnerProduct::default()
        };
        self.one(layer, &[x], params("weight", weight, origin, bias))
    }

    /// Over the last axis; what stands before it may be in any order.
    fn mat_mul(&mut self) -> Found<'a> {
        let flow = self.flow(0)?;
        let (weight, name) = self.weights(1)?;
        let (weight, origin) = self.turned(weight, name)?;
        let rank = flow.shape.as_ref().map(Shape::rank);
        let last_stays = flow.view.as_ref().is_some_and(|view| {
            let named = view.iter().filter(|axis| axis.is_some()).count();
            Some(named) == rank && view.last().copied().flatten().map(|axis| axis + 1) == rank
        });
        let (x, view) = match last_stays && flow.pad == [0; 4] {
            true => {
                let view = flow.view.clone();
                (Flow { view: None, ..flow }, view)
            }
            false => (self.laid_out(flow)?, None),
        };
        let axis = x
            .shape
            .as_ref()
            .map_or(1, |shape| shape.rank().saturating_sub(1));
        let y = self.full(&x, axis, weight, origin, None)?;
        Ok(vec![Value::Flow(Flow { view, ..y })])
    }

    fn batch_norm(&mut self) -> Result<Flow, Gap> {
        if self.node.integer("training_mode").unwrap_or(0) != 0 {
            self.note(tr(
                "it is in training mode; here the running statistics count in testing",
                "它处于训练模式；此处测试时采用累计统计量",
            ));
        }
        let x = self.plain(0)?;
        let mut params = Vec::new();
        for (index, suffix) in ["weight", "bias", "running_mean", "running_var"]
            .iter()
            .enumerate()
        {
            let (tensor, name) = self.weights(index + 1)?;
            params.push(Param {
                suffix,
                tensor,
                origin: name.to_owned(),
            });
        }
        let momentum = 1.0 - self.node.real("momentum").unwrap_or(0.9);
        let layer = FusedBatchNorm {
            momentum: rounded(momentum),
            eps: rounded(self.node.real("epsilon").unwrap_or(1e-5)),
        };
        self.one(layer, &[&x], params)
    }

    fn prelu(&mut self) -> Result<Flow, Gap> {
        let x = self.plain(0)?;
        let (slope, name) = self.weights(1)?;
        let shared = slope.elem_count() == 1;
        // One for each channel: (C, 1, 1).
        let ones = slope.dims().iter().skip(1).all(|size| *size == 1);
        if !shared && !ones {
            return Err(Gap(tr(
                "its slopes are not one for each channel",
                "其斜率并非每通道一个",
            )
            .to_owned()));
        }
        let layer = PReLU {
            channel_shared: shared,
            ..PReLU::default()
        };
        let params = params("weight", slope.flatten_all()?, name.to_owned(), None);
        self.one(layer, &[&x], params)
    }

    fn lrn(&mut self) -> Result<Flow, Gap> {
        let x = self.plain(0)?;
        let size = self.node.integer("size").unwrap_or(0);
        let real = |name: &str, usual: f64| rounded(self.node.real(name).unwrap_or(usual));
        let layer = LRN {
            local_size: usize::try_from(size).map_err(|_| misfit())?,
            alpha: real("alpha", 1e-4),
            beta: real("beta", 0.75),
            k: real("bias", 1.0),
            norm_region: NormRegion::AcrossChannels,
        };
        self.one(layer, &[&x], Vec::new())
    }

    /// A table from which the input picks rows.
    pub(super) fn embedding(&mut self) -> Result<Flow, Gap> {
        let tokens = self.plain(1)?;
        let (table, name) = self.weights(0)?;
        let [rows, width] = *table.dims() else {
            return Err(Gap(tr("its table is no matrix", "其表不是矩阵").to_owned()));
        };
        let layer = Embed {
            num_output: Size::Count(width),
            input_dim: Size::Count(rows),
            ..Embed::default()
        };
        self.one(
            layer,
            &[&tokens],
            params("weight", table, name.to_owned(), None),
        )
    }

    /// Adds a constant to the full connection before it, where that has no bias yet.
    pub(super) fn joined_bias(&mut self, x: usize, constant: usize) -> Result<Option<Flow>, Gap> {
        let Value::Flow(flow) = self.input(x).clone() else {
            return Ok(None);
        };
        if !self.is_only_reader(x) || flow.pad != [0; 4] {
            return Ok(None);
        }
        let layer = self.reader.drafts[flow.from.0].layer.as_any();
        let Some(full) = layer
            .downcast_ref::<InnerProduct>()
            .filter(|full| !full.bias)
        else {
            return Ok(None);
        };
        let Size::Count(outputs) = full.num_output else {
            return Ok(None);
        };
        let full = InnerProduct {
            bias: true,
            ..full.clone()
        };
        let (bias, name) = self.weights(constant)?;
        if bias.elem_count() != outputs || bias.dims().last() != Some(&outputs) {
            return Ok(None);
        }
        let draft = &mut self.reader.drafts[flow.from.0];
        draft.layer = Box::new(full);
        if draft.key.is_none() {
            draft.key = name.rsplit_once('.').map(|(prefix, _)| prefix.to_owned());
        }
        draft.params.push(Param {
            suffix: "bias",
            tensor: bias.flatten_all()?,
            origin: name.to_owned(),
        });
        Ok(Some(flow))
    }

    pub(super) fn note(&mut self, why: &str) {
        let note = super::names::note(self.node, why);
        self.reader.notes.push(note);
    }
}

/// What stood as a short decimal in single precision, again as that.
pub(super) fn rounded(number: f64) -> f64 {
    (number as f32).to_string().parse().unwrap_or(number)
}

pub(super) fn params(
    suffix: &'static str,
    tensor: Tensor,
    origin: String,
    bias: Option<(Tensor, String)>,
) -> Vec<Param> {
    let bias = bias.map(|(tensor, origin)| Param {
        suffix: "bias",
        tensor,
        origin,
    });
    let first = Param {
        suffix,
        tensor,
        origin,
    };
    std::iter::once(first).chain(bias).collect()
}

/// (count) of (count), (1, count) or one number for all.
fn spread(bias: &Tensor, count: usize) -> Result<Tensor, Gap> {
    let flat = bias.flatten_all()?;
    match flat.elem_count() {
        1 => Ok(flat.broadcast_as(count)?.contiguous()?),
        found if found == count && bias.dims().last() == Some(&count) => Ok(flat),
        found => Err(Gap(tr_format!(
            "its bias has {found} numbers for {count} outputs",
            "其偏置有 {found} 个数，而输出有 {count} 个"
        ))),
    }
}

fn both(pair: [i64; 2]) -> Result<[usize; 2], Gap> {
    match pair.map(usize::try_from) {
        [Ok(a), Ok(b)] => Ok([a, b]),
        _ => Err(misfit()),
    }
}

fn not_2d() -> Gap {
    Gap(tr(
        "only windows over images (N, C, H, W) are read",
        "只支持图像 (N, C, H, W) 上的窗口",
    )
    .to_owned())
}

pub(super) fn uneven() -> Gap {
    Gap(tr("its padding is not even on both sides", "其填充两侧不对称").to_owned())
}
