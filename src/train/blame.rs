//! Where a loss that is not finite began.

use candle_core::{DType, Tensor};

use super::Failure;
use super::run::feed_of;
use crate::data::Batch;
use crate::graph::{Phase, Value};
use crate::i18n::tr_format;
use crate::net::{ForwardOptions, Net, NetError};

/// Walks the batch again and names the first node, in the order of the walk, that has a weight
/// or gives an output that is infinite or not a number.
pub(super) fn blame(
    net: &Net,
    batch: &Batch,
    seed: u64,
    (batch_number, iteration): (u64, u64),
) -> Result<Failure, NetError> {
    let options = ForwardOptions {
        seed,
        iteration: batch_number,
        ..ForwardOptions::default()
    };
    let pass = net.forward(Phase::Train, &feed_of(batch), options)?;
    let number = iteration + 1;
    for node in net.order(Phase::Train) {
        let name = &node.name;
        let params = net.inference().phase(Phase::Train).nodes.get(&node.id);
        for (key, _) in params.into_iter().flat_map(|info| &info.params) {
            let param = net.params().get(key);
            if param.is_some_and(|param| !is_finite(&param.tensor)) {
                return Ok(Failure::at(
                    name,
                    tr_format!(
                        "the loss is not finite in iteration {number}: it began at node “{name}”, whose parameter “{key}” is not finite any more; a lower learning rate usually helps",
                        "第 {number} 次迭代的损失不是有限数：问题始于节点“{name}”，其参数“{key}”已不是有限数；降低学习率通常有效"
                    ),
                ));
            }
        }
        let broken = |value: &Value| matches!(value, Value::Tensor(tensor) if !is_finite(tensor));
        if pass.outputs(net, name).iter().any(broken) {
            return Ok(Failure::at(
                name,
                tr_format!(
                    "the loss is not finite in iteration {number}: it began at node “{name}”, whose output is not finite; lower the learning rate, or check the data and the first weights",
                    "第 {number} 次迭代的损失不是有限数：问题始于节点“{name}”，其输出不是有限数；请降低学习率，或检查数据与初始权重"
                ),
            ));
        }
    }
    Ok(Failure::new(tr_format!(
        "the loss is not finite in iteration {number}, although every node's output is; check the loss weights",
        "第 {number} 次迭代的损失不是有限数，但各节点的输出均为有限数；请检查损失权重"
    )))
}

/// Whether every number is finite: any that is not makes this sum of zeros so.
fn is_finite(tensor: &Tensor) -> bool {
    let sum = || {
        let zeros = tensor.to_dtype(DType::F64)?.affine(0.0, 0.0)?;
        zeros.sum_all()?.to_scalar::<f64>()
    };
    sum().is_ok_and(f64::is_finite)
}
