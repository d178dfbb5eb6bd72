//! The walk: forward through the plan, and backward over what the way down left.

mod pass;

pub use pass::{Backward, BackwardStart, Focus, ForwardOptions, Keep, Pass};

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use candle_core::Tensor;

use super::{Net, NetError, NetFeed, Plan, Step, stream};
use crate::graph::{Context, Phase, Role, Value};

impl Net {
    /// Walks forward. Nothing in the network changes; new buffer values are in the [`Pass`].
    pub fn forward(
        &self,
        phase: Phase,
        feed: &NetFeed,
        options: ForwardOptions,
    ) -> Result<Pass, NetError> {
        self.check_feed(phase, feed)?;
        let plan = self.plan(phase);
        let visited = visited(plan, options.until.as_ref())?;
        let needed = self.needed(plan, &visited, &options);
        let mut readers = count_readers(plan, &visited);
        let count = plan.steps.len();
        let joined = joined(plan, &visited, &options);
        let mut pass = Pass {
            phase,
            joined,
            outputs: vec![Vec::new(); count],
            saved: (0..count).map(|_| None).collect(),
            needed,
            options,
            buffers: Vec::new(),
            states: BTreeMap::new(),
            seconds: vec![Duration::ZERO; count],
        };
        for index in (0..count).filter(|index| visited[*index]) {
            let start = Instant::now();
            self.forward_step(plan, index, feed, &mut pass)?;
            pass.seconds[index] = start.elapsed();
            for (source, _) in &plan.steps[index].sources {
                readers[*source] -= 1;
                if readers[*source] == 0 && !keeps(&pass.options, plan, *source) {
                    pass.outputs[*source].clear();
                }
            }
        }
        Ok(pass)
    }

    fn forward_step(
        &self,
        plan: &Plan,
        index: usize,
        feed: &NetFeed,
        pass: &mut Pass,
    ) -> Result<(), NetError> {
        let step = &plan.steps[index];
        let name = || step.name.clone();
        match step.role {
            Role::Data => {
                let Some(fed) = &feed.data else {
                    return Err(NetError::NotFed { node: name() });
                };
                pass.outputs[index] = fed.outputs(&self.config.device)?;
                return Ok(());
            }
            Role::Input => {
                let Some(input) = feed.inputs.get(&step.name) else {
                    return Err(NetError::NotFed { node: name() });
                };
                pass.outputs[index] = vec![Value::Tensor(input.to_device(&self.config.device)?)];
                return Ok(());
            }
            _ => {}
        }
        let mut inputs = Vec::with_capacity(step.sources.len());
        let fed = |source: usize, port| {
            plan.steps[source].role != Role::Data
                || feed.data.as_ref().is_some_and(|fed| fed.has(port))
        };
        for (source, port) in &step.sources {
            let value = pass.outputs[*source].get(*port);
            let Some(value) = value.filter(|_| fed(*source, *port)) else {
                return Err(NetError::NotFed { node: name() });
            };
            inputs.push(value.clone());
        }
        if step.joined_to.is_some_and(|source| pass.joined[source]) {
            pass.outputs[index] = inputs;
            pass.saved[index] = pass.needed[index].then(Vec::new);
            return Ok(());
        }
        let params = self.step_params(&step.keys)?;
        let needs_input = needs_input(plan, index, &pass.needed);
        let context = self.context((index, step), pass, &params, &needs_input);
        let Some(layer) = self.layer(step) else {
            return Ok(());
        };
        let passed = layer
            .forward(&context, &inputs)
            .map_err(|source| NetError::Node {
                node: name(),
                source,
            })?;
        for (param, tensor) in passed.buffers {
            if let Some(key) = step.keys.get(param) {
                pass.buffers.push((key.clone(), tensor));
            }
        }
        if !passed.state.is_empty() {
            pass.states.insert(name(), passed.state);
        }
        pass.outputs[index] = passed.outputs;
        if pass.needed[index] {
            pass.saved[index] = Some(passed.saved);
        }
        Ok(())
    }

