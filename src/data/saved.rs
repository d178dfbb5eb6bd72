//! Statistics in a safetensors file, beside the weights that were trained with them, so that a
//! network meets the same input wherever it is used. A text's vocabulary is in the file's
//! metadata, as JSON.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{DataError, Statistics};
use crate::i18n::tr_format;

/// The name of the file in the folder of a checkpoint.
pub const STATISTICS: &str = "statistics.safetensors";

const VOCABULARY: &str = "vocabulary";
/// More than the components of the largest examples that are whitened take.
const MAX_BYTES: u64 = 128 << 20;

impl Statistics {
    /// Whether nothing was fitted or given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Writes them into a folder; where there are none, a file of earlier ones goes.
    pub fn save(&self, folder: &Path) -> Result<(), DataError> {
        let path = folder.join(STATISTICS);
        let failed = |source| DataError::Write {
            path: path.display().to_string(),
            source,
        };
        if self.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            };
        }
        let bytes = self
            .to_bytes()
            .map_err(std::io::Error::other)
            .map_err(failed)?;
        // Whoever reads meanwhile finds the old file or the new one.
        let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        std::fs::write(file.path(), bytes).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Those of a folder, `None` where it has none.
    pub fn load(folder: &Path) -> Result<Option<Self>, DataError> {
        let path = folder.join(STATISTICS);
        let failed = |error| DataError::read(&path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let damaged = |error: String| {
            let problem = tr_format!(
                "is no whole file of statistics ({error}); remove it to fit them again",
                "不是完整的统计文件（{error}）；删除后将重新计算"
            );
            DataError::format(&path, problem)
        };
        Self::from_bytes(&bytes).map(Some).map_err(damaged)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let flat = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let raw = self.named().into_iter();
        let raw: Vec<(&str, usize, Vec<u8>)> = raw
            .map(|(name, values)| (name, values.len(), flat(values)))
            .collect();
        let views = raw.iter().map(|(name, length, bytes)| {
            Ok((*name, TensorView::new(Dtype::F32, vec![*length], bytes)?))
        });
        let views: Vec<_> = views.collect::<Result<_, safetensors::SafeTensorError>>()?;
        let vocabulary = serde_json::Value::from(self.vocabulary.clone()).to_string();
        let metadata = HashMap::from([(VOCABULARY.to_owned(), vocabulary)]);
        safetensors::serialize(views, Some(metadata))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let text = |error: safetensors::SafeTensorError| error.to_string();
        let file = SafeTensors::deserialize(bytes).map_err(text)?;
        let mut vectors = Vec::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(format!("{name}: {}", view.dtype()));
            }
            let (numbers, _) = view.data().as_chunks::<4>();
            let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
            vectors.push((name, numbers.collect()));
        }
        let mut statistics = Self::from_named(vectors);
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(text)?;
        let vocabulary = metadata
            .metadata()
            .as_ref()
            .and_then(|all| all.get(VOCABULARY));
        if let Some(vocabulary) = vocabulary {
            let names = serde_json::from_str(vocabulary);
            statistics.vocabulary = names.map_err(|error| error.to_string())?;
        }
        Ok(statistics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Components;

    #[test]
    fn statistics_come_back_and_damage_is_an_error() {
        let statistics = Statistics {
            mean: vec![1.5, -2.0],
            std: vec![0.5, 4.0],
            vocabulary: vec!["<unk>".into(), "\n".into(), "鲸".into()],
            components: Components {
                mean: vec![0.0, 1.0],
                variances: vec![3.0],
                vectors: vec![1.0, 0.0],
            },
            target_min: vec![-1.0],
            target_max: vec![1.0],
        };
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Statistics::load(folder.path()).unwrap(), None);
        statistics.save(folder.path()).unwrap();
        assert_eq!(
            Statistics::load(folder.path()).unwrap().as_ref(),
            Some(&statistics)
        );
        let path = folder.path().join(STATISTICS);
        let sound = std::fs::read(&path).unwrap();
        for length in 0..sound.len() {
            std::fs::write(&path, &sound[..length]).unwrap();
            assert!(Statistics::load(folder.path()).is_err(), "{length}");
        }
        for place in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[place] ^= 0x55;
            std::fs::write(&path, bytes).unwrap();
            // An error or other numbers; never a panic.
            let _ = Statistics::load(folder.path());
        }
        Statistics::default().save(folder.path()).unwrap();
        assert!(!path.exists());
    }
}
