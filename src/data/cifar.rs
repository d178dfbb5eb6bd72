//! CIFAR-10 and CIFAR-100, binary version (<https://www.cs.toronto.edu/~kriz/cifar.html>):
//! records of one label byte (CIFAR-100: coarse, then fine) and 3 × 32 × 32 bytes.

use std::path::{Path, PathBuf};

use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataError, read_all};
use crate::i18n::tr_format;

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;

/// How one of the two data sets is laid out.
struct Layout {
    kind: Kind,
    classes: usize,
    /// Bytes before the pixels; the last is the class (CIFAR-100: the fine one).
    label_bytes: usize,
    names_file: &'static str,
}

const CIFAR_10: Layout = Layout {
    kind: Kind::Cifar10,
    classes: 10,
    label_bytes: 1,
    names_file: "batches.meta.txt",
};
const CIFAR_100: Layout = Layout {
    kind: Kind::Cifar100,
    classes: 100,
    label_bytes: 2,
    names_file: "fine_label_names.txt",
};

/// Whether the folder has a training file of either.
pub(super) fn is_folder(path: &Path) -> bool {
    !training_batches(path).is_empty() || path.join("train.bin").is_file()
}

/// A folder as it is unpacked; the test file may be absent.
pub(super) fn open_folder(path: &Path) -> Result<Dataset, DataError> {
    let batches = training_batches(path);
    let (layout, train, test) = if batches.is_empty() {
        (
            CIFAR_100,
            vec![path.join("train.bin")],
            path.join("test.bin"),
        )
    } else {
        (CIFAR_10, batches, path.join("test_batch.bin"))
    };
    let mut records = Records::default();
    for file in &train {
        records.read(file, &layout)?;
    }
    let count = records.labels.len();
    if test.is_file() {
        records.read(&test, &layout)?;
    }
    records.dataset(layout, count, path)
}

/// One `.bin` file, of the layout whose record length divides its length.
pub(super) fn open_file(path: &Path) -> Result<Dataset, DataError> {
    let bytes = read_all(path)?;
    let fits = |layout: &Layout| bytes.len().is_multiple_of(layout.label_bytes + PIXELS);
    let layout = if !fits(&CIFAR_10) && fits(&CIFAR_100) {
        CIFAR_100
    } else {
        CIFAR_10
    };
    let mut records = Records::default();
    records.add(&bytes, path, &layout)?;
    let count = records.labels.len();
    records.dataset(layout, count, path.parent().unwrap_or(path))
}

fn training_batches(folder: &Path) -> Vec<PathBuf> {
    let names = (1..=5).map(|batch| folder.join(format!("data_batch_{batch}.bin")));
    names.filter(|path| path.is_file()).collect()
}

#[derive(Default)]
struct Records {
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl Records {
    fn read(&mut self, path: &Path, layout: &Layout) -> Result<(), DataError> {
        self.add(&read_all(path)?, path, layout)
    }

    fn add(&mut self, bytes: &[u8], path: &Path, layout: &Layout) -> Result<(), DataError> {
        let record = layout.label_bytes + PIXELS;
        let (held, name) = (bytes.len(), layout.kind.name());
        if bytes.is_empty() || !held.is_multiple_of(record) {
            let problem = tr_format!(
                "holds {held} bytes, not a multiple of the {record} of a record of {name}; it is damaged or cut off, fetch it again",
                "共 {held} 字节，不是{name}每条记录 {record} 字节的整数倍；文件已损坏或不完整，请重新获取"
            );
            return Err(DataError::format(path, problem));
        }
        for record in bytes.chunks_exact(record) {
            let (labels, pixels) = record.split_at(layout.label_bytes);
            self.labels.push(u32::from(labels[layout.label_bytes - 1]));
            self.pixels.extend_from_slice(pixels);
        }
        Ok(())
    }

    fn dataset(self, layout: Layout, train: usize, folder: &Path) -> Result<Dataset, DataError> {
        Dataset {
            kind: layout.kind,
            source: String::new(),
            channels: 3,
            size: Some((SIDE, SIDE)),
            classes: class_names(folder, &layout)?,
            names: ClassNames::OfData,
            class_texts: &[],
            counts: Counts {
                train,
                validation: 0,
                test: self.labels.len() - train,
            },
            labels: self.labels,
            targets: Targets::default(),
            store: Store::Bytes(self.pixels),
            mean: None,
            parts: Default::default(),
        }
        .checked(folder)
    }
}

/// The names that lie beside the data, else the numbers.
fn class_names(folder: &Path, layout: &Layout) -> Result<Vec<String>, DataError> {
    let path = folder.join(layout.names_file);
    let count = layout.classes;
    if !path.is_file() {
        return Ok((0..count).map(|class| class.to_string()).collect());
    }
    let text = read_all(&path)?;
    let text = String::from_utf8_lossy(&text);
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_string).collect();
    if names.len() != count {
        let found = names.len();
        let problem = tr_format!(
            "must name {count} classes, one a line, but names {found}; correct or remove it",
            "应逐行列出 {count} 个类别，实际有 {found} 个；请更正或移除该文件"
        );
        return Err(DataError::format(&path, problem));
    }
    Ok(names)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::{Pixels, SplitName};

