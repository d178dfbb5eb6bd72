//! What can go wrong with a bench.

use crate::data::DataError;
use crate::i18n::tr_format;
use crate::net::NetError;
use crate::train::Failure;

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{}", tr_format!("there is no bench “{name}”; `layerlab labs` lists them", "没有名为“{name}”的实验台；用 `layerlab labs` 查看全部"))]
    NoBench { name: String },
    #[error("{}", tr_format!("“{text}” sets nothing; write --set KEY=VALUE", "“{text}”无法设置；请写作 --set 键=值"))]
    NoAssignment { text: String },
    #[error("{}", tr_format!("the bench {bench} has no control “{key}”; it has: {known}", "实验台 {bench} 没有控件“{key}”；可用的有：{known}"))]
    NoControl {
        bench: &'static str,
        key: String,
        known: String,
    },
    #[error("{}", tr_format!("{key} cannot be “{value}”; it may be {range}", "{key} 不能是“{value}”；可取 {range}"))]
    BadValue {
        key: &'static str,
        value: String,
        range: String,
    },
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Train(#[from] Failure),
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    #[error("{0}")]
    Other(String),
}
