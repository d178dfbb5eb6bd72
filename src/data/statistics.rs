//! The mean and the standard deviation that preprocessing uses, and the sums that they come from.
//!
//! It must not know where examples come from: whoever sums decides which ones count.

use super::config::{Mean, Preprocess, Std, Whiten};
use super::{Blob, Components, DataError};
use crate::i18n::{tr, tr_format};

/// The most sums that are kept: an image of 4096 × 4096, pixel by pixel.
const MAX_SUMS: usize = 1 << 24;

/// The numbers that `Mean` and `Std` stand for, given or fitted; a project saves them so that
/// the network meets the same input wherever it is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Empty, one per channel, or one per channel and pixel.
    pub mean: Vec<f32>,
    /// Empty, or one per channel.
    pub std: Vec<f32>,
    /// The classes of a text, in the order of their numbers; empty for other data.
    pub vocabulary: Vec<String>,
    /// Empty without whitening.
    pub components: Components,
    /// Least and greatest value of each target; empty where targets stay as they are.
    pub target_min: Vec<f32>,
    pub target_max: Vec<f32>,
}

impl Statistics {
    /// The vectors that are not empty, by name, as a tensor file wants them.
    pub fn named(&self) -> Vec<(&'static str, &[f32])> {
        let all = [
            ("mean", &self.mean[..]),
            ("std", &self.std),
            ("whiten.mean", &self.components.mean),
            ("whiten.variances", &self.components.variances),
            ("whiten.vectors", &self.components.vectors),
            ("target.min", &self.target_min),
            ("target.max", &self.target_max),
        ];
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
                "whiten.mean" => statistics.components.mean = values,
                "whiten.variances" => statistics.components.variances = values,
                "whiten.vectors" => statistics.components.vectors = values,
                "target.min" => statistics.target_min = values,
                "target.max" => statistics.target_max = values,
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

    /// The numbers for examples of `shape`, from what is given (a mean image's file among it) and
    /// from `sums`.
    pub(super) fn of(
        preprocess: &Preprocess,
        shape: [usize; 3],
        sums: &Sums,
        given: Option<&Blob>,
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
                Mean::Image => sums.mean().into_iter().map(|mean| mean as f32).collect(),
                Mean::File(path) => mean_image(given, path, shape)?,
            },
            std: match &preprocess.std {
                Std::None => Vec::new(),
                Std::Value(values) => per_channel("preprocess.std", values)?,
                Std::Channel => sums.channel_std(channels),
            },
            ..Self::default()
        })
    }

    /// Refuses a vocabulary that no text was read with.
    pub(super) fn check_vocabulary(&self) -> Result<(), DataError> {
        if self.vocabulary.first().map(String::as_str) == Some(super::UNKNOWN) {
            return Ok(());
        }
        let problem = tr(
            "the saved vocabulary does not belong to a text; fit it again",
            "已保存的词表不属于文本数据；请重新统计",
        );
        Err(DataError::config("text", problem))
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
            Mean::Image | Mean::File(_) => size,
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
            || (preprocess.whiten != Whiten::Off && !self.components.fit(size))
        {
            let problem = tr(
                "the saved mean, standard deviation or components do not fit the data and these settings; fit them again",
                "已保存的均值、标准差或主成分与数据及当前设置不符；请重新计算",
            );
            return Err(DataError::config("preprocess", problem));
        }
        Ok(())
    }
}

/// A mean image of just the examples' shape.
fn mean_image(given: Option<&Blob>, path: &str, shape: [usize; 3]) -> Result<Vec<f32>, DataError> {
    let given = given.filter(|blob| blob.is_like(&shape));
    given.map(|blob| blob.data.clone()).ok_or_else(|| {
        let [channels, height, width] = shape;
        let problem = tr_format!(
            "the mean image {path} is not {channels} × {height} × {width} as the examples are; resize these, or fit the mean",
            "均值图像 {path} 与样本的 {channels} × {height} × {width} 不符；请缩放样本，或改为计算均值"
        );
        DataError::config("preprocess.mean", problem)
    })
}

