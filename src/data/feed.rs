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
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::dataset::Store;
use super::order::{Draw, chance};
use super::picture::{self, Picture};
use super::preprocess::{Pipeline, is_worked_on, prepared_shape};
use super::statistics::{Statistics, Sums};
use super::text::Corpus;
use super::whiten::{self, Components, Scatter};
use super::{Color, DataConfig, DataError, Dataset, Order, Preprocess, SplitName, Whiten};
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
    /// f32, (N, C, H, W); of a text its tokens, (N, T).
    pub data: Tensor,
    /// u32 from 0, (N); of a text the tokens that follow, (N, T). `None` without classes.
    pub labels: Option<Tensor>,
    /// f32, (N, D); `None` where the data have no real-valued targets.
    pub targets: Option<Tensor>,
    /// The examples' places in their split.
    pub indices: Vec<usize>,
}

/// What shape inference and titles need to know of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSummary {
    pub kind: super::Kind,
    /// After preprocessing: channels, height, width; T of a text.
    pub shape: Vec<usize>,
    /// `None` where examples have no classes.
    pub classes: Option<usize>,
    /// The shape of one example's labels: empty for one class, T of a text.
    pub labels: Option<Vec<usize>>,
    /// Real-valued targets of one example; 0 where there are none.
    pub targets: usize,
    pub train: usize,
    pub validation: usize,
    pub test: usize,
}

impl DataSummary {
    /// Opens the source for its facts alone; fits no statistics.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        config.check()?;
        let dataset = Dataset::open(config, base)?.split(&config.split)?;
        if matches!(config.preprocess.whiten, Whiten::Pca { .. }) && !dataset.is_text() {
            // How many components vary is known after fitting only.
            return Ok(Feed::new(dataset, config, None)?.summary());
        }
        let shape = example_shape(&dataset, config)?;
        Ok(Self::of(&dataset, shape))
    }

    fn of(dataset: &Dataset, shape: Vec<usize>) -> Self {
        let has_labels = dataset.has_labels();
        let positions = if dataset.is_text() { &shape[..] } else { &[] };
        Self {
            kind: dataset.kind(),
            classes: has_labels.then(|| dataset.classes().len()),
            labels: has_labels.then(|| positions.to_vec()),
            targets: dataset.target_names().len(),
            shape,
            train: dataset.len(SplitName::Train),
            validation: dataset.len(SplitName::Validation),
            test: dataset.len(SplitName::Test),
        }
    }
}

impl DataSummary {
    /// `1 × 28 × 28`.
    pub fn shape_text(&self) -> String {
        let sides: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        sides.join(" × ")
    }

    /// What an example is to be answered with: `10 classes`, `4 targets` or both.
    pub fn answer_text(&self) -> String {
        let targets = self.targets;
        match (self.classes, targets) {
            (Some(classes), 0) => tr_format!("{classes} classes", "{classes} 类"),
            (Some(classes), _) => tr_format!(
                "{classes} classes, {targets} targets",
                "{classes} 类，{targets} 个目标值"
            ),
            (None, 0) => tr("no labels", "无标签").to_owned(),
            (None, _) => tr_format!("{targets} targets", "{targets} 个目标值"),
        }
    }
}

/// The shape of one example as the network takes it.
fn example_shape(dataset: &Dataset, config: &DataConfig) -> Result<Vec<usize>, DataError> {
    match &dataset.store {
        Store::Text(corpus) => Ok(vec![corpus.length()]),
        _ => {
            let full = prepared_shape(dataset, config)?;
            let nothing = Statistics::default();
            Ok(Pipeline::new(&nothing, &config.preprocess, full)?.shape)
        }
    }
}

/// Makes preprocessed batches of a data set.
pub struct Feed {
    dataset: Dataset,
    config: DataConfig,
    /// An example after preprocessing.
    shape: Vec<usize>,
    /// Channels, height, width where arithmetic happens; 1 × 1 × T of a text.
    full: [usize; 3],
    statistics: Statistics,
    pipeline: Pipeline,
    /// Decoded and resized examples, if all of them fit into `MAX_KEPT_BYTES`; empty otherwise
    /// and where the source needs neither.
    kept: Vec<OnceLock<Box<[u8]>>>,
}

