//! Which examples a training iteration sees.
//!
//! Invariant: the examples of iteration k depend on (seed, k, batch size, number of examples)
//! alone, so that a run resumes at any iteration without saved state.
//! It must not know what an example is.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The stream that draws the splits; epochs count up from 0 and never meet it.
pub(super) const SPLIT_STREAM: u64 = u64::MAX;

/// `0 … count` in an order that depends on `seed` and `stream` alone.
pub(super) fn permutation(count: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut random);
    order
}

/// An example as one epoch sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Its place in the training split.
    pub index: usize,
    /// From 0.
    pub epoch: u64,
}

/// Random numbers for one epoch, or one example in it: a function of these three alone, and of
/// streams that no permutation uses.
pub(super) fn chance(seed: u64, epoch: u64, index: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15);
    random.set_stream(epoch);
    // Sixteen words are one block, more than any example needs.
    random.set_word_pos(index as u128 * 16);
    random
}

/// The training order: epochs one after the other, each a new permutation when shuffled.
///
/// A batch that an epoch cannot fill goes on into the next epoch (as Caffe's data layer wraps
/// around), so every batch is full.
#[derive(Clone, Debug)]
pub struct Order {
    count: usize,
    batch: usize,
    seed: u64,
    /// Otherwise the order of the data set.
    shuffle: bool,
    /// Whether the last batch of an epoch ends with it, smaller than the others.
    whole_epochs: bool,
    /// The permutation used last, with its epoch: a shortcut that changes no result.
    latest: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// `count` examples, `batch` at a time, in a new order in each epoch or in the data set's.
    pub fn new(count: usize, batch: usize, seed: u64, shuffle: bool) -> Self {
        Self {
            count,
            batch,
            seed,
            shuffle,
            whole_epochs: false,
            latest: None,
        }
    }

    /// The same with every epoch in batches of its own, for steps over the whole training split.
    pub fn in_whole_epochs(self) -> Self {
        Self {
            whole_epochs: true,
            ..self
        }
    }

    /// Batches that hold every example once.
    pub fn batches_per_epoch(&self) -> u64 {
        (self.count as u64)
            .div_ceil(self.batch.max(1) as u64)
            .max(1)
    }

    /// Starts the random streams.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The places of the iteration's examples in the training split.
    pub fn batch(&mut self, iteration: u64) -> Vec<usize> {
        let draws = self.draws(iteration);
        draws.into_iter().map(|draw| draw.index).collect()
    }

    /// The examples of the iteration (from 0); none when there are no examples.
    pub fn draws(&mut self, iteration: u64) -> Vec<Draw> {
        if self.count == 0 {
            return Vec::new();
        }
        let (batch, count) = (self.batch as u128, self.count as u128);
        let (start, end) = if self.whole_epochs {
            let per_epoch = self.batches_per_epoch();
            let (epoch, place) = (iteration / per_epoch, iteration % per_epoch);
            let start = u128::from(epoch) * count + u128::from(place) * batch;
            (start, (start + batch).min((u128::from(epoch) + 1) * count))
        } else {
            let start = u128::from(iteration) * batch;
            (start, start + batch)
        };
        (start..end)
            .map(|position| {
                let (epoch, place) = ((position / count) as u64, (position % count) as usize);
                let index = self.at(epoch, place);
                Draw { index, epoch }
            })
            .collect()
    }

    /// How many epochs had been completed when the iteration began.
    pub fn epoch(&self, iteration: u64) -> f64 {
        iteration as f64 * self.batch as f64 / (self.count as f64).max(1.0)
    }

    fn at(&mut self, epoch: u64, place: usize) -> usize {
        if !self.shuffle {
            return place;
        }
        if self
            .latest
            .as_ref()
            .is_none_or(|(latest, _)| *latest != epoch)
        {
            self.latest = Some((epoch, permutation(self.count, self.seed, epoch)));
        }
        self.latest
            .as_ref()
            .map_or(place, |(_, order)| order[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_holds_each_example_once_and_batches_wrap() {
        let mut order = Order::new(10, 4, 7, true);
        let seen: Vec<usize> = (0..5).flat_map(|k| order.batch(k)).collect();
        assert_eq!(seen.len(), 20);
        for epoch in seen.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(seen[..10], seen[10..], "epochs are shuffled anew");
    }

    #[test]
    fn an_iteration_depends_on_nothing_that_went_before() {
        let mut running = Order::new(1_000, 64, 3, true);
        let all: Vec<_> = (0..60).map(|k| running.batch(k)).collect();
        for k in [59, 0, 15, 16, 31, 1] {
            assert_eq!(
                Order::new(1_000, 64, 3, true).batch(k),
                all[k as usize],
                "{k}"
            );
            assert_eq!(running.batch(k), all[k as usize], "{k} again");
        }
        assert_ne!(
            Order::new(1_000, 64, 4, true).batch(0),
            all[0],
            "another seed"
        );
    }

    #[test]
    fn whole_epochs_end_with_a_smaller_batch() {
        let mut order = Order::new(10, 4, 7, true).in_whole_epochs();
        assert_eq!(order.batches_per_epoch(), 3);
        for epoch in 0..3 {
            let mut seen: Vec<usize> = (0..3).flat_map(|k| order.batch(3 * epoch + k)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn without_a_seed_the_order_is_the_data_sets() {
        assert_eq!(Order::new(5, 3, 0, false).batch(1), [3, 4, 0]);
        assert_eq!(Order::new(2, 5, 0, false).batch(0), [0, 1, 0, 1, 0]);
        assert!(Order::new(0, 5, 0, false).batch(9).is_empty());
        assert_eq!(Order::new(3, 2, 0, false).batch(u64::MAX).len(), 2);
    }
}
