//! The distribution of many numbers: a histogram, and the numbers that describe it.

use candle_core::{DType, Tensor};

use super::Range;

/// The most numbers of one tensor that a histogram reads.
pub const SAMPLE: usize = 1 << 17;

/// The numbers of a tensor: all of them, or `limit` spread evenly over it in runs.
pub fn sample(tensor: &Tensor, limit: usize) -> candle_core::Result<Vec<f32>> {
    const RUNS: usize = 256;
    let flat = tensor.flatten_all()?;
    let count = flat.elem_count();
    let read = |part: Tensor| part.to_dtype(DType::F32)?.to_vec1::<f32>();
    let run = limit / RUNS;
    if count <= limit || run == 0 {
        return read(flat.narrow(0, 0, count.min(limit))?);
    }
    let mut values = Vec::with_capacity(run * RUNS);
    for index in 0..RUNS {
        let start = ((count - run) as u128 * index as u128 / (RUNS - 1) as u128) as usize;
        values.extend(read(flat.narrow(0, start, run)?)?);
    }
    Ok(values)
}

/// What describes a set of numbers; moments and extremes are of the finite ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    pub count: usize,
    pub mean: f64,
    /// Of the whole set (divided by the count).
    pub std: f64,
    pub min: f32,
    pub max: f32,
    /// The fraction that is exactly 0.
    pub zeros: f64,
    /// How many are NaN or infinite.
    pub non_finite: usize,
}

impl Statistics {
    pub fn of(values: &[f32]) -> Self {
        // Sums of differences to one of the values: those of the values themselves would
        // cancel where the mean is much larger than the deviation.
        let finite = |value: &&f32| value.is_finite();
        let start = f64::from(values.iter().find(finite).copied().unwrap_or_default());
        let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
        let (mut number, mut sum, mut squares, mut zeros) = (0usize, 0.0, 0.0, 0usize);
        for value in values.iter().filter(finite) {
            let difference = f64::from(*value) - start;
            number += 1;
            sum += difference;
            squares += difference * difference;
            zeros += usize::from(*value == 0.0);
            min = min.min(*value);
            max = max.max(*value);
        }
        let among = number.max(1) as f64;
        let mean = sum / among;
        Self {
            count: values.len(),
            mean: start + mean,
            std: (squares / among - mean * mean).max(0.0).sqrt(),
            min: if number > 0 { min } else { 0.0 },
            max: if number > 0 { max } else { 0.0 },
            zeros: zeros as f64 / values.len().max(1) as f64,
            non_finite: values.len() - number,
        }
    }
}

/// How many numbers lie in each of equally wide bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    pub range: Option<(f64, f64)>,
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Over the finite values, from the least to the greatest; when all are equal, one unit
    /// (or, for large values, a thousandth of the value) around it.
    pub fn of(values: &[f32], bins: usize) -> Self {
        let range = Range::of(values);
        let none = range == Range::default() && !values.contains(&0.0);
        if bins == 0 || none {
            return Self::default();
        }
        let (mut lo, mut hi) = (f64::from(range.lo), f64::from(range.hi));
        if lo == hi {
            let reach = (lo.abs() * 1e-3).max(0.5);
            (lo, hi) = (lo - reach, hi + reach);
        }
        let mut counts = vec![0; bins];
        let factor = bins as f64 / (hi - lo);
        for value in values.iter().filter(|value| value.is_finite()) {
            let bin = ((f64::from(*value) - lo) * factor) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        Self {
            range: Some((lo, hi)),
            counts,
        }
    }

    pub fn bin_width(&self) -> f64 {
        let (lo, hi) = self.range.unwrap_or_default();
        (hi - lo) / self.counts.len().max(1) as f64
    }

    /// Left edge and count of each bin.
    pub fn bins(&self) -> impl Iterator<Item = (f64, u64)> {
        let (lo, width) = (self.range.unwrap_or_default().0, self.bin_width());
        (self.counts.iter().enumerate())
            .map(move |(index, count)| (lo + index as f64 * width, *count))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn statistics_by_hand() {
        let values = [2.0, 4.0, 0.0, 0.0, 4.0, f32::NAN, f32::INFINITY, 2.0];
        let found = Statistics::of(&values);
        assert_eq!((found.count, found.non_finite, found.zeros), (8, 2, 0.25));
        assert_eq!((found.mean, found.min, found.max), (2.0, 0.0, 4.0));
        assert!((found.std - (16.0f64 / 6.0).sqrt()).abs() < 1e-12);
        let none = Statistics::of(&[]);
        assert_eq!(
            (none.count, none.mean, none.std, none.zeros),
            (0, 0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn a_large_mean_does_not_spoil_the_deviation() {
        let values = [10_000.0, 10_001.0, 10_002.0];
        assert!((Statistics::of(&values).std - (2.0f64 / 3.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn bins_by_hand() {
        let histogram = Histogram::of(&[0.0, 0.9, 1.0, 3.9, 4.0, f32::NAN], 4);
        assert_eq!(histogram.counts, [2, 1, 0, 2]);
        assert_eq!(histogram.range, Some((0.0, 4.0)));
        assert_eq!(histogram.bins().collect::<Vec<_>>()[3], (3.0, 2));
        let equal = Histogram::of(&[5.0; 3], 2);
        assert_eq!((equal.range, equal.counts), (Some((4.5, 5.5)), vec![0, 3]));
        assert_eq!(Histogram::of(&[f32::NAN], 4), Histogram::default());
        assert_eq!(Histogram::of(&[1.0], 0), Histogram::default());
        let wide = Histogram::of(&[f32::MIN, f32::MAX], 2);
        assert_eq!(wide.counts, [1, 1]);
    }

    #[test]
    fn a_sample_spans_the_tensor() {
        let tensor = Tensor::arange(0f32, 100_000f32, &Device::Cpu).unwrap();
        let tensor = tensor.reshape((100, 1000)).unwrap();
        assert_eq!(sample(&tensor, 100_000).unwrap().len(), 100_000);
        let part = sample(&tensor, 1024).unwrap();
        assert_eq!(part.len(), 1024);
        assert_eq!((part[0], part[1023]), (0.0, 99_999.0));
        let mean = Statistics::of(&part).mean;
        assert!((mean - 50_000.0).abs() < 500.0, "{mean}");
        let empty = Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(sample(&empty, 10).unwrap().is_empty());
        assert_eq!(sample(&tensor, 10).unwrap().len(), 10);
    }
}
