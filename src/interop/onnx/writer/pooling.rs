//! Layers that sum up windows or maps, or change the size of maps.

use super::{Form, Formed, Name, integers, unsaid};
use crate::graph::Shape;
use crate::i18n::tr;
use crate::interop::onnx::encode::Attribute;
use crate::layers::{
    Crop, MVN, PoolMethod, Pooling, Reduction, ReductionOperation, SpatialPyramidPool, Upsample,
    UpsampleMode,
};
use crate::nn::{Pool2d, pool_output};

impl Form<'_, '_> {
    pub(super) fn pooling(&mut self) -> Formed {
        match self.node.layer.spec().name {
            "Pooling" => self.pool(),
            "SpatialPyramidPool" => self.pyramid(),
            "Upsample" => self.upsample(),
            "Crop" => self.crop(),
            "MVN" => self.mvn(),
            _ => self.reduction(),
        }
    }

    fn pool(&mut self) -> Formed {
        let layer: Pooling = self.layer()?;
        let (x, shape) = self.x()?;
        let average = layer.method == PoolMethod::Average;
        if layer.global {
            let op = if average {
                "GlobalAveragePool"
            } else {
                "GlobalMaxPool"
            };
            return self.last(op, &[&x], &[]);
        }
        let frame = Pool2d {
            kernel: layer.kernel,
            stride: layer.stride,
            pad: layer.pad,
            ceil: layer.ceil,
        };
        let (x, op, attributes) = self.windows(x, &shape, frame, average)?;
        self.last(op, &[&x], &attributes)
    }

    /// The operator of a pooling, and what it reads. A window that hangs over the end is written
    /// as padding there, because programs differ in what `ceil_mode` means.
    fn windows(
        &mut self,
        mut x: Name,
        shape: &Shape,
        frame: Pool2d,
        average: bool,
    ) -> Result<(Name, &'static str, Vec<Attribute<'static>>), String> {
        let mut hangs = [0; 2];
        let mut comes_out_even = true;
        for axis in [0, 1] {
            let Some(size) = shape.dim(2 + axis).filter(|_| frame.ceil) else {
                continue;
            };
            let (kernel, stride, pad) = (frame.kernel[axis], frame.stride[axis], frame.pad[axis]);
            let outputs = pool_output(size, kernel, stride, pad, true).ok_or_else(unsaid)?;
            let end = (outputs - 1) * stride + kernel;
            hangs[axis] = end.saturating_sub(size + 2 * pad);
            // A last window that would lie beyond the image is left out here, but not everywhere.
            comes_out_even &= (size + 2 * pad - kernel).is_multiple_of(stride);
        }
        let unknown = frame.ceil && (shape.dim(2).is_none() || shape.dim(3).is_none());
        if unknown && average {
            return Err(tr(
                "the size of its maps is not known, so neither is where its windows hang over",
                "其特征图大小未知，因而无法确定窗口在何处越界",
            )
            .to_owned());
        }
        let is_hanging = hangs != [0; 2];
        let [pad_h, pad_w] = frame.pad;
        let mut pads = [pad_h, pad_w, pad_h + hangs[0], pad_w + hangs[1]];
        // An average counts the padding, but not what hangs over it: so the padding is written as
        // part of the image, and the rest as padding that does not count.
        if average && is_hanging {
            if frame.pad != [0; 2] {
                let sizes = [0, 0, pad_h, pad_w, 0, 0, pad_h, pad_w].map(|size| size as i64);
                let sizes = self.integers("pads", &sizes);
                x = self.step("Pad", &[&x, &sizes], &[]);
            }
            pads = [0, 0, hangs[0], hangs[1]];
        }
        let mut attributes = vec![
            integers("kernel_shape", &frame.kernel),
            integers("strides", &frame.stride),
            integers("pads", &pads),
        ];
        // Where windows come out even it changes nothing, and says how the layer is meant.
        if frame.ceil && comes_out_even {
            attributes.push(Attribute::Integer("ceil_mode", 1));
        }
        if average {
            let counts = i64::from(!is_hanging);
            attributes.push(Attribute::Integer("count_include_pad", counts));
        }
        Ok((
            x,
            if average { "AveragePool" } else { "MaxPool" },
            attributes,
        ))
    }

    fn pyramid(&mut self) -> Formed {
        let layer: SpatialPyramidPool = self.layer()?;
        let (x, shape) = self.x()?;
        let (Some(height), Some(width)) = (shape.dim(2), shape.dim(3)) else {
            return Err(tr("the size of its maps is not known", "其特征图大小未知").to_owned());
        };
        let mut levels = Vec::new();
        for frame in layer
            .settings([height, width])
            .map_err(super::filters::failed)?
        {
            let average = layer.pool == PoolMethod::Average;
            let (x, op, attributes) = self.windows(x.clone(), &shape, frame, average)?;
            let y = self.step(op, &[&x], &attributes);
            levels.push(self.flat(&y));
        }
        let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
        self.last("Concat", &levels, &[Attribute::Integer("axis", 1)])
    }

