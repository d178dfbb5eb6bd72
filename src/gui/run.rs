//! The training run as views see it (the whole of it comes with the views).

/// What happened so far.
#[derive(Default)]
pub struct Run {}
