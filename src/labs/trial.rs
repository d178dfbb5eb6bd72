//! A real network that a bench trains step by step, in front of one's eyes.
//!
//! It is small enough for a frame: layers, gradients and solver are those of training itself.
//! It must not know which bench it serves.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Device, Tensor};

use super::LabError;
use crate::graph::{DataFacts, Facts, Graph, Inputs, Layer, Node, Phase, PortRef, PortType};
use crate::net::{BackwardStart, DataFeed, ForwardOptions, Keep, Net, NetConfig, NetFeed, Pass};
use crate::train::{Momentum, Solver, update};

/// A network with its solver.
pub struct Trial {
    net: Net,
    momentum: Momentum,
    pub solver: Solver,
    steps: u64,
}

/// One layer after the other behind `data`; each reads the one before it.
pub fn chain(layers: Vec<(String, Box<dyn Layer>)>) -> Graph {
    let mut graph = Graph::default();
    let mut before = "data".to_owned();
    if let Some(data) = crate::layers::make("Data") {
        graph.add(Node::new("data", data));
    }
    for (place, (name, layer)) in layers.into_iter().enumerate() {
        let mut node = Node::new(name.clone(), layer);
        // A loss reads classes or numbers from the data, whichever it takes.
        let second = node
            .layer
            .inputs()
            .ports
            .get(1)
            .filter(|_| node.layer.inputs().required > 1);
        let labels = second.map(|port| {
            let place = if port.kind == PortType::Labels { 1 } else { 2 };
            Some(PortRef::new("data", place))
        });
        let first = Some(PortRef::new(before, 0));
        node.inputs = Inputs(std::iter::once(first).chain(labels).collect());
        node.position = [200.0 * (place as f32 + 1.0), 0.0];
        graph.add(node);
        before = name;
    }
    graph
}

/// Rows of numbers with their classes, as a network takes them.
pub fn classified(rows: &[Vec<f64>], classes: &[u32]) -> Result<NetFeed, LabError> {
    let labels = Tensor::from_slice(classes, classes.len(), &Device::Cpu)?;
    Ok(NetFeed {
        data: Some(DataFeed::labelled(rows_tensor(rows)?, labels)),
        ..NetFeed::default()
    })
}

/// Rows of numbers with the numbers that are to be found for them.
pub fn with_targets(rows: &[Vec<f64>], targets: &[f64]) -> Result<NetFeed, LabError> {
    let targets = Tensor::from_slice(targets, (targets.len(), 1), &Device::Cpu)?;
    let mut feed = DataFeed::unlabelled(rows_tensor(rows)?);
    feed.targets = Some(targets);
    Ok(NetFeed {
        data: Some(feed),
        ..NetFeed::default()
    })
}

fn rows_tensor(rows: &[Vec<f64>]) -> Result<Tensor, LabError> {
    let width = rows.first().map_or(0, Vec::len);
    let values: Vec<f64> = rows.iter().flatten().copied().collect();
    Ok(Tensor::from_vec(
        values,
        (rows.len(), width, 1, 1),
        &Device::Cpu,
    )?)
}

/// What a network is told of rows of `width` numbers.
pub fn facts(width: usize, classes: Option<usize>) -> Facts {
    let shape = vec![width, 1, 1];
    let data = match classes {
        Some(classes) => DataFacts::classified(shape, classes),
        None => DataFacts {
            shape,
            classes: None,
            labels: None,
            targets: Some(1),
        },
    };
    Facts {
        data: Some(data),
        ..Facts::default()
    }
}

