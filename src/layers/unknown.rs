//! A layer type that the program does not have.

use candle_core::Tensor;
use ron::value::RawValue;
use serde::{Serialize, Serializer};

use crate::graph::{
    Context, Family, FieldVisitor, Gradients, InferContext, Inferred, InputPorts, Layer, LayerSpec,
    Passed, Port, PortType, Problem, Role, Shape, Value, Window,
};
use crate::i18n::Text;

/// Keeps the text of a layer from a file, so that saving loses nothing. It cannot run.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    kind: String,
    text: String,
}

impl Unknown {
    /// `text` is RON and begins with the type's name `kind`.
    pub(super) fn new(kind: &str, text: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_ron(&self.text)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

static SPEC: LayerSpec = LayerSpec {
    name: "Unknown",
    title: Text::new("Unknown layer", "未知层"),
    family: Family::Unknown,
    role: Role::Unknown,
    about: Text::new(
        "A layer type that this version does not have; it is kept, but cannot run.",
        "此版本没有的层类型；原样保留，但无法运行。",
    ),
    formula: "?",
    caffe: ("", ""),
};

const ANY: Port = Port {
    name: "?",
    kind: PortType::Any,
};

impl Layer for Unknown {
    fn spec(&self) -> &'static LayerSpec {
        &SPEC
    }

    fn title(&self) -> &str {
        &self.kind
    }

    fn inputs(&self) -> InputPorts {
        InputPorts {
            ports: const { &[ANY] },
            repeat_last: true,
            required: 0,
        }
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY] }
    }

    fn fields(&mut self, _: &mut dyn FieldVisitor) {}

    fn infer(&self, _: &InferContext<'_>, _: &[&Shape]) -> Result<Inferred, Problem> {
        Ok(Inferred {
            outputs: Vec::new(),
            params: Vec::new(),
            macs: None,
            window: Window::Nowhere,
        })
    }

    fn forward(&self, _: &Context<'_>, _: &[Value]) -> candle_core::Result<Passed> {
        candle_core::bail!("the layer type {} is not known", self.kind)
    }

    fn backward(
        &self,
        _: &Context<'_>,
        _: &[Tensor],
        _: &[Option<Tensor>],
    ) -> candle_core::Result<Gradients> {
        candle_core::bail!("the layer type {} is not known", self.kind)
    }
}
