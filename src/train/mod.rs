//! Training: the session thread and its messages, the loop, solvers, learning-rate policies,
//! checkpoints.
//!
//! A session owns its network and its data feed; nobody else touches them. Whoever watches
//! gets values, never references. It wakes its watcher through a plain `Fn()`.

mod message;
mod stage;

pub use message::{Command, Ending, Evaluation, Event, Prediction, Progress, Snapshot, Watch};
pub use stage::{BASE_LR, MOMENTUM, Policy, Solver, Stage, WEIGHT_DECAY};
