//! The window (its other parts are being written on another branch).
pub mod context;
pub mod plots;
pub mod run;
pub mod views;

pub mod commands {
    pub struct CommandId;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    Curves,
    Maps,
    Weights,
    Data,
    Confusion,
}
