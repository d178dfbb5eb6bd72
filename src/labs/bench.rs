//! What a bench is: texts, controls and a demonstration, all as data.
//!
//! It must not know any particular bench, nor how one is drawn.

use super::{Control, Figure, LabError, Settings};
use crate::i18n::Text;
use crate::train::Stage;

/// The chapters of the course, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    Neurons,
    Convolution,
    Optimisation,
    Normalisation,
    Sequences,
    History,
}

impl Chapter {
    pub const ALL: [Self; 6] = [
        Self::Neurons,
        Self::Convolution,
        Self::Optimisation,
        Self::Normalisation,
        Self::Sequences,
        Self::History,
    ];

    pub fn text(self) -> Text {
        match self {
            Self::Neurons => Text::new("Neurons and depth", "神经元与深度"),
            Self::Convolution => Text::new("Convolution", "卷积"),
            Self::Optimisation => Text::new("Losses and descent", "损失与下降"),
            Self::Normalisation => Text::new("Data and regularity", "数据与正则化"),
            Self::Sequences => Text::new("Sequences", "序列"),
            Self::History => Text::new("Before deep learning", "深度学习之前"),
        }
    }
}

/// One idea of the course as something to play with.
pub struct Bench {
    /// For the command line and files.
    pub id: &'static str,
    pub chapter: Chapter,
    pub title: Text,
    pub about: Text,
    pub what_to_try: Text,
    pub what_to_notice: Text,
    pub formula: &'static str,
    /// The sentence that a student should be able to say afterwards.
    pub takeaway: Text,
    /// The project in which a real network shows the idea, and where to look there.
    pub project: (&'static str, Text),
    pub controls: &'static [Control],
    /// What the settings say as training stages, which faces write in Caffe's syntax.
    pub stages: Option<fn(&Settings) -> Vec<Stage>>,
    /// Runs the bench without a window.
    pub demonstrate: fn(&Settings) -> Result<Vec<Figure>, LabError>,
}
