//! Caffe's trained weights (`.caffemodel`: a binary `NetParameter`), current and V1, both ways.
//!
//! Only names, types and blobs are read: the network itself comes from a prototxt or a project.
//! A file of n bytes makes at most n bytes of numbers and [`MAX_LAYERS`] layers of
//! [`MAX_BLOBS`] blobs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::reader::node_name;
use super::{ImportError, kinds};
use crate::data::{Blob, Damaged, Fields, Wire};
use crate::graph::{Graph, Inference};

const MAX_LAYERS: usize = 5_000;
const MAX_BLOBS: usize = 64;

/// Protocol Buffers' own limit.
const MAX_MODEL_BYTES: u64 = 2 << 30;

/// The blobs of a layer, in its order of parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelLayer {
    pub name: String,
    /// Empty for most types of V1.
    pub kind: String,
    pub blobs: Vec<Blob>,
}

/// Reads a file's layers that have blobs.
pub fn open_model(path: &Path) -> Result<Vec<ModelLayer>, ImportError> {
    let bytes = super::read_bytes(path, MAX_MODEL_BYTES)?;
    read_model(&bytes).map_err(|source| ImportError::Damaged {
        path: path.to_owned(),
        source,
    })
}

pub fn read_model(bytes: &[u8]) -> Result<Vec<ModelLayer>, Damaged> {
    let mut layers = Vec::new();
    for field in Fields(bytes) {
        let layer = match field? {
            (100, Wire::Bytes(layer)) => read_layer(layer, [1, 2, 7])?,
            (2, Wire::Bytes(layer)) => read_layer(layer, [4, 5, 6])?,
            _ => continue,
        };
        if layer.blobs.is_empty() {
            continue;
        }
        if layers.len() == MAX_LAYERS {
            return Err(Damaged);
        }
        layers.push(layer);
    }
    Ok(layers)
}

/// `LayerParameter` or `V1LayerParameter`, which differ in their fields' numbers.
fn read_layer(bytes: &[u8], [name, kind, blobs]: [u32; 3]) -> Result<ModelLayer, Damaged> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Damaged);
    let mut layer = ModelLayer::default();
    for field in Fields(bytes) {
        match field? {
            (number, Wire::Bytes(bytes)) if number == name => layer.name = text(bytes)?,
            (number, Wire::Bytes(bytes)) if number == kind => layer.kind = text(bytes)?,
            // `V1LayerParameter.LayerType`
            (number, Wire::Varint(value)) if number == kind => {
                let known = [(4, "Convolution"), (39, "Deconvolution")];
                let known = known.iter().find(|(number, _)| *number == value);
                layer.kind = known.map_or("", |(_, name)| name).to_owned();
            }
            (number, Wire::Bytes(bytes)) if number == blobs => {
                if layer.blobs.len() == MAX_BLOBS {
                    return Err(Damaged);
                }
                layer.blobs.push(Blob::parse(bytes)?);
            }
            _ => {}
        }
    }
    Ok(layer)
}

/// The weights by the keys of a network. Layers and nodes are matched by name, blobs and
/// parameters by their order; a blob that holds a parameter's numbers takes its shape. What the
/// network has no place for is named by its type.
pub fn weights_for(
    layers: Vec<ModelLayer>,
    graph: &Graph,
    inference: &Inference,
) -> BTreeMap<String, Tensor> {
    let mut weights = BTreeMap::new();
    let mut places: BTreeMap<String, Vec<(&String, &[usize])>> = BTreeMap::new();
    for node in graph.nodes() {
        let params = inference.node(node.id).map_or(&[][..], |info| &info.params);
        if !params.is_empty() {
            let params = params
                .iter()
                .map(|(key, spec)| (key, spec.shape.as_slice()));
            // By its key, so that a node in a group (`conv1/conv`) still finds its layer (`conv1`).
            let key = node.param_key("");
            places.insert(key.trim_end_matches('.').to_owned(), params.collect());
        }
    }
    let mut others = Vec::new();
    for layer in layers {
        let Some(params) = places.get(&node_name(&layer.name).replace('/', ".")) else {
            others.push(layer);
            continue;
        };
        for (blob, (key, shape)) in layer.blobs.into_iter().zip(params) {
            let shape = match blob.is_like(shape) {
                true => shape.to_vec(),
                false => blob.shape,
            };
            insert(&mut weights, (*key).clone(), blob.data, shape);
        }
    }
    for (key, tensor) in weights_by_type(others) {
        weights.entry(key).or_insert(tensor);
    }
    weights
}