/// Sums over examples in f64 (exact for bytes): one per channel, or per channel and pixel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    examples: usize,
    /// Neighbouring values of an example that go into the same sum.
    values_per_sum: usize,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    /// As fine as the preprocessing needs for examples of `shape`.
    pub fn new(
        preprocess: &Preprocess,
        [channels, height, width]: [usize; 3],
    ) -> Result<Self, DataError> {
        let pixels = height * width;
        let (sums, values_per_sum) = match preprocess.mean {
            Mean::Image => (channels * pixels, 1),
            _ => (channels, pixels),
        };
        if sums > MAX_SUMS {
            let problem = tr_format!(
                "needs {sums} sums, more than {MAX_SUMS}; resize the images, or write Channel for Image",
                "需要 {sums} 个统计量，超过 {MAX_SUMS} 个；请缩小图像，或将 Image 改为 Channel"
            );
            return Err(DataError::config("preprocess.mean", problem));
        }
        Ok(Self {
            examples: 0,
            values_per_sum,
            sum: vec![0.0; sums],
            squares: vec![0.0; sums],
        })
    }

    /// Adds one example.
    pub fn add<T: Copy + Into<f64>>(&mut self, values: &[T]) {
        self.examples += 1;
        let sums = self.sum.iter_mut().zip(&mut self.squares);
        for ((sum, square), values) in sums.zip(values.chunks_exact(self.values_per_sum)) {
            for &value in values {
                let value: f64 = value.into();
                *sum += value;
                *square += value * value;
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.examples += other.examples;
        let sums = [
            (&mut self.sum, &other.sum),
            (&mut self.squares, &other.squares),
        ];
        for (mine, theirs) in sums {
            mine.iter_mut()
                .zip(theirs)
                .for_each(|(mine, theirs)| *mine += theirs);
        }
    }

    /// As fine as the sums are.
    fn mean(&self) -> Vec<f64> {
        self.averages(&self.sum, self.sum.len())
    }

    fn channel_mean(&self, channels: usize) -> Vec<f64> {
        self.averages(&self.sum, channels)
    }

    /// The population's standard deviation; 1 for a channel that never changes, which the
    /// subtraction of its mean then makes 0 everywhere.
    fn channel_std(&self, channels: usize) -> Vec<f32> {
        let means = self.averages(&self.sum, channels);
        let squares = self.averages(&self.squares, channels);
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

    fn averages(&self, sums: &[f64], groups: usize) -> Vec<f64> {
        let sums_per_group = (sums.len() / groups.max(1)).max(1);
        let values = (sums_per_group * self.values_per_sum * self.examples.max(1)) as f64;
        let groups = sums.chunks(sums_per_group);
        groups
            .map(|group| group.iter().sum::<f64>() / values)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_deviations_are_those_worked_out_by_hand() {
        // Two channels of two pixels. Channel 0: 1 3 5 7, mean 4, variance 5. Channel 1: 9 always.
        let of = |mean, std| {
            let preprocess = Preprocess {
                mean,
                std,
                ..Preprocess::default()
            };
            let mut sums = Sums::new(&preprocess, [2, 1, 2]).unwrap();
            let mut second = sums.clone();
            sums.add(&[1u8, 3, 9, 9]);
            second.add(&[5u8, 7, 9, 9]);
            sums.merge(&second);
            let statistics = Statistics::of(&preprocess, [2, 1, 2], &sums, None).unwrap();
            statistics.check(&preprocess, [2, 1, 2]).unwrap();
            statistics
        };
        let fitted = of(Mean::Channel, Std::Channel);
        assert_eq!(fitted.mean, [4.0, 9.0]);
        assert_eq!(fitted.std, [5f32.sqrt(), 1.0]);
        let image = of(Mean::Image, Std::Channel);
        assert_eq!(image.mean, [3.0, 5.0, 9.0, 9.0]);
        assert_eq!(image.std, fitted.std);
        assert_eq!(of(Mean::Value(vec![7.0]), Std::None).mean, [7.0, 7.0]);
        let named = fitted
            .named()
            .into_iter()
            .map(|(name, values)| (name, values.to_vec()));
        assert_eq!(Statistics::from_named(named), fitted);
    }

    #[test]
    fn a_mean_image_is_bounded() {
        let preprocess = Preprocess {
            mean: Mean::Image,
            ..Preprocess::default()
        };
        assert!(Sums::new(&preprocess, [3, 8192, 8192]).is_err());
    }

    #[test]
    fn values_in_wrong_number_are_refused() {
        let preprocess = Preprocess {
            mean: Mean::Value(vec![1.0, 2.0]),
            ..Preprocess::default()
        };
        let sums = Sums::new(&preprocess, [3, 1, 1]).unwrap();
        let error = Statistics::of(&preprocess, [3, 1, 1], &sums, None).unwrap_err();
        assert!(error.to_string().contains("1 or 3"), "{error}");
        assert!(Statistics::default().check(&preprocess, [2, 1, 1]).is_err());
    }
}
