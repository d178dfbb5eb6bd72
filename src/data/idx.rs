//! IDX, the format of MNIST: big-endian sizes, then bytes
//! (<http://yann.lecun.com/exdb/mnist/>); plain or gzipped.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataError, read_all, read_bounded};
use crate::i18n::{tr, tr_format};

/// The names that MNIST's files have where they are found: images, labels.
const TRAIN: (&str, &str) = ("train-images", "train-labels");
const TESTS: [(&str, &str); 2] = [
    ("t10k-images", "t10k-labels"),
    ("test-images", "test-labels"),
];

/// An images file and its labels file.
pub(super) struct Part {
    /// Channels, height, width of each image.
    pub shape: [usize; 3],
    pub pixels: Vec<u8>,
    pub labels: Vec<u32>,
}

impl Part {
    /// Reads both from `images` and `labels`; the paths are for messages.
    pub fn read(
        images: impl BufRead,
        images_path: &Path,
        labels: impl BufRead,
        labels_path: &Path,
    ) -> Result<Self, DataError> {
        let images = parse(read_bounded(images, images_path)?, images_path)?;
        let labels = parse(read_bounded(labels, labels_path)?, labels_path)?;
        Self::new(images, images_path, labels, labels_path)
    }

    fn open(images_path: &Path, labels_path: &Path) -> Result<Self, DataError> {
        let images = parse(read_all(images_path)?, images_path)?;
        let labels = parse(read_all(labels_path)?, labels_path)?;
        Self::new(images, images_path, labels, labels_path)
    }

    fn new(images: Idx, path: &Path, labels: Idx, labels_path: &Path) -> Result<Self, DataError> {
        let shape = match images.sizes[..] {
            [_, length] => [length, 1, 1],
            [_, height, width] => [1, height, width],
            [_, channels, height, width] => [channels, height, width],
            _ => {
                let problem = tr(
                    "holds labels, not images; give the images file",
                    "是标签文件而不是图像文件；请给出图像文件",
                );
                return Err(DataError::format(path, problem));
            }
        };
        let (image_count, label_count) = (images.sizes[0], labels.sizes[0]);
        if labels.sizes.len() != 1 || image_count != label_count {
            let problem = tr_format!(
                "must hold one label for each of the {image_count} images; it holds {label_count} entries",
                "应为 {image_count} 张图像各提供一个标签，实际含有 {label_count} 项"
            );
            return Err(DataError::format(labels_path, problem));
        }
        let labels = labels.bytes.into_iter().map(u32::from).collect();
        Ok(Self {
            shape,
            pixels: images.bytes,
            labels,
        })
    }
}

/// Whether the folder has MNIST's training files.
pub(super) fn is_folder(path: &Path) -> bool {
    find(path, TRAIN.0).is_some()
}

/// The usual four files; the test files may be absent.
pub(super) fn open_folder(path: &Path) -> Result<Dataset, DataError> {
    let pair = |(images, labels): (&str, &str)| {
        let images = find(path, images)?;
        Some((images, find(path, labels).ok_or(labels.to_string())))
    };
    let read = |(images, labels): (PathBuf, Result<PathBuf, String>)| {
        let labels = labels.map_err(|name| {
            let problem = tr_format!("has no file `{name}…`", "缺少文件 `{name}…`");
            DataError::format(path, problem)
        })?;
        Part::open(&images, &labels)
    };
    let mut train = read(pair(TRAIN).unwrap_or((path.join(TRAIN.0), Ok(path.join(TRAIN.1)))))?;
    let count = train.labels.len();
    if let Some(files) = TESTS.into_iter().find_map(pair) {
        let test = read(files)?;
        if test.shape != train.shape {
            let problem = tr(
                "holds training and test images of different sizes",
                "训练图像与测试图像的尺寸不同",
            );
            return Err(DataError::format(path, problem));
        }
        train.pixels.extend_from_slice(&test.pixels);
        train.labels.extend_from_slice(&test.labels);
    }
    dataset(train, count, path)
}