impl Feed {
    /// Opens, splits and fits what `config` asks for; `base` is the project file's folder.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        Self::new(Dataset::open(config, base)?, config, None)
    }

    /// Splits the data set as `config` says. Statistics that were saved (of an earlier run) are
    /// used as they are; without them they are fitted on the training split.
    pub fn new(
        dataset: Dataset,
        config: &DataConfig,
        saved: Option<Statistics>,
    ) -> Result<Self, DataError> {
        config.check()?;
        let mut dataset = dataset.split(&config.split)?;
        if let Some(saved) = &saved {
            dataset.use_vocabulary(&saved.vocabulary);
        }
        let shape = example_shape(&dataset, config)?;
        let full = match &dataset.store {
            Store::Text(corpus) => [1, 1, corpus.length()],
            _ => prepared_shape(&dataset, config)?,
        };
        let size: usize = full.iter().product();
        if config
            .batch
            .train
            .max(config.batch.test)
            .saturating_mul(size)
            > MAX_BATCH_VALUES
        {
            let shape = DataSummary::of(&dataset, full.to_vec()).shape_text();
            let problem = tr_format!(
                "makes batches of more than 4 GiB of {shape} examples; lower it or resize the images",
                "批次中 {shape} 的样本总量超过 4 GiB；请减小批次或缩小图像"
            );
            return Err(DataError::config("batch", problem));
        }
        let count: usize = dataset.parts.iter().map(Vec::len).sum();
        let keeps = is_worked_on(&dataset, config) && count.saturating_mul(size) <= MAX_KEPT_BYTES;
        let mut feed = Self {
            shape,
            full,
            statistics: Statistics::default(),
            pipeline: Pipeline::new(&Statistics::default(), &Preprocess::default(), full)?,
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
        if feed.dataset.is_text() {
            feed.statistics.check_vocabulary()?;
        } else {
            feed.statistics.check(&config.preprocess, full)?;
            feed.pipeline = Pipeline::new(&feed.statistics, &config.preprocess, full)?;
            feed.shape = feed.pipeline.shape.clone();
        }
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

    /// An example after preprocessing: channels, height, width; T of a text.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn summary(&self) -> DataSummary {
        DataSummary::of(&self.dataset, self.shape.clone())
    }

    /// The training order of a run with this seed.
    pub fn order(&self, seed: u64) -> Order {
        let count = self.dataset.len(SplitName::Train);
        Order::new(count, self.config.batch.train, seed, self.config.shuffle)
    }

    /// The examples of a split in order, `batch.test` at a time; the last batch may be smaller.
    pub fn evaluation(&self, split: SplitName) -> impl Iterator<Item = Range<usize>> + use<> {
        let (count, batch) = (self.dataset.len(split), self.config.batch.test);
        (0..count)
            .step_by(batch)
            .map(move |start| start..count.min(start + batch))
    }

    /// A training batch: what is random in it depends on the seed, the epoch and the example
    /// alone. Each epoch of a shuffled text begins at another token.
    pub fn training_batch(&self, draws: &[Draw], seed: u64) -> Result<Batch, DataError> {
        let indices: Vec<usize> = draws.iter().map(|draw| draw.index).collect();
        let Store::Text(corpus) = &self.dataset.store else {
            let random = |draw: &Draw| chance(seed, draw.epoch, draw.index);
            let random: Vec<ChaCha8Rng> = draws.iter().map(random).collect();
            return self.picture_batch(SplitName::Train, &indices, Some(&random));
        };
        let [train, validation, test] = SplitName::ALL.map(|split| self.dataset.len(split));
        let slack = corpus.slack(train, validation, test);
        let offset = |epoch| match self.config.shuffle {
            true => chance(seed, epoch, 0).random_range(0..=slack),
            false => 0,
        };
        let offsets: Vec<usize> = draws.iter().map(|draw| offset(draw.epoch)).collect();
        self.text_batch(corpus, SplitName::Train, &indices, &offsets)
    }

    /// The preprocessed examples of a split at these places (from 0), in this order.
    pub fn batch(&self, split: SplitName, indices: &[usize]) -> Result<Batch, DataError> {
        if let Store::Text(corpus) = &self.dataset.store {
            return self.text_batch(corpus, split, indices, &vec![0; indices.len()]);
        }
        self.picture_batch(split, indices, None)
    }

    /// Examples that are no text; `random` has a stream for each where chance plays a part.
    fn picture_batch(
        &self,
        split: SplitName,
        indices: &[usize],
        random: Option<&[ChaCha8Rng]>,
    ) -> Result<Batch, DataError> {
        let places = self.places(split, indices)?;
        let size: usize = self.shape.iter().product();
        let mut values = vec![0f32; places.len() * size];
        let write = |(nth, out): (usize, &mut [f32])| {
            let random = random.and_then(|random| random.get(nth).cloned());
            self.write(places[nth], random, out)
        };
        // Copying bytes takes microseconds: worth sharing out only where there is more to do.
        let whitens = self.config.preprocess.whiten != Whiten::Off;
        if whitens || is_worked_on(&self.dataset, &self.config) {
            let chunks = values.par_chunks_exact_mut(size).enumerate();
            chunks.try_for_each(write)?;
        } else {
            let mut chunks = values.chunks_exact_mut(size).enumerate();
            chunks.try_for_each(write)?;
        }
        let count = places.len();
        let classes = |places: &[usize]| {
            let labels = places.iter().map(|&place| self.dataset.labels[place]);
            Tensor::from_iter(labels, &Device::Cpu)
        };
        let labels = self.dataset.has_labels().then(|| classes(&places));
        let dims: Vec<usize> = std::iter::once(count).chain(self.shape.clone()).collect();
        Ok(Batch {
            data: Tensor::from_vec(values, dims, &Device::Cpu)?,
            labels: labels.transpose()?,
            targets: self.targets(&places)?,
            indices: indices.to_vec(),
        })
    }

    /// Windows of a text, each begun so many tokens after its place.
    fn text_batch(
        &self,
        corpus: &Corpus,
        split: SplitName,
        indices: &[usize],
        offsets: &[usize],
    ) -> Result<Batch, DataError> {
        let places = self.places(split, indices)?;
        let (count, length) = (places.len(), corpus.length());
        let mut data: Vec<f32> = Vec::with_capacity(count * length);
        let mut labels: Vec<u32> = Vec::with_capacity(count * length);
        for (&place, &offset) in places.iter().zip(offsets) {
            let tokens: Vec<u32> = corpus.window(place, offset).collect();
            data.extend(tokens.iter().take(length).map(|&token| token as f32));
            labels.extend(tokens.iter().skip(1));
        }
        Ok(Batch {
            data: Tensor::from_vec(data, (count, length), &Device::Cpu)?,
            labels: Some(Tensor::from_vec(labels, (count, length), &Device::Cpu)?),
            targets: None,
            indices: indices.to_vec(),
        })
    }

    /// Numbers as the network gives them, in the units of the data's targets.
    pub fn in_units(&self, values: &[f32]) -> Vec<f32> {
        if !self.config.targets.to_unit {
            return values.to_vec();
        }
        let ranges = self
            .statistics
            .target_min
            .iter()
            .zip(&self.statistics.target_max);
        let values = values.iter().zip(ranges.cycle());
        values
            .map(|(value, (min, max))| min + value * (max - min))
            .collect()
    }

    fn places(&self, split: SplitName, indices: &[usize]) -> Result<Vec<usize>, DataError> {
        let places = indices
            .iter()
            .map(|&index| self.dataset.place(split, index));
        places.collect()
    }

    fn targets(&self, places: &[usize]) -> Result<Option<Tensor>, DataError> {
        let each = self.dataset.target_names().len();
        if each == 0 {
            return Ok(None);
        }
        let values = places
            .iter()
            .flat_map(|&place| self.dataset.targets_at(place));
        let statistics = &self.statistics;
        let mut values: Vec<f32> = values.copied().collect();
        if self.config.targets.to_unit {
            let ranges = statistics
                .target_min
                .iter()
                .zip(&statistics.target_max)
                .cycle();
            for (value, (min, max)) in values.iter_mut().zip(ranges) {
                *value = if max > min {
                    (*value - min) / (max - min)
                } else {
                    0.0
                };
            }
        }
        Ok(Some(Tensor::from_vec(
            values,
            (places.len(), each),
            &Device::Cpu,
        )?))
    }

    /// One preprocessed example, (1, C, H, W).
    pub fn preprocessed(&self, split: SplitName, index: usize) -> Result<Tensor, DataError> {
        Ok(self.batch(split, &[index])?.data)
    }

    /// Any image file as the network would see it, (1, C, H, W); it is always resized to the
    /// size of the examples.
    pub fn image_tensor(&self, path: &Path) -> Result<Tensor, DataError> {
        let [channels, height, width] = self.full;
        let no_picture = matches!(self.dataset.store, Store::Floats(_) | Store::Text(_));
        if no_picture || !matches!(channels, 1 | 3) {
            let problem = tr(
                "the network reads rows of numbers, not images; give the input as numbers",
                "该网络读取的是数值而不是图像；请以数值形式给出输入",
            );
            return Err(DataError::format(path, problem));
        }
        let picture = picture::decode(path)?.with_channels(self.dataset.channels());
        let pixels = picture
            .with_channels(channels)
            .ordered(self.config.preprocess.color)
            .resized(height, width)
            .pixels;
        let mut values = vec![0f32; self.shape.iter().product()];
        self.pipeline.apply(&pixels, None, &mut values);
        let dims: Vec<usize> = std::iter::once(1).chain(self.shape.clone()).collect();
        Ok(Tensor::from_vec(values, dims, &Device::Cpu)?)
    }

    fn write(
        &self,
        place: usize,
        random: Option<ChaCha8Rng>,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        if let Store::Floats(values) = &self.dataset.store {
            let (values, _) = self.dataset.slice(values, place);
            self.pipeline.apply(values, random, out);
        } else {
            self.pipeline.apply(&self.bytes(place)?, random, out);
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
            Store::Floats(_) | Store::Text(_) => return Ok(Cow::Borrowed(&[])),
            Store::Files(paths) => {
                picture::decode(&paths[place])?.with_channels(self.dataset.channels())
            }
            Store::Bytes(bytes) => {
                let (pixels, shape) = self.dataset.slice(bytes, place);
                if shape == self.full && self.config.preprocess.color != Color::Bgr {
                    return Ok(pixels.into());
                }
                Picture {
                    shape,
                    pixels: pixels.to_vec(),
                }
            }
        };
        let [channels, height, width] = self.full;
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
            .ordered(self.config.preprocess.color)
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
        if self.dataset.is_text() {
            return Ok(Statistics {
                vocabulary: self.dataset.classes().to_vec(),
                ..Statistics::default()
            });
        }
        let mut total = Sums::new(preprocess, self.full)?;
        if Statistics::needs_fit(preprocess) {
            let train = &self.dataset.parts[SplitName::Train as usize];
            for part in train.chunks(RUN * RUNS_AT_A_TIME) {
                let run = |places: &[usize]| {
                    let mut sums = Sums::new(preprocess, self.full)?;
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
        let mut statistics =
            Statistics::of(preprocess, self.full, &total, self.dataset.mean.as_deref())?;
        if preprocess.whiten != Whiten::Off {
            statistics.components = self.components(&statistics)?;
        }
        if self.config.targets.to_unit {
            (statistics.target_min, statistics.target_max) = self.target_ranges();
        }
        Ok(statistics)
    }

    /// The principal components of what the arithmetic makes of the training split; the examples
    /// are read twice, for the mean and for the covariance around it.
    fn components(&self, statistics: &Statistics) -> Result<Components, DataError> {
        let size = self.full.iter().product();
        whiten::check_size(size)?;
        let plain = Preprocess {
            whiten: Whiten::Off,
            ..self.config.preprocess.clone()
        };
        let pipeline = Pipeline::new(statistics, &plain, self.full)?;
        let transformed = |place: &usize| match &self.dataset.store {
            Store::Floats(values) => Ok(pipeline.transformed(self.dataset.slice(values, *place).0)),
            _ => Ok::<_, DataError>(pipeline.transformed(&self.bytes(*place)?)),
        };
        let train = &self.dataset.parts[SplitName::Train as usize];
        let mut mean = vec![0f64; size];
        for place in train {
            let values = transformed(place)?;
            mean.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += f64::from(value));
        }
        mean.iter_mut()
            .for_each(|sum| *sum /= train.len().max(1) as f64);
        let mut scatter = Scatter::new(mean);
        for run in train.chunks(RUN * RUNS_AT_A_TIME) {
            let values: Vec<Vec<f32>> = run.iter().map(transformed).collect::<Result<_, _>>()?;
            scatter.add(&values.concat());
        }
        scatter.components()
    }

    /// Least and greatest of each target in the training split.
    fn target_ranges(&self) -> (Vec<f32>, Vec<f32>) {
        let each = self.dataset.target_names().len();
        let (mut min, mut max) = (vec![f32::INFINITY; each], vec![f32::NEG_INFINITY; each]);
        for &place in &self.dataset.parts[SplitName::Train as usize] {
            for (target, value) in self.dataset.targets_at(place).iter().enumerate() {
                min[target] = min[target].min(*value);
                max[target] = max[target].max(*value);
            }
        }
        (min, max)
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
