//! The catalogue of layers: one list, one file per family.
//!
//! To add a layer, write its struct in its family's file and one line in [`CATALOGUE`]. Forms,
//! files, help, documentation and the tests that loop over the catalogue follow from that.

mod data;

mod conv;
mod deconv;
mod filters;
mod pool;
mod resample;
mod spp;

mod embed;
mod linear;
mod recurrent;

mod activation;
mod local_norm;
mod norm;
mod piecewise;
mod regularisation;
mod scale;
mod structure;

mod loss;
mod metric;

mod unknown;

pub mod rewrite;

pub use activation::{AbsVal, BNLL, ELU, Exp, Log, Power, ReLU, Sigmoid, TanH, Threshold};
pub use conv::Convolution;
pub use data::{Data, Input};
pub use deconv::Deconvolution;
pub use embed::Embed;
pub use linear::InnerProduct;
pub use local_norm::{LRN, MVN, NormRegion};
pub use loss::{
    ContrastiveLoss, EuclideanLoss, HingeLoss, HingeNorm, InfogainLoss, MultinomialLogisticLoss,
    Normalization, SigmoidCrossEntropyLoss, SmoothL1Loss, Softmax, SoftmaxWithLoss,
};
pub use metric::{Accuracy, MeanAbsoluteError, MeanIoU, Verification};
pub use norm::{BatchNorm, FusedBatchNorm, GlobalStats};
pub use piecewise::{Maxout, PReLU};
pub use pool::{PoolMethod, Pooling};
pub use recurrent::{Gru, Lstm, Rnn, SequenceOutput};
pub use regularisation::Dropout;
pub use resample::{Crop, Upsample, UpsampleMode};
pub use scale::{Bias, Scale};
pub use spp::SpatialPyramidPool;
pub use structure::{
    ArgMax, BatchReindex, Concat, Eltwise, EltwiseOperation, Flatten, Reduction,
    ReductionOperation, Reshape, Silence, Slice, Tile,
};
pub use unknown::Unknown;

use candle_core::Tensor;
use serde::de::DeserializeOwned;

use crate::graph::{Layer, LayerSpec, Problem, Shape, ron_options};
use crate::i18n::{Text, tr_format};

/// Every layer type, in the order of the palette.
pub static CATALOGUE: &[Entry] = &[
    Entry::of::<Data>(),
    Entry::of::<Input>(),
    Entry::of::<Convolution>(),
    Entry::of::<Deconvolution>(),
    Entry::of::<Upsample>(),
    Entry::of::<Pooling>(),
    Entry::of::<SpatialPyramidPool>(),
    Entry::of::<InnerProduct>(),
    Entry::of::<Embed>(),
    Entry::of::<Rnn>(),
    Entry::of::<Lstm>(),
    Entry::of::<Gru>(),
    Entry::of::<ReLU>(),
    Entry::of::<Sigmoid>(),
    Entry::of::<TanH>(),
    Entry::of::<PReLU>(),
    Entry::of::<ELU>(),
    Entry::of::<Maxout>(),
    Entry::of::<AbsVal>(),
    Entry::of::<Power>(),
    Entry::of::<Exp>(),
    Entry::of::<Log>(),
    Entry::of::<BNLL>(),
    Entry::of::<Threshold>(),
    Entry::of::<Softmax>(),
    Entry::of::<LRN>(),
    Entry::of::<BatchNorm>(),
    Entry::of::<Scale>(),
    Entry::of::<Bias>(),
    Entry::of::<FusedBatchNorm>(),
    Entry::of::<MVN>(),
    Entry::of::<Dropout>(),
    Entry::of::<Flatten>(),
    Entry::of::<Reshape>(),
    Entry::of::<Concat>(),
    Entry::of::<Slice>(),
    Entry::of::<Tile>(),
    Entry::of::<Crop>(),
    Entry::of::<Eltwise>(),
    Entry::of::<Reduction>(),
    Entry::of::<ArgMax>(),
    Entry::of::<BatchReindex>(),
    Entry::of::<Silence>(),
    Entry::of::<SoftmaxWithLoss>(),
    Entry::of::<MultinomialLogisticLoss>(),
    Entry::of::<InfogainLoss>(),
    Entry::of::<SigmoidCrossEntropyLoss>(),
    Entry::of::<HingeLoss>(),
    Entry::of::<EuclideanLoss>(),
    Entry::of::<SmoothL1Loss>(),
    Entry::of::<ContrastiveLoss>(),
    Entry::of::<Accuracy>(),
    Entry::of::<MeanIoU>(),
    Entry::of::<Verification>(),
    Entry::of::<MeanAbsoluteError>(),
];