    /// Walks backward over what [`Net::forward`] left; what a node saved is freed behind it.
    pub fn backward(&self, pass: &mut Pass, start: &BackwardStart) -> Result<Backward, NetError> {
        let plan = self.plan(pass.phase);
        let mut gradients: Vec<Vec<Option<Tensor>>> = vec![Vec::new(); plan.steps.len()];
        self.seed_gradients(plan, pass, start, &mut gradients)?;
        let mut result = Backward::default();
        for (index, step) in plan.steps.iter().enumerate().rev() {
            let arrived = std::mem::take(&mut gradients[index]);
            if arrived.iter().all(Option::is_none) {
                continue;
            }
            if pass.options.gradients_at.contains(&step.name)
                && let Some(Some(first)) = arrived.first()
            {
                result.outputs.insert(step.name.clone(), first.clone());
            }
            let Some(saved) = pass.saved[index].take() else {
                continue;
            };
            let begin = Instant::now();
            self.backward_step(
                plan,
                index,
                pass,
                (&saved, &arrived),
                &mut gradients,
                &mut result,
            )?;
            result.seconds.insert(step.name.clone(), begin.elapsed());
        }
        Ok(result)
    }

    fn backward_step(
        &self,
        plan: &Plan,
        index: usize,
        pass: &Pass,
        (saved, arrived): (&[Tensor], &[Option<Tensor>]),
        gradients: &mut [Vec<Option<Tensor>>],
        result: &mut Backward,
    ) -> Result<(), NetError> {
        let step = &plan.steps[index];
        if let Some(source) = step.joined_to.filter(|source| pass.joined[*source]) {
            gradients[source] = arrived.to_vec();
            return Ok(());
        }
        let params = self.step_params(&step.keys)?;
        let needs_input = needs_input(plan, index, &pass.needed);
        let context = self.context((index, step), pass, &params, &needs_input);
        let Some(layer) = self.layer(step) else {
            return Ok(());
        };
        let in_node = |source| NetError::Node {
            node: step.name.clone(),
            source,
        };
        let found = layer.backward(&context, saved, arrived).map_err(in_node)?;
        for ((gradient, (source, port)), needed) in found
            .inputs
            .into_iter()
            .zip(&step.sources)
            .zip(&needs_input)
        {
            if let (Some(gradient), true) = (gradient, *needed) {
                add(slot(&mut gradients[*source], *port), gradient).map_err(in_node)?;
            }
        }
        for (gradient, key) in found.params.into_iter().zip(&step.keys) {
            let trained =
                pass.options.focus.trains(step) && self.params.get(key).is_some_and(is_trained);
            if let (Some(gradient), true) = (gradient, trained) {
                let mut sum = result.params.remove(key);
                add(&mut sum, gradient).map_err(in_node)?;
                result.params.extend(sum.map(|sum| (key.clone(), sum)));
            }
        }
        Ok(())
    }

    fn seed_gradients(
        &self,
        plan: &Plan,
        pass: &Pass,
        start: &BackwardStart,
        gradients: &mut [Vec<Option<Tensor>>],
    ) -> Result<(), NetError> {
        match start {
            BackwardStart::Losses => {
                for (index, step) in plan.steps.iter().enumerate() {
                    if pass.options.focus.counts(step)
                        && step.loss_weight != 0.0
                        && let Some(loss) = pass.outputs[index].first()
                    {
                        let weight = loss.tensor().ones_like()?.affine(step.loss_weight, 0.0)?;
                        gradients[index] = vec![Some(weight)];
                    }
                }
            }
            BackwardStart::At(given) => {
                for (port, gradient) in given {
                    let Some(index) = plan.by_name.get(&port.node) else {
                        return Err(NetError::NoSuchNode {
                            node: port.node.clone(),
                        });
                    };
                    if pass.joined[*index] {
                        // Its own output was never there: only nodes that are kept can begin.
                        return Err(NetError::NoSuchNode {
                            node: port.node.clone(),
                        });
                    }
                    add(slot(&mut gradients[*index], port.port), gradient.clone())?;
                }
            }
        }
        Ok(())
    }