    pub fn record(labels: &[u8], first: u8) -> Vec<u8> {
        let mut record = labels.to_vec();
        record.extend((0..PIXELS).map(|at| first.wrapping_add((at / (SIDE * SIDE)) as u8)));
        record
    }

    #[test]
    fn cifar_10_reads_batches_in_order_names_and_its_test_set() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write(
            "data_batch_1.bin",
            &[record(&[3], 10), record(&[9], 20)].concat(),
        );
        write("data_batch_2.bin", &record(&[0], 30));
        write("test_batch.bin", &record(&[5], 40));
        let names =
            "airplane automobile bird cat deer dog frog horse ship truck".replace(' ', "\n");
        write("batches.meta.txt", format!("{names}\n\n").as_bytes());
        let dataset = Dataset::open(&crate::data::DataConfig::of("."), folder.path()).unwrap();
        assert_eq!(
            (dataset.kind(), dataset.shape()),
            (Kind::Cifar10, Some(vec![3, 32, 32]))
        );
        assert_eq!(SplitName::ALL.map(|split| dataset.len(split)), [3, 0, 1]);
        let example = dataset.example(SplitName::Train, 2).unwrap();
        let Pixels::U8(pixels) = example.pixels else {
            panic!()
        };
        assert_eq!([pixels[0], pixels[1024], pixels[3071]], [30, 31, 32]);
        assert_eq!(
            dataset.classes()[dataset.label(SplitName::Test, 0).unwrap() as usize],
            "dog"
        );
        write("batches.meta.txt", b"cat\ndog");
        assert!(
            Dataset::open(&crate::data::DataConfig::of("."), folder.path())
                .unwrap_err()
                .to_string()
                .contains("10 classes")
        );
    }

    #[test]
    fn cifar_100_takes_the_fine_label() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train.bin"), record(&[19, 77], 1)).unwrap();
        let dataset = Dataset::open(&crate::data::DataConfig::of("."), folder.path()).unwrap();
        assert_eq!(
            (dataset.kind(), dataset.classes().len()),
            (Kind::Cifar100, 100)
        );
        assert_eq!(dataset.label(SplitName::Train, 0).unwrap(), 77);
        let alone =
            Dataset::open(&crate::data::DataConfig::of("train.bin"), folder.path()).unwrap();
        assert_eq!(alone.kind(), Kind::Cifar100);
    }

    #[test]
    fn wrong_lengths_and_labels_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = |bytes: &[u8]| {
            std::fs::write(folder.path().join("data_batch_1.bin"), bytes).unwrap();
            Dataset::open(&crate::data::DataConfig::of("."), folder.path())
                .unwrap_err()
                .to_string()
        };
        assert!(open(&record(&[3], 10)[..3000]).contains("3073"));
        assert!(open(&[]).contains("data_batch_1.bin"));
        assert!(open(&record(&[10], 0)).contains("label 10"));
    }
}
