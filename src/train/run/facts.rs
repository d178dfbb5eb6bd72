//! From data to networks: what inference is told of a data set, and a batch as a network takes it.

use crate::data::{Batch, DataSummary, Feed};
use crate::graph::{DataFacts, Facts};
use crate::net::{DataFeed, NetFeed};

/// What inference is told about a feed's data.
pub fn facts(feed: &Feed) -> Facts {
    facts_of(&feed.summary())
}

/// What inference is told about data that were opened for their facts alone.
pub fn facts_of(summary: &DataSummary) -> Facts {
    Facts {
        data: Some(DataFacts {
            shape: summary.shape.clone(),
            classes: summary.classes,
            labels: summary.labels.clone(),
            targets: (summary.targets > 0).then_some(summary.targets),
        }),
        ..Facts::default()
    }
}

/// A batch as the network takes it.
pub fn feed_of(batch: &Batch) -> NetFeed {
    NetFeed {
        data: Some(DataFeed {
            data: batch.data.clone(),
            labels: batch.labels.clone(),
            targets: batch.targets.clone(),
        }),
        ..NetFeed::default()
    }
}
