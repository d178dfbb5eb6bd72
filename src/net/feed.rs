//! What the caller of a network gives for one pass.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use super::Net;
use crate::graph::{Phase, Role, Value};

/// What the caller gives for one pass.
#[derive(Clone, Debug, Default)]
pub struct NetFeed {
    /// For every data layer.
    pub data: Option<DataFeed>,
    /// For input layers, by node name.
    pub inputs: BTreeMap<String, Tensor>,
}

/// A batch as data layers bring it in.
#[derive(Clone, Debug)]
pub struct DataFeed {
    /// (N, …), as the shape of an example says.
    pub data: Tensor,
    /// u32, (N) or one for each position, (N, T).
    pub labels: Option<Tensor>,
    /// (N, D).
    pub targets: Option<Tensor>,
}

impl DataFeed {
    /// Examples of which nothing more is known.
    pub fn unlabelled(data: Tensor) -> Self {
        Self {
            data,
            labels: None,
            targets: None,
        }
    }

    /// Examples with their classes.
    pub fn labelled(data: Tensor, labels: Tensor) -> Self {
        Self {
            labels: Some(labels),
            ..Self::unlabelled(data)
        }
    }

    /// Whether there is something to read at this output of a data layer.
    pub(super) fn has(&self, port: usize) -> bool {
        match port {
            0 => true,
            1 => self.labels.is_some(),
            _ => self.targets.is_some(),
        }
    }

    /// The outputs of a data layer in their order. Labels that are absent before targets are an
    /// empty tensor, which nobody is given to read.
    pub(super) fn outputs(&self, device: &Device) -> candle_core::Result<Vec<Value>> {
        let mut outputs = vec![Value::Tensor(self.data.to_device(device)?)];
        match (&self.labels, &self.targets) {
            (Some(labels), _) => outputs.push(Value::Labels(labels.to_device(device)?)),
            (None, Some(_)) => outputs.push(Value::Labels(Tensor::zeros(0, DType::U32, device)?)),
            (None, None) => {}
        }
        if let Some(targets) = &self.targets {
            outputs.push(Value::Tensor(targets.to_device(device)?));
        }
        Ok(outputs)
    }
}

impl NetFeed {
    /// One tensor for whatever brings data in, without labels.
    pub fn only(tensor: Tensor, net: &Net) -> Self {
        let names = net
            .plan(Phase::Test)
            .steps
            .iter()
            .filter(|step| step.role == Role::Input);
        let inputs = names
            .map(|step| (step.name.clone(), tensor.clone()))
            .collect();
        Self {
            data: Some(DataFeed::unlabelled(tensor)),
            inputs,
        }
    }
}