impl Trial {
    pub fn new(graph: &Graph, facts: &Facts, solver: Solver, seed: u64) -> Result<Self, LabError> {
        let config = NetConfig {
            dtype: DType::F64,
            seed,
            ..NetConfig::default()
        };
        Ok(Self {
            net: Net::compile(graph, facts, config)?,
            momentum: Momentum::new(),
            solver,
            steps: 0,
        })
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn net(&self) -> &Net {
        &self.net
    }

    /// One step along the gradient on these examples; the loss before it.
    pub fn step(&mut self, feed: &NetFeed) -> Result<f64, LabError> {
        let (loss, mut pass) = self.pass(feed, &BTreeSet::new())?;
        let backward = self.net.backward(&mut pass, &BackwardStart::Losses)?;
        for (key, tensor) in std::mem::take(&mut pass.buffers) {
            self.net.set_param(&key, tensor)?;
        }
        self.steps += 1;
        let rate = (
            self.solver
                .rate(self.solver.base_lr, self.steps - 1, u64::MAX),
            self.steps,
        );
        update(
            &mut self.net,
            &backward.params,
            &mut self.momentum,
            &self.solver,
            rate,
        )?;
        Ok(loss)
    }

    fn pass(&self, feed: &NetFeed, wanted: &BTreeSet<String>) -> Result<(f64, Pass), LabError> {
        let options = ForwardOptions {
            keep: Keep::Only(wanted.clone()),
            gradients_at: wanted.clone(),
            backward: true,
            iteration: self.steps,
            ..ForwardOptions::default()
        };
        let pass = self.net.forward(Phase::Train, feed, options)?;
        let loss = pass.loss(&self.net)?.unwrap_or(f64::NAN);
        Ok((loss, pass))
    }

    /// The loss on these examples, in the training phase; nothing changes.
    pub fn loss(&self, feed: &NetFeed) -> Result<f64, LabError> {
        Ok(self.pass(feed, &BTreeSet::new())?.0)
    }

    /// ∂loss by the outputs of these nodes, and by every parameter.
    pub fn gradients(
        &self,
        feed: &NetFeed,
        nodes: &[String],
    ) -> Result<[BTreeMap<String, Tensor>; 2], LabError> {
        let wanted = nodes.iter().cloned().collect();
        let (_, mut pass) = self.pass(feed, &wanted)?;
        let backward = self.net.backward(&mut pass, &BackwardStart::Losses)?;
        Ok([backward.outputs, backward.params])
    }

    /// What these nodes give for rows of numbers when tested: node by node, row by row.
    pub fn outputs(&self, rows: &[Vec<f64>], nodes: &[String]) -> Result<Vec<Tensor>, LabError> {
        self.outputs_in(Phase::Test, rows, nodes, 0)
    }

    /// The same in either phase; `seed` is that of what is random in training.
    pub fn outputs_in(
        &self,
        phase: Phase,
        rows: &[Vec<f64>],
        nodes: &[String],
        seed: u64,
    ) -> Result<Vec<Tensor>, LabError> {
        let feed = NetFeed::only(rows_tensor(rows)?, &self.net);
        let options = ForwardOptions {
            keep: Keep::Only(nodes.iter().cloned().collect()),
            until: Some(nodes.iter().cloned().collect()),
            seed,
            ..ForwardOptions::default()
        };
        let pass = self.net.forward(phase, &feed, options)?;
        let value = |node: &String| match pass.outputs(&self.net, node).first() {
            Some(value) => Ok(value.tensor().flatten_from(1)?),
            None => Err(LabError::Other(node.clone())),
        };
        nodes.iter().map(value).collect()
    }

    /// A parameter's numbers; none where there is no such parameter.
    pub fn param(&self, key: &str) -> Vec<f64> {
        let param = self.net.params().get(key);
        let values = param.and_then(|param| param.tensor.flatten_all().ok());
        values
            .and_then(|values| values.to_vec1().ok())
            .unwrap_or_default()
    }

    /// Sets a parameter by hand; what the solver remembers of it is forgotten.
    pub fn set_param(&mut self, key: &str, values: &[f64]) -> Result<(), LabError> {
        let Some(param) = self.net.params().get(key) else {
            return Err(LabError::Other(key.to_owned()));
        };
        let tensor = Tensor::from_slice(values, param.tensor.dims(), &Device::Cpu)?;
        self.net.set_param(key, tensor)?;
        self.momentum
            .retain(|of, _| crate::train::param_of(of) != key);
        Ok(())
    }
}
