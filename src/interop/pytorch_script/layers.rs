//! Each layer as a person would write it with PyTorch: a submodule and its call, or an expression.
//!
//! It must not know the graph: it is given the inputs as expressions with their shapes.

use std::any::Any;

use super::helpers::Helper;
use super::text::{number, pair, tuple};
use crate::graph::{Layer, ParamSpec, Shape};
use crate::layers::*;

/// A layer in its place.
pub(super) struct Site<'a> {
    pub layer: &'a dyn Layer,
    /// The expressions that it reads, and their shapes.
    pub args: Vec<String>,
    pub shapes: Vec<&'a Shape>,
    pub outputs: &'a [Shape],
    pub params: &'a [(String, ParamSpec)],
    /// How the submodule is reached.
    pub module: String,
}

/// What a layer becomes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Written {
    /// Makes the submodule that has the layer's parameters.
    pub module: Option<String>,
    /// The value of its output, or of all of them.
    pub value: String,
    pub helpers: Vec<Helper>,
}

impl Written {
    fn of(value: impl Into<String>) -> Option<Self> {
        Some(Self {
            value: value.into(),
            ..Self::default()
        })
    }

    fn with(helper: Helper, value: String) -> Option<Self> {
        Some(Self {
            value,
            helpers: vec![helper],
            ..Self::default()
        })
    }
}

/// What Python calls true and false.
pub(super) fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

