//! Features that are learned without labels, or with them by linear algebra: codebooks, mixtures,
//! dictionaries, subspaces.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Centres of clusters, by k-means on a few examples at a time (Sculley 2010).
pub struct Codebook {
    pub centres: Vec<Vec<f32>>,
    counts: Vec<f32>,
}

pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

impl Codebook {
    pub fn new(examples: &[Vec<f32>], size: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut places: Vec<usize> = (0..examples.len()).collect();
        places.shuffle(&mut random);
        let centres = places
            .iter()
            .take(size)
            .map(|place| examples[*place].clone());
        let centres: Vec<Vec<f32>> = centres.collect();
        Self {
            counts: vec![1.0; centres.len()],
            centres,
        }
    }

    /// Moves the nearest centre towards an example, the less the more it has seen.
    pub fn step(&mut self, example: &[f32]) {
        let place = self.nearest(example);
        let Some(centre) = self.centres.get_mut(place) else {
            return;
        };
        self.counts[place] += 1.0;
        let part = 1.0 / self.counts[place];
        for (centre, value) in centre.iter_mut().zip(example) {
            *centre += part * (value - *centre);
        }
    }

    pub fn nearest(&self, example: &[f32]) -> usize {
        let distances = self.centres.iter().map(|centre| distance(centre, example));
        let best = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(place, _)| place)
    }

    /// How often each word occurs in the whole and in each quarter of a `side` × `side` grid of
    /// descriptors, square-rooted: a bag of visual words on two levels of a pyramid (Lazebnik,
    /// Schmid and Ponce 2006).
    pub fn bag(&self, descriptors: &[Vec<f32>], side: usize) -> Vec<f32> {
        let words = self.centres.len();
        let mut sums = vec![0f32; 5 * words];
        for (place, descriptor) in descriptors.iter().enumerate() {
            let word = self.nearest(descriptor);
            let quarter = place / side * 2 / side * 2 + place % side * 2 / side;
            sums[word] += 1.0;
            sums[(1 + quarter) * words + word] += 1.0;
        }
        let total = descriptors.len().max(1) as f32;
        sums.iter().map(|sum| (sum / total).sqrt()).collect()
    }

    /// How near each centre is compared with the mean distance, summed over each quarter (the
    /// triangle code of Coates, Ng and Lee 2011): a sparse code, most of it 0.
    pub fn triangle(&self, patches: &[Vec<f32>], side: usize) -> Vec<f32> {
        let atoms = self.centres.len();
        let mut sums = vec![0f32; 4 * atoms];
        for (place, patch) in patches.iter().enumerate() {
            let quarter = place / side * 2 / side * 2 + place % side * 2 / side;
            let distances: Vec<f32> = self
                .centres
                .iter()
                .map(|c| distance(c, patch).sqrt())
                .collect();
            let mean = distances.iter().sum::<f32>() / atoms.max(1) as f32;
            for (atom, distance) in distances.iter().enumerate() {
                sums[quarter * atoms + atom] += (mean - distance).max(0.0);
            }
        }
        let length = sums
            .iter()
            .map(|sum| sum * sum)
            .sum::<f32>()
            .sqrt()
            .max(1e-6);
        sums.iter().map(|sum| 2.0 * sum / length).collect()
    }
}

/// A mixture of Gaussians of equal, round shape, fitted by expectation and maximisation over a
/// codebook; of an image, the mean shift from every centre (VLAD, Jégou et al. 2010, with soft
/// parts as in Fisher vectors).
pub fn mixture(codebook: &Codebook, descriptors: &[Vec<f32>], width: f32) -> Vec<f32> {
    let size = descriptors.first().map_or(0, Vec::len);
    let mut sums = vec![0f32; codebook.centres.len() * size];
    for descriptor in descriptors {
        let parts = parts(codebook, descriptor, width);
        for ((part, centre), sum) in parts
            .iter()
            .zip(&codebook.centres)
            .zip(sums.chunks_exact_mut(size.max(1)))
        {
            if *part < 1e-3 {
                continue;
            }
            for ((sum, value), middle) in sum.iter_mut().zip(descriptor).zip(centre) {
                *sum += part * (value - middle);
            }
        }
    }
    sums.iter_mut()
        .for_each(|sum| *sum = sum.signum() * sum.abs().sqrt());
    let length = sums
        .iter()
        .map(|sum| sum * sum)
        .sum::<f32>()
        .sqrt()
        .max(1e-6);
    sums.iter().map(|sum| 2.0 * sum / length).collect()
}

