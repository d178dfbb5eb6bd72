//! Data sets, their splits, preprocessing and batches.
//!
//! `DataConfig` says what; `Dataset` reads it from the binary or the disk; `Feed` preprocesses
//! examples into batches; `Order` says which examples an iteration takes; `Prefetch` prepares
//! the coming batches on a thread of its own.
//! Invariants: any file gives a data set or an error that says what to do, never a panic and
//! never more memory than the stated bounds; the same configuration and seed give the same
//! batches on any number of threads.
//! It must not know graphs, networks or training.

mod classes;
mod config;
mod dataset;
mod feed;
mod order;
mod prefetch;
mod preprocess;
mod saved;
mod split;
mod statistics;

mod background;

mod blob;
mod built_in;
mod cifar;
mod folder;
mod hdf5;
mod idx;
mod label_map;
mod localise;
mod pairs;
mod palette;
mod picture;
mod segmentation;
pub mod shapes;
mod table;
mod text;
mod textures;
mod whiten;

mod error;

pub use background::{Opening, open_in_background};
pub use blob::{Blob, Damaged, Fields, Wire};
pub use built_in::BUILT_IN;
pub use classes::{CLASS_LISTS, ClassNames, MAX_CLASS_NAMES};
pub use config::{
    Batches, Color, DataConfig, MAX_BATCH, MAX_GENERATED, MAX_LENGTH, MAX_SIDE, MAX_VOCABULARY,
    Mean, PairSettings, Preprocess, Sequence, ShapesSettings, Split, Std, TargetSettings,
    TextSettings, TextUnit, Whiten,
};
pub use dataset::{Dataset, Example, Kind, Pixels};
pub use error::DataError;
pub use feed::{Batch, DataSummary, Feed};
pub use order::{Draw, Order};
pub use palette::{IGNORE, label_color};
pub use picture::Picture;
pub use prefetch::Prefetch;
pub use saved::STATISTICS;
pub use split::SplitName;
pub use statistics::Statistics;
pub use text::UNKNOWN;
pub use whiten::{Components, MAX_WHITENED, Whitening};

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The most bytes that one file may unpack to; larger sources belong into folders of images,
/// which are read as they are needed.
const MAX_BYTES: u64 = 2 << 30;

/// Reads a whole file, gunzipping it when it is gzipped (by its content, not its name).
fn read_all(path: &Path) -> Result<Vec<u8>, DataError> {
    let file = File::open(path).map_err(|error| DataError::read(path, error))?;
    read_bounded(BufReader::new(file), path)
}

/// Reads to the end, gunzipping when needed; memory grows only with what is really there.
fn read_bounded(reader: impl BufRead, path: &Path) -> Result<Vec<u8>, DataError> {
    let too_large = crate::i18n::tr(
        "holds more than 2 GiB; use a folder of images with one sub-folder per class instead",
        "超过 2 GiB；请改用每个类别一个子文件夹的图像文件夹",
    );
    read_limited(reader, path, MAX_BYTES, too_large)
}

/// The same, of no more bytes than `limit`.
fn read_limited(
    mut reader: impl BufRead,
    path: &Path,
    limit: u64,
    too_large: &str,
) -> Result<Vec<u8>, DataError> {
    let failed = |error| DataError::read(path, error);
    let gzipped = reader
        .fill_buf()
        .map_err(failed)?
        .starts_with(&[0x1f, 0x8b]);
    let mut bytes = Vec::new();
    let mut plain: Box<dyn Read + '_> = if gzipped {
        Box::new(flate2::bufread::MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    plain
        .by_ref()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(DataError::format(path, too_large));
    }
    Ok(bytes)
}

#[cfg(test)]
mod corruption;
