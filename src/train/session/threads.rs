//! The threads that a session computes on.
//!
//! Neither their number nor their priority changes a result: sums never depend on threads.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use thread_priority::{ThreadPriority, set_current_thread_priority};

/// How much a session's threads insist on the processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// As every program's.
    #[default]
    Normal,
    /// Less than a window that draws: it finds a processor at once, and what it leaves is used.
    Low,
}

/// Of 0 … 99: niceness 10 on Linux, "below normal" on Windows, below the default 31 on macOS.
const LOW: u8 = 22;

impl Priority {
    /// Takes this priority on the thread that calls.
    fn take(self) {
        if let (Self::Low, Ok(low)) = (self, LOW.try_into()) {
            // A system that refuses, as one that gave the whole program less, changes nothing.
            let _ = set_current_thread_priority(ThreadPriority::Crossplatform(low));
        }
    }
}

/// A pool of `threads` threads, by default one for each processor.
pub(in crate::train) fn pool(
    threads: Option<usize>,
    priority: Priority,
) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .start_handler(move |_| priority.take())
        .build()
}
