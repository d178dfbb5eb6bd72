//! What the open views asked for, and the snapshots that answer.
//!
//! A snapshot is made at most ten times a second while training runs, and always when it
//! pauses, steps, ends or the views ask for something else. Whatever it shows of the training
//! batch was kept from the pass itself, so watching changes no number of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use candle_core::Tensor;

use super::run::feed_of;
use super::session::Link;
use super::{Failure, Snapshot, Watch};
use crate::data::{Batch, DataError, Feed};
use crate::graph::{Phase, PortRef, Value};
use crate::net::{Backward, BackwardStart, ForwardOptions, Keep, Net, Pass};

/// The least time between two snapshots of a running training.
const INTERVAL: Duration = Duration::from_millis(100);
/// The time between two snapshots is at least as many times what one takes.
const SHARE: u32 = 20;

#[derive(Default)]
pub(super) struct Pictures {
    watch: Watch,
    /// The example that is shown, as a batch of one.
    shown: Option<Batch>,
    last_pass: Option<LastPass>,
    /// When the newest snapshot was made, and after how many iterations.
    newest: Option<(Instant, u64)>,
    /// How long that took.
    took: Duration,
}

/// What stays of the last training pass.
pub(super) struct LastPass {
    batch: Batch,
    activations: BTreeMap<String, Tensor>,
    gradients: BTreeMap<String, Tensor>,
    weight_gradients: BTreeMap<String, Tensor>,
}

impl LastPass {
    /// Keeps what the views asked for, which the options of the walks must have named.
    pub fn of(
        watched: &BTreeSet<String>,
        net: &Net,
        pass: &Pass,
        backward: Backward,
        batch: Batch,
    ) -> Self {
        let first = |name: &String| {
            let value = pass.value(net, &PortRef::new(name.clone(), 0))?;
            Some((name.clone(), value.tensor().clone()))
        };
        Self {
            batch,
            activations: watched.iter().filter_map(first).collect(),
            gradients: backward.outputs,
            weight_gradients: backward.params,
        }
    }
}

impl Pictures {
    /// The nodes that are watched.
    pub fn nodes(&self) -> &BTreeSet<String> {
        &self.watch.nodes
    }

    /// Takes up another wish; an example that cannot be had is not shown.
    pub fn watch(&mut self, watch: Watch, net: &Net, feed: &Feed) -> Result<(), DataError> {
        let is_known = |name: &String| {
            Phase::BOTH
                .iter()
                .any(|phase| net.graph().named(name, *phase).is_some())
        };
        self.watch = watch;
        self.watch.nodes.retain(is_known);
        self.shown = None;
        if let Some(split) = self.watch.split {
            self.shown = Some(feed.batch(split, &[self.watch.index])?);
        }
        Ok(())
    }

    /// Lets go of the last pass, so that its gradients do not lie beside those of the next.
    pub fn forget(&mut self) {
        self.last_pass = None;
    }

    pub fn remember(&mut self, pass: LastPass) {
        self.last_pass = Some(pass);
    }

    /// Walks the last training batch again for nodes that were not watched then, with the
    /// weights of now and the same random streams.
    pub fn look_again(&mut self, net: &Net, seed: u64, iteration: u64) -> Result<(), Failure> {
        let Some(last) = self.last_pass.take() else {
            return Ok(());
        };
        let options = ForwardOptions {
            keep: Keep::Only(self.watch.nodes.clone()),
            gradients_at: self.watch.nodes.clone(),
            backward: true,
            seed,
            iteration: iteration.saturating_sub(1),
            ..ForwardOptions::default()
        };
        let mut pass = net.forward(Phase::Train, &feed_of(&last.batch), options)?;
        let backward = net.backward(&mut pass, &BackwardStart::Losses)?;
        self.last_pass = Some(LastPass::of(
            &self.watch.nodes,
            net,
            &pass,
            backward,
            last.batch,
        ));
        Ok(())
    }

    /// Whether a running training should show itself again: after a while, and longer for large
    /// networks, whose weights take time to copy.
    pub fn are_due(&self) -> bool {
        let wait = INTERVAL.max(self.took * SHARE);
        self.newest.is_none_or(|(made, _)| made.elapsed() >= wait)
    }

    /// Unless the newest snapshot is of this iteration.
    pub fn publish_if_new(
        &mut self,
        net: &Net,
        iteration: u64,
        link: &Link,
    ) -> Result<(), Failure> {
        match self.newest {
            Some((_, newest)) if newest == iteration => Ok(()),
            _ => self.publish(net, iteration, link),
        }
    }

    pub fn publish(&mut self, net: &Net, iteration: u64, link: &Link) -> Result<(), Failure> {
        let start = Instant::now();
        let last = self.last_pass.as_ref();
        link.publish(Snapshot {
            iteration,
            split: self.watch.split.filter(|_| self.shown.is_some()),
            index: self.watch.index,
            outputs: self.outputs(net)?,
            gradients: last.map(|last| last.gradients.clone()).unwrap_or_default(),
            activations: last
                .map(|last| last.activations.clone())
                .unwrap_or_default(),
            weights: net.copy_params()?,
            weight_gradients: last
                .map(|last| last.weight_gradients.clone())
                .unwrap_or_default(),
        });
        self.newest = Some((Instant::now(), iteration));
        self.took = start.elapsed();
        Ok(())
    }

    /// What the watched nodes make of the shown example.
    fn outputs(&self, net: &Net) -> Result<BTreeMap<String, Vec<Value>>, Failure> {
        let in_phase = |name: &&String| net.graph().named(name, Phase::Test).is_some();
        let nodes: BTreeSet<String> = self.watch.nodes.iter().filter(in_phase).cloned().collect();
        let (Some(shown), false) = (&self.shown, nodes.is_empty()) else {
            return Ok(BTreeMap::new());
        };
        let options = ForwardOptions {
            keep: Keep::Only(nodes.clone()),
            until: Some(nodes.clone()),
            ..ForwardOptions::default()
        };
        let pass = net.forward(Phase::Test, &feed_of(shown), options)?;
        let outputs = |name: String| {
            let values = pass.outputs(net, &name).to_vec();
            (name, values)
        };
        Ok(nodes.into_iter().map(outputs).collect())
    }
}
