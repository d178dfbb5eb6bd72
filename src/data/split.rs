//! The names of the splits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::i18n::{tr, tr_format};

/// The three uses of examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    Train,
    Validation,
    Test,
}

impl SplitName {
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name to show, in the language of the window.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => tr("training set", "训练集"),
            Self::Validation => tr("validation set", "验证集"),
            Self::Test => tr("test set", "测试集"),
        }
    }

    /// The name to write in files and on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for SplitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for SplitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|split| split.key() == text);
        found.ok_or_else(|| {
            tr_format!(
                "there is no split `{text}`; write train, validation or test",
                "没有名为 `{text}` 的划分；请填写 train、validation 或 test"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_text_and_files() {
        for split in SplitName::ALL {
            assert_eq!(split.to_string().parse(), Ok(split));
            assert_eq!(ron::to_string(&split).unwrap(), split.key());
        }
        let error = "Training".parse::<SplitName>().unwrap_err();
        assert!(error.contains("train, validation or test"), "{error}");
    }
}