    fn upsample(&mut self) -> Formed {
        let layer: Upsample = self.layer()?;
        let (x, _) = self.x()?;
        let (mode, way) = match (layer.mode, layer.align_corners) {
            (UpsampleMode::Nearest, _) => ("nearest", "asymmetric"),
            (UpsampleMode::Bilinear, false) => ("linear", "half_pixel"),
            (UpsampleMode::Bilinear, true) => ("linear", "align_corners"),
        };
        let mut attributes = vec![
            Attribute::Word("mode", mode),
            Attribute::Word("coordinate_transformation_mode", way),
        ];
        if layer.mode == UpsampleMode::Nearest {
            attributes.push(Attribute::Word("nearest_mode", "floor"));
        }
        if layer.size == [0; 2] && self.inputs.len() == 1 {
            let scale = layer.scale as f32;
            let scales = [1.0, 1.0, scale, scale];
            let scales = candle_core::Tensor::new(&scales, &candle_core::Device::Cpu);
            let scales = scales.map_err(super::filters::failed)?;
            let name = format!("{}.scales", self.node.name);
            let scales = self.numbers(&name, &scales)?;
            return self.last("Resize", &[&x, "", &scales], &attributes);
        }
        // A size outright stands behind batch and channels as they are.
        let to = self.output_shape();
        let (Some(height), Some(width)) = (to.dim(2), to.dim(3)) else {
            return Err(tr("the size of its maps is not known", "其特征图大小未知").to_owned());
        };
        let shape = self.step("Shape", &[&x], &[]);
        let (first, second) = (self.integers("from", &[0]), self.integers("to", &[2]));
        let kept = self.step("Slice", &[&shape, &first, &second], &[]);
        let size = self.integers("size", &[height as i64, width as i64]);
        let sizes = self.step("Concat", &[&kept, &size], &[Attribute::Integer("axis", 0)]);
        self.last("Resize", &[&x, "", "", &sizes], &attributes)
    }

    fn crop(&mut self) -> Formed {
        let layer: Crop = self.layer()?;
        let (x, from) = self.x()?;
        let to = self.output_shape();
        let (mut starts, mut ends, mut axes) = (Vec::new(), Vec::new(), Vec::new());
        let first = if layer.axis < 0 {
            layer.axis + from.rank() as i64
        } else {
            layer.axis
        };
        let first = usize::try_from(first).map_err(|_| unsaid())?;
        for axis in first..from.rank() {
            let (from, to) = match (from.dim(axis), to.dim(axis)) {
                (Some(from), Some(to)) => (from, to),
                // Of one batch both are the same.
                (None, None) if axis == 0 => continue,
                _ => {
                    return Err(
                        tr("the size of its maps is not known", "其特征图大小未知").to_owned()
                    );
                }
            };
            let begin = layer.begin(axis - first, from, to).ok_or_else(unsaid)?;
            starts.push(begin as i64);
            ends.push((begin + to) as i64);
            axes.push(axis as i64);
        }
        let lists = [("starts", starts), ("ends", ends), ("axes", axes)];
        let [starts, ends, axes] = lists.map(|(what, list)| self.integers(what, &list));
        self.last("Slice", &[&x, &starts, &ends, &axes], &[])
    }

    /// (x − mean) / (√variance + ε).
    fn mvn(&mut self) -> Formed {
        let layer: MVN = self.layer()?;
        let (x, shape) = self.x()?;
        let first = if layer.across_channels { 1 } else { 2 };
        let axes: Vec<usize> = (first..shape.rank()).collect();
        let attributes = [integers("axes", &axes)];
        let mean = self.step("ReduceMean", &[&x], &attributes);
        if !layer.normalize_variance {
            return self.last("Sub", &[&x, &mean], &[]);
        }
        let centred = self.step("Sub", &[&x, &mean], &[]);
        let square = self.step("Mul", &[&centred, &centred], &[]);
        let variance = self.step("ReduceMean", &[&square], &attributes);
        let deviation = self.step("Sqrt", &[&variance], &[]);
        let eps = self.number(layer.eps);
        let divisor = self.step("Add", &[&deviation, &eps], &[]);
        self.last("Div", &[&centred, &divisor], &[])
    }

    fn reduction(&mut self) -> Formed {
        let layer: Reduction = self.layer()?;
        let (x, shape) = self.x()?;
        let rank = shape.rank() as i64;
        let first = if layer.axis < 0 {
            layer.axis + rank
        } else {
            layer.axis
        };
        let axes: Vec<i64> = (first..rank).collect();
        let op = match layer.operation {
            ReductionOperation::Sum => "ReduceSum",
            ReductionOperation::AbsSum => "ReduceL1",
            ReductionOperation::SquareSum => "ReduceSumSquare",
            ReductionOperation::Mean => "ReduceMean",
        };
        let mut inputs = vec![x];
        let mut attributes = vec![Attribute::Integer("keepdims", 0)];
        // In this version only the sum takes its axes as an input.
        match op {
            "ReduceSum" => inputs.push(self.integers("axes", &axes)),
            _ => attributes.push(Attribute::Integers("axes", axes)),
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        if layer.coeff == 1.0 {
            return self.last(op, &inputs, &attributes);
        }
        let name = self.node.name.clone();
        let y = self.step_named(&name, op, &inputs, &attributes);
        let coeff = self.number(layer.coeff);
        self.last_named(&format!("{name}_mul"), "Mul", &[&y, &coeff], &[])
    }
}
