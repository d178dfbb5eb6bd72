//! The two steps of before: features by hand, then a linear classifier; in small bites, so that a
//! window can do them between two frames.

use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Image;
use super::features::{Gabor, covariance, hog, lbp, sift};
use super::learned::{Codebook, Subspace, mixture};
use super::svm::Svm;
use crate::data::{DataConfig, Dataset, Pixels, Split, SplitName};
use crate::i18n::Text;
use crate::labs::LabError;

/// The features by their places, and the box of the course that each belongs to.
pub const FEATURES: [(&str, Text, Text); 10] = [
    (
        "pixels",
        Text::new("Pixels", "像素"),
        Text::new("nothing done", "不作处理"),
    ),
    (
        "hog",
        Text::new("HOG", "HOG"),
        Text::new("image feature", "图像特征"),
    ),
    (
        "lbp",
        Text::new("LBP", "LBP"),
        Text::new("image feature", "图像特征"),
    ),
    (
        "gabor",
        Text::new("Gabor energies", "Gabor 能量"),
        Text::new("image feature", "图像特征"),
    ),
    (
        "bag",
        Text::new("SIFT-like, bag of words", "类 SIFT 词袋"),
        Text::new("mid-level", "中层特征"),
    ),
    (
        "sparse",
        Text::new("Dictionary, sparse code", "字典稀疏编码"),
        Text::new("mid-level", "中层特征"),
    ),
    (
        "mixture",
        Text::new("Gaussian mixture", "高斯混合（GMM）"),
        Text::new("set feature", "集合特征"),
    ),
    (
        "covariance",
        Text::new("Covariance", "协方差描述子"),
        Text::new("set feature", "集合特征"),
    ),
    (
        "pca",
        Text::new("PCA, 40 components", "PCA（40 维）"),
        Text::new("subspace", "子空间"),
    ),
    (
        "lda",
        Text::new("LDA on PCA", "PCA 上的 LDA"),
        Text::new("metric", "度量学习"),
    ),
];

const WORDS: usize = 64;
const ATOMS: usize = 96;
const GAUSSIANS: usize = 16;
const PATCH: usize = 6;
/// Rounds of the classifier through all examples.
const ROUNDS: usize = 12;

/// Images of a built-in set, in training and test.
pub struct Images {
    pub train: Vec<Image>,
    pub train_labels: Vec<u32>,
    pub test: Vec<Image>,
    pub test_labels: Vec<u32>,
}

/// How a set is split: what is compared is trained on the same images and tested on the same.
pub fn config(source: &str, train: usize) -> DataConfig {
    const TEST: usize = 1000;
    let all = if source == "digits" { 10_000 } else { 5_000 };
    DataConfig {
        source: source.to_owned(),
        split: Split {
            validation: all - TEST - train.clamp(1, all - TEST - 1),
            test: TEST,
            seed: 0,
        },
        ..crate::labs::regularity::compare::digits()
    }
}

impl Images {
    /// The first `count` training images, and the whole test split.
    pub fn open(source: &str, count: usize) -> Result<Self, LabError> {
        let config = config(source, count);
        let data = Dataset::open(&config, Path::new(""))?.split(&config.split)?;
        let read = |split: SplitName, most: usize| -> Result<(Vec<Image>, Vec<u32>), LabError> {
            let mut images = (Vec::new(), Vec::new());
            for index in 0..data.len(split).min(most) {
                let example = data.example(split, index)?;
                let Pixels::U8(bytes) = example.pixels else {
                    continue;
                };
                images.0.push(Image {
                    side: 28,
                    pixels: bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect(),
                });
                images
                    .1
                    .push(example.labels.first().copied().unwrap_or_default());
            }
            Ok(images)
        };
        let (train, train_labels) = read(SplitName::Train, count)?;
        let (test, test_labels) = read(SplitName::Test, usize::MAX)?;
        Ok(Self {
            train,
            train_labels,
            test,
            test_labels,
        })
    }
}