    /// What a node's layer may look at, the same on the way forward and backward.
    fn context<'a>(
        &self,
        (index, step): (usize, &Step),
        pass: &'a Pass,
        params: &'a [Tensor],
        needs_input: &'a [bool],
    ) -> Context<'a> {
        Context {
            phase: pass.phase,
            params,
            seed: stream(pass.options.seed, pass.options.iteration, &step.name),
            needs_input,
            needs_params: self.learns(step, &pass.options),
            state: pass
                .options
                .states
                .get(&step.name)
                .map_or(&[], Vec::as_slice),
            relu: pass.joined[index],
            frozen: self.is_frozen(step, &pass.options),
            precise: self.config.precise,
        }
    }

    /// Whether the node is left out of training: by the walk's focus, or because nothing that it
    /// could learn is trained.
    fn is_frozen(&self, step: &Step, options: &ForwardOptions) -> bool {
        let params = || step.keys.iter().filter_map(|key| self.params.get(key));
        let could_learn = params().any(|param| param.learnable);
        !options.focus.trains(step) || could_learn && !params().any(is_trained)
    }

    fn step_params(&self, keys: &[String]) -> Result<Vec<Tensor>, NetError> {
        let tensor = |key: &String| match self.params.get(key) {
            Some(param) => Ok(param.tensor.clone()),
            None => Err(NetError::NoSuchParam { key: key.clone() }),
        };
        keys.iter().map(tensor).collect()
    }

    fn learns(&self, step: &Step, options: &ForwardOptions) -> bool {
        let mut keys = step.keys.iter();
        options.backward
            && options.focus.trains(step)
            && keys.any(|key| self.params.get(key).is_some_and(is_trained))
    }

    /// By step, whether the gradient at its outputs leads to something that is wanted.
    fn needed(&self, plan: &Plan, visited: &[bool], options: &ForwardOptions) -> Vec<bool> {
        let mut needed = vec![false; plan.steps.len()];
        for (index, step) in plan
            .steps
            .iter()
            .enumerate()
            .filter(|(index, _)| visited[*index])
        {
            let passes_on = step.role != Role::Metric;
            needed[index] = passes_on
                && (options.gradients_at.contains(&step.name)
                    || self.learns(step, options)
                    || step.sources.iter().any(|(source, _)| needed[*source]));
        }
        needed
    }
}

fn is_trained(param: &super::Param) -> bool {
    param.learnable && param.lr_mult != 0.0
}

/// Which steps the wanted nodes need.
fn visited(plan: &Plan, until: Option<&BTreeSet<String>>) -> Result<Vec<bool>, NetError> {
    let Some(until) = until else {
        return Ok(vec![true; plan.steps.len()]);
    };
    let mut visited = vec![false; plan.steps.len()];
    for name in until {
        match plan.by_name.get(name) {
            Some(index) => visited[*index] = true,
            None => return Err(NetError::NoSuchNode { node: name.clone() }),
        }
    }
    for index in (0..plan.steps.len()).rev() {
        if visited[index] {
            for (source, _) in &plan.steps[index].sources {
                visited[*source] = true;
            }
        }
    }
    Ok(visited)
}

fn count_readers(plan: &Plan, visited: &[bool]) -> Vec<usize> {
    let mut readers = vec![0; plan.steps.len()];
    for (step, _) in plan
        .steps
        .iter()
        .zip(visited)
        .filter(|(_, visited)| **visited)
    {
        for (source, _) in &step.sources {
            readers[*source] += 1;
        }
    }
    readers
}

fn keeps(options: &ForwardOptions, plan: &Plan, index: usize) -> bool {
    match &options.keep {
        Keep::All => true,
        Keep::Only(names) => {
            names.contains(&plan.steps[index].name) || plan.steps[index].role == Role::Loss
        }
    }
}

/// By step, whether it does the work of the ReLU behind it too: where both are walked, and nobody
/// wants to see what lies between them.
fn joined(plan: &Plan, visited: &[bool], options: &ForwardOptions) -> Vec<bool> {
    let mut joined = vec![false; plan.steps.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        if let Some(source) = step.joined_to {
            let is_seen = keeps(options, plan, source)
                || options.gradients_at.contains(&plan.steps[source].name);
            joined[source] = visited[index] && !is_seen;
        }
    }
    joined
}

fn needs_input(plan: &Plan, index: usize, needed: &[bool]) -> Vec<bool> {
    plan.steps[index]
        .sources
        .iter()
        .map(|(source, _)| needed[*source])
        .collect()
}

fn slot(gradients: &mut Vec<Option<Tensor>>, port: usize) -> &mut Option<Tensor> {
    if gradients.len() <= port {
        gradients.resize(port + 1, None);
    }
    &mut gradients[port]
}

/// The first gradient is stored; later ones are added.
fn add(sum: &mut Option<Tensor>, gradient: Tensor) -> candle_core::Result<()> {
    *sum = Some(match sum.take() {
        None => gradient,
        Some(earlier) => (earlier + gradient)?,
    });
    Ok(())
}