/// One images file; its labels file lies beside it, named alike (`images` → `labels`).
pub(super) fn open_file(path: &Path) -> Result<Dataset, DataError> {
    let images = parse(read_all(path)?, path)?;
    let labels_path = labels_beside(path).ok_or_else(|| {
        let problem = tr(
            "has no labels file beside it; it should have the same name with `labels` for `images`",
            "旁边没有标签文件；标签文件应同名，只是把 `images` 换成 `labels`",
        );
        DataError::format(path, problem)
    })?;
    let labels = parse(read_all(&labels_path)?, &labels_path)?;
    let part = Part::new(images, path, labels, &labels_path)?;
    let count = part.labels.len();
    dataset(part, count, path)
}

fn dataset(part: Part, train: usize, path: &Path) -> Result<Dataset, DataError> {
    let classes = part.labels.iter().max().map_or(0, |&label| label + 1);
    Dataset {
        kind: Kind::Idx,
        source: String::new(),
        channels: part.shape[0],
        size: Some((part.shape[1], part.shape[2])),
        classes: (0..classes).map(|class| class.to_string()).collect(),
        names: ClassNames::OfData,
        class_texts: &[],
        counts: Counts {
            train,
            validation: 0,
            test: part.labels.len() - train,
        },
        labels: part.labels,
        targets: Targets::default(),
        store: Store::Bytes(part.pixels),
        mean: None,
        parts: Default::default(),
    }
    .checked(path)
}

struct Idx {
    sizes: Vec<usize>,
    bytes: Vec<u8>,
}

fn parse(mut bytes: Vec<u8>, path: &Path) -> Result<Idx, DataError> {
    let wrong = |problem: String| Err(DataError::format(path, problem));
    let &[0, 0, element, axes @ 1..=4, ..] = &bytes[..] else {
        return wrong(
            tr(
                "is not of a known kind: not an IDX file (as MNIST's), and no name that ends in .csv or .bin",
                "无法识别：不是 IDX 文件（MNIST 格式），文件名也不以 .csv 或 .bin 结尾",
            )
            .into(),
        );
    };
    if element != 0x08 {
        return wrong(tr_format!(
            "holds IDX values of type {element:#04x}; only bytes (0x08) are supported",
            "IDX 数据类型为 {element:#04x}；只支持字节类型（0x08）"
        ));
    }
    let start = 4 + 4 * usize::from(axes);
    let Some(header) = bytes.get(4..start) else {
        return wrong(tr("ends within its header", "文件头不完整").into());
    };
    let sizes: Vec<usize> = header
        .chunks_exact(4)
        .map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize)
        .collect();
    let promised = sizes
        .iter()
        .try_fold(1usize, |total, &size| total.checked_mul(size));
    let held = bytes.len() - start;
    if promised != Some(held) || held == 0 {
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let sizes = sizes.join(" × ");
        return wrong(tr_format!(
            "promises {sizes} bytes in its header but holds {held}; it is damaged or cut off, fetch it again",
            "文件头声明 {sizes} 字节，实际为 {held} 字节；文件已损坏或不完整，请重新获取"
        ));
    }
    bytes.drain(..start);
    Ok(Idx { sizes, bytes })
}

