//! A data set with its configuration and statistics: examples in, tensors out.
//!
//! Invariant: the tensor of an example depends on the source, the configuration and the
//! statistics alone, not on the batch it is in nor on the number of threads.

mod batch;
mod fit;
mod summary;

#[cfg(test)]
mod tests;

pub use batch::Batch;
pub use summary::DataSummary;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::dataset::{Loaded, Store};
use super::preprocess::{Pipeline, is_worked_on, prepared_shape};
use super::{
    Color, DataConfig, DataError, Dataset, Order, Picture, Preprocess, SplitName, Statistics,
};
use crate::i18n::{tr, tr_format};
use summary::example_shape;

/// The most memory for images that are kept after decoding and resizing; a source that needs
/// more is decoded anew for each batch.
const MAX_KEPT_BYTES: usize = 1 << 30;
/// The most values in one batch (4 GiB of f32).
const MAX_BATCH_VALUES: usize = 1 << 30;

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
    kept: Vec<OnceLock<Prepared<'static>>>,
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
        let labels = if dataset.has_label_maps() {
            full[1] * full[2]
        } else {
            0
        };
        let keeps =
            is_worked_on(&dataset, config) && count.saturating_mul(size + labels) <= MAX_KEPT_BYTES;
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

    /// Channels, height and width of an image before mean, crop and the like; `None` where the
    /// network reads no images.
    pub fn image_shape(&self) -> Option<[usize; 3]> {
        let no_picture = matches!(
            self.dataset.store,
            Store::Floats(_) | Store::Text(_) | Store::Pairs(_)
        );
        let [channels, ..] = self.full;
        (!no_picture && matches!(channels, 1 | 3)).then_some(self.full)
    }

    /// What one of `count` outputs of the network is called: by the project's list, or by the
    /// data where they have as many classes; else its number.
    pub fn output_name(&self, output: usize, count: usize) -> Cow<'_, str> {
        if let Some(name) = self.config.classes.of(output, count) {
            return name;
        }
        match u32::try_from(output) {
            Ok(label) if self.dataset.classes().len() == count => self.dataset.class_name(label),
            _ => output.to_string().into(),
        }
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

    /// Any image file as the network would see it, (1, C, H, W); it is always resized to the
    /// size of the examples.
    pub fn image_tensor(&self, path: &Path) -> Result<Tensor, DataError> {
        let in_file = |error| match error {
            DataError::NoImages => DataError::format(path, error.to_string()),
            error => error,
        };
        self.tensor_of(Picture::open(path)?).map_err(in_file)
    }

    /// The same of a picture in memory.
    pub fn tensor_of(&self, picture: Picture) -> Result<Tensor, DataError> {
        let Some([channels, height, width]) = self.image_shape() else {
            return Err(DataError::NoImages);
        };
        let picture = picture.with_channels(self.dataset.channels());
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

    /// Writes one example to `out`; returns a label for each of its pixels where it has them.
    fn write(
        &self,
        place: usize,
        random: Option<ChaCha8Rng>,
        out: &mut [f32],
    ) -> Result<Vec<u32>, DataError> {
        if let Store::Floats(values) = &self.dataset.store {
            let (values, _) = self.dataset.slice(values, place);
            self.pipeline.apply(values, random, out);
            return Ok(Vec::new());
        }
        let Prepared { pixels, labels } = self.prepared(place)?;
        self.pipeline.apply(&pixels, random.clone(), out);
        if labels.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.pipeline.crop_labels(&labels, random))
    }

    /// The pixels after colour and size, before arithmetic, with the labels of that size; empty
    /// for a table.
    fn prepared(&self, place: usize) -> Result<Prepared<'_>, DataError> {
        let kept = self.kept.get(place);
        if let Some(prepared) = kept.and_then(OnceLock::get) {
            return Ok(prepared.borrowed());
        }
        match &self.dataset.store {
            Store::Floats(_) | Store::Text(_) => return Ok(Prepared::default()),
            Store::Bytes(bytes) => {
                let (pixels, shape) = self.dataset.slice(bytes, place);
                if shape == self.full && self.config.preprocess.color != Color::Bgr {
                    return Ok(Prepared {
                        pixels: pixels.into(),
                        labels: Cow::Borrowed(&[]),
                    });
                }
            }
            Store::Files(_) | Store::Labelled(_) | Store::Scenes(_) | Store::Pairs(_) => {}
        }
        let Loaded { picture, labels } = self.dataset.load(place)?;
        let picture = picture.with_channels(self.dataset.channels());
        let [channels, height, width] = self.full;
        if self.config.preprocess.resize.is_none() && picture.shape[1..] != [height, width] {
            // The header, read when the folder was opened, said otherwise.
            let problem = tr("changed while it was in use", "文件在使用过程中被修改");
            let path = self.dataset.path(place);
            let path = path.unwrap_or(Path::new(self.dataset.source()));
            return Err(DataError::format(path, problem));
        }
        // A pair's images were coloured and resized one by one.
        let picture = match self.dataset.is_pairs() {
            true => picture,
            false => picture
                .with_channels(channels)
                .ordered(self.config.preprocess.color)
                .resized(height, width),
        };
        let labels = labels.map(|map| map.resized(height, width).labels);
        let prepared = Prepared {
            pixels: picture.pixels.into(),
            labels: labels.unwrap_or_default().into(),
        };
        Ok(match kept {
            Some(kept) => kept.get_or_init(|| prepared).borrowed(),
            None => prepared,
        })
    }
}

/// An example of images before arithmetic: its bytes, and a label for each pixel where it has
/// them.
#[derive(Clone, Default)]
struct Prepared<'a> {
    pixels: Cow<'a, [u8]>,
    labels: Cow<'a, [u8]>,
}

impl Prepared<'_> {
    fn borrowed(&self) -> Prepared<'_> {
        Prepared {
            pixels: Cow::Borrowed(&self.pixels),
            labels: Cow::Borrowed(&self.labels),
        }
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
