//! Operators that sum up windows or maps, and those that change the size of maps.

use super::super::values::{Flow, Gap, Value, axis_in};
use super::filters::uneven;
use super::shapes::misfit;
use super::{Found, Op};
use crate::i18n::{tr, tr_format};
use crate::layers::{
    PoolMethod, Pooling, ReLU, Reduction, ReductionOperation, Upsample, UpsampleMode,
};
use crate::nn::pool_output;

impl<'a> Op<'_, 'a> {
    pub(super) fn pooling(&mut self) -> Found<'a> {
        let flow = match self.node.op {
            "MaxPool" => self.windows(PoolMethod::Max)?,
            "AveragePool" => self.windows(PoolMethod::Average)?,
            "GlobalAveragePool" => self.whole(PoolMethod::Average)?,
            "GlobalMaxPool" => self.whole(PoolMethod::Max)?,
            "Upsample" | "Resize" => self.resized()?,
            "Pad" => self.pad()?,
            _ => self.reduced()?,
        };
        Ok(vec![Value::Flow(flow)])
    }

    fn whole(&mut self, method: PoolMethod) -> Result<Flow, Gap> {
        let x = self.plain(0)?;
        let layer = Pooling {
            method,
            global: true,
            ceil: false,
            ..Pooling::default()
        };
        self.one(layer, &[&x], Vec::new())
    }

    fn windows(&mut self, method: PoolMethod) -> Result<Flow, Gap> {
        let (x, before) = self.padded_images()?;
        if self
            .node
            .outputs
            .get(1)
            .is_some_and(|name| !name.is_empty())
        {
            return Err(Gap(tr(
                "it gives the places of the maxima too",
                "它还输出最大值的位置",
            )
            .to_owned()));
        }
        let own = self.frame(None, &x)?;
        if own.dilation != [1, 1] {
            return Err(Gap(tr("its windows have gaps", "其窗口带空洞").to_owned()));
        }
        let average = method == PoolMethod::Average;
        // Zeros before a maximum are no gap only where nothing is below them.
        let rectified = || {
            let layer = self.reader.drafts[x.from.0].layer.as_any();
            layer
                .downcast_ref::<ReLU>()
                .is_some_and(|relu| relu.negative_slope == 0.0)
        };
        if before != [0; 4] && !average && !rectified() {
            return Err(super::padded());
        }
        let counted = !average || self.node.integer("count_include_pad").unwrap_or(0) != 0;
        let ceil = self.node.integer("ceil_mode").unwrap_or(0) != 0;
        let dims = x.dims().ok_or_else(misfit)?;
        let mut pad = [0; 2];
        let mut hangs = ceil;
        for axis in [0, 1] {
            let (first, last) = (own.pads[axis], own.pads[2 + axis]);
            let (padded_first, padded_last) = (before[axis], before[2 + axis]);
            pad[axis] = padded_first.saturating_add(first);
            if (first, last, ceil) == (0, 0, false) && padded_first == padded_last {
                continue;
            }
            // An average counts what was padded before, and its own padding only if it says so.
            if !counted && (first != 0 || (padded_first != padded_last)) {
                return Err(Gap(tr(
                    "its average does not count the padding",
                    "其平均值不计填充",
                )
                .to_owned()));
            }
            let end = padded_last.saturating_add(last);
            if pad[axis] == end && (counted || last == 0) {
                continue;
            }
            // A window that hangs over the end, which is what rounding up means here.
            if average && counted {
                return Err(uneven());
            }
            hangs = true;
        }
        // Rounding up goes for both axes.
        for axis in [0, 1].into_iter().filter(|_| hangs && !ceil) {
            let size = dims.get(2 + axis).copied().flatten().ok_or_else(misfit)?;
            let end = before[2 + axis].saturating_add(own.pads[2 + axis]);
            let shown = size.saturating_add(pad[axis]).saturating_add(end);
            let room = shown.checked_sub(own.kernel[axis]);
            let outputs = room.map(|room| room / own.stride[axis] + 1);
            if outputs != pool_output(size, own.kernel[axis], own.stride[axis], pad[axis], true) {
                return Err(uneven());
            }
        }
        let layer = Pooling {
            method,
            kernel: own.kernel,
            stride: own.stride,
            pad,
            ceil: hangs,
            global: false,
        };
        self.one(layer, &[&x], Vec::new())
    }

    /// Sums and means over the last axes; of both axes of an image, a pooling.
    fn reduced(&mut self) -> Result<Flow, Gap> {
        let x = self.plain(0)?;
        let rank = x.shape.as_ref().ok_or_else(misfit)?.rank();
        let axes = match self.integers("axes", 1) {
            Some(axes) => {
                let axes = axes.iter().map(|axis| axis_in(*axis, rank));
                let mut axes: Vec<usize> = axes.collect::<Option<_>>().ok_or_else(misfit)?;
                axes.sort_unstable();
                axes
            }
            None => (0..rank).collect(),
        };
        let first = rank - axes.len().min(rank);
        if axes.is_empty() || !axes.iter().copied().eq(first..rank) {
            return Err(Gap(tr_format!(
                "it sums up axes {axes:?}, which are not the last",
                "它对第 {axes:?} 维归约，而非最后几维"
            )));
        }
        let keeps = self.node.integer("keepdims").unwrap_or(1) != 0;
        let kept = if keeps { rank } else { first };
        if (self.node.op, rank, first) == ("ReduceMean", 4, 2) {
            let layer = Pooling {
                method: PoolMethod::Average,
                global: true,
                ceil: false,
                ..Pooling::default()
            };
            let y = self.one(layer, &[&x], Vec::new())?;
            return Ok(y.viewed((0..kept).map(Some).collect()));
        }
        let operation = match self.node.op {
            "ReduceMean" => ReductionOperation::Mean,
            "ReduceSum" => ReductionOperation::Sum,
            "ReduceL1" => ReductionOperation::AbsSum,
            _ => ReductionOperation::SquareSum,
        };
        let layer = Reduction {
            operation,
            axis: first as i64,
            coeff: 1.0,
        };
        let y = self.one(layer, &[&x], Vec::new())?;
        let view = (0..kept).map(|axis| (axis < first).then_some(axis));
        Ok(y.viewed(view.collect()))
    }

    /// Zeros around an image, for whoever comes next.
    fn pad(&mut self) -> Result<Flow, Gap> {
        let flow = self.flow(0)?;
        let value = self
            .node
            .real("value")
            .or_else(|| self.number(2))
            .unwrap_or(0.0);
        if self.node.word("mode").unwrap_or("constant") != "constant" || value != 0.0 {
            return Err(Gap(tr(
                "it pads with something else than zeros",
                "它填充的不是零",
            )
            .to_owned()));
        }
        let pads = self.integers("pads", 1).ok_or_else(misfit)?;
        if pads.iter().all(|pad| *pad == 0) {
            return Ok(flow);
        }
        let flow = Flow {
            pad: flow.pad,
            ..self.laid_out(Flow {
                pad: [0; 4],
                ..flow.clone()
            })?
        };
        let pads = match self.input(3) {
            Value::Numbers(axes) => {
                let axes = axes.integers().ok_or_else(misfit)?;
                let mut all = vec![0; 8];
                for (index, axis) in axes.iter().enumerate() {
                    let axis = axis_in(*axis, 4).ok_or_else(misfit)?;
                    all[axis] = *pads.get(index).ok_or_else(misfit)?;
                    all[4 + axis] = *pads.get(axes.len() + index).ok_or_else(misfit)?;
                }
                all
            }
            _ => pads,
        };
        let [0, 0, top, left, 0, 0, bottom, right] = pads[..] else {
            return Err(Gap(tr(
                "it pads other axes than height and width",
                "它填充的不是高和宽",
            )
            .to_owned()));
        };
        let mut pad = flow.pad;
        for (pad, more) in pad.iter_mut().zip([top, left, bottom, right]) {
            let more =
                usize::try_from(more).map_err(|_| Gap(tr("it cuts", "它在裁剪").to_owned()))?;
            *pad = pad.saturating_add(more);
        }
        Ok(Flow { pad, ..flow })
    }

    fn resized(&mut self) -> Result<Flow, Gap> {
        let x = self.plain(0)?;
        let dims = x.dims().ok_or_else(misfit)?;
        let [_, _, height, width] = dims[..] else {
            return Err(misfit());
        };
        let mode = match self.node.word("mode").unwrap_or("nearest") {
            "nearest" => UpsampleMode::Nearest,
            "linear" | "bilinear" => UpsampleMode::Bilinear,
            other => return Err(Gap(tr_format!("its mode is {other}", "其模式为 {other}"))),
        };
        let from = [height, width];
        let (scales, sizes) = self.scales();
        // Unchanged, a whole multiple, or a size outright.
        let mut scale = None;
        let mut size = [0; 2];
        for axis in [0, 1] {
            let before = from[axis];
            match (&scales, &sizes) {
                (_, Some(sizes)) => {
                    let wanted = sizes.get(2 + axis).copied().flatten().ok_or_else(misfit)?;
                    size[axis] = (wanted >= 1.0)
                        .then_some(wanted as usize)
                        .ok_or_else(misfit)?;
                }
                (Some(scales), _) => {
                    let times = *scales.get(2 + axis).ok_or_else(misfit)?;
                    let whole = (times.fract() == 0.0 && times >= 1.0).then_some(times as usize);
                    let to = before.map(|before| before as f64 * times);
                    match (whole, to) {
                        (Some(whole), _) if scale.is_none_or(|scale| scale == whole) => {
                            scale = Some(whole);
                        }
                        (_, Some(to)) if to.fract() == 0.0 => size[axis] = to as usize,
                        _ => {
                            return Err(Gap(tr_format!(
                                "it enlarges {times} times, which does not come out even",
                                "放大 {times} 倍，不能得到整数大小"
                            )));
                        }
                    }
                }
                (None, None) => return Err(misfit()),
            }
        }
        let align_corners = self.coordinates(mode, from, size, scale)?;
        let layer = Upsample {
            mode,
            scale: scale.unwrap_or(Upsample::default().scale),
            size,
            align_corners,
        };
        self.one(layer, &[&x], Vec::new())
    }

    /// The factors for all axes, or the sizes.
    fn scales(&self) -> (Option<Vec<f64>>, Option<Vec<Option<f64>>>) {
        use super::super::proto::AttributeValue;
        if self.node.op == "Upsample" {
            if let Some(AttributeValue::Reals(scales)) = self.node.attribute("scales") {
                return (
                    Some(scales.iter().map(|scale| f64::from(*scale)).collect()),
                    None,
                );
            }
            return (self.few(1), None);
        }
        let sizes = match self.input(3) {
            Value::Numbers(sizes) if !sizes.values.is_empty() => Some(sizes.values.clone()),
            _ => None,
        };
        let index = if self.reader.opset < 11 { 1 } else { 2 };
        (self.few(index).filter(|scales| !scales.is_empty()), sizes)
    }

    /// A few known numbers, wherever they are from.
    fn few(&self, index: usize) -> Option<Vec<f64>> {
        use super::super::values::Source;
        match self.input(index) {
            Value::Numbers(numbers) => numbers.known(),
            Value::Weights(weights) => match &weights.source {
                Source::File(data) if data.count()? <= 64 => data.numbers(self.reader.folder).ok(),
                Source::File(_) => None,
                Source::Read(tensor) => {
                    let flat = tensor.flatten_all().ok()?.to_vec1::<f32>().ok()?;
                    Some(flat.into_iter().map(f64::from).collect())
                }
            },
            _ => None,
        }
    }

    /// Whether the corners' centres coincide; or that its pixels fall elsewhere than ours.
    fn coordinates(
        &self,
        mode: UpsampleMode,
        from: [Option<usize>; 2],
        size: [usize; 2],
        scale: Option<usize>,
    ) -> Result<bool, Gap> {
        // The older operators have one way each.
        let older = self.node.op == "Upsample" || self.reader.opset < 11;
        let usual = if older { "asymmetric" } else { "half_pixel" };
        let way = self
            .node
            .word("coordinate_transformation_mode")
            .unwrap_or(usual);
        let whole = [0, 1]
            .into_iter()
            .all(|axis| match (size[axis], from[axis]) {
                (0, _) => scale.is_some(),
                (to, Some(from)) => from > 0 && to % from == 0,
                (_, None) => false,
            });
        let down = self
            .node
            .word("nearest_mode")
            .unwrap_or("round_prefer_floor");
        match (mode, way) {
            (UpsampleMode::Bilinear, "half_pixel" | "pytorch_half_pixel") => Ok(false),
            (UpsampleMode::Bilinear, "align_corners") => Ok(true),
            (UpsampleMode::Nearest, "asymmetric") if older || down == "floor" => Ok(false),
            // Of whole multiples every way repeats each pixel as often.
            (UpsampleMode::Nearest, "half_pixel" | "pytorch_half_pixel")
                if whole && down.starts_with("round_prefer") =>
            {
                Ok(false)
            }
            _ => Err(Gap(tr_format!(
                "its pixels are placed by {way}, {down}",
                "其像素位置按 {way}、{down} 确定"
            ))),
        }
    }
}
