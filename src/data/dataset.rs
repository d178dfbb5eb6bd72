//! A source of labelled examples with fixed splits, before any preprocessing.
//!
//! Invariant: every label is below the number of classes, every stored example is whole, and
//! the splits are disjoint: `Dataset::checked` is the only way in.
//! It must not know how batches are made.

mod open;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blob::Blob;
use super::config::{Split, TextUnit};
use super::label_map::LabelMap;
use super::order::{SPLIT_STREAM, permutation};
use super::pairs::Pairs;
use super::picture::Picture;
use super::segmentation::Scenes;
use super::text::{self, Corpus};
use super::{ClassNames, DataError, SplitName, picture, segmentation};
use crate::i18n::{Text, tr, tr_format};

/// What a source was recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    BuiltIn,
    Idx,
    Cifar10,
    Cifar100,
    Folder,
    Segmentation,
    Voc,
    Csv,
    Hdf5,
    Text,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => tr("built-in data set", "内置数据集"),
            Self::Idx => tr("IDX files (as MNIST's)", "IDX 文件（MNIST 格式）"),
            Self::Cifar10 => tr("CIFAR-10, binary version", "CIFAR-10 二进制版"),
            Self::Cifar100 => tr("CIFAR-100, binary version", "CIFAR-100 二进制版"),
            Self::Folder => tr(
                "images, one folder per class",
                "图像文件夹（每类一个子文件夹）",
            ),
            Self::Segmentation => tr("images with label pictures", "图像与标签图文件夹"),
            Self::Voc => tr("PASCAL VOC, segmentation", "PASCAL VOC 分割数据集"),
            Self::Csv => tr("table (CSV)", "表格（CSV）"),
            Self::Hdf5 => tr("HDF5 file", "HDF5 文件"),
            Self::Text => tr("text", "文本"),
        }
    }
}

/// Where the examples are.
#[derive(Clone)]
pub(super) enum Store {
    /// Channel by channel, row by row, one example after the other.
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
    /// Image files, decoded when they are asked for.
    Files(Vec<PathBuf>),
    /// The same, with a picture of the labels beside each.
    Labelled(Vec<[PathBuf; 2]>),
    /// Drawn when they are asked for.
    Scenes(Scenes),
    /// Two images at a time, of another data set.
    Pairs(Pairs),
    Text(Corpus),
}

/// An example of images as its source holds it.
pub(super) struct Loaded {
    pub picture: Picture,
    /// Where each pixel has a label.
    pub labels: Option<LabelMap>,
}

/// Real numbers that are to be predicted, the same number of them for each example.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    pub names: Vec<String>,
    /// One example after the other.
    pub values: Vec<f32>,
}

/// How many examples belong to which split by the source's own account, in this order.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub train: usize,
    pub validation: usize,
    pub test: usize,
}

/// Labelled examples in three splits. Labels count from 0; where each pixel has one,
/// [`IGNORE`](super::IGNORE) is none.
#[derive(Clone)]
pub struct Dataset {
    pub(super) kind: Kind,
    pub(super) source: String,
    pub(super) channels: usize,
    /// Height and width, if all examples have the same.
    pub(super) size: Option<(usize, usize)>,
    pub(super) classes: Vec<String>,
    /// What the project calls the classes.
    pub(super) names: ClassNames,
    /// The classes in both languages, for built-in sets whose classes are words.
    pub(super) class_texts: &'static [Text],
    pub(super) counts: Counts,
    /// One for each example; empty where there are no classes, for texts, and where each pixel
    /// has one.
    pub(super) labels: Vec<u32>,
    pub(super) targets: Targets,
    pub(super) store: Store,
    /// A mean image that the configuration names.
    pub(super) mean: Option<Arc<Blob>>,
    /// Per split, the examples as places in `labels`; filled by `checked` and `split`.
    pub(super) parts: [Vec<usize>; 3],
}

/// Raw values of one example, channel by channel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    U8(Vec<u8>),
    F32(Vec<f32>),
    /// Of a text, as classes.
    Tokens(Vec<u32>),
}

/// One example as its source holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub pixels: Pixels,
    /// Channels, height, width; T of a text.
    pub shape: Vec<usize>,
    /// One, or one for each token of a text or pixel of an image; none where there are no classes.
    pub labels: Vec<u32>,
    pub targets: Vec<f32>,
    /// The file's path, or the place in the source (from 0).
    pub name: String,
}

impl Dataset {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name or path that it was opened by.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Before preprocessing: channels, height, width, or T of a text; `None` when images differ
    /// in size.
    pub fn shape(&self) -> Option<Vec<usize>> {
        if let Store::Text(corpus) = &self.store {
            return Some(vec![corpus.length()]);
        }
        self.size
            .map(|(height, width)| vec![self.channels, height, width])
    }

    /// Whether examples are tokens of a text, with a label at each position.
    pub fn is_text(&self) -> bool {
        matches!(self.store, Store::Text(_))
    }

