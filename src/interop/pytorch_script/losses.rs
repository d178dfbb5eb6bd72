//! Losses in PyTorch's words, and the first values of parameters.

use super::helpers::Helper;
use super::layers::{Site, flag};
use super::text::number;
use crate::graph::{Filler, ParamSpec};
use crate::layers::*;

/// A loss as an expression; `None` where there is no way to say it.
pub(super) fn loss(site: &Site<'_>) -> Option<(String, Vec<Helper>)> {
    let (layer, args) = (site.layer.as_any(), site.args.join(", "));
    let [a, b] = [0, 1].map(|index| site.args.get(index).map_or("", String::as_str));
    let plain = |text: String| Some((text, Vec::new()));
    if let Some(softmax) = layer.downcast_ref::<SoftmaxWithLoss>() {
        if softmax.axis == 1 && softmax.normalization == Normalization::Valid {
            let ignored = softmax
                .ignore_label
                .map(|label| format!(", ignore_index={label}"));
            let ignored = ignored.unwrap_or_default();
            return plain(format!("F.cross_entropy({a}, {b}.long(){ignored})"));
        }
        let ignored = none_or(softmax.ignore_label);
        let how = divisor(softmax.normalization);
        let text = format!(
            "infogain_loss({a}, {b}, {}, {ignored}, \"{how}\")",
            softmax.axis
        );
        return Some((text, vec![Helper::Infogain]));
    }
    if let Some(infogain) = layer.downcast_ref::<InfogainLoss>() {
        let matrix = match (site.args.get(2), infogain.matrix.as_slice()) {
            (Some(wired), _) => format!(", {wired}"),
            (None, []) => String::new(),
            (None, values) => {
                let values: Vec<String> = values.iter().copied().map(number).collect();
                format!(", {a}.new_tensor([{}])", values.join(", "))
            }
        };
        let (axis, ignored) = (infogain.axis, none_or(infogain.ignore_label));
        let how = divisor(infogain.normalization);
        let text = format!("infogain_loss({a}, {b}, {axis}, {ignored}, \"{how}\"{matrix})");
        return Some((text, vec![Helper::Infogain]));
    }
    if layer.is::<MultinomialLogisticLoss>() {
        return plain(format!(
            "F.nll_loss({a}.clamp(min=1e-20).log(), {b}.long())"
        ));
    }
    if let Some(sigmoid) = layer.downcast_ref::<SigmoidCrossEntropyLoss>() {
        let ignored = none_or(sigmoid.ignore_label.first());
        let how = divisor(sigmoid.normalization);
        let text = format!("sigmoid_loss({args}, {ignored}, \"{how}\")");
        return Some((text, vec![Helper::SigmoidLoss]));
    }
    if let Some(hinge) = layer.downcast_ref::<HingeLoss>() {
        let power = match hinge.norm {
            HingeNorm::L1 => 1,
            HingeNorm::L2 => 2,
        };
        return Some((format!("hinge_loss({args}, {power})"), vec![Helper::Hinge]));
    }
    if layer.is::<EuclideanLoss>() {
        return plain(format!("({a} - {b}).square().sum() / (2 * len({a}))"));
    }
    if let Some(smooth) = layer.downcast_ref::<SmoothL1Loss>() {
        let weights: Vec<String> = site
            .args
            .iter()
            .skip(2)
            .map(|arg| format!(", {arg}"))
            .collect();
        let sigma = number(smooth.sigma);
        let text = format!("smooth_l1_loss({a}, {b}, {sigma}{})", weights.concat());
        return Some((text, vec![Helper::SmoothL1]));
    }
    let contrastive = layer.downcast_ref::<ContrastiveLoss>()?;
    let (margin, legacy) = (number(contrastive.margin), flag(contrastive.legacy_version));
    let text = format!("contrastive_loss({args}, {margin}, {legacy})");
    Some((text, vec![Helper::Contrastive]))
}

fn none_or(value: Option<impl ToString>) -> String {
    value.map_or("None".to_owned(), |value| value.to_string())
}

fn divisor(normalization: Normalization) -> &'static str {
    match normalization {
        Normalization::Valid => "valid",
        Normalization::Full => "full",
        Normalization::BatchSize => "batch_size",
        Normalization::None => "none",
    }
}

/// How a parameter begins: a line that fills `target`.
pub(super) fn fill(target: &str, spec: &ParamSpec) -> (String, Option<Helper>) {
    let count = spec.count() as f64;
    let axis = |axis: usize| spec.shape.get(axis).copied().unwrap_or(1).max(1) as f64;
    let (fan_in, fan_out) = ((count / axis(0)).max(1.0), (count / axis(1)).max(1.0));
    let average = (fan_in + fan_out) / 2.0;
    let call = |name: &str, a: f64, b: f64| {
        format!("nn.init.{name}_({target}, {}, {})", number(a), number(b))
    };
    let uniform = |bound: f64| call("uniform", -bound, bound);
    let xavier = |n: f64| uniform((3.0 / n).sqrt());
    let msra = |n: f64| call("normal", 0.0, (2.0 / n).sqrt());
    let line = match spec.filler {
        Filler::Constant(value) => format!("nn.init.constant_({target}, {})", number(value)),
        Filler::Uniform { min, max } => call("uniform", min, max),
        Filler::Gaussian { mean, std } => call("normal", mean, std),
        Filler::Xavier => xavier(fan_in),
        Filler::XavierFanOut => xavier(fan_out),
        Filler::XavierAverage => xavier(average),
        Filler::Msra => msra(fan_in),
        Filler::MsraFanOut => msra(fan_out),
        Filler::MsraAverage => msra(average),
        Filler::Bilinear => return (format!("bilinear_({target})"), Some(Helper::Bilinear)),
        Filler::PositiveUnitball => {
            return (format!("unit_ball_({target})"), Some(Helper::UnitBall));
        }
        Filler::ScaledUniform(scale) => call("uniform", 0.0, scale / fan_in.sqrt()),
        Filler::ScaledGaussian(scale) => call("normal", 0.0, scale / fan_in.sqrt()),
    };
    (line, None)
}
