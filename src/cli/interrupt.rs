//! Ctrl-C as a wish to stop, not as the end: the run is saved first.
//!
//! The second Ctrl-C ends the program at once. Where the system has no POSIX signals, the first
//! one does.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C has been pressed since [`listen`].
pub(super) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

#[cfg(unix)]
pub(super) fn listen() {
    const SIGINT: i32 = 2;
    /// The system's own answer, `SIG_DFL`.
    const DEFAULT: usize = 0;

    unsafe extern "C" {
        /// The C library's, which every program here is linked with.
        fn signal(number: i32, handler: usize) -> usize;
    }

    extern "C" fn on_interrupt(number: i32) {
        ASKED.store(true, Ordering::Relaxed);
        // SAFETY: `signal` is among the functions that POSIX allows in a handler.
        unsafe { signal(number, DEFAULT) };
    }

    let handler: extern "C" fn(i32) = on_interrupt;
    // SAFETY: the handler has the type that `signal` calls, and does nothing but store an
    // atomic flag and call `signal`, both of which are allowed in a handler.
    unsafe { signal(SIGINT, handler as usize) };
}

#[cfg(not(unix))]
pub(super) fn listen() {}
