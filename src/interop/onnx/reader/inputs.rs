//! Where the graph begins and ends.

use super::super::Broken;
use super::super::proto::{GraphView, NodeView, ValueInfo};
use super::super::values::{Flow, Gap, Value};
use super::names::{self, Place};
use super::{Draft, Reader};
use crate::graph::{Layer, Shape};
use crate::i18n::tr_format;
use crate::layers::{Input, Power};

const MAX_INPUTS: usize = 256;

impl<'a> Reader<'a> {
    /// A node for each input that is no initial tensor.
    pub(super) fn inputs(&mut self, graph: &GraphView<'a>) -> Result<(), Broken> {
        for info in &graph.inputs {
            if self.drafts.len() == MAX_INPUTS {
                return Err(Broken(tr_format!(
                    "the network has more than {MAX_INPUTS} inputs",
                    "网络的输入超过 {MAX_INPUTS} 个"
                )));
            }
            // Older files list the weights among the inputs.
            if self.values.contains_key(info.name) || info.name.is_empty() {
                continue;
            }
            let flow = self.input(info, graph)?;
            self.values.insert(info.name, Value::Flow(flow));
        }
        Ok(())
    }

    fn input(&mut self, info: &ValueInfo<'a>, graph: &GraphView<'a>) -> Result<Flow, Broken> {
        let name = info.name;
        let order = order(info, graph);
        let dims = info.dims.as_ref().filter(|dims| !dims.is_empty());
        let mut ours: Option<Vec<Option<usize>>> = dims.map(|dims| match &order {
            Some(order) => order.iter().map(|axis| dims[*axis]).collect(),
            None => dims.clone(),
        });
        if let Some(ours) = &mut ours {
            ours[0] = None;
        }
        let example: Option<Vec<usize>> = ours
            .as_ref()
            .and_then(|ours| ours.iter().skip(1).copied().collect());
        if example.is_none() {
            self.notes.push(tr_format!(
                "the size of the input “{name}” is left open; the data's is taken, or that of --shape",
                "输入“{name}”的大小未定；采用数据的大小，或由 --shape 指明"
            ));
        }
        let layer = Input {
            shape: example.unwrap_or_default(),
        };
        if let (Some(_), Some(ours)) = (&order, &ours) {
            let shape = Shape(ours.clone());
            self.notes.push(tr_format!(
                "the input “{name}” is {shape} here: its axes are in our order",
                "输入“{name}”在此为 {shape}：各维按本程序的顺序排列"
            ));
        }
        let node = NodeView {
            name,
            ..NodeView::default()
        };
        let drafted = self.source(names::place(&node), Box::new(layer), ours.map(Shape));
        let mut flows = drafted.map_err(|Gap(problem)| Broken(problem))?;
        let flow = flows.swap_remove(0);
        Ok(match order {
            Some(order) => {
                let mut view = vec![None; order.len()];
                (0..)
                    .zip(order)
                    .for_each(|(ours, axis)| view[axis] = Some(ours));
                flow.viewed(view)
            }
            None => flow,
        })
    }

    /// A draft that reads nothing and is not asked for its shape.
    pub(super) fn source(
        &mut self,
        place: Place,
        layer: Box<dyn Layer>,
        shape: Option<Shape>,
    ) -> Result<Vec<Flow>, Gap> {
        let index = self.drafts.len();
        let ports = layer.outputs().len();
        self.drafts.push(Draft {
            layer,
            inputs: Vec::new(),
            place,
            key: None,
            params: Vec::new(),
            merged: None,
            last_of: None,
        });
        Ok((0..ports)
            .map(|port| Flow::new((index, port), shape.clone()))
            .collect())
    }

    /// Gives every output the axes that the file says it has.
    pub(super) fn outputs(&mut self, graph: &GraphView<'a>) -> Result<(), Broken> {
        for name in &graph.outputs {
            match self.values.get(name).cloned() {
                Some(Value::Flow(flow)) => {
                    let place = Place::new(Vec::new(), "output");
                    if let Err(Gap(why)) = self.laid_out(place.clone(), flow.clone()) {
                        self.notes.push(tr_format!(
                            "the output “{name}” is left as it is here: {why}",
                            "输出“{name}”在此保持原样：{why}"
                        ));
                    }
                    // Of a node with several outputs, the first is its answer; an input is none.
                    let is_answer = flow.from.1 == 0 && !self.drafts[flow.from.0].inputs.is_empty();
                    if !is_answer && flow.view.is_none() && flow.pad == [0; 4] {
                        let same = Box::new(Power::default());
                        let drafted = self.draft(place, same, &[&flow], Vec::new());
                        drafted.map_err(|Gap(problem)| Broken(problem))?;
                    }
                }
                Some(_) => self.notes.push(tr_format!(
                    "the output “{name}” is a constant and is left out",
                    "输出“{name}”是常量，已略去"
                )),
                None => {
                    return Err(Broken(tr_format!(
                        "nothing gives the output “{name}”",
                        "没有任何节点给出输出“{name}”"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The order of the axes in which we have an input that only one operator reads, and reads
/// otherwise: which of the file's axes each of ours is.
fn order(info: &ValueInfo<'_>, graph: &GraphView<'_>) -> Option<Vec<usize>> {
    let rank = info.dims.as_ref()?.len();
    let reads = |node: &&NodeView<'_>| node.op != "Shape" && node.inputs.contains(&info.name);
    let mut readers = graph.nodes.iter().filter(reads);
    let (reader, None) = (readers.next()?, readers.next()) else {
        return None;
    };
    match reader.op {
        // A sequence's steps come first there, and its examples here.
        "LSTM" | "GRU" | "RNN" if rank == 3 && reader.integer("layout").unwrap_or(0) == 0 => {
            Some(vec![1, 0, 2])
        }
        // (N, H, W, C)
        "Transpose" if rank == 4 && reader.integers("perm")? == [0, 3, 1, 2] => {
            Some(vec![0, 3, 1, 2])
        }
        _ => None,
    }
}