/// To which Gaussian a descriptor belongs, in parts that sum to 1.
pub fn parts(codebook: &Codebook, descriptor: &[f32], width: f32) -> Vec<f32> {
    let scores = codebook
        .centres
        .iter()
        .map(|c| -distance(c, descriptor) / (2.0 * width * width));
    let scores: Vec<f32> = scores.collect();
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// A linear map after the mean is taken away.
pub struct Subspace {
    mean: DVector<f64>,
    map: DMatrix<f64>,
}

impl Subspace {
    /// Principal components, by orthogonal iteration on the covariance.
    pub fn pca(examples: &[Vec<f32>], size: usize) -> Self {
        let (mean, covariance) = moments(examples);
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let start = DMatrix::from_fn(mean.len(), size, |_, _| random.random_range(-1.0..1.0));
        let mut basis = start.qr().q();
        for _ in 0..30 {
            basis = (&covariance * basis).qr().q();
        }
        Self {
            map: basis.transpose(),
            mean,
        }
    }

    /// Fisher's linear discriminants of examples in a small space: directions in which classes lie
    /// far apart for how wide they are.
    pub fn lda(examples: &[Vec<f32>], labels: &[u32], classes: usize) -> Self {
        let (mean, total) = moments(examples);
        let size = mean.len();
        let mut within = DMatrix::zeros(size, size);
        for class in 0..classes as u32 {
            let of_class: Vec<Vec<f32>> = examples
                .iter()
                .zip(labels)
                .filter(|(_, label)| **label == class)
                .map(|(row, _)| row.clone())
                .collect();
            if !of_class.is_empty() {
                within += moments(&of_class).1 * (of_class.len() as f64 / examples.len() as f64);
            }
        }
        let ridge = 1e-4 * within.trace() / size.max(1) as f64;
        let eigen = SymmetricEigen::new(within + DMatrix::identity(size, size) * ridge);
        let scales = eigen.eigenvalues.map(|value| 1.0 / value.max(1e-12).sqrt());
        let whiten = DMatrix::from_diagonal(&scales) * eigen.eigenvectors.transpose();
        let seen = &whiten * total * whiten.transpose();
        let eigen = SymmetricEigen::new(seen);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let kept: Vec<_> = order
            .iter()
            .take(classes.saturating_sub(1))
            .map(|place| eigen.eigenvectors.column(*place).transpose())
            .collect();
        Self {
            map: DMatrix::from_rows(&kept) * whiten,
            mean,
        }
    }

    pub fn of(&self, example: &[f32]) -> Vec<f32> {
        let row = DVector::from_iterator(example.len(), example.iter().map(|v| f64::from(*v)));
        (&self.map * (row - &self.mean))
            .iter()
            .map(|value| *value as f32)
            .collect()
    }
}

fn moments(examples: &[Vec<f32>]) -> (DVector<f64>, DMatrix<f64>) {
    let size = examples.first().map_or(0, Vec::len);
    let values = examples.iter().flatten().map(|value| f64::from(*value));
    let mut columns = DMatrix::from_iterator(size, examples.len(), values);
    let mean = columns.column_mean();
    columns
        .column_iter_mut()
        .for_each(|mut column| column -= &mean);
    let covariance = &columns * columns.transpose() / examples.len().max(1) as f64;
    (mean, covariance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codebook_finds_clusters() {
        let rows: Vec<Vec<f32>> = (0..200)
            .map(|n| vec![(n % 2) as f32 * 10.0 + (n % 7) as f32 * 0.1])
            .collect();
        let mut codebook = Codebook::new(&rows[..2], 2);
        rows.iter().for_each(|row| codebook.step(row));
        let mut centres: Vec<f32> = codebook.centres.iter().map(|c| c[0]).collect();
        centres.sort_by(f32::total_cmp);
        assert!(
            (centres[0] - 0.3).abs() < 0.1 && (centres[1] - 10.3).abs() < 0.1,
            "{centres:?}"
        );
        let parts = parts(&codebook, &[0.3], 1.0);
        assert!((parts.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn pca_finds_the_long_direction_and_lda_the_telling_one() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut rows = Vec::new();
        let mut labels = Vec::new();
        for n in 0..400 {
            let class = n % 2;
            rows.push(vec![
                random.random_range(-9.0..9.0),
                class as f32 + random.random_range(-0.3..0.3),
            ]);
            labels.push(class as u32);
        }
        let pca = Subspace::pca(&rows, 1);
        assert!(pca.map[(0, 0)].abs() > 0.99);
        let lda = Subspace::lda(&rows, &labels, 2);
        assert!(lda.map[(0, 1)].abs() > 10.0 * lda.map[(0, 0)].abs());
    }
}
