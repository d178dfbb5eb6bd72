//! Iterations whose losses are still on the card: reading a number waits for everything before
//! it, so they are read together, a few times a second.

use std::time::{Duration, Instant};

use candle_core::Tensor;

use crate::data::Batch;
use crate::train::Progress;

/// A batch's loss: a number, or a tensor of one `f64` on a card.
#[derive(Clone, Debug)]
pub(super) enum Loss {
    Read(f64),
    Unread(Tensor),
}

/// The longest time until a loss is read, and the most iterations that wait for it.
const INTERVAL: Duration = Duration::from_millis(100);
const MOST: usize = 64;

/// Iterations that are done, in order, but of which nobody was told yet.
#[derive(Default)]
pub(super) struct Unread {
    /// Each with the losses of its batches, weighed by their examples.
    iterations: Vec<(Progress, Vec<(Loss, usize)>)>,
    /// When the first of them began.
    begun: Option<Instant>,
    /// The last one's batch and its number.
    last: Option<(Batch, u64)>,
}

/// The iterations with their losses, and what was left of the last one.
pub(super) struct Told {
    pub iterations: Vec<Progress>,
    pub last: Option<(Batch, u64)>,
}

impl Unread {
    pub fn add(
        &mut self,
        begun: Instant,
        progress: Progress,
        losses: Vec<(Loss, usize)>,
        batch: (Batch, u64),
    ) {
        self.begun.get_or_insert(begun);
        self.iterations.push((progress, losses));
        self.last = Some(batch);
    }

    /// Whether somebody should be told now: of losses that are known, always.
    pub fn is_due(&self) -> bool {
        let on_card = |(_, losses): &(_, Vec<(Loss, usize)>)| {
            losses
                .iter()
                .any(|(loss, _)| matches!(loss, Loss::Unread(_)))
        };
        self.iterations.len() >= MOST
            || self.begun.is_some_and(|begun| begun.elapsed() >= INTERVAL)
            || !self.iterations.iter().any(on_card)
    }

    /// Takes all of them, with one transfer from the card. The time until now is shared among
    /// iterations that were read together: alone, each would be as long as it took to ask for.
    pub fn take(&mut self) -> candle_core::Result<Told> {
        let mut on_card = Vec::new();
        for (loss, _) in self.iterations.iter().flat_map(|(_, losses)| losses) {
            if let Loss::Unread(tensor) = loss {
                on_card.push(tensor.clone());
            }
        }
        let read = match on_card.is_empty() {
            true => Vec::new(),
            false => Tensor::stack(&on_card, 0)?.to_vec1::<f64>()?,
        };
        let mut read = read.into_iter();
        let seconds = self.begun.take().map(|begun| begun.elapsed().as_secs_f64());
        let share = seconds.unwrap_or(0.0) / self.iterations.len().max(1) as f64;
        let mut iterations = Vec::with_capacity(self.iterations.len());
        for (mut progress, losses) in self.iterations.drain(..) {
            let mut sum = 0.0;
            for (loss, examples) in losses {
                let loss = match loss {
                    Loss::Read(loss) => loss,
                    Loss::Unread(_) => read.next().unwrap_or(f64::NAN),
                };
                sum += loss * examples as f64;
            }
            progress.loss = sum / progress.examples.max(1) as f64;
            progress.seconds = share;
            iterations.push(progress);
        }
        Ok(Told {
            iterations,
            last: self.last.take(),
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn progress(iteration: u64, examples: usize) -> Progress {
        Progress {
            iteration,
            stage: 0,
            loss: f64::NAN,
            rate: 0.1,
            examples,
            seconds: 0.0,
        }
    }

    fn batch() -> (Batch, u64) {
        let data = Tensor::zeros((1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let batch = Batch {
            data,
            labels: None,
            targets: None,
            indices: vec![0],
        };
        (batch, 7)
    }

    #[test]
    fn known_losses_are_told_at_once_and_weighed_by_examples() {
        let mut unread = Unread::default();
        let losses = vec![(Loss::Read(1.0), 1), (Loss::Read(4.0), 2)];
        unread.add(Instant::now(), progress(1, 3), losses, batch());
        assert!(unread.is_due());
        let told = unread.take().unwrap();
        assert_eq!((told.iterations.len(), told.iterations[0].loss), (1, 3.0));
        assert_eq!(told.last.unwrap().1, 7);
    }

    #[test]
    fn losses_on_a_card_wait_and_come_together_in_order() {
        let mut unread = Unread::default();
        let loss = |value: f64| Loss::Unread(Tensor::new(value, &Device::Cpu).unwrap());
        for iteration in 1..=3 {
            let losses = vec![(loss(iteration as f64), 1), (loss(f64::from(10)), 1)];
            unread.add(Instant::now(), progress(iteration, 2), losses, batch());
        }
        assert!(!unread.is_due());
        let told = unread.take().unwrap();
        let losses: Vec<_> = told.iterations.iter().map(|one| one.loss).collect();
        assert_eq!(losses, [5.5, 6.0, 6.5]);
        assert!(told.iterations.iter().all(|one| one.seconds >= 0.0));
        assert!(unread.take().unwrap().iterations.is_empty());
        for iteration in 0..MOST as u64 {
            let losses = vec![(loss(1.0), 1)];
            unread.add(Instant::now(), progress(iteration, 1), losses, batch());
        }
        assert!(unread.is_due());
    }
}
