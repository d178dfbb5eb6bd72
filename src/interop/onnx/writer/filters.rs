//! Layers with weights, but for the recurrent ones; and LRN.

use candle_core::Tensor;

use super::{Form, Formed, Name, integers, unsaid};
use crate::graph::Shape;
use crate::i18n::tr;
use crate::interop::onnx::encode::{Attribute, INT64};
use crate::layers::{
    BatchNorm, Bias, Convolution, Deconvolution, Embed, FusedBatchNorm, GlobalStats, InnerProduct,
    LRN, NormRegion, PReLU, Scale,
};

/// A candle error as the reason.
pub(super) fn failed(error: candle_core::Error) -> String {
    error.to_string()
}

impl Form<'_, '_> {
    pub(super) fn filters(&mut self) -> Formed {
        match self.node.layer.spec().name {
            "Convolution" => {
                let l: Convolution = self.layer()?;
                self.window(
                    "Conv",
                    [l.kernel, l.stride, l.pad, l.dilation],
                    l.group,
                    l.bias,
                )
            }
            "Deconvolution" => {
                let l: Deconvolution = self.layer()?;
                let window = [l.kernel, l.stride, l.pad, l.dilation];
                self.window("ConvTranspose", window, l.group, l.bias)
            }
            "InnerProduct" => self.inner_product(),
            "Embed" => self.embed(),
            "PReLU" => self.prelu(),
            "BatchNorm" => self.batch_norm(),
            "FusedBatchNorm" => self.fused_batch_norm(),
            "Scale" => self.scale(),
            "Bias" => self.bias(),
            _ => self.lrn(),
        }
    }