/// What has been learned of the images before they become vectors.
enum Learned {
    Nothing,
    Gabor(Gabor),
    Words(Codebook),
    Subspace(Subspace),
    Both(Subspace, Subspace),
}

/// Where a pipeline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Learning,
    Extracting,
    Classifying,
    Testing,
    Done,
}

/// One kind of feature on its way from images to an accuracy.
pub struct Pipeline {
    pub feature: usize,
    pub at: At,
    /// Of this part, done and whole.
    pub progress: [usize; 2],
    learned: Learned,
    samples: Vec<Vec<f32>>,
    vectors: Vec<Vec<f32>>,
    svm: Option<Svm>,
    right: usize,
}

impl Pipeline {
    pub fn new(feature: usize) -> Self {
        let mut pipeline = Self {
            feature,
            at: At::Learning,
            progress: [0, 0],
            learned: Learned::Nothing,
            samples: Vec::new(),
            vectors: Vec::new(),
            svm: None,
            right: 0,
        };
        let whole = match feature {
            // Descriptors are gathered from some images, then clustered.
            4..=6 => 300 + 12_000,
            _ => 1,
        };
        pipeline.progress = [0, whole];
        pipeline
    }

    pub fn accuracy(&self, images: &Images) -> Option<f64> {
        let tested = images.test.len().max(1) as f64;
        (self.at == At::Done).then_some(self.right as f64 / tested)
    }

    /// The length of a vector, once there is one.
    pub fn size(&self) -> usize {
        self.vectors.first().map_or(0, Vec::len)
    }

    /// One bite of work: some microseconds, or at most some milliseconds.
    pub fn step(&mut self, images: &Images) {
        let n = self.progress[0];
        match self.at {
            At::Learning => self.learn(images, n),
            At::Extracting => {
                if let Some(image) = images.train.get(n) {
                    self.vectors.push(self.vector(image));
                }
            }
            At::Classifying => {
                let classes = images
                    .train_labels
                    .iter()
                    .max()
                    .map_or(0, |most| *most as usize + 1);
                let vectors = &self.vectors;
                let svm = self
                    .svm
                    .get_or_insert_with(|| Svm::new(vectors, classes, 1.0));
                svm.step(vectors, &images.train_labels);
            }
            At::Testing => {
                if let (Some(image), Some(svm)) = (images.test.get(n), &self.svm) {
                    let found = svm.classify(&self.vector(image));
                    self.right += usize::from(images.test_labels.get(n) == Some(&found));
                }
            }
            At::Done => return,
        }
        self.progress[0] += 1;
        if self.progress[0] >= self.progress[1] {
            self.next(images);
        }
    }

    fn next(&mut self, images: &Images) {
        let count = images.train.len();
        let (at, whole) = match self.at {
            At::Learning => (At::Extracting, count),
            At::Extracting => (At::Classifying, ROUNDS * count),
            At::Classifying => (At::Testing, images.test.len()),
            At::Testing | At::Done => (At::Done, 0),
        };
        self.at = at;
        self.progress = [0, whole];
        self.samples = Vec::new();
    }

    /// Runs to the end.
    pub fn finish(&mut self, images: &Images) -> f64 {
        while self.at != At::Done {
            self.step(images);
        }
        self.accuracy(images).unwrap_or(f64::NAN)
    }

