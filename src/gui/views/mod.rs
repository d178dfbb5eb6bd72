//! The views of training: its bar, its curves, the inside of the network, the data and the
//! mistakes.
//!
//! Each is a struct whose `Default` is its first look and whose serde fields are the settings
//! that a person changes; what it computes for the screen it keeps, and makes anew only when
//! the snapshot or a setting has changed.

mod confusion;
mod curves;
mod data;
mod depth;
mod maps;
mod predict;
mod segmentation;
mod text;
mod training_bar;
mod weights;

mod coloring;
mod gallery;
mod sample;
mod thumbnails;
mod tiles;
mod vector;

pub use confusion::ConfusionView;
pub use curves::CurvesView;
pub use data::DataView;
pub use depth::DepthView;
pub use maps::MapsView;
pub use predict::PredictView;
pub use segmentation::SegmentationView;
pub use text::TextView;
pub use training_bar::TrainingBar;
pub use weights::WeightsView;

use serde::{Deserialize, Serialize};

use super::ViewKind;
use super::context::View;

/// One of each view.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Views {
    pub training_bar: TrainingBar,
    curves: CurvesView,
    maps: MapsView,
    weights: WeightsView,
    data: DataView,
    depth: DepthView,
    confusion: ConfusionView,
    segmentation: SegmentationView,
    text: TextView,
    predict: PredictView,
}

impl Views {
    /// The view of this kind, if it is one of these.
    pub fn get_mut(&mut self, kind: ViewKind) -> Option<&mut dyn View> {
        Some(match kind {
            ViewKind::Curves => &mut self.curves,
            ViewKind::Maps => &mut self.maps,
            ViewKind::Weights => &mut self.weights,
            ViewKind::Data => &mut self.data,
            ViewKind::Depth => &mut self.depth,
            ViewKind::Confusion => &mut self.confusion,
            ViewKind::Segmentation => &mut self.segmentation,
            ViewKind::Text => &mut self.text,
            ViewKind::Predict => &mut self.predict,
            ViewKind::Editor
            | ViewKind::Palette
            | ViewKind::Form
            | ViewKind::Problems
            | ViewKind::Prototxt
            | ViewKind::Labs
            | ViewKind::Comparison => return None,
        })
    }
}
