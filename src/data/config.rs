//! What a project says about its data, as plain values.
//!
//! Invariant: whatever passes `DataConfig::check` allocates no absurd amount of memory.
//! It must not know how data are stored or read.

mod check;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::ClassNames;

/// The most examples in a batch.
pub const MAX_BATCH: usize = 65_536;
/// The longest side of an image after resizing, in pixels.
pub const MAX_SIDE: usize = 8_192;
/// The most classes of a text.
pub const MAX_VOCABULARY: usize = 100_000;
/// The most tokens in an example.
pub const MAX_LENGTH: usize = 4_096;
/// The most generated images of a split.
pub const MAX_GENERATED: usize = 1_000_000;

/// The data of a project: where from, how split, how preprocessed, how many at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// A built-in name (`digits`, `shapes`), or a path relative to the project file's folder.
    /// A built-in name goes first: write `./digits` for a folder of that name.
    pub source: String,
    #[serde(default)]
    pub split: Split,
    #[serde(default)]
    pub preprocess: Preprocess,
    #[serde(default)]
    pub batch: Batches,
    /// Whether training sees the examples in a new order in each epoch; a text is also cut at
    /// other places in each.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// How a text becomes examples; of no effect on other sources.
    #[serde(default, skip_serializing_if = "TextSettings::is_default")]
    pub text: TextSettings,
    /// What is predicted instead of, or beside, the class.
    #[serde(default, skip_serializing_if = "TargetSettings::is_default")]
    pub targets: TargetSettings,
    /// What the classes are called, of the data or of the network's outputs.
    #[serde(default, skip_serializing_if = "ClassNames::is_of_data")]
    pub classes: ClassNames,
    /// Examples become pairs, of one class or of two, for networks that verify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairSettings>,
    /// What the generated images of `shapes` are like; of no effect on other sources.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shapes: ShapesSettings,
}

/// How a text becomes examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TextSettings {
    pub unit: TextUnit,
    /// T, the tokens of one example.
    pub length: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextUnit {
    #[default]
    Characters,
    /// Words in small letters and signs; so many classes, `<unk>` for all rarer ones included.
    Words(usize),
}

/// The generated images of `shapes`; as it stands it is the standard form `shapes-v1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShapesSettings {
    /// How many there are to train on and, drawn with a seed of their own, to test on.
    pub train: usize,
    pub test: usize,
    /// Height and width, in pixels.
    pub size: (usize, usize),
    /// Of the training images.
    pub seed: u64,
}

/// Pairs of examples, half of them of one class; label 1 is “same”.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairSettings {
    /// How many there are to train on and to test on; the latter in ten equal parts.
    pub train: usize,
    pub test: usize,
    /// So many of the last classes occur in the test alone.
    pub held_back: usize,
    pub seed: u64,
    /// A file in LFW's form that lists the test pairs (`pairs.txt`), relative to the project's
    /// folder; the classes that it names are not trained on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub list: String,
}

/// Real-valued targets of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetSettings {
    /// The columns that are targets, by name or by number from 1; empty: none.
    pub columns: Vec<String>,
    /// Maps the training split's least value to 0 and its greatest to 1, for a sigmoid output.
    pub to_unit: bool,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self {
            unit: TextUnit::Characters,
            length: 64,
        }
    }
}

impl Default for PairSettings {
    /// A test as large as LFW's.
    fn default() -> Self {
        Self {
            train: 20_000,
            test: 6_000,
            held_back: 0,
            seed: 1,
            list: String::new(),
        }
    }
}

impl Default for ShapesSettings {
    fn default() -> Self {
        Self {
            train: 2_000,
            test: 200,
            size: (160, 160),
            seed: 1,
        }
    }
}

impl TextSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl TargetSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn yes() -> bool {
    true
}

/// How many examples are held back, drawn at random by `seed`; all others train.
///
/// A source with a test (or validation) set of its own uses that whole, and the count here is
/// not used: full MNIST's `t10k` files, CIFAR's `test_batch.bin`, folders `test/` and `val/`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    pub validation: usize,
    pub test: usize,
    pub seed: u64,
}

