//! A data set with its configuration and statistics: examples in, tensors out.
//!
//! Invariant: the tensor of an example depends on the source, the configuration and the
//! statistics alone, not on the batch it is in nor on the number of threads.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::dataset::Store;
use super::picture::{self, Picture};
use super::preprocess::{Transform, is_worked_on, prepared_shape};
use super::statistics::{Statistics, Sums};
use super::{DataConfig, DataError, Dataset, Order, SplitName};
use crate::i18n::{tr, tr_format};

/// The most memory for images that are kept after decoding and resizing; a source that needs
/// more is decoded anew for each batch.
const MAX_KEPT_BYTES: usize = 1 << 30;
/// The most values in one batch (4 GiB of f32).
const MAX_BATCH_VALUES: usize = 1 << 30;
/// Examples that are summed one after the other when statistics are fitted, and how many such
/// runs are worked on at a time. Constants, so that the rounding is the same on any machine.
const RUN: usize = 64;
const RUNS_AT_A_TIME: usize = 16;

/// What one step consumes, on the CPU.
#[derive(Clone, Debug)]
pub struct Batch {
    /// f32, (N, C, H, W).
    pub data: Tensor,
    /// u32, (N), from 0.
    pub labels: Tensor,
    /// The examples' places in their split.
    pub indices: Vec<usize>,
}

/// What shape inference and titles need to know of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSummary {
    pub kind: super::Kind,
    /// Channels, height, width after preprocessing.
    pub shape: [usize; 3],
    pub classes: usize,
    pub train: usize,
    pub validation: usize,
    pub test: usize,
}

impl DataSummary {
    /// Opens the source for its facts alone; fits no statistics.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        config.check()?;
        let dataset = Dataset::open(&config.source, base)?.split(&config.split)?;
        Ok(Self::of(&dataset, prepared_shape(&dataset, config)?))
    }

    fn of(dataset: &Dataset, shape: [usize; 3]) -> Self {
        Self {
            kind: dataset.kind(),
            shape,
            classes: dataset.classes().len(),
            train: dataset.len(SplitName::Train),
            validation: dataset.len(SplitName::Validation),
            test: dataset.len(SplitName::Test),
        }
    }
}

/// Makes preprocessed batches of a data set.
pub struct Feed {
    dataset: Dataset,
    config: DataConfig,
    /// Channels, height, width after preprocessing.
    shape: [usize; 3],
    statistics: Statistics,
    transform: Transform,
    /// Decoded and resized examples, if all of them fit into `MAX_KEPT_BYTES`; empty otherwise
    /// and where the source needs neither.
    kept: Vec<OnceLock<Box<[u8]>>>,
}