    /// Whether examples are images with a label at each pixel.
    pub fn has_label_maps(&self) -> bool {
        matches!(self.store, Store::Labelled(_) | Store::Scenes(_))
    }

    /// Whether examples are two images each, the channels of one after those of the other.
    pub fn is_pairs(&self) -> bool {
        matches!(self.store, Store::Pairs(_))
    }

    /// Whether examples have classes.
    pub fn has_labels(&self) -> bool {
        self.is_text() || self.has_label_maps() || !self.labels.is_empty()
    }

    /// The names of the real-valued targets; none where the data have none.
    pub fn target_names(&self) -> &[String] {
        &self.targets.names
    }

    /// A text's tokens, as classes; empty where the data are no text.
    pub fn tokens_of(&self, text: &str) -> Vec<u32> {
        match &self.store {
            Store::Text(corpus) => text::classes_of(text, corpus.unit(), &self.classes),
            _ => Vec::new(),
        }
    }

    /// Classes as running text; empty where the data are no text.
    pub fn text_of(&self, tokens: &[u32]) -> String {
        let name = |token: &u32| self.classes.get(*token as usize).map_or("", String::as_str);
        let unit = match &self.store {
            Store::Text(corpus) => corpus.unit(),
            _ => TextUnit::Characters,
        };
        text::written(tokens.iter().map(name), unit)
    }

