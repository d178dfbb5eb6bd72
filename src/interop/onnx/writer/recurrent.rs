//! RNN, LSTM and GRU: an operator for each layer, with the steps first.

use candle_core::Tensor;

use super::filters::failed;
use super::{Form, Formed, Name};
use crate::graph::{Node, Shape};
use crate::interop::onnx::encode::Attribute;
use crate::interop::onnx::reader::{arranged, gates};
use crate::layers::{Gru, Lstm, Rnn, SequenceOutput};

impl Form<'_, '_> {
    pub(super) fn recurrent(&mut self) -> Formed {
        let op = self.node.layer.spec().name;
        let (layers, output) = parts(self.node).ok_or_else(super::unsaid)?;
        let (x, shape) = self.x()?;
        let mut sequence = self.steps_first(x, &shape);
        let mut last = String::new();
        for layer in 0..layers {
            let (weights, hidden) = self.cell(op, layer)?;
            let mut inputs = vec![sequence.as_str()];
            inputs.extend(weights.iter().map(String::as_str));
            let outputs = ["sequence", "last"].map(|what| {
                let wanted = format!("{}.{what}", self.node.name);
                self.writer.free(&wanted)
            });
            let mut attributes = vec![Attribute::Integer("hidden_size", hidden as i64)];
            if op == "GRU" {
                attributes.push(Attribute::Integer("linear_before_reset", 1));
            }
            // As PyTorch names them, so that reading puts them on top of each other again.
            let name = format!("/{}/{op}_{layer}", self.node.name);
            let [all, end] = outputs;
            self.writer
                .push(&name, op, &inputs, &[&all, &end], &attributes);
            if layer + 1 < layers || output == SequenceOutput::Sequence {
                let axes = self.integers("direction", &[1]);
                sequence = self.step("Squeeze", &[&all, &axes], &[]);
            }
            last = end;
        }
        match output {
            SequenceOutput::Sequence => {
                let order = Attribute::Integers("perm", vec![1, 0, 2]);
                let name = format!("{}_examples_first", self.node.name);
                self.last_named(&name, "Transpose", &[&sequence], &[order])
            }
            SequenceOutput::Last => {
                let axes = self.integers("direction", &[0]);
                let name = format!("{}_squeeze", self.node.name);
                self.last_named(&name, "Squeeze", &[&last, &axes], &[])
            }
        }
    }

    /// (N, T, D), or a picture (N, 1, T, D), as (T, N, D).
    fn steps_first(&mut self, mut x: Name, shape: &Shape) -> Name {
        if shape.rank() == 4 {
            let axes = self.integers("channel", &[1]);
            x = self.step("Squeeze", &[&x, &axes], &[]);
        }
        self.step(
            "Transpose",
            &[&x],
            &[Attribute::Integers("perm", vec![1, 0, 2])],
        )
    }

    /// W, R and B of one layer, and the number of its units.
    fn cell(&mut self, op: &str, layer: usize) -> Result<(Vec<Name>, usize), String> {
        let order = gates(op);
        // Where each of ONNX's gates stands here.
        let mut theirs = vec![0; order.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(ours, place)| theirs[*place] = ours);
        let arrange = |suffix: &str| -> Result<(String, Tensor), String> {
            let (key, tensor) = self.param(&format!("{suffix}_l{layer}"))?;
            let hidden = tensor.dim(0).map_err(failed)? / theirs.len();
            let tensor = arranged(&tensor, &theirs, hidden).map_err(failed)?;
            Ok((key, tensor))
        };
        let (key, input) = arrange("weight_ih")?;
        let (_, state) = arrange("weight_hh")?;
        let (_, bias) = arrange("bias_ih")?;
        let (_, second) = arrange("bias_hh")?;
        let hidden = state.dim(1).map_err(failed)?;
        let bias = Tensor::cat(&[bias, second], 0).map_err(failed)?;
        let prefix = key.rsplit_once('.').map_or("", |(prefix, _)| prefix);
        let mut names = Vec::new();
        for (what, tensor) in [("W", input), ("R", state), ("B", bias)] {
            let tensor = tensor.unsqueeze(0).map_err(failed)?;
            names.push(self.numbers(&format!("{prefix}.{what}_l{layer}"), &tensor)?);
        }
        Ok((names, hidden))
    }
}

/// How many layers, and what leaves them.
fn parts(node: &Node) -> Option<(usize, SequenceOutput)> {
    let any = node.layer.as_any();
    if let Some(layer) = any.downcast_ref::<Lstm>() {
        return Some((layer.num_layers, layer.output));
    }
    if let Some(layer) = any.downcast_ref::<Gru>() {
        return Some((layer.num_layers, layer.output));
    }
    let layer = any.downcast_ref::<Rnn>()?;
    Some((layer.num_layers, layer.output))
}
