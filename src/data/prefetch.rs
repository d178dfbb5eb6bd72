//! A thread that prepares the coming training batches while the current one trains.
//!
//! Invariant: batch k is the one that the order gives for iteration k, whatever the timing;
//! an error or a panic in the thread reaches whoever takes the batch. Where the device has a faster
//! way for it ([`Staging`]), a batch is there already.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use candle_core::Device;
use rayon::ThreadPool;

use super::{Batch, DataError, Feed, Order};
use crate::nn::Staging;

/// Batches that wait, ready.
const DEPTH: usize = 3;

/// The training batches from one iteration on; dropping it ends its thread, at most one batch
/// later.
pub struct Prefetch {
    /// `None` only while dropping.
    batches: Option<Receiver<Result<Batch, DataError>>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetch {
    /// Starts with the batch of iteration `start`, for whoever computes on `device`. Batches are
    /// prepared on the threads of `pool`, which nobody else may use, or on all processors.
    pub fn start(
        feed: Arc<Feed>,
        mut order: Order,
        start: u64,
        pool: Option<ThreadPool>,
        device: &Device,
    ) -> Result<Self, DataError> {
        let mut staging = Staging::to(device);
        Self::spawn(start, pool, move |iteration| {
            let mut batch = feed.training_batch(&order.draws(iteration), order.seed())?;
            batch.data = staging.stage(&batch.data)?;
            let others = [&mut batch.labels, &mut batch.targets];
            for tensor in others.into_iter().flatten() {
                *tensor = staging.stage(tensor)?;
            }
            Ok(batch)
        })
    }

    /// Waits for the next batch, if it is not ready yet.
    pub fn next_batch(&mut self) -> Result<Batch, DataError> {
        let received = self
            .batches
            .as_ref()
            .and_then(|batches| batches.recv().ok());
        received.unwrap_or(Err(DataError::Ended))
    }

    fn spawn(
        start: u64,
        pool: Option<ThreadPool>,
        mut make: impl FnMut(u64) -> Result<Batch, DataError> + Send + 'static,
    ) -> Result<Self, DataError> {
        let (sender, receiver) = sync_channel(DEPTH);
        let mut work = move || {
            for iteration in start.. {
                // What `make` leaves half done is dropped with it: nothing is used afterwards.
                let batch =
                    catch_unwind(AssertUnwindSafe(|| make(iteration))).unwrap_or_else(|panic| {
                        Err(DataError::Panic {
                            message: message(&*panic),
                        })
                    });
                let failed = batch.is_err();
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        };
        let work = move || match pool {
            Some(pool) => pool.install(work),
            None => work(),
        };
        let thread = Builder::new().name("prefetch".into()).spawn(work);
        let thread = thread.map_err(|error| DataError::Panic {
            message: error.to_string(),
        })?;
        Ok(Self {
            batches: Some(receiver),
            thread: Some(thread),
        })
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        // Without a receiver the thread's next `send` fails, which ends it.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // Panics were caught inside: there is nothing to learn from the result.
            let _ = thread.join();
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::data::{DataConfig, SplitName};

    fn feed() -> Arc<Feed> {
        Arc::new(Feed::open(&DataConfig::default(), Path::new("")).unwrap())
    }

    #[test]
    fn batches_come_in_the_order_of_iterations_from_any_start() {
        let feed = feed();
        let start = |at| Prefetch::start(feed.clone(), feed.order(5), at, None, &Device::Cpu);
        let mut whole = start(0).unwrap();
        let batches: Vec<Batch> = (0..12).map(|_| whole.next_batch().unwrap()).collect();
        let mut resumed = start(7).unwrap();
        for batch in &batches[7..] {
            let again = resumed.next_batch().unwrap();
            assert_eq!(again.indices, batch.indices);
            let bits = |batch: &Batch| {
                let values: Vec<f32> = batch.data.flatten_all().unwrap().to_vec1().unwrap();
                values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            assert_eq!(bits(&again), bits(batch));
        }
        assert_eq!(batches[3].indices, feed.order(5).batch(3));
    }

    #[test]
    fn an_error_or_a_panic_arrives_and_ends_it() {
        type Make = fn(u64) -> Result<Batch, DataError>;
        let makes: [(Make, &str); 2] = [
            (|_| Err(DataError::config("source", "gone")), "gone"),
            (|iteration| panic!("boom {iteration}"), "boom 4"),
        ];
        for (make, expected) in makes {
            let mut prefetch = Prefetch::spawn(4, None, make).unwrap();
            let error = prefetch.next_batch().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(matches!(prefetch.next_batch(), Err(DataError::Ended)));
        }
    }

    #[test]
    fn the_thread_runs_ahead_by_its_depth_only_and_ends_when_dropped() {
        let feed = feed();
        let made = Arc::new(AtomicU64::new(0));
        let count = made.clone();
        let prefetch = Prefetch::spawn(0, None, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            feed.batch(SplitName::Train, &[0])
        });
        let began = std::time::Instant::now();
        while made.load(Ordering::SeqCst) < DEPTH as u64 && began.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        // Dropping waits for the thread, so the count is final: what is ready and one in hand.
        drop(prefetch);
        let ready = made.load(Ordering::SeqCst);
        assert!(
            (DEPTH as u64..=DEPTH as u64 + 2).contains(&ready),
            "{ready}"
        );
        assert_eq!(Arc::strong_count(&made), 1, "the thread is gone");
    }
}
