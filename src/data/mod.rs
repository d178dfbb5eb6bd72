//! Data sets (being written on another branch; replaced whole by its merge).
mod config;
mod error;
pub use config::{Batches, Color, DataConfig, Mean, Preprocess, Split, Std};
pub use error::DataError;
use serde::{Deserialize, Serialize};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    Train,
    Validation,
    Test,
}
impl SplitName {
    pub fn name(self) -> &'static str {
        "split"
    }
}
