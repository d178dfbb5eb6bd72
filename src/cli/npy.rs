//! Tensors in NumPy's `.npy` format, read within the bounds of the file.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use candle_core::{Device, Tensor};
use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar, WriterBuilder};

use crate::i18n::{tr, tr_format};

const MAX_BYTES: u64 = 1 << 30;

/// A plain array's header takes about a hundred bytes.
const MAX_HEADER_BYTES: usize = 1024;

/// Reads real or integer numbers of any byte order as f32.
pub(super) fn read(path: &Path) -> anyhow::Result<Tensor> {
    let in_file = || path.display().to_string();
    let size = std::fs::metadata(path).with_context(in_file)?.len();
    if size > MAX_BYTES {
        bail!(tr_format!(
            "{} is larger than 1 GiB",
            "{} 超过 1 GiB",
            path.display()
        ));
    }
    parse(&std::fs::read(path).with_context(in_file)?).with_context(in_file)
}

fn parse(bytes: &[u8]) -> anyhow::Result<Tensor> {
    let header_size = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => u16::from_le_bytes([*a, *b]).into(),
        [0x93, b'N', b'U', b'M', b'P', b'Y', _, _, a, b, c, d, ..] => {
            u32::from_le_bytes([*a, *b, *c, *d]) as usize
        }
        _ => bail!(tr("is not a NumPy .npy file", "不是 NumPy 的 .npy 文件")),
    };
    if header_size > MAX_HEADER_BYTES {
        bail!(tr(
            "its header is too long for a plain array",
            "文件头过长，不是普通数组"
        ));
    }
    let mut rest = bytes;
    let header = NpyHeader::from_reader(&mut rest)?;
    let DType::Plain(kind) = header.dtype() else {
        bail!(tr(
            "holds records; a plain array is needed",
            "存的是结构体；需要普通数组"
        ));
    };
    let width = kind.num_bytes().unwrap_or(0) as u64;
    let shape = header.shape().to_vec();
    let count = shape
        .iter()
        .try_fold(1u64, |count, dim| count.checked_mul(*dim));
    let needed = count.and_then(|count| count.checked_mul(width));
    if shape.len() > 8 || needed.is_none_or(|needed| needed > rest.len() as u64) {
        bail!(tr_format!(
            "promises {shape:?} numbers, but is shorter",
            "声称含有 {shape:?} 个数，但文件更短"
        ));
    }
    let order = header.order();
    let file = NpyFile::with_header(header, rest);
    let values: Vec<f32> = match (kind.type_char(), width) {
        (TypeChar::Float, 4) => file.into_vec::<f32>()?,
        (TypeChar::Float, 8) => as_f32(file.into_vec::<f64>()?, |value| value as f32),
        (TypeChar::Uint, 1) => as_f32(file.into_vec::<u8>()?, f32::from),
        (TypeChar::Int, 4) => as_f32(file.into_vec::<i32>()?, |value| value as f32),
        (TypeChar::Int, 8) => as_f32(file.into_vec::<i64>()?, |value| value as f32),
        _ => bail!(tr_format!(
            "holds numbers of type {kind}; save it as float32",
            "数值类型为 {kind}；请保存为 float32"
        )),
    };
    let mut dims: Vec<usize> = shape.iter().map(|dim| *dim as usize).collect();
    if order == Order::C {
        return Ok(Tensor::from_vec(values, dims, &Device::Cpu)?);
    }
    // Fortran's order is C's with the axes turned round.
    dims.reverse();
    let axes: Vec<usize> = (0..dims.len()).rev().collect();
    let turned = Tensor::from_vec(values, dims, &Device::Cpu)?;
    Ok(turned.permute(axes)?.contiguous()?)
}

fn as_f32<T>(values: Vec<T>, convert: impl Fn(T) -> f32) -> Vec<f32> {
    values.into_iter().map(convert).collect()
}

/// The bytes of an `.npy` file of a real tensor, as f32.
pub(super) fn write(tensor: &Tensor) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape: Vec<u64> = tensor.dims().iter().map(|dim| *dim as u64).collect();
    let values = tensor
        .to_dtype(candle_core::DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let options = npyz::WriteOptions::new().default_dtype().shape(&shape);
    let mut writer = options.writer(&mut bytes as &mut dyn Write).begin_nd()?;
    writer.extend(values)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let values: Vec<f32> = (0..24).map(|i| i as f32 / 7.0).collect();
        let tensor = Tensor::from_vec(values.clone(), (2, 3, 4), &Device::Cpu).unwrap();
        let again = parse(&write(&tensor).unwrap()).unwrap();
        assert_eq!(again.dims(), [2, 3, 4]);
        assert_eq!(
            again.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            values
        );
    }

    #[test]
    fn byte_order_axis_order_and_types_are_understood() {
        let big = file(
            "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n",
            &{
                let mut data = 1.5f32.to_be_bytes().to_vec();
                data.extend((-2.0f32).to_be_bytes());
                data
            },
        );
        assert_eq!(parse(&big).unwrap().to_vec1::<f32>().unwrap(), [1.5, -2.0]);
        let fortran = file(
            "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n",
            &[1, 2, 3, 4, 5, 6],
        );
        assert_eq!(
            parse(&fortran).unwrap().to_vec2::<f32>().unwrap(),
            [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]
        );
    }

    #[test]
    fn promises_that_the_file_does_not_keep_are_refused() {
        let header = |text: &str| file(&format!("{text}\n"), &[0; 16]);
        let deep = format!("{{'descr': {}", "(".repeat(900));
        let cases = [
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }"),
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"),
            header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
            header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
            header(&deep),
            header("nonsense"),
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
            b"\x93NUMPY\x01\x00\xff".to_vec(),
            Vec::new(),
        ];
        for case in cases {
            assert!(
                parse(&case).is_err(),
                "{:?}",
                String::from_utf8_lossy(&case)
            );
        }
    }
}
