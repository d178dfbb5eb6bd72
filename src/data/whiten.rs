//! Whitening: principal components with their variances made equal.
//!
//! With x centred on the training mean and its covariance U Λ Uᵀ, PCA whitening is
//! y = (Λ + ε)^(−1/2) Uᵀ x, whose covariance is Λ (Λ + ε)⁻¹, and ZCA whitening is U y, the
//! whitened example nearest to the original (Bell and Sejnowski, “The independent components of
//! natural scenes are edge filters”, 1997). Components without variance, as constant pixels make
//! them, are left out.
//! It must not know where examples come from.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::DataError;
use super::config::Whiten;
use crate::i18n::{tr, tr_format};

/// The most values of an example that is whitened, a picture of 3 × 32 × 32: time grows with the
/// cube of it.
pub const MAX_WHITENED: usize = 3_072;

/// A component with less than this share of the greatest variance counts as constant: what is
/// left there is the rounding of the sums.
const CONSTANT: f64 = 1e-11;

/// The principal components of the training split, by falling variance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Components {
    /// Of each value of an example.
    pub mean: Vec<f32>,
    /// λ, the variance along each component.
    pub variances: Vec<f32>,
    /// The components, one after the other, each as long as an example and of length 1.
    pub vectors: Vec<f32>,
}

/// Sums for the covariance, around a mean that is known already.
pub(super) struct Scatter {
    mean: Vec<f64>,
    sum: DMatrix<f64>,
    examples: usize,
}

impl Scatter {
    pub fn new(mean: Vec<f64>) -> Self {
        let size = mean.len();
        Self {
            mean,
            sum: DMatrix::zeros(size, size),
            examples: 0,
        }
    }

    /// Adds examples that lie one after the other.
    pub fn add(&mut self, values: &[f32]) {
        let size = self.mean.len().max(1);
        let count = values.len() / size;
        let centred = values.iter().zip(self.mean.iter().cycle());
        let centred = centred.map(|(value, mean)| f64::from(*value) - mean);
        // Each column is an example.
        let columns = DMatrix::from_iterator(size, count, centred.take(size * count));
        self.sum += &columns * columns.transpose();
        self.examples += count;
    }

    pub fn components(self) -> Result<Components, DataError> {
        let size = self.mean.len();
        let covariance = self.sum / self.examples.max(1) as f64;
        let eigen =
            SymmetricEigen::try_new(covariance, f64::EPSILON, 100_000).ok_or_else(|| {
                let problem = tr(
                    "the principal components do not converge; check the data for extreme values",
                    "主成分计算不收敛；请检查数据中是否有极端值",
                );
                DataError::config("preprocess.whiten", problem)
            })?;
        let mut order: Vec<usize> = (0..size).collect();
        let values = &eigen.eigenvalues;
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        let greatest = order.first().map_or(0.0, |first| values[*first]);
        order.retain(|place| values[*place] > greatest * CONSTANT);
        if order.is_empty() {
            let problem = tr(
                "all training examples are equal: there is nothing to whiten",
                "所有训练样本都相同：无法白化",
            );
            return Err(DataError::config("preprocess.whiten", problem));
        }
        let mut vectors = Vec::with_capacity(order.len() * size);
        for place in &order {
            let column: DVector<f64> = eigen.eigenvectors.column(*place).into_owned();
            // A component and its negative are equally right: the larger side points up.
            let sign = column[column.iamax()].signum();
            vectors.extend(column.iter().map(|value| (value * sign) as f32));
        }
        Ok(Components {
            mean: self.mean.iter().map(|mean| *mean as f32).collect(),
            variances: order.iter().map(|place| values[*place] as f32).collect(),
            vectors,
        })
    }
}

impl Components {
    /// Of examples that are at hand, one after the other, `size` values each.
    pub fn of(examples: &[f32], size: usize) -> Result<Self, DataError> {
        let count = (examples.len() / size.max(1)).max(1) as f64;
        let mut mean = vec![0.0; size];
        for example in examples.chunks_exact(size.max(1)) {
            let sums = mean.iter_mut().zip(example);
            sums.for_each(|(sum, value)| *sum += f64::from(*value) / count);
        }
        let mut scatter = Scatter::new(mean);
        scatter.add(examples);
        scatter.components()
    }

    /// Whether they are whole and for examples of this many values.
    pub(super) fn fit(&self, size: usize) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        self.mean.len() == size
            && !self.variances.is_empty()
            && self.vectors.len() == self.variances.len().saturating_mul(size)
            && self.variances.iter().all(|variance| *variance > 0.0)
            && [&self.mean, &self.variances, &self.vectors]
                .into_iter()
                .all(|values| finite(values))
    }

    /// How many components whitening keeps.
    pub fn kept(&self, whiten: Whiten) -> usize {
        match whiten {
            Whiten::Off => 0,
            Whiten::Pca { keep, .. } if keep > 0 => keep.min(self.variances.len()),
            Whiten::Pca { .. } | Whiten::Zca { .. } => self.variances.len(),
        }
    }
}

/// The arithmetic of whitening: a row for each output.
#[derive(Clone, Debug)]
pub struct Whitening {
    mean: Vec<f32>,
    rows: Vec<f32>,
}

