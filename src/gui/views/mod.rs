//! The views of training: its bar, its curves, the inside of the network, the data and the
//! mistakes.
//!
//! Each is a struct whose `Default` is its first look and whose serde fields are the settings
//! that a person changes; what it computes for the screen it keeps, and makes anew only when
//! the snapshot or a setting has changed.

mod confusion;
mod curves;
mod data;
mod maps;
mod training_bar;
mod weights;

mod sample;
mod thumbnails;
mod tiles;
mod vector;

pub use confusion::ConfusionView;
pub use curves::CurvesView;
pub use data::DataView;
pub use maps::MapsView;
pub use training_bar::TrainingBar;
pub use weights::WeightsView;
