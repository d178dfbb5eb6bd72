//! What a layer type says about itself, the same for every instance: its place, its words, its
//! ports.

use super::PortType;
use crate::i18n::Text;

/// What a layer is for; the palette is grouped by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Data,
    Convolution,
    Pooling,
    Linear,
    Recurrent,
    Activation,
    Normalisation,
    Regularisation,
    Structure,
    Loss,
    Metric,
    Unknown,
}

impl Family {
    pub fn text(self) -> Text {
        match self {
            Self::Data => Text::new("Data", "数据"),
            Self::Convolution => Text::new("Convolution", "卷积"),
            Self::Pooling => Text::new("Pooling", "池化"),
            Self::Linear => Text::new("Full connection", "全连接"),
            Self::Recurrent => Text::new("Recurrent", "循环网络"),
            Self::Activation => Text::new("Activation", "激活函数"),
            Self::Normalisation => Text::new("Normalisation", "归一化"),
            Self::Regularisation => Text::new("Regularisation", "正则化"),
            Self::Structure => Text::new("Structure", "结构"),
            Self::Loss => Text::new("Loss", "损失函数"),
            Self::Metric => Text::new("Metric", "评价指标"),
            Self::Unknown => Text::new("Unknown", "未知"),
        }
    }
}

/// How the walk through the network treats a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Computes outputs from inputs.
    Layer,
    /// Has no inputs: its outputs are the batch's examples, their labels and their targets.
    Data,
    /// Has no inputs: its output is a tensor that the caller gives.
    Input,
    /// Its first output is a scalar to be minimised.
    Loss,
    /// Its output is read by people only; no gradient passes.
    Metric,
    /// Not known to the program; cannot run.
    Unknown,
}

/// What a layer type says about itself, the same for every instance.
#[derive(Debug)]
pub struct LayerSpec {
    /// The type's name in project files; Caffe's wherever Caffe has the layer.
    pub name: &'static str,
    pub title: Text,
    pub family: Family,
    pub role: Role,
    /// One line for hover texts, help and documentation.
    pub about: Text,
    /// The forward computation, in the usual symbols.
    pub formula: &'static str,
    /// Caffe's layer type and the name of its parameter message, empty where it has none.
    pub caffe: (&'static str, &'static str),
}

/// An input or output of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: &'static str,
    pub kind: PortType,
}

impl Port {
    pub const fn tensor(name: &'static str) -> Self {
        Self {
            name,
            kind: PortType::Tensor,
        }
    }

    pub const fn labels(name: &'static str) -> Self {
        Self {
            name,
            kind: PortType::Labels,
        }
    }
}

/// The inputs of a layer.
#[derive(Clone, Copy, Debug)]
pub struct InputPorts {
    pub ports: &'static [Port],
    /// The last port may be repeated (Concat, Eltwise).
    pub repeat_last: bool,
    /// How many of them, from the first on, must be connected; the others may be.
    pub required: usize,
}

impl InputPorts {
    pub const fn fixed(ports: &'static [Port]) -> Self {
        Self {
            ports,
            repeat_last: false,
            required: ports.len(),
        }
    }

    pub const fn repeated(ports: &'static [Port]) -> Self {
        Self {
            ports,
            repeat_last: true,
            required: ports.len(),
        }
    }

    /// All but the first `required` may be left unconnected.
    pub const fn with_optional(ports: &'static [Port], required: usize) -> Self {
        Self {
            ports,
            repeat_last: false,
            required,
        }
    }

    /// The port at `index`, if the layer has one there.
    pub fn port(&self, index: usize) -> Option<&'static Port> {
        let repeated = self.ports.last().filter(|_| self.repeat_last);
        self.ports.get(index).or(repeated)
    }
}
