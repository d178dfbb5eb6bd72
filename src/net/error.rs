//! Why a network cannot be built or run; every message names the node or the parameter.

use crate::graph::Shape;
use crate::i18n::tr_format;

#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("{}", match node {
        Some(node) => tr_format!("node “{node}”: {message}", "节点“{node}”：{message}"),
        None => message.clone(),
    })]
    Graph {
        node: Option<String>,
        message: String,
    },
    #[error("{}", tr_format!("node “{node}”: {source}", "节点“{node}”：{source}"))]
    Node {
        node: String,
        source: candle_core::Error,
    },
    #[error("{}", tr_format!(
        "node “{node}” waits for an input that was not given",
        "节点“{node}”所需的输入未给出"
    ))]
    NotFed { node: String },
    #[error("{}", tr_format!(
        "there is no node “{node}” in this phase; the nodes are listed by `layerlab check`",
        "此阶段没有节点“{node}”；可用 `layerlab check` 查看所有节点"
    ))]
    NoSuchNode { node: String },
    #[error("{}", tr_format!(
        "the network has no parameter “{key}”",
        "网络没有参数“{key}”"
    ))]
    NoSuchParam { key: String },
    #[error("{}", tr_format!(
        "the parameter “{key}” has the shape {expected:?}, but was given {found:?}",
        "参数“{key}”的形状为 {expected:?}，而给出的是 {found:?}"
    ))]
    ParamShape {
        key: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error("{}", tr_format!(
        "node “{node}” expects {expected}, but was given {found}",
        "节点“{node}”需要 {expected}，而给出的是 {found}"
    ))]
    FeedShape {
        node: String,
        expected: Shape,
        found: Shape,
    },
    #[error("{}", tr_format!(
        "this would need about {gigabytes} GB for {what}, more than the {limit} GB allowed; make the layers, the images or the batch smaller",
        "{what}大约需要 {gigabytes} GB，超过允许的 {limit} GB；请减小层、图像或批次"
    ))]
    TooLarge {
        what: &'static str,
        gigabytes: u64,
        limit: u64,
    },
    #[error("{0}")]
    Candle(#[from] candle_core::Error),
}

impl NetError {
    /// The node that is to blame, if one is.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Graph { node, .. } => node.as_deref(),
            Self::Node { node, .. }
            | Self::NotFed { node }
            | Self::NoSuchNode { node }
            | Self::FeedShape { node, .. } => Some(node),
            _ => None,
        }
    }
}