impl Site<'_> {
    fn layer<T: Any>(&self) -> Option<&T> {
        self.layer.as_any().downcast_ref()
    }

    fn x(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// The size of the input along an axis, which inference knows where it matters.
    fn dim(&self, axis: usize) -> usize {
        let shape = self.shapes.first();
        shape.and_then(|shape| shape.dim(axis)).unwrap_or(0)
    }

    fn rank(&self) -> usize {
        self.shapes.first().map_or(0, |shape| shape.rank())
    }

    fn has(&self, suffix: &str) -> bool {
        self.params.iter().any(|(_, spec)| spec.suffix == suffix)
    }

    fn param_shape(&self, index: usize) -> &[usize] {
        self.params.get(index).map_or(&[], |(_, spec)| &spec.shape)
    }

    fn submodule(&self, module: String) -> Option<Written> {
        let value = format!("{}({})", self.module, self.args.join(", "));
        Some(Written {
            module: Some(module),
            value,
            helpers: Vec::new(),
        })
    }

    /// The layer in PyTorch; `None` where there is no way to say it.
    pub fn written(&self) -> Option<Written> {
        self.filters()
            .or_else(|| self.dense())
            .or_else(|| self.recurrent())
            .or_else(|| self.pooling())
            .or_else(|| self.activation())
            .or_else(|| self.normalisation())
            .or_else(|| self.reshaping())
            .or_else(|| self.combining())
            .or_else(|| self.picking())
    }

    fn filters(&self) -> Option<Written> {
        if let Some(conv) = self.layer::<Convolution>() {
            let mut args = vec![self.dim(1).to_string(), self.param_shape(0)[0].to_string()];
            args.push(pair(conv.kernel));
            args.extend(filter_options(
                (conv.stride, conv.pad, conv.dilation),
                (conv.group, conv.bias),
            ));
            return self.submodule(format!("nn.Conv2d({})", args.join(", ")));
        }
        if let Some(conv) = self.layer::<Deconvolution>() {
            let outputs = self.param_shape(0)[1] * conv.group;
            let mut args = vec![self.dim(1).to_string(), outputs.to_string()];
            args.push(pair(conv.kernel));
            args.extend(filter_options(
                (conv.stride, conv.pad, conv.dilation),
                (conv.group, conv.bias),
            ));
            return self.submodule(format!("nn.ConvTranspose2d({})", args.join(", ")));
        }
        let up = self.layer::<Upsample>()?;
        let x = self.x();
        let like = self.args.get(1);
        let size = [0, 1].map(|axis| match (like, up.size[axis], up.scale) {
            (Some(like), ..) => format!("{like}.shape[{}]", 2 + axis),
            (None, 0, 1) => format!("{x}.shape[{}]", 2 + axis),
            (None, 0, scale) => format!("{scale} * {x}.shape[{}]", 2 + axis),
            (None, size, _) => size.to_string(),
        });
        let [height, width] = &size;
        match up.mode {
            UpsampleMode::Nearest if up.size == [0, 0] && like.is_none() => {
                let scale = up.scale;
                Written::of(format!("F.interpolate({x}, scale_factor={scale})"))
            }
            // PyTorch rounds where a size is not a multiple; this does not.
            UpsampleMode::Nearest => {
                Written::with(Helper::Nearest, format!("nearest({x}, {height}, {width})"))
            }
            UpsampleMode::Bilinear => {
                let corners = flag(up.align_corners);
                Written::of(format!(
                    "F.interpolate({x}, ({height}, {width}), mode=\"bilinear\", align_corners={corners})"
                ))
            }
        }
    }

    fn dense(&self) -> Option<Written> {
        if let Some(dense) = self.layer::<InnerProduct>() {
            let &[outputs, inputs] = self.param_shape(0) else {
                return None;
            };
            let bias = if dense.bias { "" } else { ", bias=False" };
            let x = match self.rank() > dense.axis + 1 {
                true => format!("{}.flatten({})", self.x(), dense.axis),
                false => self.x().to_owned(),
            };
            return Some(Written {
                module: Some(format!("nn.Linear({inputs}, {outputs}{bias})")),
                value: format!("{}({x})", self.module),
                helpers: Vec::new(),
            });
        }
        let embed = self.layer::<Embed>()?;
        let &[tokens, width] = self.param_shape(0) else {
            return None;
        };
        let class = if embed.bias {
            "BiasedEmbedding"
        } else {
            "nn.Embedding"
        };
        Some(Written {
            module: Some(format!("{class}({tokens}, {width})")),
            value: format!("{}({}.long())", self.module, self.x()),
            helpers: embed
                .bias
                .then_some(Helper::Embedding)
                .into_iter()
                .collect(),
        })
    }

    fn recurrent(&self) -> Option<Written> {
        let (class, layers, output) = if let Some(rnn) = self.layer::<Rnn>() {
            ("RNN", rnn.num_layers, rnn.output)
        } else if let Some(lstm) = self.layer::<Lstm>() {
            ("LSTM", lstm.num_layers, lstm.output)
        } else {
            let gru = self.layer::<Gru>()?;
            ("GRU", gru.num_layers, gru.output)
        };
        let (&[_, width], &[_, hidden]) = (self.param_shape(0), self.param_shape(1)) else {
            return None;
        };
        let layers = match layers {
            1 => String::new(),
            layers => format!(", num_layers={layers}"),
        };
        // A gray picture is read row by row.
        let rows = if self.rank() == 4 { ".squeeze(1)" } else { "" };
        let last = match output {
            SequenceOutput::Sequence => "",
            SequenceOutput::Last => "[:, -1]",
        };
        Some(Written {
            module: Some(format!(
                "nn.{class}({width}, {hidden}{layers}, batch_first=True)"
            )),
            value: format!("{}({}{rows})[0]{last}", self.module, self.x()),
            helpers: Vec::new(),
        })
    }

    fn pooling(&self) -> Option<Written> {
        let x = self.x();
        if let Some(pyramid) = self.layer::<SpatialPyramidPool>() {
            let average = match pyramid.pool {
                PoolMethod::Max => "",
                PoolMethod::Average => ", average=True",
            };
            let levels = pyramid.pyramid_height;
            return Written::with(
                Helper::Pyramid,
                format!("spatial_pyramid({x}, {levels}{average})"),
            );
        }
        let pool = self.layer::<Pooling>()?;
        let is_average = pool.method == PoolMethod::Average;
        if pool.global {
            let name = if is_average { "avg" } else { "max" };
            return Written::of(format!("F.adaptive_{name}_pool2d({x}, 1)"));
        }
        // PyTorch pads by half a window at most.
        if (0..2).any(|axis| 2 * pool.pad[axis] > pool.kernel[axis]) {
            let [kernel, stride, pad] =
                [pool.kernel, pool.stride, pool.pad].map(|pair| tuple(&pair));
            let average = if is_average { ", average=True" } else { "" };
            let ceil = flag(pool.ceil);
            let value = format!("caffe_pool({x}, {kernel}, {stride}, {pad}, {ceil}{average})");
            return Written::with(Helper::Pool, value);
        }
        let name = if is_average { "avg" } else { "max" };
        let mut args = vec![x.to_owned(), pair(pool.kernel), pair(pool.stride)];
        if pool.pad != [0, 0] {
            args.push(format!("padding={}", pair(pool.pad)));
        }
        if pool.ceil {
            args.push("ceil_mode=True".to_owned());
        }
        Written::of(format!("F.{name}_pool2d({})", args.join(", ")))
    }

    fn activation(&self) -> Option<Written> {
        let x = self.x();
        if let Some(relu) = self.layer::<ReLU>() {
            return Written::of(match relu.negative_slope {
                0.0 => format!("F.relu({x})"),
                slope => format!("F.leaky_relu({x}, {})", number(slope)),
            });
        }
        if self.layer::<PReLU>().is_some() {
            let count = self.param_shape(0).first()?;
            return self.submodule(format!("nn.PReLU({count})"));
        }
        if let Some(elu) = self.layer::<ELU>() {
            return Written::of(format!("F.elu({x}, {})", number(elu.alpha)));
        }
        if let Some(maxout) = self.layer::<Maxout>() {
            let pieces = maxout.pieces;
            return Written::of(format!("{x}.unflatten(1, ({pieces}, -1)).amax(1)"));
        }
        if let Some(softmax) = self.layer::<Softmax>() {
            return Written::of(format!("torch.softmax({x}, {})", softmax.axis));
        }
        if let Some(dropout) = self.layer::<Dropout>() {
            let ratio = number(dropout.ratio);
            return Written::of(format!("F.dropout({x}, {ratio}, self.training)"));
        }
        let layer = self.layer.as_any();
        Written::of(if layer.is::<Sigmoid>() {
            format!("torch.sigmoid({x})")
        } else if layer.is::<TanH>() {
            format!("torch.tanh({x})")
        } else if layer.is::<AbsVal>() {
            format!("{x}.abs()")
        } else if layer.is::<BNLL>() {
            format!("F.softplus({x})")
        } else {
            self.function()?
        })
    }

    /// Activations with a formula of their own.
    fn function(&self) -> Option<String> {
        let x = self.x();
        if let Some(power) = self.layer::<Power>() {
            let inner = affine(x, power.scale, power.shift);
            return Some(match power.power {
                1.0 => inner,
                exponent => format!("({inner}) ** {}", number(exponent)),
            });
        }
        if let Some(exp) = self.layer::<Exp>() {
            let log = log_of_base(exp.base);
            return Some(format!(
                "torch.exp({})",
                affine(x, log * exp.scale, log * exp.shift)
            ));
        }
        if let Some(log) = self.layer::<Log>() {
            let inner = affine(x, log.scale, log.shift);
            return Some(match log_of_base(log.base) {
                1.0 => format!("torch.log({inner})"),
                base => format!("torch.log({inner}) / {}", number(base)),
            });
        }
        let threshold = self.layer::<Threshold>()?;
        Some(format!(
            "({x} > {}).to({x}.dtype)",
            number(threshold.threshold)
        ))
    }

    fn normalisation(&self) -> Option<Written> {
        let x = self.x();
        if let Some(lrn) = self.layer::<LRN>() {
            let [alpha, beta, k] = [lrn.alpha, lrn.beta, lrn.k].map(number);
            let size = lrn.local_size;
            let args = format!("({x}, {size}, alpha={alpha}, beta={beta}, k={k})");
            return match lrn.norm_region {
                NormRegion::AcrossChannels => Written::of(format!("F.local_response_norm{args}")),
                NormRegion::WithinChannel => {
                    Written::with(Helper::Lrn, format!("lrn_within_channel{args}"))
                }
            };
        }
        if let Some(mvn) = self.layer::<MVN>() {
            let axis = if mvn.across_channels { 1 } else { 2 };
            let (variance, eps) = (flag(mvn.normalize_variance), number(mvn.eps));
            return Written::with(
                Helper::Mvn,
                format!("mean_variance({x}, {axis}, {variance}, {eps})"),
            );
        }
        if let Some(norm) = self.layer::<FusedBatchNorm>() {
            let dimensions = self.rank().saturating_sub(2).clamp(1, 3);
            let mut args = vec![self.dim(1).to_string()];
            if norm.eps != 1e-5 {
                args.push(format!("eps={}", number(norm.eps)));
            }
            if norm.momentum != 0.1 {
                args.push(format!("momentum={}", number(norm.momentum)));
            }
            return self.submodule(format!("nn.BatchNorm{dimensions}d({})", args.join(", ")));
        }
        if let Some(norm) = self.layer::<BatchNorm>() {
            let mut args = format!("{}, {}", self.dim(1), number(norm.eps));
            if norm.moving_average_fraction != 0.999 {
                args += &format!(", keep={}", number(norm.moving_average_fraction));
            }
            args += match norm.use_global_stats {
                GlobalStats::ByPhase => "",
                GlobalStats::Batch => ", stats=\"batch\"",
                GlobalStats::Running => ", stats=\"running\"",
            };
            let mut written = self.submodule(format!("CaffeBatchNorm({args})"))?;
            written.helpers.push(Helper::BatchNorm);
            return Some(written);
        }
        self.scaling()
    }

    fn scaling(&self) -> Option<Written> {
        let x = self.x();
        let shape = tuple(self.param_shape(0));
        let (module, operation, axis, helper) = if let Some(scale) = self.layer::<Scale>() {
            let mut module = format!("Scale({shape}, {}", scale.axis);
            module += if self.has("weight") {
                ""
            } else {
                ", weight=False"
            };
            module += if scale.bias_term { ", bias=True)" } else { ")" };
            (module, '*', scale.axis, Helper::Scale)
        } else {
            let bias = self.layer::<Bias>()?;
            let module = format!("Bias({shape}, {})", bias.axis);
            (module, '+', bias.axis, Helper::Bias)
        };
        if self.params.is_empty() {
            let second = self.args.get(1)?;
            return Written::with(
                Helper::Along,
                format!("{x} {operation} laid_along({second}, {x}, {axis})"),
            );
        }
        let mut written = self.submodule(module)?;
        written.helpers.push(helper);
        Some(written)
    }

    fn reshaping(&self) -> Option<Written> {
        let x = self.x();
        if let Some(flatten) = self.layer::<Flatten>() {
            let rank = self.rank();
            return Written::of(match (flatten.axis, flatten.end_axis) {
                // None of the axes: (N) becomes (N, 1).
                (axis, _) if axis == rank as i64 => format!("{x}.unsqueeze(-1)"),
                (axis, -1) => format!("{x}.flatten({axis})"),
                (axis, end) => format!("{x}.flatten({axis}, {end})"),
            });
        }
        if let Some(reshape) = self.layer::<Reshape>() {
            return Written::of(format!("{x}.reshape({})", self.sizes(reshape)?));
        }
        if let Some(tile) = self.layer::<Tile>() {
            let axis = positive(tile.axis, self.rank())?;
            let mut repeats = vec![1; self.rank()];
            *repeats.get_mut(axis)? = tile.tiles;
            return Written::of(format!("{x}.repeat{}", tuple(&repeats)));
        }
        let crop = self.layer::<Crop>()?;
        let (like, first) = (self.args.get(1)?, positive(crop.axis, self.rank())?);
        if crop.centred {
            let value = format!("crop_centre({x}, {like}, {first})");
            return Written::with(Helper::CropCentre, value);
        }
        let cut = |axis: usize| {
            let begin = match crop.offset.as_slice() {
                [] => 0,
                [offset] => *offset,
                offsets => offsets.get(axis - first).copied().unwrap_or(0),
            };
            match begin {
                0 => format!(":{like}.shape[{axis}]"),
                begin => format!("{begin}:{begin} + {like}.shape[{axis}]"),
            }
        };
        let mut cuts = vec![":".to_owned(); first];
        cuts.extend((first..self.rank()).map(cut));
        Written::of(format!("{x}[{}]", cuts.join(", ")))
    }

    /// The arguments of `reshape`: the axes that stay, and those that Reshape says.
    fn sizes(&self, reshape: &Reshape) -> Option<String> {
        let (x, rank) = (self.x(), self.rank());
        let first = match reshape.axis {
            axis if axis < 0 => axis + rank as i64 + 1,
            axis => axis,
        };
        let first = usize::try_from(first).ok()?;
        let end = match usize::try_from(reshape.num_axes) {
            Ok(count) => first + count,
            Err(_) => rank,
        };
        let same = |axis: usize| format!("{x}.shape[{axis}]");
        let mut sizes: Vec<String> = (0..first).map(same).collect();
        sizes.extend(
            reshape
                .shape
                .iter()
                .enumerate()
                .map(|(index, size)| match size {
                    0 => same(first + index),
                    size => size.to_string(),
                }),
        );
        sizes.extend((end..rank).map(same));
        // Without axes a tensor of one number is meant.
        Some(if sizes.is_empty() {
            "()".to_owned()
        } else {
            sizes.join(", ")
        })
    }

    fn combining(&self) -> Option<Written> {
        let args = &self.args;
        if let Some(concat) = self.layer::<Concat>() {
            return Written::of(format!("torch.cat([{}], {})", args.join(", "), concat.axis));
        }
        if let Some(slice) = self.layer::<Slice>() {
            let (x, axis) = (self.x(), slice.axis);
            return Written::of(match slice.slice_point.as_slice() {
                [] => format!("{x}.chunk({}, {axis})", self.outputs.len()),
                points => format!("{x}.tensor_split({}, {axis})", tuple(points)),
            });
        }
        if let Some(eltwise) = self.layer::<Eltwise>() {
            let terms: Vec<String> = match eltwise.coeff.as_slice() {
                [] => args.clone(),
                factors => (args.iter().zip(factors))
                    .map(|(x, factor)| match factor {
                        1.0 => x.clone(),
                        factor => format!("{} * {x}", number(*factor)),
                    })
                    .collect(),
            };
            return Written::of(match eltwise.operation {
                EltwiseOperation::Sum => terms.join(" + "),
                EltwiseOperation::Product => args.join(" * "),
                EltwiseOperation::Max if args.len() == 2 => {
                    format!("torch.maximum({})", args.join(", "))
                }
                EltwiseOperation::Max => format!("torch.stack([{}]).amax(0)", args.join(", ")),
            });
        }
        let reduction = self.layer::<Reduction>()?;
        let rows = format!("{}.flatten({})", self.x(), reduction.axis);
        let value = match reduction.operation {
            ReductionOperation::Sum => format!("{rows}.sum(-1)"),
            ReductionOperation::AbsSum => format!("{rows}.abs().sum(-1)"),
            ReductionOperation::SquareSum => format!("{rows}.square().sum(-1)"),
            ReductionOperation::Mean => format!("{rows}.mean(-1)"),
        };
        Written::of(match reduction.coeff {
            1.0 => value,
            factor => format!("{} * {value}", number(factor)),
        })
    }

    fn picking(&self) -> Option<Written> {
        if let Some(arg_max) = self.layer::<ArgMax>() {
            let axis = arg_max
                .axis
                .map_or("None".to_owned(), |axis| axis.to_string());
            let (x, k, values) = (self.x(), arg_max.top_k, flag(arg_max.out_max_val));
            return Written::with(
                Helper::ArgMax,
                format!("arg_max({x}, {k}, {axis}, {values})"),
            );
        }
        self.layer::<BatchReindex>()?;
        Written::of(format!("{}[{}.long()]", self.x(), self.args.get(1)?))
    }
}

fn filter_options(
    (stride, pad, dilation): ([usize; 2], [usize; 2], [usize; 2]),
    (group, bias): (usize, bool),
) -> Vec<String> {
    let mut options = Vec::new();
    for (name, value, usual) in [
        ("stride", stride, 1),
        ("padding", pad, 0),
        ("dilation", dilation, 1),
    ] {
        if value != [usual; 2] {
            options.push(format!("{name}={}", pair(value)));
        }
    }
    if group != 1 {
        options.push(format!("groups={group}"));
    }
    if !bias {
        options.push("bias=False".to_owned());
    }
    options
}

/// `scale * x + shift` without what has no effect.
fn affine(x: &str, scale: f64, shift: f64) -> String {
    let scaled = match scale {
        1.0 => x.to_owned(),
        scale => format!("{} * {x}", number(scale)),
    };
    match shift {
        0.0 => scaled,
        shift => format!("{scaled} + {}", number(shift)),
    }
}

/// Caffe's bases: −1 stands for e; what is no base (0 or less) too.
fn log_of_base(base: f64) -> f64 {
    if base > 0.0 { base.ln() } else { 1.0 }
}

fn positive(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}