    fn window(
        &mut self,
        op: &str,
        [kernel, stride, pad, dilation]: [[usize; 2]; 4],
        group: usize,
        bias: bool,
    ) -> Formed {
        let (x, _) = self.x()?;
        let mut inputs = vec![x, self.weight("weight")?];
        if bias {
            inputs.push(self.weight("bias")?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [
            integers("kernel_shape", &kernel),
            integers("strides", &stride),
            integers("pads", &[pad, pad].concat()),
            integers("dilations", &dilation),
            Attribute::Integer("group", group as i64),
        ];
        self.last(op, &inputs, &attributes)
    }

    fn inner_product(&mut self) -> Formed {
        let layer: InnerProduct = self.layer()?;
        let (mut x, shape) = self.x()?;
        if layer.axis == 1 {
            if shape.rank() != 2 {
                x = self.flat(&x);
            }
            let mut inputs = vec![x, self.weight("weight")?];
            if layer.bias {
                inputs.push(self.weight("bias")?);
            }
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            return self.last("Gemm", &inputs, &[Attribute::Integer("transB", 1)]);
        }
        if shape.rank() != layer.axis + 1 {
            let mut sizes = vec![0; layer.axis];
            sizes.push(-1);
            let sizes = self.integers("sizes", &sizes);
            x = self.step("Reshape", &[&x, &sizes], &[]);
        }
        let (key, weight) = self.param("weight")?;
        let weight = weight.t().and_then(|w| w.contiguous()).map_err(failed)?;
        let weight = self.numbers(&format!("{key}_transposed"), &weight)?;
        if !layer.bias {
            return self.last("MatMul", &[&x, &weight], &[]);
        }
        let name = self.node.name.clone();
        let y = self.step_named(&name, "MatMul", &[&x, &weight], &[]);
        let bias = self.weight("bias")?;
        self.last_named(&format!("{name}_add"), "Add", &[&y, &bias], &[])
    }

    fn embed(&mut self) -> Formed {
        let layer: Embed = self.layer()?;
        let (mut x, _) = self.x()?;
        let from = self
            .node
            .inputs_in(crate::graph::Phase::Test)
            .get(0)
            .cloned();
        let source = from.and_then(|from| {
            self.writer
                .graph
                .named(&from.node, crate::graph::Phase::Test)
        });
        let is_whole = source.is_some_and(|node| {
            node.layer.inputs().ports.is_empty() && self.writer.kind(node) == INT64
        });
        if !is_whole {
            x = self.step("Cast", &[&x], &[Attribute::Integer("to", INT64 as i64)]);
        }
        let table = self.weight("weight")?;
        if !layer.bias {
            return self.last("Gather", &[&table, &x], &[]);
        }
        let name = self.node.name.clone();
        let y = self.step_named(&name, "Gather", &[&table, &x], &[]);
        let bias = self.weight("bias")?;
        self.last_named(&format!("{name}_add"), "Add", &[&y, &bias], &[])
    }

    fn prelu(&mut self) -> Formed {
        let _: PReLU = self.layer()?;
        let (x, shape) = self.x()?;
        let slope = self.along("weight", 1, &shape)?;
        self.last("PRelu", &[&x, &slope], &[])
    }

    /// A parameter over the axes from `axis` on, with axes of 1 behind, so that it spreads.
    fn along(&mut self, suffix: &str, axis: usize, x: &Shape) -> Result<Name, String> {
        let (key, tensor) = self.param(suffix)?;
        let mut dims = tensor.dims().to_vec();
        let behind = x.rank().checked_sub(axis + dims.len()).ok_or_else(unsaid)?;
        dims.resize(dims.len() + behind, 1);
        let tensor = tensor.reshape(dims).map_err(failed)?;
        self.numbers(&key, &tensor)
    }

    /// Sums over a factor become means.
    fn batch_norm(&mut self) -> Formed {
        let layer: BatchNorm = self.layer()?;
        if layer.use_global_stats == GlobalStats::Batch {
            return Err(tr(
                "it takes the batch's statistics in testing too",
                "它在测试时也用当前批的统计量",
            )
            .to_owned());
        }
        let (_, factor) = self.param("scale_factor")?;
        let factor = factor
            .flatten_all()
            .and_then(|f| f.to_dtype(candle_core::DType::F64));
        let factor = factor.and_then(|f| f.to_vec1::<f64>()).map_err(failed)?;
        let factor = match factor.first() {
            Some(0.0) | None => 1.0,
            Some(factor) => *factor,
        };
        let mut moments = Vec::new();
        for suffix in ["running_mean", "running_var"] {
            let (key, sum) = self.param(suffix)?;
            let mean = (sum / factor).map_err(failed)?;
            moments.push((key, mean));
        }
        let (key, mean) = &moments[0];
        let prefix = key.rsplit_once('.').map_or("", |(prefix, _)| prefix);
        let ones = Tensor::ones_like(mean).map_err(failed)?;
        let zeros = Tensor::zeros_like(mean).map_err(failed)?;
        let weight = self.numbers(&format!("{prefix}.weight"), &ones)?;
        let bias = self.numbers(&format!("{prefix}.bias"), &zeros)?;
        let mut inputs = vec![self.x()?.0, weight, bias];
        for (key, moment) in &moments {
            inputs.push(self.numbers(key, moment)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let epsilon = Attribute::Real("epsilon", layer.eps);
        self.last("BatchNormalization", &inputs, &[epsilon])
    }

    fn fused_batch_norm(&mut self) -> Formed {
        let layer: FusedBatchNorm = self.layer()?;
        let mut inputs = vec![self.x()?.0];
        for suffix in ["weight", "bias", "running_mean", "running_var"] {
            inputs.push(self.weight(suffix)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [
            Attribute::Real("epsilon", layer.eps),
            Attribute::Real("momentum", 1.0 - layer.momentum),
        ];
        self.last("BatchNormalization", &inputs, &attributes)
    }

    /// γ or β as it spreads over the first input: learned, or the second input.
    fn spread(&mut self, suffix: &str, axis: i64) -> Result<Name, String> {
        let (_, shape) = self.x()?;
        let rank = shape.rank();
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        let axis = usize::try_from(axis).map_err(|_| unsaid())?;
        let (Some(second), Some(own)) = (self.inputs.get(1).cloned(), self.shapes.get(1)) else {
            return self.along(suffix, axis, &shape);
        };
        let own = own.rank();
        let behind = rank.checked_sub(axis + own).ok_or_else(unsaid)?;
        if behind == 0 {
            return Ok(second);
        }
        let axes: Vec<i64> = (own..own + behind).map(|axis| axis as i64).collect();
        let axes = self.integers("axes", &axes);
        Ok(self.step("Unsqueeze", &[&second, &axes], &[]))
    }

    fn scale(&mut self) -> Formed {
        let layer: Scale = self.layer()?;
        let (x, shape) = self.x()?;
        let scale = self.spread("weight", layer.axis)?;
        if !layer.bias_term {
            return self.last("Mul", &[&x, &scale], &[]);
        }
        let name = self.node.name.clone();
        let y = self.step_named(&name, "Mul", &[&x, &scale], &[]);
        let rank = shape.rank() as i64;
        let axis = if layer.axis < 0 {
            layer.axis + rank
        } else {
            layer.axis
        };
        let axis = usize::try_from(axis).map_err(|_| unsaid())?;
        let bias = self.along("bias", axis, &shape)?;
        self.last_named(&format!("{name}_add"), "Add", &[&y, &bias], &[])
    }

    fn bias(&mut self) -> Formed {
        let layer: Bias = self.layer()?;
        let (x, _) = self.x()?;
        let bias = self.spread("bias", layer.axis)?;
        self.last("Add", &[&x, &bias], &[])
    }

    fn lrn(&mut self) -> Formed {
        let layer: LRN = self.layer()?;
        let (x, _) = self.x()?;
        if layer.norm_region == NormRegion::AcrossChannels {
            let attributes = [
                Attribute::Real("alpha", layer.alpha),
                Attribute::Real("beta", layer.beta),
                Attribute::Real("bias", layer.k),
                Attribute::Integer("size", layer.local_size as i64),
            ];
            return self.last("LRN", &[&x], &attributes);
        }
        // x · (k + α · mean of x²)^−β, the mean with zeros around the map.
        let size = layer.local_size;
        let square = self.step("Mul", &[&x, &x], &[]);
        let attributes = [
            integers("kernel_shape", &[size, size]),
            integers("pads", &[size / 2; 4]),
            Attribute::Integer("count_include_pad", 1),
        ];
        let mean = self.step("AveragePool", &[&square], &attributes);
        let (alpha, k) = (self.number(layer.alpha), self.number(layer.k));
        let beta = self.number(-layer.beta);
        let weighed = self.step("Mul", &[&mean, &alpha], &[]);
        let sum = self.step("Add", &[&weighed, &k], &[]);
        let factor = self.step("Pow", &[&sum, &beta], &[]);
        self.last("Mul", &[&x, &factor], &[])
    }
}