impl Feed {
    /// Opens, splits and fits what `config` asks for; `base` is the project file's folder.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        Self::new(Dataset::open(&config.source, base)?, config, None)
    }

    /// Splits the data set as `config` says. Statistics that were saved (of an earlier run) are
    /// used as they are; without them they are fitted on the training split.
    pub fn new(
        dataset: Dataset,
        config: &DataConfig,
        saved: Option<Statistics>,
    ) -> Result<Self, DataError> {
        config.check()?;
        let dataset = dataset.split(&config.split)?;
        let shape = prepared_shape(&dataset, config)?;
        let size: usize = shape.iter().product();
        if config
            .batch
            .train
            .max(config.batch.test)
            .saturating_mul(size)
            > MAX_BATCH_VALUES
        {
            let [channels, height, width] = shape;
            let problem = tr_format!(
                "makes batches of more than 4 GiB of {channels} × {height} × {width} examples; lower it or resize the images",
                "批次中 {channels} × {height} × {width} 的样本总量超过 4 GiB；请减小批次或缩小图像"
            );
            return Err(DataError::config("batch", problem));
        }
        let count = dataset.labels.len();
        let keeps = is_worked_on(&dataset, config) && count.saturating_mul(size) <= MAX_KEPT_BYTES;
        let mut feed = Self {
            shape,
            statistics: Statistics::default(),
            transform: Transform::new(&Statistics::default(), 1.0, shape),
            kept: if keeps {
                (0..count).map(|_| OnceLock::new()).collect()
            } else {
                Vec::new()
            },
            config: config.clone(),
            dataset,
        };
        feed.statistics = match saved {
            Some(saved) => saved,
            None => feed.fit()?,
        };
        feed.statistics.check(&config.preprocess, shape)?;
        feed.transform = Transform::new(&feed.statistics, config.preprocess.scale, shape);
        Ok(feed)
    }

    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// What is subtracted and divided by: to be saved with the weights.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Channels, height, width after preprocessing.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    pub fn summary(&self) -> DataSummary {
        DataSummary::of(&self.dataset, self.shape)
    }

    /// The training order of a run with this seed.
    pub fn order(&self, seed: u64) -> Order {
        let count = self.dataset.len(SplitName::Train);
        Order::new(
            count,
            self.config.batch.train,
            self.config.shuffle.then_some(seed),
        )
    }

    /// The examples of a split in order, `batch.test` at a time; the last batch may be smaller.
    pub fn evaluation(&self, split: SplitName) -> impl Iterator<Item = Range<usize>> + use<> {
        let (count, batch) = (self.dataset.len(split), self.config.batch.test);
        (0..count)
            .step_by(batch)
            .map(move |start| start..count.min(start + batch))
    }

    /// The preprocessed examples of a split at these places (from 0), in this order.
    pub fn batch(&self, split: SplitName, indices: &[usize]) -> Result<Batch, DataError> {
        let places: Vec<usize> = indices
            .iter()
            .map(|&index| self.dataset.place(split, index))
            .collect::<Result<_, _>>()?;
        let [channels, height, width] = self.shape;
        let size = channels * height * width;
        let mut values = vec![0f32; places.len() * size];
        let write = |(out, &place): (&mut [f32], &usize)| self.write(place, out);
        // Copying bytes takes microseconds: worth sharing out only where images are decoded.
        if is_worked_on(&self.dataset, &self.config) {
            values
                .par_chunks_exact_mut(size)
                .zip(&places)
                .try_for_each(write)?;
        } else {
            values
                .chunks_exact_mut(size)
                .zip(&places)
                .try_for_each(write)?;
        }
        let labels: Vec<u32> = places
            .iter()
            .map(|&place| self.dataset.labels[place])
            .collect();
        let count = places.len();
        Ok(Batch {
            data: Tensor::from_vec(values, (count, channels, height, width), &Device::Cpu)?,
            labels: Tensor::from_vec(labels, count, &Device::Cpu)?,
            indices: indices.to_vec(),
        })
    }

    /// One preprocessed example, (1, C, H, W).
    pub fn preprocessed(&self, split: SplitName, index: usize) -> Result<Tensor, DataError> {
        Ok(self.batch(split, &[index])?.data)
    }

    /// Any image file as the network would see it, (1, C, H, W); it is always resized to the
    /// size of the examples.
    pub fn image_tensor(&self, path: &Path) -> Result<Tensor, DataError> {
        let [channels, height, width] = self.shape;
        if matches!(self.dataset.store, Store::Floats(_)) || !matches!(channels, 1 | 3) {
            let problem = tr(
                "the network reads rows of numbers, not images; give the input as numbers",
                "该网络读取的是数值而不是图像；请以数值形式给出输入",
            );
            return Err(DataError::format(path, problem));
        }
        let picture = picture::decode(path)?.with_channels(self.dataset.channels());
        let pixels = picture
            .with_channels(channels)
            .resized(height, width)
            .pixels;
        let mut values = vec![0f32; pixels.len()];
        self.transform.apply(&pixels, &mut values);
        Ok(Tensor::from_vec(
            values,
            (1, channels, height, width),
            &Device::Cpu,
        )?)
    }

    fn write(&self, place: usize, out: &mut [f32]) -> Result<(), DataError> {
        if let Store::Floats(values) = &self.dataset.store {
            self.transform
                .apply(self.dataset.slice(values, place).0, out);
        } else {
            self.transform.apply(&self.bytes(place)?, out);
        }
        Ok(())
    }

    /// The pixels after colour and size, before arithmetic; empty for a table.
    fn bytes(&self, place: usize) -> Result<Cow<'_, [u8]>, DataError> {
        let kept = self.kept.get(place);
        if let Some(bytes) = kept.and_then(OnceLock::get) {
            return Ok(bytes.as_ref().into());
        }
        let picture = match &self.dataset.store {
            Store::Floats(_) => return Ok(Cow::Borrowed(&[])),
            Store::Files(paths) => {
                picture::decode(&paths[place])?.with_channels(self.dataset.channels())
            }
            Store::Bytes(bytes) => {
                let (pixels, shape) = self.dataset.slice(bytes, place);
                if shape == self.shape {
                    return Ok(pixels.into());
                }
                Picture {
                    shape,
                    pixels: pixels.to_vec(),
                }
            }
        };
        let [channels, height, width] = self.shape;
        if self.config.preprocess.resize.is_none() && picture.shape[1..] != [height, width] {
            // The header, read when the folder was opened, said otherwise.
            let problem = tr("changed while it was in use", "文件在使用过程中被修改");
            return Err(match &self.dataset.store {
                Store::Files(paths) => DataError::format(&paths[place], problem),
                _ => DataError::format(Path::new(self.dataset.source()), problem),
            });
        }
        let pixels = picture
            .with_channels(channels)
            .resized(height, width)
            .pixels;
        Ok(match kept {
            Some(kept) => kept.get_or_init(|| pixels.into()).as_ref().into(),
            None => pixels.into(),
        })
    }

    /// Fits on the training split; reads the examples only when something asks for it.
    fn fit(&self) -> Result<Statistics, DataError> {
        let preprocess = &self.config.preprocess;
        let mut total = Sums::new(preprocess, self.shape)?;
        if Statistics::needs_fit(preprocess) {
            let train = &self.dataset.parts[SplitName::Train as usize];
            for part in train.chunks(RUN * RUNS_AT_A_TIME) {
                let run = |places: &[usize]| {
                    let mut sums = Sums::new(preprocess, self.shape)?;
                    for &place in places {
                        match &self.dataset.store {
                            Store::Floats(values) => sums.add(self.dataset.slice(values, place).0),
                            _ => sums.add(&self.bytes(place)?),
                        }
                    }
                    Ok(sums)
                };
                let runs: Vec<Result<Sums, DataError>> = part.par_chunks(RUN).map(run).collect();
                for sums in runs {
                    total.merge(&sums?);
                }
            }
        }
        Statistics::of(preprocess, self.shape, &total)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("dataset", &self.dataset)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