impl Whitening {
    /// `None` where nothing is to be whitened.
    pub fn new(components: &Components, whiten: Whiten) -> Option<Self> {
        let size = components.mean.len();
        let epsilon = match whiten {
            Whiten::Off => return None,
            Whiten::Pca { epsilon, .. } | Whiten::Zca { epsilon } => epsilon,
        };
        let kept = components.kept(whiten);
        let scales = components
            .variances
            .iter()
            .map(|&v| 1.0 / (f64::from(v) + epsilon).sqrt());
        let scales: Vec<f64> = scales.take(kept).collect();
        let vectors = &components.vectors[..kept * size];
        let rows = match whiten {
            Whiten::Zca { .. } => {
                let vectors = vectors.iter().map(|value| f64::from(*value));
                let u = DMatrix::from_iterator(size, kept, vectors);
                let scaled = &u * DMatrix::from_diagonal(&DVector::from_vec(scales));
                let product = scaled * u.transpose();
                // Symmetric, so columns are rows.
                product.iter().map(|value| *value as f32).collect()
            }
            _ => {
                let rows = vectors.chunks_exact(size.max(1)).zip(scales);
                rows.flat_map(|(row, scale)| {
                    row.iter().map(move |x| (f64::from(*x) * scale) as f32)
                })
                .collect()
            }
        };
        Some(Self {
            mean: components.mean.clone(),
            rows,
        })
    }

    /// The whitened example; the sums are taken in one order, whatever else is in the batch.
    pub fn apply(&self, values: &[f32]) -> Vec<f32> {
        let centred = values
            .iter()
            .zip(&self.mean)
            .map(|(value, mean)| value - mean);
        let centred: Vec<f32> = centred.collect();
        let rows = self.rows.chunks_exact(self.mean.len().max(1));
        rows.map(|row| dot(row, &centred)).collect()
    }
}

/// Sixteen sums side by side, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let (whole_a, whole_b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = whole_a.remainder().iter().zip(whole_b.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in whole_a.zip(whole_b) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Refuses what would take hours.
pub(super) fn check_size(size: usize) -> Result<(), DataError> {
    if size <= MAX_WHITENED {
        return Ok(());
    }
    let problem = tr_format!(
        "an example has {size} values; at most {MAX_WHITENED} can be whitened: resize the images first",
        "每个样本有 {size} 个值；最多可白化 {MAX_WHITENED} 个：请先缩小图像"
    );
    Err(DataError::config("preprocess.whiten", problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataConfig, Feed, Preprocess, Split, SplitName};
    use std::path::Path;

    /// The covariance of the whitened training set must be λ / (λ + ε) on the diagonal.
    #[test]
    fn whitened_digits_have_the_covariance_that_the_definition_says() {
        for epsilon in [0.01, 1e-5] {
            let config = DataConfig {
                split: Split {
                    validation: 1_000,
                    test: 7_000,
                    seed: 0,
                },
                preprocess: Preprocess {
                    scale: 1.0 / 256.0,
                    whiten: Whiten::Pca { epsilon, keep: 0 },
                    ..Preprocess::default()
                },
                ..DataConfig::default()
            };
            let feed = Feed::open(&config, Path::new("")).unwrap();
            let components = &feed.statistics().components;
            let kept = components.kept(config.preprocess.whiten);
            assert_eq!(feed.shape(), [kept, 1, 1]);
            println!("{kept} of 784 components kept with 2,000 digits, epsilon {epsilon}");
            assert!((500..700).contains(&kept), "{kept}");
            let count = feed.dataset().len(SplitName::Train);
            let batch = feed
                .batch(SplitName::Train, &(0..count).collect::<Vec<_>>())
                .unwrap();
            let rows: Vec<f32> = batch.data.flatten_all().unwrap().to_vec1().unwrap();
            let x = DMatrix::from_iterator(kept, count, rows.iter().map(|x| f64::from(*x)));
            let covariance = &x * x.transpose() / count as f64;
            let mut worst = 0f64;
            for row in 0..kept {
                for column in 0..kept {
                    let variance = f64::from(components.variances[row]);
                    let expected = if row == column {
                        variance / (variance + epsilon)
                    } else {
                        0.0
                    };
                    worst = worst.max((covariance[(row, column)] - expected).abs());
                }
            }
            println!("worst difference of the covariance: {worst:.1e}");
            assert!(worst < 1e-3, "{worst}");
        }
    }

    #[test]
    fn zca_is_symmetric_and_keeps_the_shape() {
        // Two values of which the second is twice the first, and a constant.
        let mut scatter = Scatter::new(vec![0.0, 0.0, 5.0]);
        scatter.add(&[1.0, 2.0, 5.0, -1.0, -2.0, 5.0]);
        let components = scatter.components().unwrap();
        assert_eq!(components.variances, [5.0]);
        let whitening = Whitening::new(&components, Whiten::Zca { epsilon: 0.0 }).unwrap();
        let white = whitening.apply(&[1.0, 2.0, 5.0]);
        let expected = [1.0 / 5f32.sqrt(), 2.0 / 5f32.sqrt(), 0.0];
        assert!(
            white
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-6),
            "{white:?}"
        );
    }
}