    /// 1 or 3 for images; an image folder has 1 only if all its images are gray (BMP and WebP
    /// files always count as colour).
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The names of the classes in the order of their labels, the same in every language.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The name of a class to show, in the language of the window where the set has both.
    pub fn class_name(&self, label: u32) -> Cow<'_, str> {
        if let Some(name) = self.names.of(label as usize, self.classes.len())
            && !self.is_text()
        {
            return name;
        }
        match (
            self.class_texts.get(label as usize),
            self.classes.get(label as usize),
        ) {
            (Some(text), _) => tr(text.en, text.zh).into(),
            (None, Some(name)) if self.is_text() => text::shown(name).into(),
            (None, Some(name)) => name.into(),
            (None, None) => label.to_string().into(),
        }
    }

    /// The number of examples in a split.
    pub fn len(&self, split: SplitName) -> usize {
        self.parts[split as usize].len()
    }

    pub fn is_empty(&self, split: SplitName) -> bool {
        self.len(split) == 0
    }

    /// Draws the held-back examples: `split.test` and `split.validation` of the source's
    /// training examples, unless it has its own. The test set does not depend on the size of
    /// the validation set; each split keeps the order of the source.
    /// A text holds back its last stretches instead, and takes its vocabulary from the others.
    pub fn split(mut self, split: &Split) -> Result<Self, DataError> {
        let Counts {
            train,
            validation,
            test,
        } = self.counts;
        let drawn_test = if test == 0 { split.test } else { 0 };
        let drawn_validation = if validation == 0 { split.validation } else { 0 };
        if drawn_test.saturating_add(drawn_validation) >= train {
            let problem = tr_format!(
                "holds back {drawn_validation} + {drawn_test} of {train} examples, which leaves none to train on; lower `validation` or `test`",
                "从 {train} 个样本中留出 {drawn_validation} + {drawn_test} 个，没有剩余样本可训练；请减小 `validation` 或 `test`"
            );
            return Err(DataError::config("split", problem));
        }
        if let Store::Text(corpus) = &mut self.store {
            let parts = corpus.parts(drawn_validation, drawn_test);
            self.classes = corpus.vocabulary(parts[1].start);
            corpus.classify(&self.classes);
            self.parts = parts.map(Iterator::collect);
            return Ok(self);
        }
        let mut order = permutation(train, split.seed, SPLIT_STREAM);
        let mut take = |count: usize| {
            let mut part = order.split_off(order.len() - count);
            part.sort_unstable();
            part
        };
        let own = |start: usize, count: usize| (start..start + count).collect::<Vec<_>>();
        let mut test_part = take(drawn_test);
        let mut validation_part = take(drawn_validation);
        let train_part = take(train - drawn_test - drawn_validation);
        if validation > 0 {
            validation_part = own(train, validation);
        }
        if test > 0 {
            test_part = own(train + validation, test);
        }
        self.parts = [train_part, validation_part, test_part];
        Ok(self)
    }

    /// The class of example `index` (from 0) of a split; `None` where there is no such example,
    /// or no one class for it.
    pub fn label(&self, split: SplitName, index: usize) -> Option<u32> {
        let place = self.place(split, index).ok()?;
        self.labels.get(place).copied()
    }

    /// A text's vocabulary of an earlier run in place of its own.
    pub(super) fn use_vocabulary(&mut self, vocabulary: &[String]) {
        if let Store::Text(corpus) = &mut self.store {
            self.classes = vocabulary.to_vec();
            corpus.classify(vocabulary);
        }
    }

    /// The real-valued targets of example `index` of a split; none where there are none.
    pub fn targets(&self, split: SplitName, index: usize) -> &[f32] {
        let place = self.place(split, index);
        place.map_or(&[], |place| self.targets_at(place))
    }

    /// The targets of the example at a place of the source, as the source holds them.
    pub(super) fn targets_at(&self, place: usize) -> &[f32] {
        let count = self.targets.names.len();
        let range = place * count..(place + 1) * count;
        self.targets.values.get(range).unwrap_or_default()
    }

    /// Example `index` (from 0) of a split as the source holds it; decodes an image file.
    pub fn example(&self, split: SplitName, index: usize) -> Result<Example, DataError> {
        let place = self.place(split, index)?;
        let mut labels: Vec<u32> = self.labels.get(place).copied().into_iter().collect();
        let (pixels, shape, name) = match &self.store {
            Store::Files(_)
            | Store::Labelled(_)
            | Store::Scenes(_)
            | Store::Pairs(_)
            | Store::Bytes(_) => {
                let Loaded {
                    picture,
                    labels: map,
                } = self.load(place)?;
                let map = map.into_iter().flat_map(|map| map.labels);
                labels.extend(map.map(u32::from));
                let name = self.path(place).map(|path| path.display().to_string());
                let name = name.unwrap_or(place.to_string());
                (Pixels::U8(picture.pixels), picture.shape.to_vec(), name)
            }
            Store::Floats(values) => {
                let (part, shape) = self.slice(values, place);
                (
                    Pixels::F32(part.to_vec()),
                    shape.to_vec(),
                    place.to_string(),
                )
            }
            Store::Text(corpus) => {
                let mut tokens: Vec<u32> = corpus.window(place, 0).collect();
                labels = tokens.get(1..).unwrap_or_default().to_vec();
                tokens.truncate(corpus.length());
                (
                    Pixels::Tokens(tokens),
                    vec![corpus.length()],
                    place.to_string(),
                )
            }
        };
        Ok(Example {
            pixels,
            shape,
            labels,
            targets: self.targets_at(place).to_vec(),
            name,
        })
    }

    /// Example `index` of a split as a picture; an error where the data hold none.
    pub fn picture(&self, split: SplitName, index: usize) -> Result<Picture, DataError> {
        let picture = self.load(self.place(split, index)?)?.picture;
        match picture.shape[0] {
            1 | 3 => Ok(picture),
            _ => Err(DataError::NoImages),
        }
    }

    /// The image at a place of the source; none where the source holds no bytes of images.
    pub(super) fn load(&self, place: usize) -> Result<Loaded, DataError> {
        let alone = |picture| Loaded {
            picture,
            labels: None,
        };
        Ok(match &self.store {
            Store::Files(paths) => alone(picture::decode(&paths[place])?),
            Store::Labelled(paths) => segmentation::load(&paths[place], self.classes.len())?,
            Store::Scenes(scenes) => scenes.load(place),
            Store::Pairs(pairs) => alone(pairs.load(place)?),
            Store::Bytes(bytes) => {
                let (pixels, shape) = self.slice(bytes, place);
                let pixels = pixels.to_vec();
                alone(Picture { shape, pixels })
            }
            Store::Floats(_) | Store::Text(_) => alone(Picture {
                shape: [0; 3],
                pixels: Vec::new(),
            }),
        })
    }

    /// The image's file, of a source that has one for each.
    pub(super) fn path(&self, place: usize) -> Option<&Path> {
        match &self.store {
            Store::Files(paths) => paths.get(place).map(PathBuf::as_path),
            Store::Labelled(paths) => paths.get(place).map(|[image, _]| image.as_path()),
            _ => None,
        }
    }

    pub(super) fn with_class_texts(mut self, texts: &'static [Text]) -> Self {
        self.classes = texts.iter().map(|text| text.en.to_string()).collect();
        self.class_texts = texts;
        self
    }

    /// Where example `index` of a split lies in the source.
    pub(super) fn place(&self, split: SplitName, index: usize) -> Result<usize, DataError> {
        let part = &self.parts[split as usize];
        let count = part.len();
        part.get(index).copied().ok_or(DataError::Index {
            split,
            index,
            count,
        })
    }

    /// The values and shape of an example in memory; examples in memory all have one size.
    pub(super) fn slice<'a, T>(&self, values: &'a [T], place: usize) -> (&'a [T], [usize; 3]) {
        let (height, width) = self.size.unwrap_or_default();
        let length = self.channels * height * width;
        (
            &values[place * length..(place + 1) * length],
            [self.channels, height, width],
        )
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("source", &self.source)
            .field("kind", &self.kind)
            .field("shape", &self.shape())
            .field("classes", &self.classes.len())
            .field("lengths", &self.parts.each_ref().map(Vec::len))
            .finish()
    }
}
