//! What shape inference and titles need to know of the data.

use std::path::Path;

use super::Feed;
use crate::data::dataset::Store;
use crate::data::preprocess::{Pipeline, prepared_shape};
use crate::data::{DataConfig, DataError, Dataset, Kind, Sequence, SplitName, Statistics, Whiten};
use crate::i18n::{tr, tr_format};

/// What shape inference and titles need to know of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSummary {
    pub kind: Kind,
    /// After preprocessing: channels, height, width; T of a text.
    pub shape: Vec<usize>,
    /// `None` where examples have no classes.
    pub classes: Option<usize>,
    /// The shape of one example's labels: empty for one class, T of a text, height and width
    /// where each pixel has a label.
    pub labels: Option<Vec<usize>>,
    /// Real-valued targets of one example; 0 where there are none.
    pub targets: usize,
    pub train: usize,
    pub validation: usize,
    pub test: usize,
}

impl DataSummary {
    /// Opens the source for its facts alone; fits no statistics.
    pub fn open(config: &DataConfig, base: &Path) -> Result<Self, DataError> {
        config.check()?;
        let dataset = Dataset::open(config, base)?.split(&config.split)?;
        if matches!(config.preprocess.whiten, Whiten::Pca { .. }) && !dataset.is_text() {
            // How many components vary is known after fitting only.
            return Ok(Feed::new(dataset, config, None)?.summary());
        }
        let shape = example_shape(&dataset, config)?;
        Ok(Self::of(&dataset, shape))
    }

    pub(super) fn of(dataset: &Dataset, shape: Vec<usize>) -> Self {
        let has_labels = dataset.has_labels();
        let positions = match dataset.has_label_maps() {
            true => shape.get(1..).unwrap_or_default(),
            false if dataset.is_text() => &shape[..],
            false => &[],
        };
        Self {
            kind: dataset.kind(),
            classes: has_labels.then(|| dataset.classes().len()),
            labels: has_labels.then(|| positions.to_vec()),
            targets: dataset.target_names().len(),
            shape,
            train: dataset.len(SplitName::Train),
            validation: dataset.len(SplitName::Validation),
            test: dataset.len(SplitName::Test),
        }
    }

    /// `1 × 28 × 28`.
    pub fn shape_text(&self) -> String {
        let sides: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        sides.join(" × ")
    }

    /// What an example is to be answered with: `10 classes`, `4 targets` or both.
    pub fn answer_text(&self) -> String {
        let targets = self.targets;
        match (self.classes, targets) {
            (Some(classes), 0) => tr_format!("{classes} classes", "{classes} 类"),
            (Some(classes), _) => tr_format!(
                "{classes} classes, {targets} targets",
                "{classes} 类，{targets} 个目标值"
            ),
            (None, 0) => tr("no labels", "无标签").to_owned(),
            (None, _) => tr_format!("{targets} targets", "{targets} 个目标值"),
        }
    }
}

/// The shape of one example as the network takes it.
pub(super) fn example_shape(
    dataset: &Dataset,
    config: &DataConfig,
) -> Result<Vec<usize>, DataError> {
    match &dataset.store {
        Store::Text(corpus) => Ok(vec![corpus.length()]),
        _ => {
            check_label_maps(dataset, config)?;
            let full = prepared_shape(dataset, config)?;
            let nothing = Statistics::default();
            Ok(Pipeline::new(&nothing, &config.preprocess, full)?.shape)
        }
    }
}

/// Labels of pixels need an image to lie on.
fn check_label_maps(dataset: &Dataset, config: &DataConfig) -> Result<(), DataError> {
    let preprocess = &config.preprocess;
    let setting = match (preprocess.sequence, preprocess.whiten) {
        (_, Whiten::Pca { .. }) => "preprocess.whiten",
        (Sequence::Off, _) => return Ok(()),
        _ => "preprocess.sequence",
    };
    if !dataset.has_label_maps() {
        return Ok(());
    }
    let problem = tr(
        "leaves no image, but each pixel of these data has a label; write Off",
        "会使样本不再是图像，而该数据的每个像素都有标签；请填写 Off",
    );
    Err(DataError::config(setting, problem))
}
