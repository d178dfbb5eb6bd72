//! The session: a thread that trains, and the messages to and from it.
//!
//! Invariant: every session ends with one [`Event::Ended`], whatever happens in the thread, a
//! panic included. Nothing is shared with the thread but messages and the newest snapshot.

pub(super) mod threads;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use threads::Priority;

use super::{Command, DeviceChoice, Ending, Event, Snapshot, Stage, Watch, run};
use crate::data::{DataError, Feed};
use crate::graph::Graph;
use crate::i18n::tr_format;
use crate::net::{Net, NetError};

/// Puts weights from outside into a fresh network, on the session's thread; says what failed.
pub type Initial = Arc<dyn Fn(&mut Net) -> Result<(), String> + Send + Sync>;

/// What a session trains, and how.
pub struct Job {
    pub graph: Graph,
    pub feed: Arc<Feed>,
    pub stages: Vec<Stage>,
    /// The run ends after so many iterations instead of those of the stages.
    pub iterations: Option<u64>,
    /// Of a fresh run; a resumed one keeps its checkpoint's.
    pub seed: u64,
    /// Of the network: see [`NetConfig::precise`](crate::net::NetConfig::precise).
    pub precise: bool,
    pub device: DeviceChoice,
    /// Of the computation; `None` uses every processor.
    pub threads: Option<usize>,
    pub priority: Priority,
    /// What a fresh run begins with instead of its fillers' values; a resumed one has its own.
    pub initial: Option<Initial>,
    /// A checkpoint folder to go on from.
    pub resume: Option<PathBuf>,
    /// Where a checkpoint is written when the run finishes or is stopped.
    pub save_to: Option<PathBuf>,
    /// The project's text, which checkpoints keep.
    pub project: String,
    pub watch: Watch,
    /// Waits for [`Command::Resume`] or [`Command::Step`] before the first iteration.
    pub paused: bool,
}

/// A training run on its own thread; dropping it stops the run.
pub struct Session {
    commands: Sender<Command>,
    events: Receiver<Event>,
    shared: Arc<Shared>,
}

/// What both threads see.
struct Shared {
    /// Set with [`Command::Stop`], so that an evaluation ends early.
    stop: AtomicBool,
    /// Finished iterations.
    iteration: AtomicU64,
    newest: Mutex<Option<Arc<Snapshot>>>,
}

/// The trainer's end of the connection.
pub(super) struct Link {
    events: Sender<Event>,
    shared: Arc<Shared>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// Why training cannot begin or go on.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The node that is to blame, if one is.
    pub node: Option<String>,
    pub message: String,
}

impl Session {
    /// Starts training. It never fails: what goes wrong arrives as [`Event::Ended`]. `wake` is
    /// called from the session's thread whenever there is an event or a snapshot.
    pub fn start(job: Job, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (commands, inbox) = channel();
        let (sender, events) = channel();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            iteration: AtomicU64::new(0),
            newest: Mutex::new(None),
        });
        let link = Link {
            events: sender,
            shared: shared.clone(),
            wake: Box::new(wake),
        };
        let link = Arc::new(link);
        let at_trainer = link.clone();
        let work = move || {
            let ending = guarded(job, inbox, &at_trainer);
            at_trainer.send(Event::Ended(ending));
        };
        let spawned = std::thread::Builder::new()
            .name("trainer".to_owned())
            .spawn(work);
        if let Err(error) = spawned {
            link.send(Event::Ended(Ending::Failed {
                iteration: 0,
                node: None,
                message: error.to_string(),
            }));
        }
        Self {
            commands,
            events,
            shared,
        }
    }

    /// Takes effect between two iterations; after the end, nothing happens.
    pub fn send(&self, command: Command) {
        if command == Command::Stop {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        // The trainer is gone after the end, and then there is nobody left to obey.
        let _ = self.commands.send(command);
    }

    /// The next event that is there already.
    pub fn next_event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Waits for the next event; `None` after `timeout`, and at once after the last event.
    pub fn wait_event(&self, timeout: Duration) -> Option<Event> {
        self.events.recv_timeout(timeout).ok()
    }

    /// Takes the newest snapshot, if there is a new one.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let mut newest = self
            .shared
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        newest.take()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.send(Command::Stop);
    }
}

impl Link {
    pub fn send(&self, event: Event) {
        if let Event::Iteration(progress) = &event {
            self.shared
                .iteration
                .store(progress.iteration, Ordering::Relaxed);
        }
        // Nobody listens any more once the session was dropped.
        let _ = self.events.send(event);
        (self.wake)();
    }

    pub fn publish(&self, snapshot: Snapshot) {
        let mut newest = self
            .shared
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *newest = Some(Arc::new(snapshot));
        drop(newest);
        (self.wake)();
    }

    pub fn stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }
}

/// Trains, and turns every way out into an ending.
fn guarded(job: Job, inbox: Receiver<Command>, link: &Link) -> Ending {
    let outcome = catch_unwind(AssertUnwindSafe(|| in_pool(job, inbox, link)));
    let failure = match outcome {
        Ok(Ok(ending)) => return ending,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let text = panic_text(&*panic);
            Failure::new(tr_format!(
                "the trainer failed unexpectedly: {text}",
                "训练线程意外出错：{text}"
            ))
        }
    };
    Ending::Failed {
        iteration: link.shared.iteration.load(Ordering::Relaxed),
        node: failure.node,
        message: failure.message,
    }
}

fn in_pool(job: Job, inbox: Receiver<Command>, link: &Link) -> Result<Ending, Failure> {
    if job.threads.is_none() && job.priority == Priority::Normal {
        return run::run(job, inbox, link);
    }
    let pool = threads::pool(job.threads, job.priority)?;
    pool.install(|| run::run(job, inbox, link))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            node: None,
            message: message.into(),
        }
    }

    pub(super) fn at(node: &str, message: impl Into<String>) -> Self {
        Self {
            node: Some(node.to_owned()),
            message: message.into(),
        }
    }
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        Self {
            node: error.node().map(str::to_owned),
            message: error.to_string(),
        }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<rayon::ThreadPoolBuildError> for Failure {
    fn from(error: rayon::ThreadPoolBuildError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<super::CheckpointError> for Failure {
    fn from(error: super::CheckpointError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<candle_core::Error> for Failure {
    fn from(error: candle_core::Error) -> Self {
        Self::new(error.to_string())
    }
}
