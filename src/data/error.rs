//! What can go wrong with data: every message names the file or the setting and says what to do.

use std::path::Path;

use super::SplitName;
use crate::i18n::{tr, tr_format};

#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{}", tr_format!(
        "there is no data set `{source_name}`: it is neither built in ({built_in}) nor a file or folder at {path}; correct the source's name or path",
        "找不到数据集“{source_name}”：它不是内置数据集（{built_in}），{path} 也不是文件或文件夹；请更正数据源的名称或路径"
    ))]
    Unknown {
        source_name: String,
        built_in: String,
        path: String,
    },
    #[error("{}", tr_format!("cannot read {path}: {source}", "无法读取 {path}：{source}"))]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("cannot write {path}: {source}", "无法写入 {path}：{source}"))]
    Write {
        path: String,
        source: std::io::Error,
    },
    #[error("{}", tr_format!("{path}: {problem}", "{path}：{problem}"))]
    Format { path: String, problem: String },
    #[error("{}", tr_format!("{path}, line {line}: {problem}", "{path} 第 {line} 行：{problem}"))]
    Line {
        path: String,
        line: u64,
        problem: String,
    },
    #[error("{}", tr_format!(
        "cannot decode the image {path}: {source}; repair or remove it",
        "无法解码图像 {path}：{source}；请修复或移除该文件"
    ))]
    Image {
        path: String,
        source: image::ImageError,
    },
    #[error("{}", tr_format!("data setting `{setting}`: {problem}", "数据设置 `{setting}`：{problem}"))]
    Config {
        setting: &'static str,
        problem: String,
    },
    #[error("{}", no_example(*split, *index, *count))]
    Index {
        split: SplitName,
        index: usize,
        count: usize,
    },
    #[error("{}", tr_format!("cannot make the batch: {source}", "无法生成批次：{source}"))]
    Tensor {
        #[from]
        source: candle_core::Error,
    },
    #[error("{}", tr_format!(
        "preparing the batch failed unexpectedly: {message}",
        "准备批次时发生意外错误：{message}"
    ))]
    Panic { message: String },
    #[error(
        "{}",
        tr(
            "the network reads rows of numbers, not images; give the input as numbers",
            "该网络读取的是数值而不是图像；请以数值形式给出输入"
        )
    )]
    NoImages,
    #[error(
        "{}",
        tr(
            "no further batch: preparing the data has already ended with an error",
            "没有更多批次：数据准备此前已因错误结束"
        )
    )]
    Ended,
}

impl DataError {
    pub(super) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.display().to_string(),
            source,
        }
    }

    pub(super) fn format(path: &Path, problem: impl Into<String>) -> Self {
        Self::Format {
            path: path.display().to_string(),
            problem: problem.into(),
        }
    }

    pub(super) fn config(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Config {
            setting,
            problem: problem.into(),
        }
    }
}

fn no_example(split: SplitName, index: usize, count: usize) -> String {
    let split = split.name();
    tr_format!(
        "there is no example {index} in the {split}, which holds {count}",
        "{split}中没有第 {index} 个样本，它只有 {count} 个样本"
    )
}
