//! From raw values to what the network sees: `(x − mean) / std × scale`.
//!
//! Invariant: statistics come from the training split alone, and neither they nor the result
//! depend on the number of threads.

use serde::{Deserialize, Serialize};

use super::DataError;
use super::config::{Mean, Preprocess, Std};
use crate::i18n::{tr, tr_format};

/// The numbers that `Mean` and `Std` stand for, given or fitted; a project saves them so that
/// the network meets the same input wherever it is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Empty, one per channel, or one per channel and pixel.
    pub mean: Vec<f32>,
    /// Empty, or one per channel.
    pub std: Vec<f32>,
}

impl Statistics {
    /// The vectors that are not empty, by name, as a tensor file wants them.
    pub fn named(&self) -> Vec<(&'static str, &[f32])> {
        let all = [("mean", &self.mean[..]), ("std", &self.std[..])];
        all.into_iter()
            .filter(|(_, values)| !values.is_empty())
            .collect()
    }

    /// The inverse of `named`; other names are passed over.
    pub fn from_named<'a>(vectors: impl IntoIterator<Item = (&'a str, Vec<f32>)>) -> Self {
        let mut statistics = Self::default();
        for (name, values) in vectors {
            match name {
                "mean" => statistics.mean = values,
                "std" => statistics.std = values,
                _ => {}
            }
        }
        statistics
    }

    /// Whether anything must be fitted.
    pub(super) fn needs_fit(preprocess: &Preprocess) -> bool {
        matches!(preprocess.mean, Mean::Channel | Mean::Image)
            || matches!(preprocess.std, Std::Channel)
    }

    /// The numbers for examples of `shape`, from what is given and from `sums`.
    pub(super) fn of(
        preprocess: &Preprocess,
        shape: [usize; 3],
        sums: &Sums,
    ) -> Result<Self, DataError> {
        let channels = shape[0];
        let per_channel = |setting, values: &[f64]| match values.len() {
            1 => Ok(vec![values[0] as f32; channels]),
            count if count == channels => Ok(values.iter().map(|&value| value as f32).collect()),
            count => {
                let problem = tr_format!(
                    "has {count} values; the data have {channels} channels, so give 1 or {channels}",
                    "有 {count} 个值；数据有 {channels} 个通道，应给出 1 个或 {channels} 个"
                );
                Err(DataError::config(setting, problem))
            }
        };
        Ok(Self {
            mean: match &preprocess.mean {
                Mean::None => Vec::new(),
                Mean::Value(values) => per_channel("preprocess.mean", values)?,
                Mean::Channel => sums
                    .channel_mean(channels)
                    .into_iter()
                    .map(|m| m as f32)
                    .collect(),
                Mean::Image => sums.mean().map(|mean| mean as f32).collect(),
            },
            std: match &preprocess.std {
                Std::None => Vec::new(),
                Std::Value(values) => per_channel("preprocess.std", values)?,
                Std::Channel => sums.channel_std(channels),
            },
        })
    }

    /// Refuses statistics that were saved for other data or other settings.
    pub(super) fn check(
        &self,
        preprocess: &Preprocess,
        shape: [usize; 3],
    ) -> Result<(), DataError> {
        let (channels, size) = (shape[0], shape.iter().product());
        let mean = match preprocess.mean {
            Mean::None => 0,
            Mean::Value(_) | Mean::Channel => channels,
            Mean::Image => size,
        };
        let std = if preprocess.std == Std::None {
            0
        } else {
            channels
        };
        let usable = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let positive = self.std.iter().all(|&value| value > 0.0);
        if (self.mean.len(), self.std.len()) != (mean, std)
            || !usable(&self.mean)
            || !usable(&self.std)
            || !positive
        {
            let problem = tr(
                "the saved mean and standard deviation do not fit the data and these settings; fit them again",
                "已保存的均值和标准差与数据及当前设置不符；请重新计算",
            );
            return Err(DataError::config("preprocess", problem));
        }
        Ok(())
    }
}

/// Sums over examples, per channel and pixel, in f64: exact for bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    count: usize,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    pub fn new(size: usize) -> Self {
        Self {
            count: 0,
            sum: vec![0.0; size],
            squares: vec![0.0; size],
        }
    }

    /// Adds one example.
    pub fn add<T: Copy + Into<f64>>(&mut self, values: &[T]) {
        self.count += 1;
        for ((sum, square), &value) in self.sum.iter_mut().zip(&mut self.squares).zip(values) {
            let value: f64 = value.into();
            *sum += value;
            *square += value * value;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        let pairs = [
            (&mut self.sum, &other.sum),
            (&mut self.squares, &other.squares),
        ];
        for (mine, theirs) in pairs {
            mine.iter_mut()
                .zip(theirs)
                .for_each(|(mine, theirs)| *mine += theirs);
        }
    }

    fn mean(&self) -> impl Iterator<Item = f64> {
        self.sum.iter().map(|sum| sum / self.count.max(1) as f64)
    }

    fn channel_mean(&self, channels: usize) -> Vec<f64> {
        self.per_channel(&self.sum, channels)
    }

    /// The population's standard deviation; 1 for a channel that never changes, which the
    /// subtraction of its mean then makes 0 everywhere.
    fn channel_std(&self, channels: usize) -> Vec<f32> {
        let means = self.channel_mean(channels);
        let squares = self.per_channel(&self.squares, channels);
        let std = |(mean, square): (f64, f64)| {
            let std = (square - mean * mean).max(0.0).sqrt();
            // What is left of a constant channel is the rounding of the two sums.
            if std <= 1e-6 * square.sqrt() {
                1.0
            } else {
                std as f32
            }
        };
        means.into_iter().zip(squares).map(std).collect()
    }

    fn per_channel(&self, sums: &[f64], channels: usize) -> Vec<f64> {
        let pixels = (sums.len() / channels.max(1)).max(1);
        let values = (pixels * self.count.max(1)) as f64;
        sums.chunks(pixels)
            .map(|plane| plane.iter().sum::<f64>() / values)
            .collect()
    }
}