/// The weights under the names that the layers' types give them, without knowing the network.
pub fn weights_by_type(layers: Vec<ModelLayer>) -> BTreeMap<String, Tensor> {
    let mut weights = BTreeMap::new();
    for layer in layers {
        let prefix = node_name(&layer.name).replace('/', ".");
        let suffixes: &[&str] = match layer.kind.as_str() {
            "BatchNorm" => &["running_mean", "running_var", "scale_factor"],
            "Bias" => &["bias"],
            _ => &["weight", "bias"],
        };
        let convolves = matches!(layer.kind.as_str(), "Convolution" | "Deconvolution");
        for (index, blob) in layer.blobs.into_iter().enumerate() {
            // The older form has four axes whatever the layer.
            let padded = blob.shape.len() == 4 && !(convolves && index == 0);
            let ones = blob
                .shape
                .iter()
                .take_while(|size| padded && **size == 1)
                .count();
            let suffix = suffixes
                .get(index)
                .map_or(format!("blob{index}"), |s| (*s).to_owned());
            let shape = blob.shape[ones..].to_vec();
            insert(&mut weights, format!("{prefix}.{suffix}"), blob.data, shape);
        }
    }
    weights
}

fn insert(weights: &mut BTreeMap<String, Tensor>, key: String, data: Vec<f32>, shape: Vec<usize>) {
    if let Ok(tensor) = Tensor::from_vec(data, shape, &Device::Cpu) {
        weights.insert(key, tensor);
    }
}

/// In which order Caffe's layers hold their parameters.
const ORDER: [&str; 5] = [
    "running_mean",
    "running_var",
    "scale_factor",
    "weight",
    "bias",
];

/// Layers by the keys of their weights: what stands before the last point is a layer, under the
/// name that it has in `graph`, if there is one; in the graph's order, others behind.
pub fn layers_of(
    weights: &BTreeMap<String, Tensor>,
    graph: Option<&Graph>,
) -> candle_core::Result<Vec<ModelLayer>> {
    let mut grouped: BTreeMap<&str, Vec<(usize, &str, &Tensor)>> = BTreeMap::new();
    for (key, tensor) in weights {
        let (prefix, suffix) = key.rsplit_once('.').unwrap_or(("", key));
        let rank = ORDER.iter().position(|known| *known == suffix);
        let rank = rank.unwrap_or(ORDER.len());
        grouped
            .entry(prefix)
            .or_default()
            .push((rank, suffix, tensor));
    }
    let mut layers = Vec::new();
    let mut push = |name: &str, kind: String, tensors: &[(usize, &str, &Tensor)]| {
        let mut tensors = tensors.to_vec();
        tensors.sort_by_key(|(rank, suffix, _)| (*rank, *suffix));
        let blobs = tensors.iter().map(|(.., tensor)| blob(tensor));
        layers.push(ModelLayer {
            name: name.to_owned(),
            kind,
            blobs: blobs.collect::<Result<_, _>>()?,
        });
        candle_core::Result::Ok(())
    };
    let mut used = BTreeSet::new();
    for node in graph.map_or(&[][..], Graph::nodes) {
        let key = node.param_key("");
        let prefix = key.trim_end_matches('.');
        if let Some(tensors) = grouped.get(prefix) {
            used.insert(prefix.to_owned());
            push(&node.name, kinds::type_of(node.layer.spec()), tensors)?;
        }
    }
    for (prefix, tensors) in grouped
        .iter()
        .filter(|(prefix, _)| !used.contains(**prefix))
    {
        push(prefix, String::new(), tensors)?;
    }
    Ok(layers)
}

fn blob(tensor: &Tensor) -> candle_core::Result<Blob> {
    Ok(Blob {
        shape: tensor.dims().to_vec(),
        data: tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?,
    })
}

/// The bytes of a `.caffemodel`, in the current form.
pub fn write_model(title: &str, layers: &[ModelLayer]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, 1, title.as_bytes());
    for layer in layers {
        let mut body = Vec::new();
        put(&mut body, 1, layer.name.as_bytes());
        put(&mut body, 2, layer.kind.as_bytes());
        for blob in &layer.blobs {
            let mut sizes = Vec::new();
            blob.shape
                .iter()
                .for_each(|size| encode_varint(*size as u64, &mut sizes));
            let mut shape = Vec::new();
            put(&mut shape, 1, &sizes);
            let data: Vec<u8> = blob
                .data
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            let mut whole = Vec::with_capacity(data.len() + 64);
            put(&mut whole, 5, &data);
            put(&mut whole, 7, &shape);
            put(&mut body, 7, &whole);
        }
        put(&mut bytes, 100, &body);
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, bytes);
    encode_varint(value.len() as u64, bytes);
    bytes.extend_from_slice(value);
}
