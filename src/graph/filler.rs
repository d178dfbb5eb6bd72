//! How parameters begin.

use serde::{Deserialize, Serialize};

/// How a parameter gets its first values; names and formulas as in Caffe's fillers, where fan-in
/// is the number of values behind one output, and fan-out the number of outputs behind one input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Filler {
    Constant(f64),
    Uniform {
        min: f64,
        max: f64,
    },
    Gaussian {
        mean: f64,
        std: f64,
    },
    /// Uniform in ±√(3 / n) (Glorot and Bengio 2010); n is the fan-in, Caffe's default.
    Xavier,
    /// The same with the fan-out for n.
    XavierFanOut,
    /// The same with the mean of both for n, as in the paper.
    XavierAverage,
    /// Gaussian with deviation √(2 / n) (He et al. 2015); n is the fan-in, Caffe's default.
    Msra,
    MsraFanOut,
    MsraAverage,
    /// The weights of bilinear interpolation, for a Deconvolution that enlarges.
    Bilinear,
    /// Uniform in 0 … 1, then divided so that the weights of each output sum to 1.
    PositiveUnitball,
    /// `scale · rand(D) / √D` as a course writes it: uniform in 0 … 1, all positive; D is the fan-in.
    ScaledUniform(f64),
    /// `scale · randn(D) / √D`, as it is usually meant: gaussian, half of the weights negative.
    ScaledGaussian(f64),
}

impl Filler {
    /// One of each, with usual numbers, and its name for people.
    pub const ALL: [(&'static str, Self); 13] = [
        ("constant", Self::Constant(0.0)),
        (
            "uniform",
            Self::Uniform {
                min: -0.1,
                max: 0.1,
            },
        ),
        (
            "gaussian",
            Self::Gaussian {
                mean: 0.0,
                std: 0.01,
            },
        ),
        ("xavier", Self::Xavier),
        ("xavier_fan_out", Self::XavierFanOut),
        ("xavier_average", Self::XavierAverage),
        ("msra", Self::Msra),
        ("msra_fan_out", Self::MsraFanOut),
        ("msra_average", Self::MsraAverage),
        ("bilinear", Self::Bilinear),
        ("positive_unitball", Self::PositiveUnitball),
        ("scaled_uniform", Self::ScaledUniform(0.01)),
        ("scaled_gaussian", Self::ScaledGaussian(0.01)),
    ];

    pub fn name(&self) -> &'static str {
        let same = |other: &Self| std::mem::discriminant(other) == std::mem::discriminant(self);
        let named = Self::ALL.iter().find(|(_, other)| same(other));
        named.map_or("", |(name, _)| name)
    }

    /// What it draws from, for hover texts.
    pub fn formula(&self) -> &'static str {
        match self {
            Self::Constant(_) => "w = c",
            Self::Uniform { .. } => "w ~ U(min, max)",
            Self::Gaussian { .. } => "w ~ N(μ, σ²)",
            Self::Xavier => "w ~ U(−√(3/n), √(3/n)), n = fan-in",
            Self::XavierFanOut => "w ~ U(−√(3/n), √(3/n)), n = fan-out",
            Self::XavierAverage => "w ~ U(−√(3/n), √(3/n)), n = (fan-in + fan-out)/2",
            Self::Msra => "w ~ N(0, 2/n), n = fan-in",
            Self::MsraFanOut => "w ~ N(0, 2/n), n = fan-out",
            Self::MsraAverage => "w ~ N(0, 2/n), n = (fan-in + fan-out)/2",
            Self::Bilinear => "w(i, j) = (1 − |i/f − c|)(1 − |j/f − c|)",
            Self::PositiveUnitball => "w ~ U(0, 1), Σw = 1",
            Self::ScaledUniform(_) => "w = s · rand(D)/√D",
            Self::ScaledGaussian(_) => "w = s · randn(D)/√D",
        }
    }

    /// Whether its numbers make sense.
    pub(super) fn is_valid(self) -> bool {
        match self {
            Self::Constant(value) => value.is_finite(),
            Self::Uniform { min, max } => min.is_finite() && max.is_finite() && min <= max,
            Self::Gaussian { mean, std } => mean.is_finite() && std.is_finite() && std >= 0.0,
            Self::ScaledUniform(scale) | Self::ScaledGaussian(scale) => scale.is_finite(),
            _ => true,
        }
    }
}
