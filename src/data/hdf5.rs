//! HDF5 files as Caffe's HDF5Data reads them: a dataset `data` (N, …) and a dataset `label`,
//! (N) of whole numbers for classes, else (N, D) of real-valued targets.
//!
//! Decoding is by the crate hdf5-reader, which this module holds to bounds: a damaged file is an
//! error and asks for no more memory than its own length allows for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hdf5_reader::{Hdf5File, OpenOptions};

use super::config::TargetSettings;
use super::dataset::{Counts, Dataset, Kind, Store, Targets};
use super::{ClassNames, DataError, read_all};
use crate::i18n::{tr, tr_format};

const MAX_CLASSES: usize = 10_000;
/// Deflate packs at most 1032 bytes into one (zlib's manual, "maximum compression factor").
const MAX_RATIO: usize = 1_032;
/// The most bytes that one dataset may unpack to.
const MAX_BYTES: usize = 2 << 30;

/// A dataset of the file as numbers.
struct Numbers {
    dims: Vec<usize>,
    values: Vec<f32>,
}

pub(super) fn open(path: &Path, settings: &TargetSettings) -> Result<Dataset, DataError> {
    let bytes = read_all(path)?;
    // What the decoder does with damaged files is not ours to promise.
    catch_unwind(AssertUnwindSafe(|| read(bytes, path, settings))).unwrap_or_else(|_| {
        let problem = tr("is damaged; fetch it again", "已损坏；请重新获取");
        Err(DataError::format(path, problem))
    })
}

fn read(bytes: Vec<u8>, path: &Path, settings: &TargetSettings) -> Result<Dataset, DataError> {
    let limit = bytes.len().saturating_mul(MAX_RATIO).min(MAX_BYTES);
    let options = OpenOptions::default()
        .with_max_chunk_bytes(limit)
        .with_max_read_bytes(limit);
    let file = Hdf5File::from_vec_with_options(bytes, options)
        .map_err(|error| DataError::format(path, error.to_string()))?;
    let data = numbers(&file, "data", limit, path)?;
    let label = numbers(&file, "label", limit, path)?;
    let (channels, size) = match data.dims[..] {
        [_] => (1, (1, 1)),
        [_, features] => (features, (1, 1)),
        [_, steps, features] => (1, (steps, features)),
        [_, channels, height, width] => (channels, (height, width)),
        _ => {
            let dims = &data.dims;
            let problem = tr_format!(
                "has `data` of the shape {dims:?}; it must have 1 to 4 axes, examples first",
                "中 `data` 的形状为 {dims:?}；应有 1 到 4 个维度，样本在最前"
            );
            return Err(DataError::format(path, problem));
        }
    };
    let count = data.dims.first().copied().unwrap_or(0);
    if label.dims.first() != Some(&count) {
        let rows = label.dims.first().copied().unwrap_or(0);
        let problem = tr_format!(
            "has {count} examples in `data`, but {rows} in `label`",
            "`data` 中有 {count} 个样本，而 `label` 中有 {rows} 个"
        );
        return Err(DataError::format(path, problem));
    }
    let whole = |value: &f32| *value >= 0.0 && *value < MAX_CLASSES as f32 && value.fract() == 0.0;
    let is_class = label.values.len() == count
        && settings.columns.is_empty()
        && label.values.iter().all(whole);
    let labels: Vec<u32> = match is_class {
        true => label.values.iter().map(|value| *value as u32).collect(),
        false => Vec::new(),
    };
    let classes = labels.iter().max().map_or(0, |label| label + 1);
    let each = label.values.len().checked_div(count).unwrap_or(0);
    let targets = match is_class {
        true => Targets::default(),
        false => Targets {
            names: (0..each).map(|column| format!("label[{column}]")).collect(),
            values: label.values,
        },
    };
    let dataset = Dataset {
        kind: Kind::Hdf5,
        source: String::new(),
        channels,
        size: Some(size),
        classes: (0..classes).map(|class| class.to_string()).collect(),
        names: ClassNames::OfData,
        class_texts: &[],
        counts: Counts {
            train: count,
            validation: 0,
            test: 0,
        },
        labels,
        targets,
        store: Store::Floats(data.values),
        mean: None,
        parts: Default::default(),
    };
    dataset.checked(path)
}

/// A dataset of whichever number type.
fn numbers(file: &Hdf5File, name: &str, limit: usize, path: &Path) -> Result<Numbers, DataError> {
    let wrong = |problem: String| {
        let problem = tr_format!("dataset `{name}`: {problem}", "数据集 `{name}`：{problem}");
        DataError::format(path, problem)
    };
    let dataset = file
        .dataset(name)
        .map_err(|error| wrong(error.to_string()))?;
    let dims: Option<Vec<usize>> = (dataset.shape().iter())
        .map(|side| usize::try_from(*side).ok())
        .collect();
    let dims = dims.unwrap_or_default();
    let count = dims
        .iter()
        .try_fold(1usize, |count, side| count.checked_mul(*side));
    let Some(count) = count.filter(|count| *count > 0 && *count <= limit / 4) else {
        let problem = tr(
            "is empty, or larger than the file can hold",
            "为空，或超出文件所能容纳的大小",
        );
        return Err(wrong(problem.to_owned()));
    };
    // Numbers as they are stored: real ones first, then whole ones.
    let values: Vec<f32> = match dataset.read_array::<f32>() {
        Ok(array) => array.iter().copied().collect(),
        Err(_) => match dataset.read_array::<f64>() {
            Ok(array) => array.iter().map(|value| *value as f32).collect(),
            Err(_) => match dataset.read_array::<u8>() {
                Ok(array) => array.iter().map(|value| f32::from(*value)).collect(),
                Err(_) => {
                    let array = dataset.read_array::<i64>();
                    let array = array.map_err(|error| wrong(error.to_string()))?;
                    array.iter().map(|value| *value as f32).collect()
                }
            },
        },
    };
    if values.len() != count || values.iter().any(|value| !value.is_finite()) {
        let problem = tr("holds numbers that are not finite", "含有非有限数");
        return Err(wrong(problem.to_owned()));
    }
    Ok(Numbers { dims, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataConfig, Feed, SplitName};

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/hdf5")
    }

    #[test]
    fn whole_labels_are_classes_and_others_targets() {
        let feed = Feed::open(&DataConfig::of("classes.h5"), &folder()).unwrap();
        let summary = feed.summary();
        assert_eq!((summary.shape, summary.classes), (vec![4, 1, 1], Some(3)));
        let batch = feed.batch(SplitName::Train, &[1]).unwrap();
        assert_eq!(batch.labels.unwrap().to_vec1::<u32>().unwrap(), [2]);
        let row = batch.data.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(row, [0.5, 0.625, 0.75, 0.875]);

        let feed = Feed::open(&DataConfig::of("targets.h5"), &folder()).unwrap();
        assert_eq!((feed.summary().classes, feed.summary().targets), (None, 2));
        let batch = feed.batch(SplitName::Train, &[1, 5]).unwrap();
        let targets = batch.targets.unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(
            targets,
            [[2.75, -0.5], [10.75, -2.5]],
            "chunked and compressed"
        );

        let feed = Feed::open(&DataConfig::of("images.h5"), &folder()).unwrap();
        assert_eq!(
            (feed.shape(), feed.summary().classes),
            (&[2, 3, 5][..], Some(6))
        );
    }
}
