//! How large the gradient of each layer is, from the first to the last: what vanishing and
//! exploding gradients look like, and what shortcuts do about them (He et al. 2015, figure 1;
//! Glorot and Bengio 2010, section 4.2.1).

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use crate::graph::{Node, Role};

/// One layer with weights, in the order of the walk.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGradient {
    pub node: String,
    /// Root mean square of ∂loss/∂weight.
    pub gradient: f64,
    /// Root mean square of the weights themselves.
    pub weight: f64,
}

impl LayerGradient {
    /// The gradient's size in that of the weights; NaN where the weights are 0.
    pub fn ratio(&self) -> f64 {
        self.gradient / self.weight
    }
}

/// Of every node with a weight matrix or filters, by key; a weight that nodes share stands at its
/// first. Normalisation, whose weights have one axis, is left out: its gradients are of another
/// kind. So are weights without a gradient, which are not trained.
pub fn gradients_by_depth<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    weights: &BTreeMap<String, Tensor>,
    gradients: &BTreeMap<String, Tensor>,
) -> candle_core::Result<Vec<LayerGradient>> {
    let mut layers = Vec::new();
    let mut seen = Vec::new();
    for node in nodes.filter(|node| node.layer.spec().role == Role::Layer) {
        let prefix = node.param_key("");
        let matrices = gradients
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .filter(|(key, gradient)| !key[prefix.len()..].contains('.') && gradient.rank() > 1);
        let (mut squares, mut own, mut count) = (0.0, 0.0, 0usize);
        for (key, gradient) in matrices {
            let Some(weight) = weights.get(key).filter(|_| !seen.contains(&key)) else {
                continue;
            };
            seen.push(key);
            squares += sum_of_squares(gradient)?;
            own += sum_of_squares(weight)?;
            count += gradient.elem_count();
        }
        if count > 0 {
            layers.push(LayerGradient {
                node: node.name.clone(),
                gradient: (squares / count as f64).sqrt(),
                weight: (own / count as f64).sqrt(),
            });
        }
    }
    Ok(layers)
}

fn sum_of_squares(tensor: &Tensor) -> candle_core::Result<f64> {
    let sum = tensor.sqr()?.sum_all()?.to_dtype(DType::F64)?;
    sum.to_scalar()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::layers::{Convolution, FusedBatchNorm, InnerProduct};

    fn tensor(shape: &[usize], value: f32) -> Tensor {
        Tensor::full(value, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn layers_stand_in_their_order_with_shared_weights_once() {
        let mut nodes = [
            Node::new("a/conv", Box::new(Convolution::default())),
            Node::new("a/bn", Box::new(FusedBatchNorm::default())),
            Node::new("fc", Box::new(InnerProduct::default())),
            Node::new("again", Box::new(InnerProduct::default())),
            Node::new("frozen", Box::new(InnerProduct::default())),
        ];
        nodes[3].key = Some("fc".to_owned());
        let of = |entries: &[(&str, &[usize], f32)]| -> BTreeMap<String, Tensor> {
            let tensors = entries
                .iter()
                .map(|(key, shape, value)| ((*key).to_owned(), tensor(shape, *value)));
            tensors.collect()
        };
        let weights = of(&[
            ("a.conv.weight", &[2, 3, 3, 3], 0.5),
            ("a.conv.bias", &[2], 9.0),
            ("a.bn.weight", &[2], 1.0),
            ("fc.weight", &[4, 5], 2.0),
            ("frozen.weight", &[4, 5], 2.0),
        ]);
        let gradients = of(&[
            ("a.conv.weight", &[2, 3, 3, 3], -0.25),
            ("a.conv.bias", &[2], 7.0),
            ("a.bn.weight", &[2], 3.0),
            ("fc.weight", &[4, 5], 1.0),
        ]);
        let found = gradients_by_depth(nodes.iter(), &weights, &gradients).unwrap();
        let layer = |node: &str, gradient, weight| LayerGradient {
            node: node.to_owned(),
            gradient,
            weight,
        };
        assert_eq!(found, [layer("a/conv", 0.25, 0.5), layer("fc", 1.0, 2.0)]);
        assert_eq!(found[0].ratio(), 0.5);
    }
}