    fn learn(&mut self, images: &Images, n: usize) {
        match self.feature {
            3 => self.learned = Learned::Gabor(Gabor::default()),
            4..=6 if n < 300 => {
                if let Some(image) = images.train.get(n) {
                    self.samples.extend(self.descriptors(image));
                }
            }
            4..=6 => {
                let size = [WORDS, ATOMS, GAUSSIANS][self.feature - 4];
                if n == 300 {
                    self.samples.shuffle(&mut ChaCha8Rng::seed_from_u64(2));
                    self.learned = Learned::Words(Codebook::new(&self.samples, size));
                }
                let sample = self.samples.get(n % self.samples.len().max(1));
                if let (Learned::Words(codebook), Some(sample)) = (&mut self.learned, sample) {
                    codebook.step(sample);
                }
            }
            8 | 9 => {
                // A thousand small images say enough of a subspace.
                let small: Vec<Vec<f32>> = images.train.iter().take(1000).map(halved).collect();
                let pca = Subspace::pca(&small, 40);
                self.learned = match self.feature {
                    8 => Learned::Subspace(pca),
                    _ => {
                        let inside: Vec<Vec<f32>> = small.iter().map(|row| pca.of(row)).collect();
                        let labels = &images.train_labels[..inside.len()];
                        let classes = labels.iter().max().map_or(0, |most| *most as usize + 1);
                        let lda = Subspace::lda(&inside, labels, classes);
                        Learned::Both(pca, lda)
                    }
                };
            }
            _ => {}
        }
    }

    /// An image's local descriptors: SIFT's, or patches of equal contrast.
    fn descriptors(&self, image: &Image) -> Vec<Vec<f32>> {
        if self.feature != 5 {
            return sift(image);
        }
        let steps = (28 - PATCH) / 2 + 1;
        let patch = |place: usize| {
            let (top, left) = (place / steps * 2, place % steps * 2);
            let rows =
                (top..top + PATCH).flat_map(|y| image.pixels[y * 28 + left..][..PATCH].to_vec());
            let mut values: Vec<f32> = rows.collect();
            let count = values.len() as f32;
            let mean = values.iter().sum::<f32>() / count;
            let variance = values
                .iter()
                .map(|value| (value - mean).powi(2))
                .sum::<f32>()
                / count;
            let scale = 1.0 / (variance + 0.01).sqrt();
            values
                .iter_mut()
                .for_each(|value| *value = (*value - mean) * scale);
            values
        };
        (0..steps * steps).map(patch).collect()
    }

    /// The vector of an image.
    fn vector(&self, image: &Image) -> Vec<f32> {
        match (self.feature, &self.learned) {
            (1, _) => hog(image),
            (2, _) => lbp(image),
            (3, Learned::Gabor(gabor)) => gabor.of(image),
            (4, Learned::Words(codebook)) => codebook.bag(&sift(image), 4),
            (5, Learned::Words(codebook)) => codebook.triangle(&self.descriptors(image), 12),
            (6, Learned::Words(codebook)) => mixture(codebook, &sift(image), 0.25),
            (7, _) => covariance(image),
            (8, Learned::Subspace(pca)) => pca.of(&halved(image)),
            (9, Learned::Both(pca, lda)) => lda.of(&pca.of(&halved(image))),
            _ => image.pixels.iter().map(|value| 0.3 * value).collect(),
        }
    }

    /// The centres that were learned, for pictures: patches, where they are.
    pub fn atoms(&self) -> &[Vec<f32>] {
        match &self.learned {
            Learned::Words(codebook) if self.feature == 5 => &codebook.centres,
            _ => &[],
        }
    }
}

/// The side of a dictionary's patches.
pub const ATOM_SIDE: usize = PATCH;

/// Half as large, each number the mean of four.
fn halved(image: &Image) -> Vec<f32> {
    let half = image.side / 2;
    let place = |n: usize| (n / half * 2, n % half * 2);
    let mean = |n: usize| {
        let (y, x) = place(n);
        (image.at(y, x) + image.at(y, x + 1) + image.at(y + 1, x) + image.at(y + 1, x + 1)) / 4.0
    };
    (0..half * half).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_tells_digits_apart_and_hog_best_of_all() {
        let images = Images::open("digits", 2000).unwrap();
        let found: Vec<f64> = (0..FEATURES.len())
            .map(|feature| Pipeline::new(feature).finish(&images))
            .collect();
        println!("{found:?}");
        for (accuracy, (name, ..)) in found.iter().zip(FEATURES) {
            assert!(*accuracy > 0.6, "{name}: {accuracy}");
        }
        assert!(found[1] >= 0.95, "HOG: {}", found[1]);
        assert!(found[1] > found[0]);
    }
}
