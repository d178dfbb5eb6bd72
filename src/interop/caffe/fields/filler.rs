//! Caffe's `FillerParameter`, both ways.

use super::{Entry, Message, Value};
use crate::graph::Filler;

/// Caffe's fillers without numbers: type and `variance_norm`.
const FILLERS: [(Filler, &str, &str); 8] = [
    (Filler::Xavier, "xavier", "FAN_IN"),
    (Filler::XavierFanOut, "xavier", "FAN_OUT"),
    (Filler::XavierAverage, "xavier", "AVERAGE"),
    (Filler::Msra, "msra", "FAN_IN"),
    (Filler::MsraFanOut, "msra", "FAN_OUT"),
    (Filler::MsraAverage, "msra", "AVERAGE"),
    (Filler::Bilinear, "bilinear", ""),
    (Filler::PositiveUnitball, "positive_unitball", ""),
];

/// Caffe's `FillerParameter`; a type that is not there is a constant.
pub(super) fn filler_of(message: &Message) -> Option<Filler> {
    let real = |name: &str, usual: f64| message.get(name).map_or(Some(usual), Entry::real);
    let kind = message.text("type").unwrap_or("constant");
    let norm = message.text("variance_norm").unwrap_or("FAN_IN");
    Some(match kind {
        "constant" => Filler::Constant(real("value", 0.0)?),
        "uniform" => Filler::Uniform {
            min: real("min", 0.0)?,
            max: real("max", 1.0)?,
        },
        "gaussian" => Filler::Gaussian {
            mean: real("mean", 0.0)?,
            std: real("std", 1.0)?,
        },
        "scaled_uniform" => Filler::ScaledUniform(real("value", 0.01)?),
        "scaled_gaussian" => Filler::ScaledGaussian(real("value", 0.01)?),
        _ => {
            let plain = |(_, name, norms): &&(Filler, &str, &str)| {
                *name == kind && (norms.is_empty() || *norms == norm)
            };
            FILLERS.iter().find(plain)?.0
        }
    })
}

pub(super) fn filler_message(filler: Filler) -> Message {
    let mut message = Message::default();
    let mut with = |kind: &str, numbers: &[(&str, f64)]| {
        message.put("type", Value::text(kind));
        for (name, number) in numbers {
            message.put(name, Value::word(number));
        }
    };
    match filler {
        Filler::Constant(value) => with("constant", &[("value", value)]),
        Filler::Uniform { min, max } => with("uniform", &[("min", min), ("max", max)]),
        Filler::Gaussian { mean: 0.0, std } => with("gaussian", &[("std", std)]),
        Filler::Gaussian { mean, std } => with("gaussian", &[("mean", mean), ("std", std)]),
        Filler::ScaledUniform(scale) => with("scaled_uniform", &[("value", scale)]),
        Filler::ScaledGaussian(scale) => with("scaled_gaussian", &[("value", scale)]),
        plain => {
            let named = FILLERS.iter().find(|(filler, ..)| *filler == plain);
            let (_, kind, norm) = named.copied().unwrap_or(FILLERS[0]);
            with(kind, &[]);
            if !matches!(norm, "" | "FAN_IN") {
                message.put("variance_norm", Value::word(norm));
            }
        }
    }
    message
}