/// The arithmetic of one example.
#[derive(Clone, Debug)]
pub(super) struct Transform {
    pixels_per_channel: usize,
    /// One per channel, or one per channel and pixel.
    mean: Vec<f32>,
    /// `scale / std`, one per channel.
    factor: Vec<f32>,
}

impl Transform {
    /// `statistics` fit `shape`.
    pub fn new(statistics: &Statistics, scale: f64, [channels, height, width]: [usize; 3]) -> Self {
        let factor = |channel| {
            let std = statistics.std.get(channel).copied().unwrap_or(1.0);
            (scale / f64::from(std)) as f32
        };
        let mean = match &statistics.mean[..] {
            [] => vec![0.0; channels],
            mean => mean.to_vec(),
        };
        Self {
            pixels_per_channel: height * width,
            mean,
            factor: (0..channels).map(factor).collect(),
        }
    }

    /// Writes one example to `out`, of the same length.
    pub fn apply<T: Copy + Into<f32>>(&self, values: &[T], out: &mut [f32]) {
        let pixels = self.pixels_per_channel;
        let per_pixel = self.mean.len() != self.factor.len();
        let planes = values
            .chunks_exact(pixels)
            .zip(out.chunks_exact_mut(pixels));
        for (channel, (values, out)) in planes.enumerate() {
            let factor = self.factor[channel];
            if per_pixel {
                let mean = &self.mean[channel * pixels..][..pixels];
                for ((out, &value), mean) in out.iter_mut().zip(values).zip(mean) {
                    *out = (value.into() - mean) * factor;
                }
            } else {
                let mean = self.mean[channel];
                for (out, &value) in out.iter_mut().zip(values) {
                    *out = (value.into() - mean) * factor;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(examples: &[&[u8]]) -> Sums {
        let mut sums = Sums::new(examples[0].len());
        examples.iter().for_each(|example| sums.add(example));
        sums
    }

    #[test]
    fn means_and_deviations_are_those_worked_out_by_hand() {
        // Two channels of two pixels. Channel 0: 1 3 5 7, mean 4, variance 5. Channel 1: 9 always.
        let sums = sums(&[&[1, 3, 9, 9], &[5, 7, 9, 9]]);
        let of = |mean, std| {
            let preprocess = Preprocess {
                mean,
                std,
                ..Preprocess::default()
            };
            let statistics = Statistics::of(&preprocess, [2, 1, 2], &sums).unwrap();
            statistics.check(&preprocess, [2, 1, 2]).unwrap();
            statistics
        };
        let fitted = of(Mean::Channel, Std::Channel);
        assert_eq!(fitted.mean, [4.0, 9.0]);
        assert_eq!(fitted.std, [5f32.sqrt(), 1.0]);
        assert_eq!(of(Mean::Image, Std::None).mean, [3.0, 5.0, 9.0, 9.0]);
        assert_eq!(of(Mean::Value(vec![7.0]), Std::None).mean, [7.0, 7.0]);
        let named = fitted
            .named()
            .into_iter()
            .map(|(name, values)| (name, values.to_vec()));
        assert_eq!(Statistics::from_named(named), fitted);
    }

    #[test]
    fn values_in_wrong_number_are_refused() {
        let preprocess = Preprocess {
            mean: Mean::Value(vec![1.0, 2.0]),
            ..Preprocess::default()
        };
        let error = Statistics::of(&preprocess, [3, 1, 1], &Sums::new(3)).unwrap_err();
        assert!(error.to_string().contains("1 or 3"), "{error}");
        assert!(Statistics::default().check(&preprocess, [2, 1, 1]).is_err());
    }

    #[test]
    fn the_transform_subtracts_then_divides_then_scales() {
        let shape = [2, 1, 2];
        let apply = |mean: &[f32], std: &[f32], scale| {
            let statistics = Statistics {
                mean: mean.to_vec(),
                std: std.to_vec(),
            };
            let mut out = [0.0; 4];
            Transform::new(&statistics, scale, shape).apply(&[10u8, 20, 30, 40], &mut out);
            out
        };
        assert_eq!(
            apply(&[], &[], 0.00390625),
            [0.0390625, 0.078125, 0.1171875, 0.15625]
        );
        assert_eq!(
            apply(&[10.0, 20.0], &[2.0, 4.0], 0.5),
            [0.0, 2.5, 1.25, 2.5]
        );
        assert_eq!(
            apply(&[1.0, 2.0, 3.0, 4.0], &[], 2.0),
            [18.0, 36.0, 54.0, 72.0]
        );
    }
}
