//! Training: the session thread and its messages, the loop, solvers, learning-rate policies,
//! checkpoints.
//!
//! A session owns its network and its data feed; nobody else touches them. Whoever watches
//! gets values, never references. It wakes its watcher through a plain `Fn()`.

mod blame;
mod checkpoint;
mod classifier;
mod device;
mod evaluate;
mod history;
mod message;
mod pictures;
mod policy;
mod run;
mod schedule;
mod session;
mod solver;
mod stage;

pub use checkpoint::{Checkpoint, CheckpointError, WEIGHTS, weights_to_bytes};
pub use classifier::{Classifier, best};
pub use device::DeviceChoice;
pub use evaluate::evaluate;
pub use history::History;
pub use message::{Command, Ending, Evaluation, Event, Prediction, Progress, Snapshot, Watch};
pub use policy::Policy;
pub use run::{facts, facts_of, feed_of};
pub use schedule::{Place, RateChange, Schedule};
pub use session::threads::Priority;
pub use session::{Failure, Initial, Job, Session};
pub use solver::{Momentum, param_of, update};
pub use stage::{BASE_LR, MOMENTUM, Method, Regularization, Solver, Stage, WEIGHT_DECAY, selects};