/// A file of the folder whose name starts so and goes on as MNIST's do.
fn find(folder: &Path, start: &str) -> Option<PathBuf> {
    let dimension = if start.contains("images") {
        "idx3"
    } else {
        "idx1"
    };
    let names = [
        format!("{start}-{dimension}-ubyte"),
        format!("{start}.{dimension}-ubyte"),
    ];
    let names = names
        .into_iter()
        .flat_map(|name| [format!("{name}.gz"), name]);
    names
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let name = name.replace("images", "labels");
    let name = (2..=4).fold(name, |name, axes| {
        name.replace(&format!("idx{axes}"), "idx1")
    });
    let plain = name.strip_suffix(".gz").unwrap_or(&name).to_string();
    let candidates = [name, format!("{plain}.gz"), plain];
    let paths = candidates
        .into_iter()
        .map(|name| images.with_file_name(name));
    paths
        .into_iter()
        .find(|path| path != images && path.is_file())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use crate::data::{DataError, Pixels, Split, SplitName};

    pub fn encode(sizes: &[u32], content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, sizes.len() as u8];
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend_from_slice(content);
        bytes
    }

    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_four_files_of_a_folder_give_training_and_test_sets() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write(
            "train-images-idx3-ubyte.gz",
            &gzip(&encode(&[3, 1, 2], &[1, 2, 3, 4, 5, 6])),
        );
        write("train-labels-idx1-ubyte", &encode(&[3], &[0, 2, 1]));
        write("t10k-images.idx3-ubyte", &encode(&[1, 1, 2], &[7, 8]));
        write("t10k-labels.idx1-ubyte", &encode(&[1], &[2]));
        let dataset = Dataset::open(&crate::data::DataConfig::of("."), folder.path()).unwrap();
        assert_eq!(
            (dataset.kind(), dataset.shape()),
            (Kind::Idx, Some(vec![1, 1, 2]))
        );
        assert_eq!(dataset.classes(), ["0", "1", "2"]);
        let example = dataset.example(SplitName::Train, 1).unwrap();
        assert_eq!(
            (example.pixels, example.labels[0]),
            (Pixels::U8(vec![3, 4]), 2)
        );
        let example = dataset.example(SplitName::Test, 0).unwrap();
        assert_eq!(
            (example.pixels, example.labels[0]),
            (Pixels::U8(vec![7, 8]), 2)
        );
        let split = Split {
            validation: 1,
            test: 2,
            seed: 0,
        };
        let dataset = dataset.split(&split).unwrap();
        let lengths = SplitName::ALL.map(|split| dataset.len(split));
        assert_eq!(lengths, [2, 1, 1], "its own test set goes before the count");
    }

    #[test]
    fn one_images_file_finds_its_labels() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("letters-images-idx4-ubyte");
        std::fs::write(&images, encode(&[2, 3, 1, 1], &[1, 2, 3, 4, 5, 6])).unwrap();
        let source = images.to_str().unwrap();
        let error = Dataset::open(&crate::data::DataConfig::of(source), Path::new(""))
            .unwrap_err()
            .to_string();
        assert!(error.contains("labels"), "{error}");
        let labels = folder.path().join("letters-labels-idx1-ubyte.gz");
        std::fs::write(&labels, gzip(&encode(&[2], &[1, 0]))).unwrap();
        let dataset = Dataset::open(&crate::data::DataConfig::of(source), Path::new("")).unwrap();
        assert_eq!(dataset.shape(), Some(vec![3, 1, 1]));
        assert_eq!(dataset.label(SplitName::Train, 0).unwrap(), 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_path() {
        let cases: [(Vec<u8>, Vec<u8>, &str); 7] = [
            (
                encode(&[2, 1, 1], &[1]),
                encode(&[2], &[0, 0]),
                "promises 2 × 1 × 1",
            ),
            (encode(&[u32::MAX; 4], &[1]), encode(&[1], &[0]), "promises"),
            (encode(&[0, 4, 4], &[]), encode(&[0], &[]), "promises"),
            (encode(&[1, 1, 1], &[1]), encode(&[2], &[0, 0]), "one label"),
            (encode(&[1], &[1]), encode(&[1], &[0]), "holds labels"),
            (vec![0, 0, 8, 3, 0], encode(&[1], &[0]), "header"),
            (vec![0, 0, 0x0d, 1, 0, 0, 0, 0], encode(&[1], &[0]), "0x0d"),
        ];
        for (images, labels, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a-images");
            std::fs::write(&path, images).unwrap();
            std::fs::write(folder.path().join("a-labels"), labels).unwrap();
            let error =
                Dataset::open(&crate::data::DataConfig::of("a-images"), folder.path()).unwrap_err();
            assert!(matches!(error, DataError::Format { .. }), "{error:?}");
            let error = error.to_string();
            assert!(error.contains(expected) && error.contains("a-"), "{error}");
        }
    }
}