/// One type of layer.
pub struct Entry {
    make: fn() -> Box<dyn Layer>,
    parse: fn(&str) -> Result<Box<dyn Layer>, ron::error::SpannedError>,
}

impl Entry {
    const fn of<T: Layer + Default + DeserializeOwned>() -> Self {
        Self {
            make: || Box::new(T::default()),
            parse: |text| Ok(Box::new(ron_options().from_str::<T>(text)?)),
        }
    }

    /// A layer with default parameters.
    pub fn make(&self) -> Box<dyn Layer> {
        (self.make)()
    }

    pub fn spec(&self) -> &'static LayerSpec {
        self.make().spec()
    }
}

/// The catalogue's entry for a layer type.
pub fn entry(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.spec().name == name)
}

/// A layer with default parameters by its type's name.
pub fn make(name: &str) -> Option<Box<dyn Layer>> {
    entry(name).map(Entry::make)
}

/// Reads a layer from RON, such as `InnerProduct(num_output: 10)`; parameters that are left out
/// take their defaults. A type that is not in the catalogue becomes [`Unknown`] and keeps its
/// text. The error's position is relative to `text`.
pub fn parse(text: &str) -> Result<Box<dyn Layer>, ron::error::SpannedError> {
    let name_end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let name = &text[..name_end];
    let Some(entry) = entry(name) else {
        // It must at least be a value, or the file around it could not be written again.
        ron::value::RawValue::from_ron(text)?;
        return Ok(Box::new(Unknown::new(name, text)));
    };
    if text[name_end..].trim().is_empty() {
        return Ok(entry.make());
    }
    (entry.parse)(text)
}

// What parameters mean that several layers have.
const BIAS_TERM: Text = Text::new("Whether a bias is added.", "是否加偏置。");
const WEIGHT_FILLER: Text = Text::new("How the weights begin.", "权重的初始化方法。");
const BIAS_FILLER: Text = Text::new("How the bias begins.", "偏置的初始化方法。");

/// The gradient before a ReLU that a layer joined, from its output, where it saved that, and the
/// gradient behind it.
fn through_relu(y: Option<&Tensor>, dy: &Tensor) -> candle_core::Result<Tensor> {
    match y {
        Some(y) => crate::nn::relu_backward(y, dy, 0.0),
        None => Ok(dy.clone()),
    }
}

/// A size depends on the number of classes, and nobody has said it.
fn classes_unknown() -> Problem {
    Problem::Missing(tr_format!(
        "the number of classes is not known; choose a data set or type a number",
        "类别数未知；请选择数据集或直接填写数字"
    ))
}

/// The number of channels, the second axis, for a layer that keeps numbers for each.
fn channels_needed(x: &Shape) -> Result<usize, Problem> {
    match x.dim(1).filter(|&channels| x.rank() >= 2 && channels > 0) {
        Some(channels) => Ok(channels),
        None => Err(Problem::Shape(tr_format!(
            "this layer needs channels (N, C, …) of a known number, but gets {x}",
            "该层需要通道数已知的输入 (N, C, …)，而得到的是 {x}"
        ))),
    }
}

/// The axis that a number means, which counts from the end where it is negative; `None` where a
/// shape of this rank has no such axis.
fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}

/// The same for a shape rule.
fn axis_needed(axis: i64, x: &Shape) -> Result<usize, Problem> {
    axis_of(axis, x.rank()).ok_or_else(|| {
        Problem::Shape(tr_format!(
            "the input {x} has no axis {axis}",
            "输入 {x} 没有第 {axis} 维"
        ))
    })
}

/// `x` as (before the axis, the axis, behind it).
fn around(x: &Tensor, axis: i64) -> candle_core::Result<Tensor> {
    let Some(axis) = axis_of(axis, x.rank()) else {
        candle_core::bail!("{:?} has no axis {axis}", x.dims())
    };
    let (before, after) = (&x.dims()[..axis], &x.dims()[axis + 1..]);
    let [before, after]: [usize; 2] = [before, after].map(|dims| dims.iter().product());
    x.contiguous()?.reshape((before, x.dims()[axis], after))
}