/// What happens to the pixels, in this order: colour, resize, then
/// `(x − mean) / std × scale` with `x` in 0 … 255 for images (Caffe's `transform_param`,
/// extended by `std`), whitening, crop, mirror, sequence. Where each pixel has a label, the labels
/// are resized, to the nearest, cropped and mirrored alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preprocess {
    pub color: Color,
    /// Height and width, in pixels; bilinear with antialiasing, the aspect ratio is not kept.
    pub resize: Option<(usize, usize)>,
    pub mean: Mean,
    pub std: Std,
    /// Caffe's `scale`; 0.00390625 (1/256) maps bytes to 0 … 1.
    pub scale: f64,
    /// Fitted on the training split, of what the steps before give.
    #[serde(skip_serializing_if = "is_default")]
    pub whiten: Whiten,
    /// Height and width of a part: at a random place in training, the centre otherwise.
    #[serde(skip_serializing_if = "is_default")]
    pub crop: Option<(usize, usize)>,
    /// Whether training sees every second image, by chance, from left to right turned round.
    #[serde(skip_serializing_if = "is_default")]
    pub mirror: bool,
    /// Whether an image is handed over as a sequence, for recurrent networks.
    #[serde(skip_serializing_if = "is_default")]
    pub sequence: Sequence,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whitening by principal components; ε keeps small variances small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Whiten {
    #[default]
    Off,
    /// The example becomes its `keep` components of most variance; 0 keeps all that vary.
    Pca { epsilon: f64, keep: usize },
    /// Turned back, so that the example still is an image.
    Zca { epsilon: f64 },
}

/// How an image (C, H, W) becomes a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sequence {
    #[default]
    Off,
    /// (H, W·C): a row at each step.
    Rows,
    /// (H·W, C): a pixel at each step.
    Pixels,
}

/// Which colour channels the network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Color {
    /// Those of the source.
    #[default]
    Keep,
    /// One channel, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, as in Caffe and OpenCV).
    Gray,
    /// Three channels: red, green, blue.
    Rgb,
    /// Three channels: blue, green, red, as Caffe and OpenCV read images.
    Bgr,
}

/// What is subtracted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Mean {
    /// In files `Off`, because `None` is a word of RON's own.
    #[default]
    #[serde(rename = "Off")]
    None,
    /// One number for all channels, or one per channel.
    Value(Vec<f64>),
    /// One number per channel, fitted on the training split.
    Channel,
    /// One number per channel and pixel, fitted on the training split.
    Image,
    /// The same from a file: Caffe's `mean_file` (`.binaryproto`).
    File(String),
}

/// What the difference is divided by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Std {
    /// In files `Off`.
    #[default]
    #[serde(rename = "Off")]
    None,
    /// One number for all channels, or one per channel.
    Value(Vec<f64>),
    /// One standard deviation per channel, fitted on the training split.
    Channel,
}

/// Examples per batch; `test` also serves validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batches {
    pub train: usize,
    pub test: usize,
}

impl Default for DataConfig {
    /// The built-in digits, 1,000 of them held back for validation and 2,000 for the test.
    fn default() -> Self {
        Self {
            source: "digits".into(),
            split: Split {
                validation: 1_000,
                test: 2_000,
                seed: 0,
            },
            preprocess: Preprocess {
                scale: 1.0 / 256.0,
                ..Preprocess::default()
            },
            batch: Batches::default(),
            shuffle: true,
            text: TextSettings::default(),
            targets: TargetSettings::default(),
            classes: ClassNames::OfData,
            pairs: None,
            shapes: ShapesSettings::default(),
        }
    }
}

impl Default for Preprocess {
    fn default() -> Self {
        Self {
            color: Color::Keep,
            resize: None,
            mean: Mean::None,
            std: Std::None,
            scale: 1.0,
            whiten: Whiten::Off,
            crop: None,
            mirror: false,
            sequence: Sequence::Off,
        }
    }
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            train: 64,
            test: 100,
        }
    }
}

impl DataConfig {
    /// This source with everything else as in a file that does not mention it.
    pub fn of(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            split: Split::default(),
            preprocess: Preprocess::default(),
            ..Self::default()
        }
    }
}
