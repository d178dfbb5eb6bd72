//! Whether what is fed can run.

use super::compile::{check_size, refuse_errors};
use super::{Net, NetError, NetFeed};
use crate::graph::{Phase, Role, Shape, infer};
use crate::i18n::tr;

/// More numbers than this in activations are refused: 16 GB in f32.
const MAX_ACTIVATIONS: u64 = 1 << 32;

impl Net {
    /// Checks what is fed. Sizes other than those of compilation are inferred anew: they must
    /// run and leave every parameter as it is.
    pub(super) fn check_feed(&self, phase: Phase, feed: &NetFeed) -> Result<(), NetError> {
        let plan = self.plan(phase);
        let mut facts = self.facts.clone();
        let mut batch = 1;
        let mut differs = false;
        for step in &plan.steps {
            let given = match step.role {
                Role::Data => feed.data.as_ref().map(|fed| &fed.data),
                Role::Input => feed.inputs.get(&step.name),
                _ => continue,
            };
            let Some(given) = given else { continue };
            let found = Shape::known(given.dims());
            batch = batch.max(given.dims().first().copied().unwrap_or(1));
            if given.dims().len() != step.shape.rank() || given.elem_count() == 0 {
                let (node, expected) = (step.name.clone(), step.shape.clone());
                return Err(NetError::FeedShape {
                    node,
                    expected,
                    found,
                });
            }
            if !step.shape.agrees(&found) {
                differs = true;
                // A label at each position or pixel follows those that are fed.
                if let Some(data) = &mut facts.data
                    && step.role == Role::Data
                    && let Some(labels) = data.labels.as_mut().filter(|l| data.shape.ends_with(l))
                {
                    let given = given.dims();
                    *labels = given[given.len() - labels.len()..].to_vec();
                }
                facts
                    .shapes
                    .insert(step.name.clone(), given.dims()[1..].to_vec());
            }
        }
        let activations = plan.activations.saturating_mul(batch as u64);
        check_size(
            tr("one batch's activations", "一个批次的激活值"),
            activations,
            MAX_ACTIVATIONS,
        )?;
        if !differs {
            return Ok(());
        }
        let inference = infer(&self.graph, &facts);
        refuse_errors(&self.graph, &inference)?;
        for (key, spec) in inference
            .phase(phase)
            .nodes
            .values()
            .flat_map(|info| &info.params)
        {
            let known = self.params.get(key).map(|param| param.tensor.dims());
            if known != Some(spec.shape.as_slice()) {
                let expected = known.unwrap_or_default().to_vec();
                let found = spec.shape.clone();
                return Err(NetError::ParamShape {
                    key: key.clone(),
                    expected,
                    found,
                });
            }
        }
        // An input layer that states its shape keeps it, whatever is fed.
        for step in plan.steps.iter().filter(|step| step.role == Role::Input) {
            if let Some(given) = feed.inputs.get(&step.name)
                && let Some(node) = self.graph.node(step.node)
                && let Some(info) = inference.phase(phase).nodes.get(&node.id)
                && let Some(shape) = info.outputs.as_ref().and_then(|outputs| outputs.first())
                && !shape.agrees(&Shape::known(given.dims()))
            {
                return Err(NetError::FeedShape {
                    node: step.name.clone(),
                    expected: shape.clone(),
                    found: Shape::known(given.dims()),
                });
            }
        }
        Ok(())
    }
}
