//! Operators that have no counterpart: a layer that keeps their text.

use super::super::proto::AttributeValue;
use super::super::values::{Flow, Gap, Value};
use super::{Op, layer_of, names};
use crate::i18n::tr_format;
use crate::layers;

/// Numbers of a list that are kept in the text.
const SHOWN: usize = 16;

impl<'a> Op<'_, 'a> {
    /// The operator as an unknown layer, with a note that says why.
    pub(super) fn unknown(&mut self, Gap(why): Gap) -> Vec<Value<'a>> {
        let op = self.node.op;
        let note = tr_format!(
            "the operator {op} has no counterpart here ({why}); it is kept, but cannot run",
            "算子 {op} 在此没有对应项（{why}）；予以保留，但无法运行"
        );
        self.reader.notes.push(names::note(self.node, &note));
        let name: String = op
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let is_own = layers::entry(&name).is_some();
        let name = match name.starts_with(|c: char| c.is_alphabetic()) && !is_own {
            true => name,
            false => format!("Unknown{name}"),
        };
        let text = ron::to_string(&self.text()).unwrap_or_default();
        let layer = layer_of(&format!("{name}(onnx: {text})"));
        let inputs: Vec<Flow> = self
            .inputs
            .iter()
            .filter_map(|input| match input {
                Value::Flow(flow) => Some(Flow {
                    shape: None,
                    ..flow.clone()
                }),
                _ => None,
            })
            .collect();
        let inputs: Vec<&Flow> = inputs.iter().collect();
        let drafted = match inputs.is_empty() {
            // Shapes are not inferred where one is unknown, nor here.
            true => self.reader.source(names::place(self.node), layer, None),
            false => self
                .reader
                .draft(names::place(self.node), layer, &inputs, Vec::new()),
        };
        let flows = drafted.unwrap_or_default();
        flows.into_iter().map(Value::Flow).collect()
    }

    /// What the operator says beside its inputs that flow.
    fn text(&self) -> String {
        let mut parts = vec![match self.node.domain {
            "" => self.node.op.to_owned(),
            domain => format!("{domain}.{}", self.node.op),
        }];
        for attribute in &self.node.attributes {
            let value = match &attribute.value {
                AttributeValue::Real(number) => number.to_string(),
                AttributeValue::Integer(number) => number.to_string(),
                AttributeValue::Text(text) => format!("'{text}'"),
                AttributeValue::Reals(numbers) => list(numbers),
                AttributeValue::Integers(numbers) => list(numbers),
                AttributeValue::Words(words) => list(words),
                AttributeValue::Tensor(tensor) => format!("tensor {:?}", tensor.dims),
                AttributeValue::Other => "…".to_owned(),
            };
            parts.push(format!("{} = {value}", attribute.name));
        }
        for (index, (name, input)) in self.node.inputs.iter().zip(&self.inputs).enumerate() {
            match input {
                Value::Numbers(numbers) => {
                    let values = numbers.values.iter().map(|value| match value {
                        Some(number) => number.to_string(),
                        None => "?".to_owned(),
                    });
                    parts.push(format!(
                        "input {index} = {}",
                        list(&values.collect::<Vec<_>>())
                    ));
                }
                Value::Weights(weights) => {
                    parts.push(format!("input {index} = {name} {:?}", weights.dims));
                }
                Value::Filled { value, .. } => parts.push(format!("input {index} = all {value}")),
                Value::Absent | Value::Flow(_) => {}
            }
        }
        parts.join("; ")
    }
}

fn list(numbers: &[impl ToString]) -> String {
    let shown: Vec<String> = numbers
        .iter()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let rest = if numbers.len() > SHOWN { ", …" } else { "" };
    format!("[{}{rest}]", shown.join(", "))
}
