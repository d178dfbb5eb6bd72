//! Tensors by key in safetensors files, and their way into a network.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{CheckpointError, format_error};
use crate::i18n::{tr, tr_format};
use crate::net::Net;
use crate::train::{Momentum, param_of};

/// No network that [`Net`] accepts has larger files.
pub(super) const MAX_BYTES: u64 = 5 << 30;

/// The momentum on the network's device and in its type; every shape must fit.
pub(super) fn momentum_for(
    net: &Net,
    saved: &Momentum,
    path: &Path,
) -> Result<Momentum, CheckpointError> {
    let mut momentum = Momentum::new();
    for (key, tensor) in saved {
        let Some(param) = net.params().get(param_of(key)) else {
            return Err(tensor_error(path, key, no_such_param()));
        };
        let expected = param.tensor.dims();
        if expected != tensor.dims() {
            return Err(tensor_error(
                path,
                key,
                wrong_shape(tensor.dims(), expected),
            ));
        }
        let moved = (tensor.to_dtype(net.config().dtype))
            .and_then(|tensor| tensor.to_device(&net.config().device))
            .map_err(|error| tensor_error(path, key, error.to_string()))?;
        momentum.insert(key.clone(), moved);
    }
    Ok(momentum)
}

pub(super) fn set_weights(
    net: &mut Net,
    weights: &BTreeMap<String, Tensor>,
    path: &Path,
) -> Result<(), CheckpointError> {
    for (key, param) in net.params() {
        let expected = param.tensor.dims();
        match weights.get(key) {
            Some(tensor) if tensor.dims() != expected => {
                let problem = wrong_shape(tensor.dims(), expected);
                return Err(tensor_error(path, key, problem));
            }
            Some(_) => {}
            None => {
                let problem = tr(
                    "is missing; these weights belong to another network",
                    "缺失；这些权重属于另一个网络",
                );
                return Err(tensor_error(path, key, problem.to_owned()));
            }
        }
    }
    for (key, tensor) in weights {
        if !net.params().contains_key(key) {
            return Err(tensor_error(path, key, no_such_param()));
        }
        net.set_param(key, tensor.clone())
            .map_err(|error| tensor_error(path, key, error.to_string()))?;
    }
    Ok(())
}

fn tensor_error(path: &Path, key: &str, problem: String) -> CheckpointError {
    CheckpointError::Tensor {
        path: path.to_owned(),
        key: key.to_owned(),
        problem,
    }
}

fn no_such_param() -> String {
    tr(
        "is no parameter of the network; these weights belong to another one",
        "不是该网络的参数；这些权重属于另一个网络",
    )
    .to_owned()
}

fn wrong_shape(found: &[usize], expected: &[usize]) -> String {
    tr_format!(
        "has the shape {found:?}, but the network needs {expected:?}",
        "的形状为 {found:?}，而网络需要 {expected:?}"
    )
}

/// A safetensors file; `path` is for messages.
pub fn to_bytes(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Vec<u8>, CheckpointError> {
    let mut raw = Vec::with_capacity(tensors.len());
    for (key, tensor) in tensors {
        let (dtype, bytes) =
            bytes_of(tensor).map_err(|error| tensor_error(path, key, error.to_string()))?;
        raw.push((key, dtype, tensor.dims().to_vec(), bytes));
    }
    let failed = |error: safetensors::SafeTensorError| format_error(path, error.to_string());
    let mut views = Vec::with_capacity(raw.len());
    for (key, dtype, dims, bytes) in &raw {
        let view = TensorView::new(*dtype, dims.clone(), bytes).map_err(failed)?;
        views.push((key, view));
    }
    safetensors::serialize(views, None).map_err(failed)
}

fn bytes_of(tensor: &Tensor) -> candle_core::Result<(Dtype, Vec<u8>)> {
    let flat = tensor.flatten_all()?;
    if tensor.dtype() == DType::F64 {
        let values = flat.to_vec1::<f64>()?;
        let bytes = values.into_iter().flat_map(f64::to_le_bytes).collect();
        return Ok((Dtype::F64, bytes));
    }
    let values = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok((Dtype::F32, bytes))
}

pub(super) fn parse(
    path: &Path,
    bytes: &[u8],
) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
    let damaged = |error: safetensors::SafeTensorError| {
        let problem = tr_format!(
            "is not a whole safetensors file: {error}",
            "不是完整的 safetensors 文件：{error}"
        );
        format_error(path, problem)
    };
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let mut tensors = BTreeMap::new();
    for (key, view) in file.tensors() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => {
                return Err(tensor_error(
                    path,
                    &key,
                    tr_format!(
                        "is of type {other}; only F32 and F64 can be read",
                        "的类型为 {other}；只能读取 F32 和 F64"
                    ),
                ));
            }
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
            .map_err(|error| tensor_error(path, &key, error.to_string()))?;
        tensors.insert(key, tensor);
    }
    Ok(tensors)
}
