//! A folder of images with one sub-folder per class (torchvision's `ImageFolder`), optionally
//! under `train/`, `val/` and `test/`.
//!
//! Opening reads the headers of all images and decodes none.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataError, picture};
use crate::i18n::{tr, tr_format};

pub(super) const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "bmp", "webp"];
/// Sub-folders inside a class folder that are searched; also what ends a cycle of links.
const MAX_DEPTH: usize = 3;

pub(super) fn open(path: &Path) -> Result<Dataset, DataError> {
    let first = |names: &[&str]| {
        let paths = names.iter().map(|name| path.join(name));
        paths.into_iter().find(|path| path.is_dir())
    };
    let train = first(&["train", "training"]);
    let (validation, test) = match train {
        Some(_) => (
            first(&["val", "valid", "validation"]),
            first(&["test", "testing"]),
        ),
        None => (None, None),
    };
    let train = train.unwrap_or(path.to_path_buf());
    let mut images = Images {
        classes: class_names(&train)?,
        ..Images::default()
    };
    let counts = Counts {
        train: images.add(&train)?,
        validation: validation.map_or(Ok(0), |folder| images.add(&folder))?,
        test: test.map_or(Ok(0), |folder| images.add(&folder))?,
    };
    if images.paths.is_empty() {
        let endings = ENDINGS.join(", ");
        let problem = tr_format!(
            "holds no data set: expected MNIST's IDX files, CIFAR's .bin files, one sub-folder per class with images ({endings}), or images/ with labels/ of the same names",
            "其中没有数据集：需要 MNIST 的 IDX 文件、CIFAR 的 .bin 文件、每个类别一个且含有图像（{endings}）的子文件夹，或文件名对应的 images/ 与 labels/"
        );
        return Err(DataError::format(path, problem));
    }
    images.dataset(counts, path)
}

#[derive(Default)]
struct Images {
    classes: Vec<String>,
    paths: Vec<PathBuf>,
    labels: Vec<u32>,
}

impl Images {
    /// Adds the images of all class folders, in the order of names, and says how many.
    fn add(&mut self, folder: &Path) -> Result<usize, DataError> {
        let before = self.paths.len();
        for name in class_names(folder)? {
            let Ok(label) = self.classes.binary_search(&name) else {
                let problem = tr_format!(
                    "has a class `{name}` that the training images lack; add it there or remove it here",
                    "含有训练图像中没有的类别 `{name}`；请在训练集中补充或在此移除"
                );
                return Err(DataError::format(folder, problem));
            };
            collect(&folder.join(name), MAX_DEPTH, &mut self.paths)?;
            self.labels.resize(self.paths.len(), label as u32);
        }
        Ok(self.paths.len() - before)
    }

    fn dataset(self, counts: Counts, path: &Path) -> Result<Dataset, DataError> {
        let shapes: Vec<[usize; 3]> = self
            .paths
            .par_iter()
            .map(|path| picture::shape(path))
            .collect::<Result<_, _>>()?;
        let [_, height, width] = shapes[0];
        let same = shapes.iter().all(|shape| shape[1..] == [height, width]);
        Dataset {
            kind: Kind::Folder,
            source: String::new(),
            channels: shapes.iter().map(|shape| shape[0]).max().unwrap_or(1),
            size: same.then_some((height, width)),
            classes: self.classes,
            names: ClassNames::OfData,
            class_texts: &[],
            counts,
            labels: self.labels,
            targets: Targets::default(),
            store: Store::Files(self.paths),
            mean: None,
            parts: Default::default(),
        }
        .checked(path)
    }
}

/// The names of the sub-folders, sorted.
fn class_names(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let problem = tr(
                "has a name that is not Unicode; rename it",
                "名称不是有效的 Unicode；请重命名",
            );
            return Err(DataError::format(&path, problem));
        };
        names.push(name.to_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for path in entries(folder)? {
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, paths)?;
            }
        } else if ending.is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
        {
            paths.push(path);
        }
    }
    Ok(())
}

/// What the folder holds, sorted, without hidden files.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |error| DataError::read(folder, error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, RgbImage};

    use super::*;
    use crate::data::{Pixels, SplitName};

    fn save_gray(root: &Path, name: &str, width: u32, value: u8) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(width, 2, image::Luma([value]))
            .save(path)
            .unwrap();
    }

    #[test]
    fn classes_are_the_sorted_sub_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        save_gray(root, "dog/b.png", 3, 20);
        save_gray(root, "dog/a.png", 3, 10);
        save_gray(root, "cat/deeper/c.PNG", 3, 30);
        save_gray(root, "cat/._hidden.png", 3, 30);
        std::fs::write(root.join("cat/notes.txt"), "not an image").unwrap();
        let dataset = Dataset::open(&crate::data::DataConfig::of("."), root).unwrap();
        assert_eq!(
            (dataset.kind(), dataset.shape()),
            (Kind::Folder, Some(vec![1, 2, 3]))
        );
        assert_eq!(dataset.classes(), ["cat", "dog"]);
        let seen: Vec<_> = (0..dataset.len(SplitName::Train))
            .map(|index| dataset.example(SplitName::Train, index).unwrap())
            .map(|example| (example.pixels, example.labels[0]))
            .collect();
        let gray = |value| Pixels::U8(vec![value; 6]);
        assert_eq!(seen, [(gray(30), 0), (gray(10), 1), (gray(20), 1)]);
    }

    #[test]
    fn train_val_and_test_folders_are_the_splits() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        save_gray(root, "train/a/1.png", 3, 1);
        save_gray(root, "train/b/1.png", 4, 2);
        save_gray(root, "val/b/1.bmp", 3, 3);
        save_gray(root, "test/a/1.webp", 3, 4);
        let path = root.join("test/a/2.jpg");
        RgbImage::from_pixel(3, 2, image::Rgb([9, 9, 9]))
            .save(path)
            .unwrap();
        let dataset = Dataset::open(&crate::data::DataConfig::of("."), root).unwrap();
        assert_eq!(SplitName::ALL.map(|split| dataset.len(split)), [2, 1, 2]);
        assert_eq!(
            (dataset.shape(), dataset.channels()),
            (None, 3),
            "sizes and colours differ"
        );
        assert_eq!(dataset.label(SplitName::Validation, 0).unwrap(), 1);
        save_gray(root, "test/c/1.png", 3, 4);
        assert!(
            Dataset::open(&crate::data::DataConfig::of("."), root)
                .unwrap_err()
                .to_string()
                .contains("`c`")
        );
    }

    #[test]
    fn what_is_no_data_set_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |source: &str| {
            Dataset::open(&crate::data::DataConfig::of(source), folder.path())
                .unwrap_err()
                .to_string()
        };
        assert!(error(".").contains("one sub-folder per class"));
        assert!(error("absent").contains("digits, fashion"));
        save_gray(folder.path(), "a/1.png", 3, 1);
        assert!(error("a/1.png").contains("single image"));
        std::fs::write(folder.path().join("a/2.png"), "no image").unwrap();
        assert!(error(".").contains("2.png"));
    }
}
