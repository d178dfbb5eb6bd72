//! The projects inside the program, by chapter of the course.

use super::{Project, ProjectError};
use crate::i18n::Text;

/// What a project inside the program is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    First,
    Sequences,
    Classification,
    Segmentation,
}

impl Chapter {
    pub const ALL: [Self; 4] = [
        Self::First,
        Self::Sequences,
        Self::Classification,
        Self::Segmentation,
    ];

    pub fn text(self) -> Text {
        match self {
            Self::First => Text::new("First networks", "入门网络"),
            Self::Sequences => Text::new("Sequences", "序列"),
            Self::Classification => Text::new("Classification", "图像分类"),
            Self::Segmentation => Text::new("Segmentation", "语义分割"),
        }
    }
}

/// A project inside the program.
#[derive(Debug)]
pub struct Example {
    pub name: &'static str,
    pub chapter: Chapter,
    /// The file, as it lies in `projects/`.
    pub text: &'static str,
}

impl Example {
    pub fn find(name: &str) -> Option<&'static Self> {
        EXAMPLES.iter().find(|example| example.name == name)
    }

    pub fn open(&self) -> Result<Project, ProjectError> {
        Project::from_ron(self.text)
    }
}

macro_rules! examples {
    ($($chapter:ident: $($name:literal),+;)+) => {
        /// All of them; the first is what the program opens without being asked.
        pub static EXAMPLES: &[Example] = &[$($(Example {
            name: $name,
            chapter: Chapter::$chapter,
            text: include_str!(concat!("../../projects/", $name, ".ron")),
        },)+)+];
    };
}

examples! {
    First: "lenet-digits", "mlp-fashion", "perceptron-digits", "mlp-digits", "localise";
    Sequences: "lstm-digits", "char-lstm";
    Classification: "alexnet-mini", "vgg-mini", "inception-mini", "resnet-mini", "siamese-verify", "alexnet", "alexnet-torchvision", "vgg16", "googlenet", "googlenet-torchvision", "inception-naive", "resnet18", "resnet34", "resnet50", "resnet101", "resnet20-cifar", "plain20-cifar";
    Segmentation: "fcn-mini", "fcn32s", "fcn16s", "fcn8s", "fcn-resnet50";
}
