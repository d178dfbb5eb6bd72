//! What the inside of a network looks like, as plain values: feature maps and filters as
//! pictures, distributions as histograms, predictions as a confusion matrix, text as it is drawn.
//!
//! Pure functions of tensors and predictions. Invariant: NaN, infinities, empty tensors and
//! odd shapes are data like any other and never panic.
//! It must not know how a picture reaches the screen.

mod color;
mod confusion;
mod depth;
mod filter;
mod histogram;
mod map;
mod picture;
mod predictor;
mod sampling;
mod segmentation;
mod tiling;

pub use color::{ColorMap, NON_FINITE, Range, Shades};
pub use confusion::{Confusion, MAX_CLASSES, Mistake};
pub use depth::{LayerGradient, gradients_by_depth};
pub use filter::{Filters, filters};
pub use histogram::{Histogram, SAMPLE, Statistics, sample};
pub use map::Maps;
pub use picture::{
    Coloring, Picture, Scale, paint, paint_rgb, picture_of_bytes, picture_of_values,
};
pub use predictor::{Answer, Predictor, Request, Subject};
pub use sampling::{Sampler, SamplingError};
pub use segmentation::{answers, beside, blend, overlaps, picture_of_labels};
pub use tiling::Tiling;
