//! The ways into a data set: a source is recognised, read, and checked.

use std::path::Path;
use std::sync::Arc;

use super::{Counts, Dataset, Store};
use crate::data::blob::Blob;
use crate::data::config::{DataConfig, Mean};
use crate::data::{
    BUILT_IN, DataError, built_in, cifar, folder, hdf5, idx, pairs, segmentation, table, text,
};
use crate::i18n::{tr, tr_format};

impl Dataset {
    /// Opens a built-in name or a path (relative to `base`) and recognises its kind: two IDX
    /// files, CIFAR's binary files, a folder of images per class, images with label pictures, PASCAL
    /// VOC's folder, a CSV table, an HDF5 file or a text.
    ///
    /// The splits are the source's own: all examples train, unless it has test or validation
    /// sets; `split` draws others.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        let mean = match &config.preprocess.mean {
            Mean::File(path) => Some(Arc::new(Blob::open(&base.join(path))?)),
            _ => None,
        };
        let mut dataset = Self::open_source(config, base)?;
        if let Some(settings) = &config.pairs {
            config.check()?;
            dataset = pairs::open(dataset, settings, config, base)?;
        }
        let names = config.classes.clone();
        Ok(Self {
            mean,
            names,
            ..dataset
        })
    }

    fn open_source(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        if let Some(dataset) = built_in::open(config) {
            return dataset;
        }
        let source = config.source.as_str();
        let path = base.join(source);
        let dataset = if path.is_dir() {
            if idx::is_folder(&path) {
                idx::open_folder(&path)
            } else if cifar::is_folder(&path) {
                cifar::open_folder(&path)
            } else if segmentation::is_folder(&path) {
                segmentation::open_folder(&path)
            } else if segmentation::is_voc(&path) {
                segmentation::open_voc(&path)
            } else {
                folder::open(&path)
            }
        } else if path.is_file() {
            let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
            match ending.as_ref().and_then(|ending| ending.to_str()) {
                Some("csv" | "tsv") => table::open(&path, &config.targets),
                Some("h5" | "hdf5") => hdf5::open(&path, &config.targets),
                Some("txt" | "text" | "md") => text::open(&path, &config.text),
                Some("bin") => cifar::open_file(&path),
                Some("png" | "jpg" | "jpeg" | "bmp" | "webp") => {
                    let problem = tr(
                        "is a single image; give a folder that holds one sub-folder per class",
                        "只是一张图像；请给出每个类别一个子文件夹的文件夹",
                    );
                    Err(DataError::format(&path, problem))
                }
                _ => idx::open_file(&path),
            }
        } else {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            Err(DataError::Unknown {
                source_name: source.into(),
                built_in: names.join(", "),
                path: path.display().to_string(),
            })
        };
        dataset.map(|dataset| Self {
            source: source.into(),
            ..dataset
        })
    }

    /// The gate through which readers hand over: holds the invariant of a data set.
    pub(in crate::data) fn checked(mut self, path: &Path) -> Result<Self, DataError> {
        let Counts {
            train,
            validation,
            test,
        } = self.counts;
        let count = train + validation + test;
        let (height, width) = self.size.unwrap_or_default();
        let whole = match &self.store {
            Store::Bytes(bytes) => {
                count.checked_mul(self.channels * height * width) == Some(bytes.len())
            }
            Store::Floats(values) => {
                count.checked_mul(self.channels * height * width) == Some(values.len())
            }
            Store::Files(paths) => paths.len() == count,
            Store::Labelled(paths) => paths.len() == count,
            Store::Scenes(scenes) => scenes.len() == count,
            Store::Pairs(pairs) => pairs.len() == count,
            Store::Text(corpus) => corpus.windows() == count,
        };
        let answered = (self.labels.is_empty() || self.labels.len() == count)
            && self.targets.values.len() == count.saturating_mul(self.targets.names.len());
        if !answered || !whole || self.channels == 0 {
            let problem = tr(
                "examples and labels do not match in number",
                "样本数与标签数不一致",
            );
            return Err(DataError::format(path, problem));
        }
        if train == 0 {
            let problem = tr("holds no examples to train on", "没有可用于训练的样本");
            return Err(DataError::format(path, problem));
        }
        let classes = self.classes.len();
        if let Some(label) = self.labels.iter().find(|&&label| label as usize >= classes) {
            let problem = tr_format!(
                "holds the label {label}, but there are only {classes} classes (from 0)",
                "含有标签 {label}，但只有 {classes} 个类别（从 0 开始）"
            );
            return Err(DataError::format(path, problem));
        }
        let test_start = train + validation;
        self.parts = [
            (0..train).collect(),
            (train..test_start).collect(),
            (test_start..count).collect(),
        ];
        Ok(self)
    }
}
