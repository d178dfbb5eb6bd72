//! Changes of a graph that keep what it computes or sees: a wide convolution as a stack of 3 × 3,
//! full connections as convolutions.
//!
//! Invariant: the graph that comes in stays as it is; what comes out has every wire, name and key
//! that the change does not concern. It must not know weights: whoever holds them reshapes them.

mod cost;
mod dense;
mod stack;

pub use cost::Cost;
pub use dense::full_to_conv;
pub use stack::stack_of_3x3;

use crate::i18n::tr_format;

/// Why a graph cannot be changed so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RewriteError {
    #[error("{}", tr_format!("there is no node “{0}”", "没有节点“{0}”", _0))]
    NoNode(String),
    #[error("{}", tr_format!("“{0}” is no convolution; choose one of 5 × 5, 7 × 7 or more", "“{0}”不是卷积层；请选择 5 × 5、7 × 7 或更大的卷积", _0))]
    NoConvolution(String),
    #[error("{}", tr_format!("“{name}” is {height} × {width}; only odd squares from 5 × 5 on are stacks of 3 × 3", "“{name}”为 {height} × {width}；只有 5 × 5 及更大的奇数方形卷积核才能由 3 × 3 堆叠而成"))]
    Kernel {
        name: String,
        height: usize,
        width: usize,
    },
    #[error("{}", tr_format!("there is already a node or group “{0}/…”; rename it first", "已有名为“{0}/…”的节点或组；请先改名", _0))]
    Taken(String),
    #[error("{}", tr_format!("no full connection reads an image or another full connection, so there is nothing to turn into convolutions", "没有以图像或其他全连接为输入的全连接层，因此没有可转换为卷积的层"))]
    NoFullConnection,
}

/// Space between boxes, in points.
const STEP: f32 = 200.0;
