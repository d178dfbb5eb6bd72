//! Batches: examples as tensors, with their labels and targets.
//!
//! Invariant: what is random in a training batch depends on the seed, the epoch and the example
//! alone.

use candle_core::{Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::Feed;
use crate::data::dataset::Store;
use crate::data::order::chance;
use crate::data::preprocess::is_worked_on;
use crate::data::text::Corpus;
use crate::data::{DataError, Draw, SplitName, Whiten};

/// What one step consumes, on the CPU.
#[derive(Clone, Debug)]
pub struct Batch {
    /// f32, (N, C, H, W); of a text its tokens, (N, T).
    pub data: Tensor,
    /// u32 from 0, (N); of a text the tokens that follow, (N, T); where each pixel has a label,
    /// (N, H, W). `None` without classes.
    pub labels: Option<Tensor>,
    /// f32, (N, D); `None` where the data have no real-valued targets.
    pub targets: Option<Tensor>,
    /// The examples' places in their split.
    pub indices: Vec<usize>,
}

impl Feed {
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
        let mut maps: Vec<Vec<u32>> = vec![Vec::new(); places.len()];
        let write = |(nth, (out, map)): (usize, (&mut [f32], &mut Vec<u32>))| {
            let random = random.and_then(|random| random.get(nth).cloned());
            *map = self.write(places[nth], random, out)?;
            Ok::<_, DataError>(())
        };
        // Copying bytes takes microseconds: worth sharing out only where there is more to do.
        let whitens = self.config.preprocess.whiten != Whiten::Off;
        if whitens || is_worked_on(&self.dataset, &self.config) {
            let chunks = values.par_chunks_exact_mut(size).zip(&mut maps);
            chunks.enumerate().try_for_each(write)?;
        } else {
            let chunks = values.chunks_exact_mut(size).zip(&mut maps);
            chunks.enumerate().try_for_each(write)?;
        }
        let count = places.len();
        let classes = || match self.dataset.has_label_maps() {
            true => Tensor::from_vec(
                maps.concat(),
                (count, self.shape[1], self.shape[2]),
                &Device::Cpu,
            ),
            false => {
                let labels = places.iter().map(|&place| self.dataset.labels[place]);
                Tensor::from_iter(labels, &Device::Cpu)
            }
        };
        let labels = self.dataset.has_labels().then(classes);
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
}
