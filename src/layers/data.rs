//! Where examples enter the network.

use serde::{Deserialize, Serialize};

use crate::graph::{
    Context, Family, Field, FieldVisitor, InferContext, Inferred, InputPorts, Layer, LayerSpec,
    Passed, Port, Problem, Role, Shape, Value, Window,
};
use crate::i18n::{Text, tr_format};

/// The project's data set: a batch of examples with their classes, their targets, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {}

static DATA: LayerSpec = LayerSpec {
    name: "Data",
    title: Text::new("Data", "数据"),
    family: Family::Data,
    role: Role::Data,
    about: Text::new(
        "Brings in a batch of the project's data set: examples (N, C, H, W) or, of texts and sequences, (N, T, …); their classes (N) or (N, T); and, where the data have them, real-valued targets (N, D).",
        "读入项目数据集的一个批次：样本 (N, C, H, W)，文本和序列为 (N, T, …)；类别 (N) 或 (N, T)；若数据带有实数目标值，则还有 (N, D)。",
    ),
    formula: "data = x, label = y, target = t",
    caffe: ("Data", "data_param"),
};

impl Layer for Data {
    fn spec(&self) -> &'static LayerSpec {
        &DATA
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(&[])
    }

    fn outputs(&self) -> &'static [Port] {
        const {
            &[
                Port::tensor("data"),
                Port::labels("label"),
                Port::tensor("target"),
            ]
        }
    }

    fn infer(&self, context: &InferContext<'_>, _: &[&Shape]) -> Result<Inferred, Problem> {
        let mut outputs = vec![example_shape(context)?];
        // Of data that nobody has described, both may be wired: one class each, D unknown.
        let labels = context.data.and_then(|data| data.labels.as_deref());
        outputs.push(Shape::batch_of(None, labels.unwrap_or_default()));
        match context.data {
            None => outputs.push(Shape(vec![None, None])),
            Some(data) => {
                let targets = data.targets.map(|count| Shape::batch_of(None, &[count]));
                outputs.extend(targets);
            }
        }
        Ok(source(outputs))
    }

    fn forward(&self, _: &Context<'_>, _: &[Value]) -> candle_core::Result<Passed> {
        candle_core::bail!("a data layer's outputs are given, not computed")
    }
}

/// A tensor that the user of the network supplies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// One example, without the batch; empty takes the shape of the project's data.
    pub shape: Vec<usize>,
}

static INPUT: LayerSpec = LayerSpec {
    name: "Input",
    title: Text::new("Input", "输入"),
    family: Family::Data,
    role: Role::Input,
    about: Text::new(
        "A tensor that is supplied from outside, without labels: for networks that only answer.",
        "由外部提供、不带标签的张量：用于只做推断的网络。",
    ),
    formula: "data = x",
    caffe: ("Input", "input_param"),
};

impl Layer for Input {
    fn spec(&self) -> &'static LayerSpec {
        &INPUT
    }

    fn inputs(&self) -> InputPorts {
        InputPorts::fixed(&[])
    }

    fn outputs(&self) -> &'static [Port] {
        const { &[Port::tensor("data")] }
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let about = Text::new(
            "The shape of one example, such as 3, 224, 224; empty takes that of the data.",
            "单个样本的形状，如 3, 224, 224；留空则取数据集的形状。",
        );
        visitor.field(Field::counts(
            "shape",
            &mut self.shape,
            1..=1 << 20,
            3,
            about,
        ));
    }

    fn infer(&self, context: &InferContext<'_>, _: &[&Shape]) -> Result<Inferred, Problem> {
        if self.shape.is_empty() {
            return Ok(source(vec![example_shape(context)?]));
        }
        Ok(source(vec![Shape::batch_of(None, &self.shape)]))
    }

    fn forward(&self, _: &Context<'_>, _: &[Value]) -> candle_core::Result<Passed> {
        candle_core::bail!("an input layer's output is given, not computed")
    }
}

fn example_shape(context: &InferContext<'_>) -> Result<Shape, Problem> {
    match context.example {
        Some(shape) => Ok(Shape::batch_of(None, shape)),
        None => Err(Problem::Missing(tr_format!(
            "the shape of the data is not known; choose a data set, or state it with --shape",
            "数据形状未知；请选择数据集，或用 --shape 指明"
        ))),
    }
}

fn source(outputs: Vec<Shape>) -> Inferred {
    Inferred {
        outputs,
        params: Vec::new(),
        macs: Some(0),
        window: Window::Point,
    }
}
